"""What a request passes before it is answered, where [access] asks for it: who asks, how often."""

from __future__ import annotations

import math
import time
from collections.abc import Container, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from podium.keys import CredentialsFile
from podium.messages import said
from podium.spec import Access
from podium.web.access.foreign import FOREIGN, SAFE, is_foreign
from podium.web.access.rate import CLIENT, Counter, client_of
from podium.web.access.ways import Ways, token_of
from podium.web.problem import Problem, reply_of, status_problem

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

USER: Final = "podium.user"
"""In the environment: who asks, for the log."""
REFUSED: Final = "podium.refused"
"""In the environment: the problem, and its headers, that a page has to tell."""
PROBES: Final = ("/healthz", "/readyz")
"""What asks whether the application is well knows neither its name nor a key."""
ALWAYS_OPEN: Final = frozenset({*PROBES, "/login", "/logout", "/metrics"})
"""Of these /metrics has a guard of its own, `Private`."""
UNCOUNTED: Final = frozenset({"/calls"})
"""What is sent without asking a model anything."""
_NO_STORE: Final = ("Cache-Control", "no-store")

Headers = tuple[tuple[str, str], ...]


class Refusal:
    """Tells what is refused: the pages' application in their words, /predict as a problem."""

    def __init__(self, pages: WSGIApplication) -> None:
        self._pages = pages

    def send(
        self, environ: WSGIEnvironment, start: StartResponse, problem: Problem, headers: Headers
    ) -> Iterable[bytes]:
        """Answer one WSGI call."""
        if environ["PATH_INFO"] == "/predict":
            return reply_of(problem, (*headers, _NO_STORE)).send(start)
        environ[REFUSED] = problem, headers
        return self._pages(environ, start)


class Gate:
    """Wraps a WSGI application: lets in who shows one of the ways, and nobody else.

    `offered` are paths that everybody may see, such as the login page's logo.
    """

    def __init__(
        self, app: WSGIApplication, refusal: Refusal, access: Access, ways: Ways,
        offered: Container[str],
    ) -> None:  # fmt: skip
        self._app = app
        self._refusal = refusal
        self._takes_keys = access.takes_keys
        self._signs_in = "password" in access.require
        self._ways = ways
        self._offered = offered

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one WSGI call."""
        path = environ["PATH_INFO"]
        if path in ALWAYS_OPEN or path in self._offered or path.startswith("/static/"):
            return self._app(environ, start_response)
        who = self._ways.who(environ)
        if who is None:
            return self._refusal.send(environ, start_response, *self._unknown(environ))
        environ[USER] = who.name
        if who.way == "key":
            environ[CLIENT] = f"key {who.name}"
        elif who.way == "header":
            environ[CLIENT] = f"user {who.name}"
        # A key is shown on purpose; all else a browser sends along wherever a page makes it.
        if who.way != "key" and environ["REQUEST_METHOD"] not in SAFE and is_foreign(environ):
            problem = status_problem(HTTPStatus.FORBIDDEN, FOREIGN)
            return self._refusal.send(environ, start_response, problem, ())

        def start(line: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            return start_response(line, _unkept(headers), exc_info)

        return self._app(environ, start)

    def _unknown(self, environ: WSGIEnvironment) -> tuple[Problem, Headers]:
        """Return what to tell somebody of whom nothing is known (RFC 6750, section 3)."""
        # A 401 names a scheme for programs; a page's own script can only have the page sign in.
        if not self._takes_keys or (self._signs_in and "HTTP_SEC_FETCH_SITE" in environ):
            told = said("Only who has signed in may ask. Open the page again.")
            return status_problem(403, told), ()
        given = token_of(environ) is not None
        detail = (
            said("This key does not hold: it is not complete, its time is over, or it was revoked.")
            if given
            else said("A key is needed. Send it as a header: Authorization: Bearer KEY")
        )
        return status_problem(401, detail), (challenge(given),)


class Limited:
    """Wraps a WSGI application: counts what clients send, and refuses what is too much."""

    def __init__(
        self, app: WSGIApplication, refusal: Refusal, access: Access, counter: Counter
    ) -> None:
        assert access.most is not None
        self._app = app
        self._refusal = refusal
        self._rate, self._text = access.most, access.rate
        self._counter = counter

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one WSGI call."""
        if environ["REQUEST_METHOD"] not in SAFE and environ["PATH_INFO"] not in UNCOUNTED:
            wait = self._counter.wait(client_of(environ), self._rate)
            if wait:
                told = said("That is more than %(rate)s. Ask again in %(seconds)s s.",
                            rate=self._text, seconds=math.ceil(wait))  # fmt: skip
                return self._refusal.send(environ, start_response, *too_many(told, wait))
        return self._app(environ, start_response)


class Private:
    """Wraps the WSGI application of /metrics: for this host, and for who shows a key."""

    def __init__(self, app: WSGIApplication, credentials: CredentialsFile, proxies: int) -> None:
        self._app = app
        self._credentials = credentials
        self._proxies = proxies

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one WSGI call."""
        token = token_of(environ)
        if is_local(environ, self._proxies) or (
            token and self._credentials.read().key_of(token, time.time())
        ):
            return self._app(environ, start_response)
        told = said("The figures are for this host, and for programs that show a key.")
        headers = (challenge(token is not None), _NO_STORE)
        return reply_of(status_problem(401, told), headers).send(start_response)


def is_local(environ: WSGIEnvironment, proxies: int) -> bool:
    """Whether a program on this host asks, not a proxy on it for somebody else."""
    if not proxies and "HTTP_X_FORWARDED_FOR" in environ:
        return False
    address = environ.get("REMOTE_ADDR", "")
    return address in ("", "::1") or address.removeprefix("::ffff:").startswith("127.")


def challenge(given: bool) -> tuple[str, str]:
    """Return the header that asks for a key; `given` if one was, and does not hold."""
    wrong = ', error="invalid_token"' if given else ""
    return "WWW-Authenticate", f'Bearer realm="podium"{wrong}'


def too_many(told: str, wait: float) -> tuple[Problem, Headers]:
    """Return what to tell who has to wait for so many seconds."""
    retry = (("Retry-After", str(math.ceil(wait))),)
    return status_problem(HTTPStatus.TOO_MANY_REQUESTS, told), retry


def _unkept(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return headers that let no cache keep the answer; a browser's own may where they say so."""
    told = [value for name, value in headers if name.lower() == "cache-control"]
    if any("private" in value or "no-store" in value for value in told):
        return headers
    return [*(one for one in headers if one[0].lower() != "cache-control"), _NO_STORE]
