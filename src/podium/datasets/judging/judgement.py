"""The answers whose truth is known, as arrays; what metrics and figures are made from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from podium.datasets.scoring.answers import label_columns
from podium.datasets.sql import answers_table, between
from podium.datasets.work import Work
from podium.signature import Signature

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

_CLASS: Final = ("probability", "entropy", "truth_probability", "brier", "covered", "set_size")
_VALUE: Final = ("std", "lower", "upper")
_AT_ONCE: Final = 1 << 16


class ClassJudgement(NamedTuple):
    """What a model says of rows whose label is known, in the order of the rows.

    `rows` count from 0; `truth` and `label` are indices of labels. The others are None where the
    model cannot know them: `p`, of shape (rows, labels), also with many labels; `covered` (0 or 1)
    and `set_size` without a calibration.
    """

    rows: Ints
    truth: Ints
    label: Ints
    probability: Floats | None = None
    entropy: Floats | None = None
    truth_probability: Floats | None = None
    brier: Floats | None = None
    covered: Floats | None = None
    set_size: Floats | None = None
    p: Floats | None = None

    @property
    def right(self) -> NDArray[np.bool_]:
        """Which answers are right."""
        return np.asarray(self.label == self.truth)


class ValueJudgement(NamedTuple):
    """What a model says of rows whose value is known, in the order of the rows.

    `rows` count from 0; `std`, `lower` and `upper` are None where the model cannot know them.
    """

    rows: Ints
    truth: Floats
    value: Floats
    std: Floats | None = None
    lower: Floats | None = None
    upper: Floats | None = None


Judgement = ClassJudgement | ValueJudgement


class Part(NamedTuple):
    """Some rows whose truth is known: their numbers, and what each model says of those it answered.

    A model that answered none of them has None.
    """

    rows: Ints
    judged: tuple[Judgement | None, ...]


def labelled_rows(work: Work) -> int:
    """Return how many rows have a truth."""
    found = work.con.execute("SELECT count(*) FROM rows WHERE NOT isnan(truth)").fetchone()
    return int(found[0]) if found else 0


def parts(work: Work, signature: Signature, rows: int, models: int) -> Iterator[Part]:
    """Yield the answers of the first `models` tables that can be judged, in their order."""
    for start in range(0, rows, _AT_ONCE):
        truth = _floats(_read(work, "rows", ("truth",), start)["truth"])
        known = np.flatnonzero(~np.isnan(truth))
        if len(known):
            tables = map(answers_table, range(models))
            told = (_judgement(work, signature, table, start, truth) for table in tables)
            yield Part(start + known, tuple(told))


def joined(judged: Sequence[Judgement]) -> Judgement | None:
    """Return what a model says of one part after the other; None of no rows."""
    if not judged:
        return None
    columns = (
        None if any(one is None for one in column) else np.concatenate(column)
        for column in zip(*judged, strict=True)
    )
    return type(judged[0])(*columns)  # type: ignore[arg-type]


def some(judged: Judgement, which: NDArray[Any]) -> Judgement:
    """Return what is said of some of the rows, by place or by a mask."""
    columns = (None if column is None else column[which] for column in judged)
    return type(judged)(*columns)  # type: ignore[arg-type]


def _judgement(
    work: Work, signature: Signature, table: str, start: int, truth: Floats
) -> Judgement | None:
    if signature.kind == "regression":
        found = _read(work, table, ("value", *_VALUE), start)
        value = _floats(found["value"])
        rows = np.flatnonzero(~np.isnan(truth) & ~np.isnan(value))
        others = (_known(found[name], rows) for name in _VALUE)
        told: Judgement = ValueJudgement(start + rows, truth[rows], value[rows], *others)
        return told if len(rows) else None
    every = label_columns(signature.labels)
    found = _read(work, table, ("label", *_CLASS, *every), start)
    label = _floats(found["label"])
    rows = np.flatnonzero(~np.isnan(truth) & (label >= 0))
    if not len(rows):
        return None
    others = (_known(found[name], rows) for name in _CLASS)
    shares = [_known(found[name], rows) for name in every]
    whole = None if not shares or shares[0] is None else np.column_stack(shares)  # type: ignore[arg-type]
    known = truth[rows].astype(np.intp), label[rows].astype(np.intp)
    return ClassJudgement(start + rows, *known, *others, whole)  # type: ignore[call-arg]


def _read(work: Work, table: str, columns: Sequence[str], start: int) -> dict[str, NDArray[Any]]:
    wanted = ", ".join(columns)
    there = f"FROM {table} WHERE {between(start, start + _AT_ONCE)}"
    return work.query(f"SELECT {wanted} {there} ORDER BY rowid")


def _known(values: NDArray[Any], rows: Ints) -> Floats | None:
    """Return the numbers of some rows; None where no row has one."""
    found = _floats(values)[rows]
    return None if np.isnan(found).all() else found


def _floats(values: NDArray[Any]) -> Floats:
    """Return numbers; NULL is NaN."""
    return np.asarray(np.ma.filled(values.astype(np.float64), np.nan), np.float64)
