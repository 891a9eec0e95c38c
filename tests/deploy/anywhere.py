"""PythonAnywhere as a deployment meets it: its API (v0) and its web apps over TLS, on loopback.

Source of paths, fields and statuses: https://help.pythonanywhere.com/pages/API, and the vendor's
own client, which is the second witness. What a test wants to be
refused is told by the beginning of a request, such as "POST webapps/".
"""

from __future__ import annotations

import json
import shutil
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from podium.operate.self_signed import self_signed
from tests.deploy.anywhere_machine import Machine

USERNAME, API_TOKEN = "Ada", "canary-of-the-account"
FIELDS = ("python_version", "source_directory", "virtualenv_path", "force_https")
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
NOT_STARTED = "Console not yet started. Please load it (or its iframe) in a browser first"
DEFAULT = "# This file contains the WSGI configuration required to serve up your web application\n"
NO_WEB_APP = "This site is not here."


class Anywhere:
    """The platform, as WSGI: one account, and all that was asked of it.

    `refuses` holds answers by the beginnings of requests: a status and what it says. `breaks` tells
    at which request the network goes, `fills` by a file's name at which upload the disk is full:
    half of it stays. `throttles` are the requests of which there were too many. A console takes a
    line only where `opens` says that a browser has opened it.
    """

    def __init__(self, root: Path) -> None:
        self.machine = Machine(root, USERNAME)
        self.address = ""
        self.asked: list[str] = []
        self.bodies: list[tuple[str, bytes]] = []
        self.refuses: dict[str, tuple[int, str]] = {}
        self.throttles: list[str] = []
        self.breaks: Callable[[str], bool] = lambda _one: False
        self.fills: Callable[[str], bool] = lambda _name: False
        self.opens = True
        self.consoles: dict[int, dict[str, Any]] = {}
        self.most_consoles = 2
        self.web_apps: dict[str, dict[str, Any]] = {}

    @property
    def changes(self) -> list[str]:
        """What was asked for but to look, and to see whether a console is done."""
        return [one for one in self.asked if not one.startswith(("GET", "POST consoles",
                                                                 "DELETE consoles"))]  # fmt: skip

    def __call__(self, environ: Any, start: Any) -> Any:
        """Answer one request."""
        request = Request(environ)
        if not request.path.startswith("/api/"):
            return self._visit(request)(environ, start)
        body = request.get_data()
        prefix = f"/api/v0/user/{USERNAME}/"
        path = request.path.removeprefix(prefix)
        asked = f"{request.method} {path}"
        self.asked.append(asked)
        self.bodies.append((asked, body))
        answer = self._answer(request, asked, path, request.path.startswith(prefix))
        if answer is None:
            environ["werkzeug.socket"].shutdown(2)
            return []
        return answer(environ, start)

    def _answer(self, request: Request, asked: str, path: str, own: bool) -> Response | None:
        if request.headers.get("Authorization") != f"Token {API_TOKEN}":
            return _json({"detail": "Invalid token."}, 401)
        if not own:
            return _json({"detail": "You do not have permission to perform this action."}, 403)
        if self.throttles and asked.startswith(self.throttles[0]):
            del self.throttles[0]
            answer = _json({"detail": "Request was throttled."}, 429)
            answer.headers["Retry-After"] = "0"
            return answer
        if self.breaks(asked):
            return None
        for begins, (status, told) in self.refuses.items():
            if asked.startswith(begins):
                return _json({"detail": told}, status)
        kind, _, rest = path.partition("/")
        handle: Callable[[Request, str], Response] = getattr(self, f"_{kind}")
        return handle(request, rest)

    def _visit(self, request: Request) -> Response:
        """Answer a visitor, as the load balancer does."""
        if request.host not in self.web_apps:
            return Response(NO_WEB_APP, 404)
        target = request.full_path.rstrip("?")
        status, kind, body = self.machine.ask(
            request.method, target, dict(request.headers), request.get_data()
        )
        return Response(body, status, content_type=kind)

    def _files(self, request: Request, rest: str) -> Response:
        name = request.args.get("path", "") if rest == "tree/" else rest.removeprefix("path")
        path = self.machine.path(name)
        if path is None:
            return _json({"detail": "You do not have permission to access this."}, 403)
        if request.method == "POST":
            with request.files["content"].stream as content:
                return self._uploaded(path, content.read())
        if not path.exists():
            return _json({"detail": "No such file or directory"}, 404)
        if request.method == "DELETE":
            return self._deleted(path)
        if rest == "tree/":
            return _json([self._name(one) for one in sorted(path.rglob("*"))][:1000])
        if path.is_file():
            return Response(path.read_bytes(), content_type="application/octet-stream")
        return _json({one.name: {"type": "directory" if one.is_dir() else "file",
                                 "url": f"{request.url}/{one.name}"}
                      for one in path.iterdir()})  # fmt: skip

    def _name(self, path: Path) -> str:
        name = f"/{path.relative_to(self.machine.root)}"
        return f"{name}/" if path.is_dir() else name

    def _uploaded(self, path: Path, content: bytes) -> Response:
        status = 200 if path.exists() else 201
        path.parent.mkdir(parents=True, exist_ok=True)
        if self.fills(path.name):
            path.write_bytes(content[: len(content) // 2])
            return _json({"detail": "Disk quota exceeded."}, 400)
        path.write_bytes(content)
        return Response(status=status)

    def _deleted(self, path: Path) -> Response:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        return Response(status=204)

    def _webapps(self, request: Request, rest: str) -> Response:
        domain, _, what = rest.strip("/").partition("/")
        if not domain:
            made = request.method == "POST"
            return self._made(request) if made else _json([*self.web_apps.values()])
        if domain not in self.web_apps:
            return _json({"detail": "Not found."}, 404)
        if what == "reload":
            self.machine.start(domain, self.web_apps[domain])
            return _json({"status": "OK"})
        if request.method == "PATCH":
            return self._patched(self.web_apps[domain], request.form.to_dict())
        if request.method == "DELETE":
            del self.web_apps[domain]
            self.machine.stop()
            return Response(status=204)
        return _json(self.web_apps[domain])

    def _made(self, request: Request) -> Response:
        domain, python = request.form["domain_name"], request.form["python_version"]
        if self.web_apps:
            told = "You have reached your maximum number of web apps."
            return _json({"status": "ERROR", "error_type": "forbidden", "error_message": told})
        assert python in [f"python{one.replace('.', '')}" for one in PYTHONS]
        self.web_apps[domain] = {
            "id": 1, "user": USERNAME, "domain_name": domain,
            "python_version": python.replace("python3", "3."), "source_directory": "",
            "working_directory": f"/home/{USERNAME}/", "virtualenv_path": "",
            "expiry": "2026-12-23", "force_https": False, "enabled": True,
        }  # fmt: skip
        (self.machine.root / "var/www" / f"{domain.replace('.', '_')}_wsgi.py").write_text(DEFAULT)
        return _json({"status": "OK"}, 201)

    def _patched(self, web_app: dict[str, Any], told: dict[str, str]) -> Response:
        assert set(told) <= set(FIELDS)
        new = {**web_app, **told}
        new["python_version"] = new["python_version"].replace("python3", "3.")
        new["force_https"] = str(new["force_https"]).lower() == "true"
        virtual = self.machine.path(told.get("virtualenv_path", ""))
        if "virtualenv_path" in told and (virtual is None or not virtual.is_dir()):
            return _json({"virtualenv_path": ["This virtualenv does not exist."]}, 400)
        web_app.update(new)
        return _json(web_app)

    def _consoles(self, request: Request, rest: str) -> Response:
        number, _, what = rest.strip("/").partition("/")
        if not number:
            return self._console(request)
        console = self.consoles.get(int(number))
        if console is None:
            return _json({"detail": "Not found."}, 404)
        if request.method == "DELETE":
            del self.consoles[int(number)]
            return Response(status=204)
        if not self.opens and what:
            return _json({"error": NOT_STARTED}, 412)
        if what == "send_input":
            console["output"] = self.machine.type(request.form["input"].rstrip("\n"))
            return _json({"status": "OK"})
        return _json({"output": f"16:15 ~ $ \x1b[0m\r\n{console['output']}16:16 ~ $ "})

    def _console(self, request: Request) -> Response:
        if request.method == "GET":
            return _json([*self.consoles.values()])
        if len(self.consoles) >= self.most_consoles:
            return _json({"detail": "You have reached your maximum number of consoles."}, 403)
        number = 4711 + len(self.consoles)
        self.consoles[number] = {"id": number, "user": USERNAME, "output": "",
                                 "console_url": f"/user/{USERNAME}/consoles/{number}/",
                                 **request.form.to_dict()}  # fmt: skip
        return _json(self.consoles[number], 201)


class _Handler(WSGIRequestHandler):
    """Lets an answer be left out, and says nothing."""

    def log(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def anywhere(root: Path) -> Iterator[tuple[Anywhere, Path]]:
    """Run the platform; yield it, and the certificate that it shows."""
    there = Anywhere(root / "machine")
    certificate = self_signed("localhost", root / "certificate")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.chain, certificate.key)
    server = make_server("localhost", 0, there, threaded=True, ssl_context=context,
                         request_handler=_Handler)  # fmt: skip
    there.address = f"localhost:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield there, certificate.chain
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        there.machine.stop()


def _json(told: Any, status: int = 200) -> Response:
    return Response(json.dumps(told), status, content_type="application/json")
