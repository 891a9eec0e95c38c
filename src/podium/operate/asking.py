"""Asking an application that runs, as a visitor does: through a slot's socket, or nginx."""

from __future__ import annotations

import base64
import http.client
import io
import json
import mimetypes
import socket
import ssl
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import msgspec

from podium.errors import ServeError
from podium.folder import Parsed
from podium.pipeline.probe import probe_items
from podium.prediction import ClassAnswer, Prediction, ValueAnswer
from podium.production.site import Site
from podium.signature import Signature
from podium.spec import Example, Spec

ASK_S: Final = 30.0
LATER: Final = (429, 502, 503, 504)
"""What an application answers, or a proxy in its place, that may answer a moment later."""
Connect = Callable[[], http.client.HTTPConnection]


class NotNow(ServeError):
    """There was no prediction, but there may be one a moment later."""


class Reply(NamedTuple):
    """What was answered."""

    status: int
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON; None if it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @property
    def told(self) -> str:
        """What a refusal says, in one line."""
        problem = self.json
        detail = problem.get("detail") or problem.get("title") if isinstance(problem, dict) else ""
        return f"{self.status} {detail or self.body[:200].decode('utf-8', 'replace')}".strip()


class Question(NamedTuple):
    """A request to /predict."""

    content_type: str
    body: bytes


class Door:
    """One way to an application at `url`; `headers` let a request in where not everybody may."""

    def __init__(
        self, url: str, spec: Spec, connect: Connect, headers: Mapping[str, str]
    ) -> None:  # fmt: skip
        parts = urlsplit(url)
        self._host, self._base_path = parts.netloc, parts.path.rstrip("/")
        self._spec, self._connect, self._headers = spec, connect, headers

    def get(self, path: str) -> Reply:
        """Ask for an address below the base path.

        Raises:
            OSError, HTTPException: nobody answers.
        """
        return self._ask("GET", path, None, {})

    def predict(self, question: Question) -> Reply:
        """Ask for a prediction.

        Raises:
            OSError, HTTPException: nobody answers.
        """
        return self._ask("POST", "/predict", question.body, {"Content-Type": question.content_type})

    def prediction(self, question: Question) -> Prediction:
        """Return what is predicted.

        Raises:
            NotNow: nobody answers, or there is too much to do.
            ServeError: there is no prediction.
        """
        try:
            reply = self.predict(question)
        except (OSError, http.client.HTTPException) as err:
            raise NotNow(f"No answer to a prediction: {err or type(err).__name__}") from err
        if reply.status != 200:
            refused = NotNow if reply.status in LATER else ServeError
            raise refused(f"A prediction was refused: {reply.told}")
        kind: type[ClassAnswer | ValueAnswer] = (
            ClassAnswer if self._spec.task.kind == "classification" else ValueAnswer
        )
        try:
            return msgspec.json.decode(reply.body, type=kind).predictions[0]
        except (msgspec.MsgspecError, IndexError) as err:
            raise ServeError(f"What answers at /predict is no prediction: {reply.told}") from err

    def is_alive(self) -> bool:
        """Whether the application answers."""
        try:
            return self.get("/healthz").status == 200
        except (OSError, http.client.HTTPException):
            return False

    def ready_workers(self, count: int) -> set[int]:
        """Return the processes that have all models loaded, of so many that are asked at once.

        Connections that are kept meanwhile spread over the workers.

        Raises:
            ServeError: a model cannot be loaded.
        """
        found = set()
        with ExitStack() as kept:
            for _ in range(count):
                try:
                    connection = kept.enter_context(closing(self._connect()))
                    reply = self._ask_on(connection, "GET", "/readyz?worker", None, {})
                except (OSError, http.client.HTTPException):
                    break
                told = reply.json
                if reply.status == 200:
                    found.add(told["worker"])
                elif isinstance(told, dict) and told.get("status") == "failed":
                    wrong = told["errors"].items()
                    raise ServeError("\n".join(f"Model {name!r}: {err}" for name, err in wrong))
        return found

    def _ask(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Reply:
        with closing(self._connect()) as connection:
            return self._ask_on(connection, method, path, body, headers)

    def _ask_on(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
    ) -> Reply:
        told = {"Host": self._host, **self._headers, **headers}
        connection.request(method, self._base_path + path, body, told)
        response = connection.getresponse()
        return Reply(response.status, response.read())


def slot_door(site: Site, slot: str, headers: Mapping[str, str]) -> Door:
    """Return the way through the socket of a slot."""

    def connect() -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection("localhost", timeout=ASK_S)
        with ExitStack() as undo:
            plain = undo.enter_context(socket.socket(socket.AF_UNIX))
            plain.settimeout(ASK_S)
            plain.connect(str(site.socket(slot)))
            undo.pop_all()
        connection.sock = plain
        return connection

    return Door(site.url, site.spec, connect, headers)


def front_door(site: Site, headers: Mapping[str, str]) -> Door:
    """Return the way through nginx, over TLS where there is a certificate, which must be right."""
    if site.certificate is None:
        return Door(
            site.url, site.spec,
            lambda: http.client.HTTPConnection("127.0.0.1", site.http_port, timeout=ASK_S), headers,
        )  # fmt: skip
    chain = site.certificate.chain

    def connect() -> http.client.HTTPConnection:
        context = ssl.create_default_context(cafile=chain)
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # it may be signed by itself
        connection = http.client.HTTPSConnection(site.domain, site.https_port, timeout=ASK_S)
        with socket.create_connection(("127.0.0.1", site.https_port), ASK_S) as plain:
            connection.sock = context.wrap_socket(plain, server_hostname=site.domain)
        return connection

    return Door(site.url, site.spec, connect, headers)


def public_door(url: str, spec: Spec, headers: Mapping[str, str], trusted: str = "") -> Door:
    """Return the way that all visitors take to an address on the internet.

    The certificate `trusted` (PEM) is believed beside those that this machine believes.
    """
    parts, patience_s = urlsplit(url), max(ASK_S, spec.limits.timeout)
    proxy = _proxy(parts)

    def connect() -> http.client.HTTPConnection:
        first = (proxy or parts).netloc.rpartition("@")[2]
        if parts.scheme != "https":
            connection = http.client.HTTPConnection(first, timeout=patience_s)
        else:
            context = ssl.create_default_context()
            if trusted:
                context.load_verify_locations(cadata=trusted)
                context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # it may be signed by itself
            connection = http.client.HTTPSConnection(first, timeout=patience_s, context=context)
        if proxy is not None:
            connection.set_tunnel(parts.netloc, headers=_credentials(proxy))
        return connection

    return Door(url, spec, connect, headers)


def _proxy(parts: SplitResult) -> SplitResult | None:
    """Return the proxy that this machine's settings name for an address, as the SDKs heed them."""
    told = getproxies().get(parts.scheme)
    if not told or proxy_bypass(parts.hostname or ""):
        return None
    return urlsplit(told if "://" in told else f"http://{told}")


def _credentials(proxy: SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    told = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {base64.b64encode(told.encode()).decode()}"}


def question_of(folder: Path, example: Example) -> Question:
    """Return an example of podium.toml as a request."""
    if example.image is not None:
        kind = mimetypes.guess_type(example.image)[0] or "image/jpeg"
        return Question(kind, (folder / example.image).read_bytes())
    return _json({"text": example.text} if example.text is not None else dict(example.inputs or {}))


def made_up(parsed: Parsed) -> Question:
    """Return a request that the application admits, where its maker gives no example."""
    signature = Signature.of(parsed)
    item = probe_items(signature)[0]
    if signature.image is not None:
        picture = io.BytesIO()
        item.save(picture, "PNG")  # type: ignore[union-attr]
        return Question("image/png", picture.getvalue())
    if signature.text is not None:
        return _json({"text": item})
    return _json({name: value for name, value in zip(signature.names, item, strict=True)  # type: ignore[arg-type]
                  if value is not None})  # fmt: skip


def _json(item: Mapping[str, Any]) -> Question:
    return Question("application/json", json.dumps({"inputs": [item]}).encode())
