"""Small pictures of the examples, so that a page with large ones is there at once."""

from __future__ import annotations

import threading
from functools import lru_cache
from pathlib import Path
from typing import Final

from flask import Blueprint, Response, abort, request

from podium.pipeline.photo import open_image
from podium.web.page.picture import encoded
from podium.web.site import site

SIDE: Final = 288
"""Pixels of the longer side: twice as many as are shown, for dense screens."""
_KEPT: Final = 64
_QUALITY: Final = 75
_one_at_a_time = threading.Lock()

thumbnails = Blueprint("thumbnails", __name__)


@thumbnails.get("/thumbnails/<path:name>")
def show(name: str) -> Response:
    """The small picture of an example."""
    app = site().app
    if name not in {example.image for example in app.spec.examples}:
        abort(404)
    path = app.folder / name
    response = Response(_small(path, path.stat().st_mtime_ns), mimetype="image/webp")
    response.headers["Cache-Control"] = "public, max-age=60"
    response.add_etag()
    response.make_conditional(request)
    return response


@lru_cache(maxsize=_KEPT)
def _small(path: Path, _changed: int) -> bytes:
    """Return a picture as a WebP of at most SIDE pixels; it is made once for each change.

    A page asks for all at once; one at a time keeps no more than one large picture in memory.
    """
    with _one_at_a_time:
        image = open_image(path.read_bytes())
        image.thumbnail((SIDE, SIDE))
    return encoded(image, "WEBP", quality=_QUALITY)
