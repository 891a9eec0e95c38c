"""The first rows of the results, as the page shows them."""

from __future__ import annotations

import csv
import io
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

PREVIEW_ROWS: Final = 20
PREVIEW_COLUMNS: Final = 60
_LONGEST: Final = 80
"""How much of a cell is shown."""
_HEAD: Final = 131_072
"""So many characters of the file are looked at: no field of them is too long for the csv module."""


class Preview(NamedTuple):
    """The first rows of the results, the answers first, empty ones left out and long cells cut.

    Of so many `answers`, a row without any holds one alone: why. `more` of the file's own columns
    are left out. Without `rows`, they are too long to be shown.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    answers: int
    more: int


def preview(file: Path, own: int) -> Preview | None:
    """Return the first rows of results.csv, which begin with `own` columns; None without it."""
    if not file.is_file():
        return None
    with file.open(newline="", encoding="utf-8-sig") as stream:
        head = stream.read(_HEAD)
    lines = list(islice(csv.reader(io.StringIO(head, newline="")), PREVIEW_ROWS + 2))
    whole = lines if len(head) < _HEAD else lines[:-1]  # the last one may be cut
    if len(whole) < 2:
        return Preview((), (), 0, 0)
    header, *rows = whole[: PREVIEW_ROWS + 1]
    # What the models say is what one looks for, where it says anything.
    said = [place for place in range(own, len(header)) if any(row[place] for row in rows)]
    own_kept = max(0, min(own, PREVIEW_COLUMNS - len(said)))
    kept = [*said, *range(own_kept)]
    return Preview(
        tuple(header[place] for place in kept),
        tuple(
            tuple((_cut if place < own else _said)(row[place]) for place in kept) for row in rows
        ),
        len(said),
        own - own_kept,
    )


def _said(cell: str) -> str:
    """Return what a model says as briefly as it is read: a number with 4 digits."""
    try:
        return f"{float(cell):.4g}"
    except ValueError:
        return _cut(cell)


def _cut(cell: str) -> str:
    return cell if len(cell) <= _LONGEST else f"{cell[: _LONGEST - 1]}…"
