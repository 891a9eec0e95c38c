"""What a request turned out to ask for: noted for the log, its decoding timed."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Final

from podium.app import App
from podium.batching import Decode
from podium.metrics import DECODE, STAGE_SECONDS
from podium.options import Options
from podium.pipeline.decode import Items

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

STARTED: Final = "podium.started"
MODEL: Final = "podium.model"
VERSION: Final = "podium.version"
ITEMS: Final = "podium.items"
_WHOLE_ID: Final = re.compile(r"(/(?:datasets|answers)/[0-9a-f]{8})[0-9a-f]{24}")


def told_path(environ: WSGIEnvironment) -> str:
    """Return a request's path as a log may tell it: nobody can ask for the same with it."""
    path: str = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    # What a client sends must not be able to write lines of its own.
    path = path if path.isascii() and path.isprintable() else ascii(path)[1:-1]
    # Who knows the whole id has the data set, or the answer.
    return _WHOLE_ID.sub(r"\1...", path) if "s/" in path else path


def noted(environ: WSGIEnvironment, app: App, decode: Decode) -> Decode:
    """Return what decodes a request, and notes which model it asks, and about how many items.

    A page's request may ask several models, one after the other.
    """

    def decode_and_note() -> tuple[Items, Options]:
        started = time.perf_counter()
        items, options = decode()
        STAGE_SECONDS.observe(DECODE, time.perf_counter() - started)
        name = options.model or app.names[0]
        for key, value in ((MODEL, name), (VERSION, app.version(name))):
            environ[key] = f"{environ[key]},{value}" if key in environ else value
        environ[ITEMS] = len(items)
        return items, options

    return decode_and_note
