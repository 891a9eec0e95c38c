"""Scripts of other sites that may call the API (CORS), where [access] cors lists them.

They never get the visitor's cookie along: a script of another site shows a key, or nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from podium.web.http import Reply
from podium.web.problem import problem_reply

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

API: Final = ("/predict", "/datasets", "/models", "/openapi.json")
"""The addresses of programs, and those below them."""
LISTED: Final = "podium.cors"
"""In the environment of a request to the API that a listed site's script sent."""
_PREFLIGHT: Final = (
    ("Access-Control-Allow-Methods", "GET, POST, DELETE"),
    ("Access-Control-Allow-Headers", "Authorization, Content-Type"),
    ("Access-Control-Max-Age", "600"),
)
_EXPOSED: Final = ("Access-Control-Expose-Headers", "Location, Retry-After, X-Request-Id")
_VARY: Final = ("Vary", "Origin")


class Cors:
    """Wraps a WSGI application: tells browsers whose scripts may read its answers."""

    def __init__(self, app: WSGIApplication, origins: Sequence[str]) -> None:
        self._app = app
        self._origins = frozenset(origins)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one WSGI call."""
        if not is_api(environ["PATH_INFO"]):
            return self._app(environ, start_response)
        allowed = self._allowed(environ.get("HTTP_ORIGIN"))
        environ[LISTED] = bool(allowed)
        if (
            environ["REQUEST_METHOD"] == "OPTIONS"
            and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ
        ):
            more = _PREFLIGHT if allowed else ()
            return Reply(204, "text/plain", b"", (*allowed, _VARY, *more)).send(start_response)
        exposed = (_EXPOSED,) if allowed else ()

        def start(line: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            return start_response(line, [*headers, *allowed, *exposed, _VARY], exc_info)

        try:
            return self._app(environ, start)
        except Exception as err:  # an error is read by the script, too
            return problem_reply(err).send(start)

    def _allowed(self, origin: str | None) -> tuple[tuple[str, str], ...]:
        """Return the header that lets an origin's scripts read the answer; none if it may not."""
        if origin is None:
            return ()
        if "*" in self._origins:
            return (("Access-Control-Allow-Origin", "*"),)
        return (("Access-Control-Allow-Origin", origin),) if origin in self._origins else ()


def is_api(path: str) -> bool:
    """Whether programs ask there."""
    return path in API or path.startswith(("/datasets/", "/models/"))
