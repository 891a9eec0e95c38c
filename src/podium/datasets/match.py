"""The columns of a file are matched to what the application takes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from podium.cells import listed
from podium.datasets.wishes import Column
from podium.errors import DataError, Mistake, nearest
from podium.labelled import IMAGE_COLUMNS, TEXT_COLUMN
from podium.signature import Signature


class Matched(NamedTuple):
    """The columns of a file, each with its use, and what was forgiven."""

    columns: tuple[Column, ...]
    notes: tuple[str, ...]


def match(
    file: Path, header: Sequence[str], signature: Signature, target: str | None = None
) -> Matched:
    """Return what each column of a header is for; the order is free, others are kept.

    Case, spaces, hyphens and underscores count only where two names differ in nothing else. A
    `target` that is named must be there; that of [task] may be.

    Raises:
        DataError: naming each column that is missing, with the nearest that is there.
    """
    wanted = _wanted(signature, header)
    names = [*wanted, target or signature.target]
    found = {name: _column(name, names, header) for name in names}
    missing = [name for name in wanted if found[name] is None]
    if target and found[target] is None:
        missing.append(target)
    if missing:
        told = listed([*filter(None, header)]) or "none"
        raise DataError(file, [
            Mistake(name, "there is no such column."
                    + (nearest(name, header) or f" Columns: {told}."))
            for name in missing
        ])  # fmt: skip
    uses = {column: name for name, column in found.items() if column is not None}
    answers = found[names[-1]]
    others = [f"{column!r} for {name!r}" for column, name in uses.items() if column != name]
    notes = (f"Columns are taken that are written otherwise: {listed(others)}.",) if others else ()
    columns = (
        Column(one, None if one == answers else uses.get(one), one == answers and bool(one))
        for one in header
    )
    return Matched(tuple(columns), notes)


def _wanted(signature: Signature, header: Sequence[str]) -> list[str]:
    """Return the columns in which an item stands."""
    if signature.image is not None:
        there = (name for name in IMAGE_COLUMNS if _column(name, (name,), header))
        return [next(there, IMAGE_COLUMNS[0])]
    return [TEXT_COLUMN] if signature.text is not None else list(signature.names)


def _column(name: str, wanted: Sequence[str], header: Sequence[str]) -> str | None:
    if name in header:
        return name
    alike = [one for one in header if one not in wanted and _bare(one) == _bare(name)]
    rivals = [one for one in wanted if _bare(one) == _bare(name)]
    return alike[0] if len(alike) == len(rivals) == 1 else None


def _bare(name: str) -> str:
    return re.sub(r"[\s_-]+", " ", name.strip()).casefold()
