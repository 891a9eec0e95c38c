"""The ways in: a key, a session that the page's password has opened, a proxy's word."""

from __future__ import annotations

import hashlib
import re
import time
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from itsdangerous import BadData, TimestampSigner
from werkzeug.http import parse_cookie

from podium.keys import CredentialsFile
from podium.spec import Access

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_BEARER: Final = re.compile(r"[Bb]earer +([!-~]+) *")
_USER: Final = re.compile(r"[ -~]{1,128}")
_IN: Final = b"page"


class Who(NamedTuple):
    """Who asks, as the log names it, and how that is known."""

    name: str
    way: Literal["key", "password", "header"]


class Ways:
    """Tells who asks, by the ways that an application takes."""

    def __init__(
        self, access: Access, credentials: CredentialsFile, cookie: str, proxies: int
    ) -> None:
        self._require = access.require
        self._credentials = credentials
        self._cookie = cookie
        self._session_s = access.session
        # Without a proxy a client could name itself.
        by_header = "header" in access.require and proxies > 0
        self._header = "HTTP_" + access.header.upper().replace("-", "_") if by_header else ""

    def who(self, environ: WSGIEnvironment) -> Who | None:
        """Return who asks; None if nothing shows it.

        Raises:
            KeysError: the credentials cannot be read.
        """
        return self._by_key(environ) or self._by_session(environ) or self._by_header(environ)

    def _by_key(self, environ: WSGIEnvironment) -> Who | None:
        token = token_of(environ) if "key" in self._require else None
        key = token and self._credentials.read().key_of(token, time.time())
        return Who(key.name, "key") if key else None

    def _by_session(self, environ: WSGIEnvironment) -> Who | None:
        cookies = environ.get("HTTP_COOKIE") if "password" in self._require else None
        if not cookies or self._cookie not in cookies:
            return None
        session = parse_cookie(cookies).get(self._cookie, "")
        is_open = is_session(session, self._credentials.read().secret, self._session_s)
        return Who("password", "password") if is_open else None

    def _by_header(self, environ: WSGIEnvironment) -> Who | None:
        name = str(environ.get(self._header, "")).strip() if self._header else ""
        return Who(name, "header") if _USER.fullmatch(name) else None


def token_of(environ: WSGIEnvironment) -> str | None:
    """Return what a request shows as its key."""
    found = _BEARER.fullmatch(environ.get("HTTP_AUTHORIZATION", ""))
    return found[1] if found else None


def session_of(secret: str) -> str:
    """Return a session that begins now."""
    return _signer(secret).sign(_IN).decode()


def is_session(text: str, secret: str, session_s: float) -> bool:
    """Whether a text is a session that is not over."""
    try:
        return bool(secret) and _signer(secret).unsign(text, max_age=int(session_s)) == _IN
    except BadData:
        return False


@lru_cache(maxsize=4)
def _signer(secret: str) -> TimestampSigner:
    return TimestampSigner(
        secret, salt="podium.session", key_derivation="hmac", digest_method=hashlib.sha256
    )
