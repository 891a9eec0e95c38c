"""The pictures that the rows of a data set name: in its archive, or on this machine's disk."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Protocol, Self

from podium.cells import printable
from podium.datasets.reading.archive import PIECE, Archive
from podium.datasets.reading.images import IMAGE, tables_in
from podium.datasets.wishes import Staged
from podium.errors import FieldError
from podium.messages import said, told_by
from podium.pipeline.columns import Columns
from podium.pipeline.decode import Items, read_images
from podium.pipeline.photo import peek
from podium.spec import Image
from podium.strict import Size

AT_ONCE: Final = 16_000_000
"""How many pixels of pictures, and bytes of their files, are held at once."""


class Pictures(Protocol):
    """The pictures that a data set names; to be closed."""

    def read(self, name: str) -> bytes | FieldError:
        """Return the bytes of a picture, or why they cannot be had."""

    def beginning(self, name: str) -> tuple[bytes, int]:
        """Return the first bytes of a picture, none if it fails, and the size of its file."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


def open_pictures(file: Path, staged: Staged, limit: int) -> Pictures | None:
    """Return the pictures of a data set, each of at most `limit` bytes; None for one without.

    Only a local data set's lie on this machine's disk.
    """
    if staged.local:
        return _OnDisk(file if file.is_dir() else file.parent, limit)
    return _InArchive(Archive(file), limit) if staged.kind == "zip" else None


def portions(pictures: Pictures, names: Sequence[str]) -> Iterator[slice]:
    """Yield which pictures, in their order, may be held all at once; at least one."""
    first = held = 0
    for place, name in enumerate(names):
        weight = _weight(*pictures.beginning(name))
        if place > first and held + weight > AT_ONCE:
            yield slice(first, place)
            first, held = place, 0
        held += weight
    yield slice(first, len(names))


def model_items(
    items: Columns | list[str], pictures: Pictures | None, image: Image | None
) -> Items:
    """Return items as a model gets them: of the names of pictures these, as `image` has them.

    Raises:
        InvalidInput: naming each picture that cannot be had, by its place as "inputs[0]".
    """
    if pictures is None or isinstance(items, Columns):
        return items
    return read_images([pictures.read(name) for name in items], "inputs[{}]", image)


def _weight(start: bytes, size: int) -> int:
    """Return how much of a picture is held, by its header; much if that is not at the start."""
    try:
        image = peek(start)
    except ValueError:
        return AT_ONCE if start else 0
    return size + image.width * image.height


class _InArchive:
    """Pictures in a zip archive: of a name only what is in the archive is ever looked at."""

    def __init__(self, archive: Archive, limit: int) -> None:
        self._archive, self._limit = archive, limit
        tables = tables_in(archive.members)
        self._folder = posixpath.dirname(tables[0]) if len(tables) == 1 else ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._archive.close()

    def read(self, name: str) -> bytes | FieldError:
        """Return a picture by its path in the archive, or from the folder of its CSV file."""
        found = self._find(name)
        if found is None:
            reason = said("there is no file %(name)s in the archive", name=repr(printable(name)))
            return FieldError(IMAGE, reason)
        try:
            return self._archive.read(found, self._limit)
        except ValueError as err:
            return FieldError(IMAGE, told_by(err))

    def beginning(self, name: str) -> tuple[bytes, int]:
        """Return the first bytes of a picture and the size of its file."""
        found = self._find(name)
        if found is None:
            return b"", 0
        try:
            pieces = self._archive.pieces(found, self._limit)
            return next(pieces, b""), self._archive.members[found].file_size
        except ValueError:
            return b"", 0

    def _find(self, name: str) -> str | None:
        plain = name.strip().replace("\\", "/")
        paths = (name, posixpath.normpath(plain),
                 posixpath.normpath(posixpath.join(self._folder, plain)))  # fmt: skip
        return next((path for path in paths if path in self._archive.members), None)


class _OnDisk:
    """Pictures on this machine's disk."""

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder, self._limit = folder, limit

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is to be closed."""

    def read(self, name: str) -> bytes | FieldError:
        """Return a picture by its path from the folder."""
        file = self._folder / name.strip()
        try:
            if not file.is_file():
                return FieldError(IMAGE, said("there is no file %(name)s in %(folder)s",
                                              name=repr(printable(name)),
                                              folder=self._folder))  # fmt: skip
            if file.stat().st_size > self._limit:
                return FieldError(IMAGE, said("has more than %(limit)s ([limits] upload)",
                                              limit=Size(self._limit)))  # fmt: skip
            return file.read_bytes()
        except (OSError, ValueError) as err:
            return FieldError(IMAGE, said("cannot be read: %(reason)s", reason=told_by(err)))

    def beginning(self, name: str) -> tuple[bytes, int]:
        """Return the first bytes of a picture and the size of its file."""
        file = self._folder / name.strip()
        try:
            if not file.is_file():
                return b"", 0
            with file.open("rb") as stream:
                return stream.read(PIECE), file.stat().st_size
        except (OSError, ValueError):
            return b"", 0
