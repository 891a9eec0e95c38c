"""Requests that another site's page makes a browser send (cross-site request forgery).

Browsers tell where a request comes from, in headers that no page can change: Sec-Fetch-Site, and
Origin where the request sends something. So no token has to stand in the forms, which therefore
work without a cookie and without a script. Go's net/http.CrossOriginProtection does the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from podium.messages import said

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing."""
FOREIGN: Final = said(
    "The form was sent from another site. Open this page itself and send it again."
)


def is_foreign(environ: WSGIEnvironment) -> bool:
    """Whether a page of another site sent it; a program, which tells neither header, did not."""
    origin = environ.get("HTTP_ORIGIN")
    if origin is not None and origin.partition("://")[2] != environ.get("HTTP_HOST"):
        return True
    return environ.get("HTTP_SEC_FETCH_SITE") in ("cross-site", "same-site")
