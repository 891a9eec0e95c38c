"""The columns of a table are found by their names, forgiving how they are written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from podium.cells import listed
from podium.errors import Mistake, nearest
from podium.messages import joined, said
from podium.signature import Signature

IMAGE_COLUMNS: Final = ("image", "file")
TEXT_COLUMN: Final = "text"


def wanted_columns(signature: Signature, header: Sequence[str]) -> list[str]:
    """Return the names of the columns in which an item stands."""
    if signature.image is not None:
        there = (name for name in IMAGE_COLUMNS if find_columns([name], header)[name])
        return [next(there, IMAGE_COLUMNS[0])]
    return [TEXT_COLUMN] if signature.text is not None else list(signature.names)


def optional_columns(signature: Signature) -> frozenset[str]:
    """Return the names of the columns that a table may leave out: nothing is known of them then."""
    return frozenset(feature.name for feature in signature.features if feature.optional)


def find_columns(names: Sequence[str], header: Sequence[str]) -> dict[str, str | None]:
    """Return for each of some names the column of it, or the only one that is written otherwise.

    Case, outer spaces, and which of spaces, hyphens and underscores stand between the words count
    only where two names differ in nothing else.
    """
    named = set(header)
    columns, rivals = _by_bare(dict.fromkeys(header)), _by_bare(dict.fromkeys(names))
    found: dict[str, str | None] = {}
    for name in names:
        alike = [one for one in columns.get(_bare(name), ()) if one not in names]
        alone = len(alike) == len(rivals[_bare(name)]) == 1
        found[name] = name if name in named else alike[0] if alone else None
    return found


def absent(found: Mapping[str, str | None], header: Sequence[str]) -> list[Mistake]:
    """Return for each name without a column that there is none, with the nearest that is free.

    After the last one all columns are told.
    """
    taken = set(found.values())
    free = [name for name in header if name and name not in taken]
    missing = [name for name, column in found.items() if column is None]
    mistakes = []
    for name in missing:
        near = nearest(name, free)
        told = said("there is no such column.")
        if near:
            told = said("there is no such column.%(hint)s Then rename it to %(name)s.",
                        hint=near, name=name)  # fmt: skip
        if name == missing[-1]:
            names = listed([*filter(None, header)]) or said("none")
            told = joined([told, said("Columns: %(names)s.", names=names)])
        mistakes.append(Mistake(name, told))
    return mistakes


def forgiven(found: Mapping[str, str | None]) -> str:
    """Return which columns are written otherwise than their names, "" for none."""
    others = [said("%(column)s for %(name)s", column=repr(column), name=repr(name))
              for name, column in found.items() if column not in (None, name)]  # fmt: skip
    return listed(others)


def _by_bare(names: Iterable[str]) -> dict[str, list[str]]:
    made: dict[str, list[str]] = {}
    for name in names:
        made.setdefault(_bare(name), []).append(name)
    return made


def _bare(name: str) -> str:
    return re.sub(r"[\s_-]+", " ", name.strip()).casefold()
