"""What every request passes through, so that no fast path escapes it.

The request gets an id, its body a limit, the answer its security headers, the log a line, and
whatever goes wrong becomes a problem document.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from podium.logs import RequestLine, current, stamp, write_request, writes_json
from podium.metrics import answered, came
from podium.spec import Limits, Server
from podium.strict import Size
from podium.web.access.gate import PROBES, USER
from podium.web.http import Limit, LimitedInput, content_length
from podium.web.metrics import path_of
from podium.web.noted import ITEMS, MODEL, STARTED, VERSION, told_path
from podium.web.policy import SECURITY_HEADERS
from podium.web.problem import problem_reply, reply_of, status_problem

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_SMALL: Final = Limit(Size(64_000), "")
"""What may be said of a data set that is here: how to score it; of an answer nothing."""
_HOST: Final = re.compile(r"[\w.-]*|\[[0-9a-f:.]+\]")


class Middleware:
    """Wraps a WSGI application."""

    def __init__(self, app: WSGIApplication, limits: Limits, server: Server) -> None:
        self._app = app
        self._limit = Limit(limits.upload)
        self._limits = {"/datasets": Limit(limits.dataset, "dataset")}
        self._base_path = server.base_path
        self._hosts = frozenset(host.lower() for host in server.hosts)
        # Load balancers ask them by an instance's own IP address; neither tells of the host.
        self._probes = frozenset(server.base_path + path for path in PROBES)
        self._as_json = writes_json()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one WSGI call."""
        started = time.perf_counter()
        request_id = _request_id(environ)
        status = ""
        environ["podium.request_id"] = current.request_id = request_id
        environ[STARTED] = started
        came()

        def start(line: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            nonlocal status
            status = line[:3]
            headers = [*SECURITY_HEADERS, ("X-Request-Id", request_id), *headers]
            return (
                start_response(line, headers, exc_info)
                if exc_info
                else start_response(line, headers)
            )

        try:
            return self._answer(environ, start)
        except Exception as err:  # the last line of defence: a request never sees a traceback
            return problem_reply(err).send(start)
        finally:
            seconds = time.perf_counter() - started
            status = status or "500"
            answered(environ["REQUEST_METHOD"], path_of(environ["PATH_INFO"]), status, seconds)
            _log(environ, request_id, status, seconds, self._as_json)
            current.request_id = ""

    def _answer(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        host = _host(environ.get("HTTP_HOST", ""))
        if host is None:
            return reply_of(status_problem(400, "The Host header is no host name")).send(start)
        probed = environ["PATH_INFO"] in self._probes
        if self._hosts and host not in self._hosts and not probed:
            wrong = status_problem(421, "This server does not answer to that host name")
            return reply_of(wrong).send(start)
        if self._base_path and not self._enter_base_path(environ):
            wrong = status_problem(404, f"The application is at {self._base_path}/")
            return reply_of(wrong).send(start)
        path = environ["PATH_INFO"]
        limit = self._limits.get(path, self._limit)
        if path.startswith(("/datasets/", "/answers/", "/login", "/logout")):
            limit = min(limit, _SMALL)
        stream = environ["wsgi.input"]
        environ["wsgi.input"] = LimitedInput(stream, limit, content_length(environ))
        return self._app(environ, start)

    def _enter_base_path(self, environ: WSGIEnvironment) -> bool:
        """Move the base path from the request's path into SCRIPT_NAME; False when it lacks it."""
        path = environ["PATH_INFO"]
        if path != self._base_path and not path.startswith(self._base_path + "/"):
            return False
        environ["SCRIPT_NAME"] = environ.get("SCRIPT_NAME", "") + self._base_path
        environ["PATH_INFO"] = path[len(self._base_path) :]
        return True


class Router:
    """Sends exact paths to endpoints of their own, all else to `fallback`."""

    def __init__(self, endpoints: dict[str, WSGIApplication], fallback: WSGIApplication) -> None:
        self._endpoints = endpoints
        self._fallback = fallback

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one WSGI call."""
        return self._endpoints.get(environ["PATH_INFO"], self._fallback)(environ, start_response)


def _request_id(environ: WSGIEnvironment) -> str:
    """Return the id a proxy gave the request, if it is a plain word, else a new one."""
    given = environ.get("HTTP_X_REQUEST_ID")
    if given and re.fullmatch(r"[A-Za-z0-9._-]{1,64}", given):
        return str(given)
    return os.urandom(8).hex()


@lru_cache(maxsize=64)
def _host(header: str) -> str | None:
    """Return a host's name without its port; None if it can be none: addresses are made with it."""
    name = re.sub(r":\d+$", "", header).lower()
    try:
        name.encode("idna")
    except UnicodeError:
        return None
    return name if _HOST.fullmatch(name) else None


def _log(
    environ: WSGIEnvironment, request_id: str, status: str, seconds: float, as_json: bool
) -> None:
    """Write the line of a request, with nothing in it by which somebody else could ask again."""
    get = environ.get
    line = RequestLine(
        time=stamp(time.time()), level="error" if status >= "500" else "info", event="request",
        request_id=request_id, method=environ["REQUEST_METHOD"], path=told_path(environ),
        status=int(status),
        latency_ms=int(seconds * 1e6) / 1000, client=get("REMOTE_ADDR", ""), user=get(USER, ""),
        model=get(MODEL, ""), version=get(VERSION, ""), items=get(ITEMS, 0), pid=os.getpid(),
    )  # fmt: skip
    write_request(line, as_json)
