"""Pictures: a zip archive of them, and on the command line a folder or a list of files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

from msgspec import structs

from podium.cells import listed, printable
from podium.datasets.reading.archive import ARCHIVES, Archive, problem_of
from podium.datasets.reading.csv import stage_csv
from podium.datasets.reading.filling import Filling
from podium.datasets.reading.intake import Intake
from podium.datasets.wishes import Column, Staged
from podium.errors import DataError, Mistake
from podium.labelled import place_of
from podium.messages import Message, joined, said, said_of
from podium.runtimes.archive import is_bomb

IMAGE: Final = "image"
PICTURES: Final = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".tif", ".tiff",
                   ".bmp", ".avif", ".heic", ".heif")  # fmt: skip
TABLES: Final = (".csv", ".tsv")
_JUNK: Final = (".ds_store", "thumbs.db", "desktop.ini")
_DIGITS: Final = re.compile("([0-9]+)")


def stage_images(archive: Archive, intake: Intake) -> Staged:
    """Take in a zip archive of pictures, in the order of their names: 2.png before 10.png.

    One CSV file in it may name them, with more columns beside; else the folders in which they lie
    are their labels, if all of them are labels of the application.

    Raises:
        DataError: it is forged, or holds no pictures.
    """
    if is_bomb(archive.members.values(), archive.file.stat().st_size):
        raise archive.refusal(said("it would unpack to far more than its size, as a zip bomb does"))
    files = [name for name in archive.members if not is_junk(name)]
    pictures = [name for name in files if name.lower().endswith(PICTURES)]
    tables = tables_in(files)
    taken = frozenset(pictures)
    others = [name for name in archive.members if name not in taken]
    notes: list[Message] = []
    if len(tables) == 1:
        try:
            return _by_list(archive, tables[0], others, intake)
        except DataError as err:
            if intake.target or not pictures:
                raise
            notes = [one.told for one in err.mistakes[:1]]
    if not pictures:
        none = said("it holds no pictures (%(endings)s).", endings=", ".join(PICTURES))
        raise archive.refusal(joined([none, *_all(others)]))
    problems = {name: problem_of(archive.members[name]) for name in pictures}
    found = _name(archive.file, pictures, problems, intake)
    told = (*_left_out(others), *notes, *found.notes)
    return Staged(kind="zip", columns=found.columns, rows=len(pictures), notes=told)


def _by_list(archive: Archive, table: str, others: Sequence[str], intake: Intake) -> Staged:
    """Take in the rows of a CSV file in an archive, which names the pictures."""
    shown = printable(table)
    try:
        copy = intake.work.file.with_suffix(".unpacked")
        with archive.unpacked(table, copy, intake.limits.dataset):
            staged = stage_csv(copy, intake)
    except DataError as err:
        mistakes = [Mistake(joined([shown, key], ", "), why) for key, why in err.mistakes]
        raise DataError(archive.file, mistakes, err.count) from err
    rest = _left_out([name for name in others if name != table])
    first = said("The pictures are those that %(file)s names.", file=shown)
    return structs.replace(staged, kind="zip", notes=(first, *rest, *staged.notes))


def stage_folder(file: Path, intake: Intake) -> Staged:
    """Take in a folder of pictures on this machine, as an archive of them.

    Raises:
        DataError: it holds no pictures.
    """
    files = [path.relative_to(file).as_posix() for path in file.rglob("*") if path.is_file()]
    pictures = [name for name in files if name.lower().endswith(PICTURES) and not is_junk(name)]
    others = sorted(set(files) - set(pictures))
    if not pictures:
        none = said("holds no pictures (%(endings)s).", endings=", ".join(PICTURES))
        raise DataError(file, [Mistake(said("folder"), joined([none, *_all(others)]))])
    found = _name(file, pictures, {}, intake)
    notes = (*_left_out(others), *found.notes)
    return Staged(kind="folder", columns=found.columns, rows=len(pictures), notes=notes, local=True)


def stage_listed(file: Path, intake: Intake) -> Staged:
    """Take in a CSV file that names pictures on this machine, by their paths from its folder.

    Raises:
        DataError: it cannot be read, or lacks the column.
    """
    return structs.replace(stage_csv(file, intake), local=True)


def tables_in(files: Iterable[str]) -> list[str]:
    """Return which files may name the pictures beside them."""
    return [name for name in files if name.lower().endswith(TABLES) and not is_junk(name)]


def is_junk(name: str) -> bool:
    """Return whether a file is one that a system puts beside a user's own."""
    path = PurePosixPath(name)
    return path.parts[:1] == ("__MACOSX",) or path.name.startswith("._") or (
        path.name.lower() in _JUNK
    )  # fmt: skip


class _Found(NamedTuple):
    """The columns of pictures without a list, and what was noticed."""

    columns: tuple[Column, ...]
    notes: tuple[Message, ...]


def _name(
    file: Path, pictures: Iterable[str], problems: Mapping[str, Message | None], intake: Intake
) -> _Found:
    """Fill the `input` table with the names of pictures, and with the labels of their folders."""
    signature, target = intake.signature, intake.target
    names = sorted(pictures, key=_natural)
    folders = {PurePosixPath(name).parent.name for name in names}
    places = {folder: place_of(folder.strip(), signature.labels) for folder in folders}
    strange = sorted(folder for folder, place in places.items() if place is None)
    if strange and target:
        reason = said(
            "there is no such column, and the folders are no labels: %(folders)s. Name the folders "
            "as the labels, or put a CSV file into the archive.",
            folders=listed(strange),
        )
        raise DataError(file, [Mistake(target, reason)])
    labelled = not strange
    filling = Filling(intake.work, 1 + labelled)
    for name in names:
        place = places[PurePosixPath(name).parent.name]
        label = () if place is None or not labelled else (signature.labels[place],)
        filling.add((name, *label), problems.get(name))
    filling.finish()
    column = Column(target or signature.target, None, is_target=True)
    columns = (Column(IMAGE, IMAGE), *((column,) if labelled else ()))
    return _Found(columns, tuple(_of_folders(column.name, places, strange)))


def _of_folders(
    column: str, places: Mapping[str, int | None], strange: Sequence[str]
) -> Iterator[Message]:  # fmt: skip
    if not strange:
        yield said("The true labels, column %(column)s, are the names of the folders.",
                   column=repr(column))  # fmt: skip
    elif len(strange) < len(places):
        names = [name or said("pictures outside of any") for name in strange]
        yield said("No true labels are taken from the folders, since some are none: %(folders)s.",
                   folders=listed(names))  # fmt: skip


def _left_out(others: Sequence[str]) -> Iterator[Message]:
    nested = [name for name in others if name.lower().endswith(ARCHIVES)]
    rest = [name for name in others if name not in nested]
    if rest:
        yield said_of(
            len(rest), "Left out: %(count)s file that no picture is in (%(files)s).",
            "Left out: %(count)s files that no picture is in (%(files)s).",
            count=f"{len(rest):,}", files=listed(rest),
        )  # fmt: skip
    if nested:
        yield said("Archives in it are not opened: %(files)s.", files=listed(nested))


def _all(others: Sequence[str]) -> Sequence[Message]:
    return [*_left_out(others)] or [said("It is empty.")]


def _natural(name: str) -> list[str | tuple[int, str]]:
    """Return what puts 2 before 10: of a number its length counts first."""
    parts: list[str | tuple[int, str]] = [*_DIGITS.split(name.casefold())]
    for place in range(1, len(parts), 2):
        digits = str(parts[place]).lstrip("0")
        parts[place] = (len(digits), digits)
    return [*parts, name]
