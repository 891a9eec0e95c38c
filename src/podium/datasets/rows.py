"""A chunk of the `input` table becomes items, checked as those of a request are.

What is plainly right is found out for a whole column at once; only rows that are not are looked at
one by one, for the reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from podium.cells import (
    FALSE,
    MAX_INTEGER,
    MAX_NUMBER,
    MISSING,
    TRUE,
    Cell,
    check_cell,
    read_cell,
)
from podium.datasets.wishes import Staged
from podium.datasets.work import Work
from podium.errors import InvalidInput, nearest
from podium.labelled import place_of
from podium.pipeline.columns import Columns
from podium.signature import Signature
from podium.spec import Feature

Floats = NDArray[np.float64]
_LIMITS: Final = {"number": MAX_NUMBER, "integer": MAX_INTEGER}


@dataclass
class Chunk:
    """Some rows of a data set.

    `places` are the rows that have an item, counted from `start`; `items` are theirs: features,
    texts or the names of images. `problems` say why a row has none, `warnings` what else to know
    of a row. `truth` is the index of each row's label or its value, NaN where there is none; None
    for a data set without answers.
    """

    start: int
    stop: int
    places: NDArray[np.intp]
    items: Columns | list[str]
    truth: Floats | None = None
    problems: dict[int, str] = field(default_factory=dict)
    warnings: dict[int, str] = field(default_factory=dict)


class RowReader:
    """Reads the rows of one data set."""

    def __init__(self, signature: Signature, staged: Staged, work: Work) -> None:
        self.signature, self.staged, self._work = signature, staged, work
        self._value = Feature(name=signature.target, unit=signature.unit)
        self._labels: dict[str, float] = {}

    def read(self, start: int, stop: int) -> Chunk:
        """Return some rows; `stop` may be beyond the last."""
        stop = min(stop, self.staged.rows)
        told = self._work.read(start, stop, {"problem": "problem"})["problem"]
        problems = {int(row): str(told[row]) for row in np.flatnonzero(~_hidden(told))}
        chunk = Chunk(start, stop, np.empty(0, np.intp), [], problems=problems)
        if self.signature.features:
            self._add_features(chunk)
        else:
            self._add_texts(chunk)
        if self.staged.target is not None:
            chunk.truth = self._truth(chunk, self.staged.target)
        return chunk

    def _add_features(self, chunk: Chunk) -> None:
        features = self.signature.features
        wanted = {f"f{i}": self._number(f, self._column(f.name)) for i, f in enumerate(features)}
        wanted |= {f"m{i}": _is_missing(self._column(f.name))
                   for i, f in enumerate(features) if f.optional}  # fmt: skip
        found = self._work.read(chunk.start, chunk.stop, wanted)
        columns, wrong = [], np.zeros(chunk.stop - chunk.start, bool)
        for index, feature in enumerate(features):
            values = found[f"f{index}"]
            hidden, column = _hidden(values), np.asarray(np.ma.filled(values, np.nan), np.float64)
            if feature.optional:
                hidden = hidden & ~np.asarray(found[f"m{index}"], bool)
            wrong |= hidden | _odd(feature, column)
            columns.append(column)
        wrong[list(chunk.problems)] = False
        self._mend(chunk, columns, np.flatnonzero(wrong))
        chunk.places = _others(chunk)
        chunk.items = Columns(features, columns).taken(chunk.places)
        self._add_cautions(chunk, columns)

    def _mend(self, chunk: Chunk, columns: list[Floats], rows: NDArray[np.intp]) -> None:
        """Look at rows one by one: write down why each is wrong, or its values after all."""
        if not len(rows):
            return
        features = self.signature.features
        wanted = {f"t{i}": f"CAST({self._column(f.name)} AS VARCHAR)"
                  for i, f in enumerate(features)}  # fmt: skip
        texts = self._work.read(chunk.start, chunk.stop, wanted)
        for row in rows.tolist():
            cells = {f.name: read_cell(f, _text(texts[f"t{i}"], row), self.staged.decimal_comma)
                     for i, f in enumerate(features)}  # fmt: skip
            try:
                values = self.signature.row_of(cells)
            except InvalidInput as err:
                chunk.problems[row] = str(err)
                continue
            for column, feature, value in zip(columns, features, values, strict=True):
                column[row] = _code(feature, value)

    def _add_cautions(self, chunk: Chunk, columns: Sequence[Floats]) -> None:
        features = self.signature.features
        outside = np.zeros(chunk.stop - chunk.start, bool)
        for feature, column in zip(features, columns, strict=True):
            if feature.range is not None:
                outside |= (column < feature.range[0]) | (column > feature.range[1])
        outside[list(chunk.problems)] = False
        for row in np.flatnonzero(outside).tolist():
            item = Columns(features, [column[row : row + 1] for column in columns])[0]
            told = (f"{one.field}: {one.message}" for one in self.signature.cautions(item))
            chunk.warnings[row] = "; ".join(told)

    def _add_texts(self, chunk: Chunk) -> None:
        (column,) = (f"c{i}" for i, one in enumerate(self.staged.columns) if one.feature)
        texts = self._work.read(chunk.start, chunk.stop, {"t": f"CAST({column} AS VARCHAR)"})["t"]
        items: list[str] = []
        for row in range(chunk.stop - chunk.start):
            if row in chunk.problems:
                continue
            text = _text(texts, row)
            try:
                items.append(self.signature.check_text(text) if self.signature.text else text)
            except ValueError as err:
                chunk.problems[row] = f"text: {err}"
        chunk.places, chunk.items = _others(chunk), items

    def _truth(self, chunk: Chunk, column: int) -> Floats:
        texts = self._work.read(chunk.start, chunk.stop, {"t": f"CAST(c{column} AS VARCHAR)"})["t"]
        truth = np.full(chunk.stop - chunk.start, np.nan)
        for row in range(len(truth)):
            text = _text(texts, row).strip()
            known = self._labels.get(text)
            if known is not None:
                truth[row] = known
                continue
            try:
                truth[row] = self._answer(text)
            except ValueError as err:
                told = f"{self.staged.columns[column].name}: {err}"
                before = chunk.warnings.get(row)
                chunk.warnings[row] = f"{before}; {told}" if before else told
        return truth

    def _answer(self, text: str) -> float:
        """Return the index of a label, or a value; NaN for none.

        Raises:
            ValueError: it is neither.
        """
        if self.signature.kind == "regression":
            if text in MISSING:
                return np.nan
            value = check_cell(self._value, read_cell(self._value, text, self.staged.decimal_comma))
            return float(value)  # type: ignore[arg-type]
        labels = self.signature.labels
        place = place_of(text, labels)
        if place is None and text in MISSING:
            return np.nan
        if place is None:
            raise ValueError(f"{text[:80]!r} is none of the labels.{nearest(text, labels)}")
        self._labels[text] = float(place)
        return float(place)

    def _column(self, feature: str) -> str:
        return f"c{self.staged.place_of(feature)}"

    def _number(self, feature: Feature, column: str) -> str:
        """Return the SQL for the code of a feature's value; NULL for what is not plainly one."""
        text = f"trim(CAST({column} AS VARCHAR))"
        if feature.kind in ("number", "integer"):
            plain = f"replace({text}, ',', '.')" if self.staged.decimal_comma else column
            return f"TRY_CAST({plain} AS DOUBLE)"
        words: dict[str, int] = {choice: i for i, choice in enumerate(feature.choices)}
        if feature.kind == "boolean":
            text = f"lower({text})"
            words = dict.fromkeys(FALSE, 0) | dict.fromkeys(TRUE, 1)
        cases = " ".join(f"WHEN {_quoted(word)} THEN {code}" for word, code in words.items())
        return f"CAST(CASE {text} {cases} END AS DOUBLE)"


def _is_missing(column: str) -> str:
    words = ", ".join(map(_quoted, sorted(MISSING)))
    return f"coalesce(trim(CAST({column} AS VARCHAR)) IN ({words}), true)"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _odd(feature: Feature, column: Floats) -> NDArray[np.bool_]:
    """Return which numbers are none that the feature takes."""
    if feature.kind not in _LIMITS:
        return np.zeros(len(column), bool)
    with np.errstate(invalid="ignore"):
        odd = np.abs(column) > _LIMITS[feature.kind]
        return odd | (column != np.floor(column)) if feature.kind == "integer" else odd


def _code(feature: Feature, value: Cell) -> float:
    if value is None:
        return np.nan
    return float(feature.choices.index(str(value)) if feature.choices else value)


def _hidden(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Return where an array is NULL."""
    return np.asarray(np.ma.getmaskarray(values))


def _text(texts: NDArray[Any], row: int) -> str:
    value = texts[row]
    return "" if value is np.ma.masked or value is None else str(value)


def _others(chunk: Chunk) -> NDArray[np.intp]:
    """Return the rows without a problem."""
    whole = np.ones(chunk.stop - chunk.start, bool)
    whole[list(chunk.problems)] = False
    return np.flatnonzero(whole)
