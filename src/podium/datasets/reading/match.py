"""The columns of a file are matched to what the application takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from podium.cells import NUMBER, listed, printable
from podium.datasets.wishes import Column
from podium.errors import DataError, Mistake, nearest
from podium.header import absent, find_columns, forgiven, optional_columns, wanted_columns
from podium.messages import Message, said
from podium.signature import Signature

MAX_COLUMNS: Final = 500


class Matched(NamedTuple):
    """The columns of a file, each with its use, and what was forgiven."""

    columns: tuple[Column, ...]
    notes: tuple[Message, ...]


def match(
    file: Path, header: Sequence[str], signature: Signature, target: str | None = None
) -> Matched:
    """Return what each column of a header is for; the order is free, others are kept.

    Case, spaces, hyphens and underscores count only where two names differ in nothing else. A
    `target` that is named must be there; that of [task] may be. The label of a feature counts as
    its name where no column has that. A column without a name is called after its place.

    Raises:
        DataError: naming each column that is missing, with the nearest that is there, or each that
            stands there twice; or there are too many.
    """
    _check(file, header)
    names = _named(header)
    wanted = wanted_columns(signature, names)
    found = find_columns(list(dict.fromkeys([*wanted, target or signature.target])), names)
    found |= _by_label(signature, found, names)
    optional = optional_columns(signature)
    if not any(found[name] for name in wanted):  # another table than was meant
        optional = frozenset()
    needed = [*(name for name in wanted if name not in optional), *([target] if target else [])]
    if any(found[name] is None for name in needed):
        relevant = {name: one for name, one in found.items() if one or name in needed}
        raise DataError(file, _told(relevant, header))
    uses = {found[name]: name for name in wanted if found[name] is not None}
    answers = found[target or signature.target]
    if answers in uses:
        if target:
            reason = said("holds an input, %(input)s; the answers stand in another column",
                          input=repr(uses[answers]))  # fmt: skip
            raise DataError(file, [Mistake(target, reason)])
        answers = None
    columns = (Column(one, uses.get(one), one == answers) for one in names)
    left_out = [name for name in wanted if found[name] is None]
    notes = [*_notes(header, names, forgiven(found)), *_unknown(left_out, found, names)]
    return Matched(tuple(columns), tuple(notes))


def _check(file: Path, header: Sequence[str]) -> None:
    if len(header) > MAX_COLUMNS:
        reason = said("there are %(count)s; at most %(most)s can be read. Leave some out",
                      count=f"{len(header):,}", most=f"{MAX_COLUMNS:,}")  # fmt: skip
        raise DataError(file, [Mistake(said("columns"), reason)])
    twice = [name for name, times in Counter(header).items() if name and times > 1]
    if twice:
        reason = said("stands there twice; give each column a name of its own")
        columns = [said("column %(name)s", name=printable(name)) for name in twice]
        raise DataError(file, [Mistake(column, reason) for column in columns])


def _by_label(
    signature: Signature, found: Mapping[str, str | None], names: Sequence[str]
) -> dict[str, str]:
    """Return the columns that are called as the labels of features that have none."""
    free = [name for name in names if name not in found.values()]
    labels = [one.label for one in signature.features if one.label]
    columns = find_columns(labels, free)
    return {one.name: column for one in signature.features
            if found.get(one.name) is None and one.label and labels.count(one.label) == 1
            and (column := columns[one.label]) is not None}  # fmt: skip


def _named(header: Sequence[str]) -> list[str]:
    """Return the names of all columns; one without is called "column_1", or so."""
    names: list[str] = []
    for place, name in enumerate(header, 1):
        called = name or f"column_{place}"
        while not name and called in header:
            called += "_"
        names.append(called)
    return names


def _told(found: Mapping[str, str | None], header: Sequence[str]) -> list[Mistake]:
    """Return why columns are missing."""
    if any(header) and all(NUMBER.fullmatch(name.replace(",", ".")) for name in header if name):
        reason = said(
            "holds numbers alone: is the header missing? Expected a first line with the names of "
            "the columns: %(names)s.",
            names=listed([*found]),
        )
        return [Mistake(said("header"), reason)]
    return absent(found, header)


def _notes(header: Sequence[str], names: Sequence[str], others: str) -> Iterator[Message]:
    if others:
        yield said("Columns are taken that are written otherwise: %(columns)s.", columns=others)
    unnamed = [name for name, own in zip(names, header, strict=True) if not own]
    if unnamed:
        yield said("Columns without a name are called %(names)s.", names=listed(unnamed))


def _unknown(
    left_out: Iterable[str], found: Mapping[str, str | None], names: Sequence[str]
) -> Iterator[Message]:
    """Tell of each optional column that is not there, with the nearest name that is free."""
    free = [name for name in names if name not in found.values()]
    for name in left_out:
        yield said(
            "There is no column %(name)s, which may be left out: it is unknown in every row."
            "%(hint)s",
            name=name, hint=nearest(name, free),
        )  # fmt: skip
