"""Answers of text are sent compressed to who takes gzip.

Compression can give away a secret that stands in many answers beside what an attacker chooses
(BREACH). Here none does: no answer depends on a cookie or a password, so that a browser that is
made to ask learns nothing that the attacker could not ask for; and an id that opens a data set or
an answer stands only where it was sent, or is told once, when it is made.
"""

from __future__ import annotations

import gzip
import re
from typing import Final

from flask import Response, request

LEAST_BYTES: Final = 1000
"""A shorter answer fits into one packet anyway."""
_LEVEL: Final = 6
"""Of answers that are made anew each time; 9 makes a page smaller by 1 in 1,000."""
_TEXT: Final = re.compile(r"text/.*|application/(.*\+)?(json|javascript|xml)|image/svg\+xml")


def compress(response: Response) -> Response:
    """Compress a whole answer of text; what is streamed or sent from a file stays as it is."""
    if response.is_streamed or not is_text(response.mimetype):
        return response
    response.vary.add("Accept-Encoding")
    if "Content-Encoding" in response.headers or not takes_gzip():
        return response
    body = response.get_data()
    if len(body) < LEAST_BYTES:
        return response
    etag, weak = response.get_etag()
    if etag and not weak:  # the same answer, not the same bytes
        response.set_etag(etag, weak=True)
    if response.status_code != 304:
        response.set_data(gzip.compress(body, _LEVEL, mtime=0))
        response.headers["Content-Encoding"] = "gzip"
    return response


def is_text(mimetype: str | None) -> bool:
    """Whether a media type is one that compression makes smaller."""
    return _TEXT.fullmatch(mimetype or "") is not None


def takes_gzip() -> bool:
    """Whether who asks takes gzip; a weight of 0 refuses it."""
    return request.accept_encodings.quality("gzip") > 0
