"""Pictures: a zip archive of them, and on the command line a folder or a list of files."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple, Protocol, Self

from msgspec import structs

from podium.cells import listed, printable
from podium.datasets.reading.archive import ARCHIVES, PIECE, Archive, problem_of
from podium.datasets.reading.csv import stage_csv
from podium.datasets.reading.filling import Filling
from podium.datasets.wishes import Column, Staged
from podium.datasets.work import Work
from podium.errors import DataError, FieldError, Mistake, counted
from podium.labelled import place_of
from podium.pipeline.photo import peek
from podium.runtimes.archive import is_bomb
from podium.signature import Signature
from podium.strict import Size

IMAGE: Final = "image"
PICTURES: Final = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".tif", ".tiff",
                   ".bmp", ".avif", ".heic", ".heif")  # fmt: skip
TABLES: Final = (".csv", ".tsv")
AT_ONCE: Final = 16_000_000
"""How many pixels of pictures, and bytes of their files, are held at once."""
_JUNK: Final = (".ds_store", "thumbs.db", "desktop.ini")
_DIGITS: Final = re.compile("([0-9]+)")


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


def _weight(start: bytes, size: int) -> int:
    """Return how much of a picture is held, by its header; much if that is not at the start."""
    try:
        image = peek(start)
    except ValueError:
        return AT_ONCE if start else 0
    return size + image.width * image.height


def stage_images(
    archive: Archive, work: Work, signature: Signature, target: str | None, limit: int
) -> Staged:
    """Take in a zip archive of pictures, in the order of their names: 2.png before 10.png.

    One CSV file in it, of at most `limit` bytes, may name them, with more columns beside; else the
    folders in which they lie are their labels, if all of them are labels of the application.

    Raises:
        DataError: it is forged, or holds no pictures.
    """
    if is_bomb(archive.members.values(), archive.file.stat().st_size):
        raise archive.refusal("it would unpack to far more than its size, as a zip bomb does")
    files = [name for name in archive.members if not is_junk(name)]
    pictures = [name for name in files if name.lower().endswith(PICTURES)]
    tables = [name for name in files if name.lower().endswith(TABLES)]
    taken = frozenset(pictures)
    others = [name for name in archive.members if name not in taken]
    notes: list[str] = []
    if len(tables) == 1:
        try:
            return _by_list(archive, tables[0], others, work, signature, target, limit)
        except DataError as err:
            if target or not pictures:
                raise
            notes = [f"{key}: {why}" for key, why in err.mistakes[:1]]
    if not pictures:
        raise archive.refusal(f"it holds no pictures ({', '.join(PICTURES)}). {_all(others)}")
    problems = {name: problem_of(archive.members[name]) for name in pictures}
    found = _name(archive.file, pictures, problems, work, signature, target)
    told = (*_left_out(others), *notes, *found.notes)
    return Staged(kind="zip", columns=found.columns, rows=len(pictures), notes=told)


def _by_list(
    archive: Archive, table: str, others: Sequence[str], work: Work, signature: Signature,
    target: str | None, limit: int,
) -> Staged:  # fmt: skip
    """Take in the rows of a CSV file in an archive, which names the pictures."""
    shown = printable(table)
    try:
        with archive.unpacked(table, work.file.with_suffix(".unpacked"), limit) as file:
            staged = stage_csv(file, work, signature, target)
    except DataError as err:
        mistakes = [Mistake(f"{shown}, {key}", why) for key, why in err.mistakes]
        raise DataError(archive.file, mistakes, err.count) from err
    rest = _left_out([name for name in others if name != table])
    first = f"The pictures are those that {shown} names."
    return structs.replace(staged, kind="zip", notes=(first, *rest, *staged.notes))


def stage_folder(file: Path, work: Work, signature: Signature, target: str | None) -> Staged:
    """Take in a folder of pictures on this machine, as an archive of them.

    Raises:
        DataError: it holds no pictures.
    """
    files = [path.relative_to(file).as_posix() for path in file.rglob("*") if path.is_file()]
    pictures = [name for name in files if name.lower().endswith(PICTURES) and not is_junk(name)]
    others = sorted(set(files) - set(pictures))
    if not pictures:
        reason = f"holds no pictures ({', '.join(PICTURES)}). {_all(others)}"
        raise DataError(file, [Mistake("folder", reason)])
    found = _name(file, pictures, {}, work, signature, target)
    notes = (*_left_out(others), *found.notes)
    return Staged(kind="folder", columns=found.columns, rows=len(pictures), notes=notes, local=True)


def stage_listed(file: Path, work: Work, signature: Signature, target: str | None) -> Staged:
    """Take in a CSV file that names pictures on this machine, by their paths from its folder.

    Raises:
        DataError: it cannot be read, or lacks the column.
    """
    return structs.replace(stage_csv(file, work, signature, target), local=True)


def is_junk(name: str) -> bool:
    """Return whether a file is one that a system puts beside a user's own."""
    path = PurePosixPath(name)
    return path.parts[:1] == ("__MACOSX",) or path.name.startswith("._") or (
        path.name.lower() in _JUNK
    )  # fmt: skip


class _Found(NamedTuple):
    """The columns of pictures without a list, and what was noticed."""

    columns: tuple[Column, ...]
    notes: tuple[str, ...]


def _name(
    file: Path, pictures: Iterable[str], problems: Mapping[str, str | None], work: Work,
    signature: Signature, target: str | None,
) -> _Found:  # fmt: skip
    """Fill the `input` table with the names of pictures, and with the labels of their folders."""
    names = sorted(pictures, key=_natural)
    folders = {PurePosixPath(name).parent.name for name in names}
    places = {folder: place_of(folder.strip(), signature.labels) for folder in folders}
    strange = sorted(folder for folder, place in places.items() if place is None)
    if strange and target:
        reason = (
            f"there is no such column, and the folders are no labels: {listed(strange)}. "
            "Name the folders as the labels, or put a CSV file into the archive."
        )
        raise DataError(file, [Mistake(target, reason)])
    labelled = not strange
    filling = Filling(work, 1 + labelled)
    for name in names:
        place = places[PurePosixPath(name).parent.name]
        label = () if place is None or not labelled else (signature.labels[place],)
        filling.add((name, *label), problems.get(name))
    filling.flush()
    column = Column(target or signature.target, None, is_target=True)
    columns = (Column(IMAGE, IMAGE), *((column,) if labelled else ()))
    return _Found(columns, tuple(_of_folders(column.name, places, strange)))


def _of_folders(
    column: str, places: Mapping[str, int | None], strange: Sequence[str]
) -> Iterator[str]:  # fmt: skip
    if not strange:
        yield f"The true labels, column {column!r}, are the names of the folders."
    elif len(strange) < len(places):
        yield (
            "No true labels are taken from the folders, since some are none: "
            f"{listed([name or 'pictures outside of any' for name in strange])}."
        )


def _left_out(others: Sequence[str]) -> Iterator[str]:
    nested = [name for name in others if name.lower().endswith(ARCHIVES)]
    rest = [name for name in others if name not in nested]
    if rest:
        yield f"Left out: {counted(len(rest), 'file')} that no picture is in ({listed(rest)})."
    if nested:
        yield f"Archives in it are not opened: {listed(nested)}."


def _all(others: Sequence[str]) -> str:
    return " ".join(_left_out(others)) or "It is empty."


def _natural(name: str) -> list[str | tuple[int, str]]:
    """Return what puts 2 before 10: of a number its length counts first."""
    parts: list[str | tuple[int, str]] = [*_DIGITS.split(name.casefold())]
    for place in range(1, len(parts), 2):
        digits = str(parts[place]).lstrip("0")
        parts[place] = (len(digits), digits)
    return [*parts, name]


class _InArchive:
    """Pictures in a zip archive: of a name only what is in the archive is ever looked at."""

    def __init__(self, archive: Archive, limit: int) -> None:
        self._archive, self._limit = archive, limit
        tables = [name for name in archive.members
                  if name.lower().endswith(TABLES) and not is_junk(name)]  # fmt: skip
        self._folder = posixpath.dirname(tables[0]) if len(tables) == 1 else ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._archive.close()

    def read(self, name: str) -> bytes | FieldError:
        """Return a picture by its path in the archive, or from the folder of its CSV file."""
        found = self._find(name)
        if found is None:
            return FieldError(IMAGE, f"there is no file {printable(name)!r} in the archive")
        try:
            return self._archive.read(found, self._limit)
        except ValueError as err:
            return FieldError(IMAGE, str(err))

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
                return FieldError(IMAGE, f"there is no file {printable(name)!r} in {self._folder}")
            if file.stat().st_size > self._limit:
                return FieldError(IMAGE, f"has more than {Size(self._limit)} ([limits] upload)")
            return file.read_bytes()
        except (OSError, ValueError) as err:
            return FieldError(IMAGE, f"cannot be read: {err}")

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
