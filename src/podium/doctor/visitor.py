"""Asking a live address over HTTP/1.1, as a program far away does."""

from __future__ import annotations

import http.client
import ipaddress
import json
import re
import ssl
import time
from collections.abc import Iterable, Mapping
from contextlib import closing, suppress
from email.message import Message
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from podium.errors import ServeError

ASK_S: Final = 180.0
"""How long an answer is awaited: longer than most proxies wait."""
TAKEN_S: Final = 3.0
"""Who has not refused a body by then that was announced takes it."""
REFUSED_S: Final = 20.0
"""So long a refusal is awaited that has to come."""
RATE_TRIES, RATE_S = 4, 25
"""How often, and after how long a wait at most, a request is sent again that came too soon."""
LOCAL: Final = ("localhost", "127.0.0.1", "::1")
BROWSER: Final = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


class Address(NamedTuple):
    """A site's address; `base` is its path prefix without the slash at the end."""

    scheme: str
    host: str
    port: int
    base: str

    @classmethod
    def parse(cls, url: str) -> Address:
        """Read an address; https is meant where no scheme is told.

        Raises:
            ServeError: it is none.
        """
        try:
            parts = urlsplit(url if "://" in url else f"https://{url}")
            port = parts.port
        except ValueError as err:
            raise ServeError(f"{url!r} is no address: {err}") from err
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ServeError(f"{url!r} is no address of a site, such as https://example.org/")
        usual = 443 if parts.scheme == "https" else 80
        return cls(parts.scheme, parts.hostname, port or usual, parts.path.rstrip("/"))

    @property
    def origin(self) -> str:
        """The address without its path, as browsers write it."""
        return f"{self.scheme}://{self.authority}"

    @property
    def authority(self) -> str:
        """Host and port, as the Host header has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (
            host if self.port == (443 if self.scheme == "https" else 80) else f"{host}:{self.port}"
        )

    @property
    def url(self) -> str:
        """The address of the page."""
        return f"{self.origin}{self.base}/"

    @property
    def is_local(self) -> bool:
        """Whether it is this very machine's."""
        return self.host in LOCAL


class Told(NamedTuple):
    """A whole answer, and after how many seconds it came."""

    status: int
    headers: Message
    body: bytes
    seconds: float
    stays: bool
    """Whether the connection takes another request."""

    @property
    def json(self) -> Any:
        """The body as JSON; None if it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @property
    def problem(self) -> str | None:
        """What a problem document says; None if it is none."""
        document = self.json
        if self.headers.get_content_type() != "application/problem+json" or not isinstance(
            document, dict
        ):
            return None
        return str(document.get("detail"))

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")

    @property
    def brief(self) -> str:
        """The answer in one line."""
        words = self.problem or " ".join(re.sub(r"<[^>]*>", " ", self.text[:600]).split())
        return f"{self.status} {words[:160]}".strip()


class Visitor:
    """Who asks at an address; with a `key` as somebody who may."""

    def __init__(
        self, address: Address, context: ssl.SSLContext | None, key: str | None = None
    ) -> None:
        self.address, self.key = address, key
        self._context = context

    def without_key(self) -> Visitor:
        """Return somebody who shows no key."""
        return Visitor(self.address, self._context)

    def connect(self) -> http.client.HTTPConnection:
        """Return a new connection, which is made with the first request."""
        _, host, port, _ = self.address
        if self._context is None:
            return http.client.HTTPConnection(host, port, timeout=ASK_S)
        return http.client.HTTPSConnection(host, port, timeout=ASK_S, context=self._context)

    @property
    def is_here(self) -> bool:
        """Whether who asks and who answers are one machine.

        Raises:
            OSError: nobody answers.
        """
        with closing(self.connect()) as connection:
            connection.connect()
            own, other = connection.sock.getsockname(), connection.sock.getpeername()
        return bool(own[0] == other[0] or ipaddress.ip_address(own[0]).is_loopback)

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Told:
        """Ask for an address below the base path.

        Raises:
            OSError, HTTPException: nobody answers.
        """
        return self.send("GET", path, headers=headers)

    def send(
        self, method: str, path: str, body: Iterable[bytes] = (), size: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Told:  # fmt: skip
        """Send a request whose body has `size` bytes; one that comes too soon is sent once more.

        Raises:
            OSError, HTTPException: nobody answers.
        """
        for _ in range(RATE_TRIES):
            with closing(self.connect()) as connection:
                told = self.send_on(connection, method, path, body, size, headers)
            again = told.headers.get("Retry-After", "")
            if told.status != 429 or not again.isdigit() or int(again) > RATE_S:
                break
            if not isinstance(body, tuple):  # what has been read is gone
                break
            time.sleep(int(again))
        return told

    def send_on(
        self, connection: http.client.HTTPConnection, method: str, path: str,
        body: Iterable[bytes] = (), size: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Told:  # fmt: skip
        """Send a request on a connection; who refuses a body need not read all of it."""
        started = time.monotonic()
        self._begin(connection, method, path, size, headers or {})
        with suppress(BrokenPipeError, ConnectionResetError, ssl.SSLError):
            for part in body:
                connection.send(part)
        response = connection.getresponse()
        stays = not response.will_close
        return Told(response.status, response.headers, response.read(),
                    time.monotonic() - started, stays)  # fmt: skip

    def announce(
        self, path: str, size: int, headers: Mapping[str, str], refused: bool
    ) -> Told | None:
        """Announce a body and send none of it; return the refusal, or None where it is taken.

        One that should be `refused` is given more time to be so.
        """
        with closing(self.connect()) as connection:
            started = time.monotonic()
            self._begin(connection, "POST", path, size, headers)
            connection.sock.settimeout(REFUSED_S if refused else TAKEN_S)
            try:
                response = connection.getresponse()
                return Told(response.status, response.headers, response.read(),
                            time.monotonic() - started, False)  # fmt: skip
            except TimeoutError:
                return None

    def _begin(
        self, connection: http.client.HTTPConnection, method: str, path: str, size: int | None,
        headers: Mapping[str, str],
    ) -> None:  # fmt: skip
        connection.putrequest(method, self.address.base + path, skip_host=True,
                              skip_accept_encoding=True)  # fmt: skip
        length = {"Content-Length": str(size)} if size is not None else {}
        key = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        own = {"Host": self.address.authority, "User-Agent": "podium-doctor", **length, **key}
        for name, value in {**own, **headers}.items():
            connection.putheader(name, value)
        connection.endheaders()


def at_once(body: bytes) -> tuple[tuple[bytes], int]:
    """Return a body in one piece, and its size."""
    return (body,), len(body)
