"""The stylesheets, scripts and pictures of the page.

Their addresses hold a fingerprint of their content, so that browsers and proxies may keep them for
ever: what changes has another address.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Callable, Mapping
from mimetypes import guess_type
from pathlib import Path
from threading import Lock
from typing import Final

from flask import Flask, Response, abort, request, url_for

from podium.spec import Theme
from podium.web.compression import is_text, takes_gzip
from podium.web.theme import theme_css

_STATIC: Final = Path(__file__).parent / "static"
_FOR_EVER: Final = "public, max-age=31536000, immutable"
_ASK_AGAIN: Final = "no-cache"
_ADDRESS: Final = re.compile(r"(?:([0-9a-f]{12})/)?(.+)")


def add_assets(flask: Flask, theme: Theme) -> None:
    """Serve the page's own files and the maker's theme; templates get `asset(name)`."""
    assets = Assets(_STATIC, {"theme.css": lambda: theme_css(theme).encode()})
    flask.jinja_env.globals["asset"] = assets.address
    flask.add_url_rule("/static/<path:address>", "static", assets.send)


class Asset:
    """One file, as it is and compressed."""

    def __init__(self, name: str, body: bytes) -> None:
        self.mimetype = guess_type(name)[0] or "application/octet-stream"
        self.body = body
        self.fingerprint = _fingerprint(body)
        self._gzip: bytes | None = None
        self._lock = Lock()

    def response(self, compressed: bool) -> Response:
        """Return it as an answer with its ETag."""
        response = Response(self._compressed() if compressed else self.body, mimetype=self.mimetype)
        response.set_etag(self.fingerprint + "-gzip" * compressed)
        if compressed:
            response.headers["Content-Encoding"] = "gzip"
        return response

    def _compressed(self) -> bytes:
        """Return the body as gzip; it is made once."""
        with self._lock:
            if self._gzip is None:
                self._gzip = gzip.compress(self.body, 9, mtime=0)
            return self._gzip


class Assets:
    """The files of a folder, read once, and those that are `made` anew for each request."""

    def __init__(self, folder: Path, made: Mapping[str, Callable[[], bytes]]) -> None:
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        names = [path.relative_to(folder).as_posix() for path in paths]
        self._files = {
            name: Asset(name, path.read_bytes()) for name, path in zip(names, paths, strict=True)
        }
        self._folders = _folders(self._files)
        self._made = made

    def address(self, name: str) -> str:
        """Return the address of a file, or of a folder ("vendor/") to whose names are added.

        Raises:
            KeyError: there is none.
        """
        found = self._folders.get(name) or self._find(name).fingerprint
        return url_for("static", address=f"{found}/{name}")

    def send(self, address: str) -> Response:
        """Answer a request for a file, with its fingerprint in front of the name or without."""
        found = _ADDRESS.fullmatch(address)
        if found is None:
            abort(404)
        given, name = found.groups()
        try:
            asset = self._find(name)
        except KeyError:
            abort(404)
        response = asset.response(is_text(asset.mimetype) and takes_gzip())
        fits = given in (asset.fingerprint, *self._prints_above(name))
        response.headers["Cache-Control"] = _FOR_EVER if fits else _ASK_AGAIN
        response.make_conditional(request)
        return response

    def _find(self, name: str) -> Asset:
        return Asset(name, self._made[name]()) if name in self._made else self._files[name]

    def _prints_above(self, name: str) -> list[str]:
        """Return the fingerprints of the folders in which a file lies."""
        return [self._folders[f"{folder}/"] for folder in _above(name)]


def _folders(files: Mapping[str, Asset]) -> dict[str, str]:
    """Return the fingerprint of each folder, made of all that lies in it."""
    held: dict[str, list[str]] = {}
    for name, asset in files.items():
        for folder in _above(name):
            held.setdefault(f"{folder}/", []).append(f"{asset.fingerprint} {name}")
    return {folder: _fingerprint("\n".join(lines).encode()) for folder, lines in held.items()}


def _above(name: str) -> list[str]:
    return [folder.as_posix() for folder in Path(name).parents[:-1]]


def _fingerprint(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]
