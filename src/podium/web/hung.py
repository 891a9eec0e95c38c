"""The answer to a request whose thread hangs in a model's native code."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from podium.errors import TimedOut
from podium.hung import send
from podium.metrics import answered
from podium.web.metrics import path_of
from podium.web.noted import STARTED, told_path
from podium.web.policy import SECURITY_HEADERS
from podium.web.problem import problem_reply

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger("podium")


class Watched:
    """Wraps a WSGI application and knows which request each thread works on."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app
        self._asked: dict[int, WSGIEnvironment] = {}

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one WSGI call."""
        thread = threading.get_ident()
        self._asked[thread] = environ
        try:
            return self._app(environ, start_response)
        finally:
            self._asked.pop(thread, None)

    def tell(self, thread: int, error: TimedOut) -> None:
        """Answer the request of a thread that does not come back; it may have done so by now."""
        environ = self._asked.get(thread)
        if environ is None:
            return
        request_id = environ.get("podium.request_id", "")
        seconds = time.perf_counter() - environ[STARTED]
        answered(
            environ["REQUEST_METHOD"], path_of(environ["PATH_INFO"]), str(error.status), seconds
        )
        log.error(
            "%s %s %s hangs in its model: answered %d, and this worker is replaced",
            environ["REQUEST_METHOD"], told_path(environ), request_id, error.status,
        )  # fmt: skip
        parts: list[str] = []

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:  # noqa: ARG001
            told = [
                *SECURITY_HEADERS,
                ("X-Request-Id", request_id),
                *headers,
                ("Connection", "close"),
            ]
            parts.append(f"HTTP/1.1 {status}")
            parts.extend(f"{name}: {value}" for name, value in told)

        body = b"".join(problem_reply(error).send(start))
        send(thread, "\r\n".join([*parts, "", ""]).encode("latin-1") + body)
