"""A chunk of the `input` table becomes items, checked as those of a request are.

What is plainly right is found out for a whole column at once; only cells that are not are looked
at one by one, for the reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from podium.cells import (
    FALSE,
    MAX_NUMBER,
    MISSING,
    TRUE,
    Cell,
    check_cell,
    read_cell,
)
from podium.datasets.reasons import MOST, Reasons
from podium.datasets.sql import is_missing, quoted
from podium.datasets.wishes import Staged
from podium.datasets.work import Work
from podium.errors import FieldError, InvalidInput, nearest
from podium.labelled import place_of
from podium.messages import Message, joined, said, told_by
from podium.pipeline.columns import Columns
from podium.signature import Signature
from podium.spec import Feature

Floats = NDArray[np.float64]
_TOO_LARGE: Final = {"number": np.nextafter(MAX_NUMBER, np.inf), "integer": 2.0**63}
"""The least number that is too large; 2**63 - 1 itself is no floating-point number."""
_NUMERIC: Final = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT|U?INTEGER|FLOAT|DOUBLE|DECIMAL.*")
_ABSENT: Final = "CAST(NULL AS VARCHAR)"
"""The SQL for a column that the file lacks."""
_REMEMBERED: Final = 10_000


@dataclass
class Chunk:
    """Some rows of a data set.

    `places` are the rows that have an item, counted from `start`; `items` are theirs: features,
    texts or the names of images. `problems` say why a row has none, `warnings` what else to know
    of a row, and `reasons` are both for a translation. `truth` is the index of each row's label or
    its value, NaN where there is none; None for a data set without answers.
    """

    start: int
    stop: int
    places: NDArray[np.intp]
    items: Columns | list[str]
    truth: Floats | None = None
    problems: dict[int, str] = field(default_factory=dict)
    warnings: dict[int, str] = field(default_factory=dict)
    reasons: Reasons = field(default_factory=Reasons)

    def taken(self, which: NDArray[np.intp]) -> Columns | list[str]:
        """Return some of the items."""
        if isinstance(self.items, Columns):
            return self.items.taken(which)
        return [self.items[index] for index in which]

    def add_problem(self, row: int, told: str) -> None:
        """Add why a row has no answer."""
        self._add(self.problems, row, told)

    def add_warning(self, row: int, told: str) -> None:
        """Add what to know of a row."""
        self._add(self.warnings, row, told)

    def _add(self, notes: dict[int, str], row: int, told: str) -> None:
        if row in notes:
            before = notes[row]
            told = joined([self.reasons.get(before, before), told], "; ")
        notes[row] = self.reasons.noted(told)


class RowReader:
    """Reads the rows of one data set."""

    def __init__(self, signature: Signature, staged: Staged, work: Work) -> None:
        self.signature, self.staged, self._work = signature, staged, work
        query = "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = 'input'"
        types = work.query(query)
        self._types = dict(zip(types["column_name"], types["data_type"], strict=True))
        self._left = MOST
        # A column may hold the same wrong value a million times.
        self._code = lru_cache(_REMEMBERED)(self._one_code)
        self._label = lru_cache(_REMEMBERED)(self._one_label)

    def read(self, start: int, stop: int) -> Chunk:
        """Return some rows; `stop` may be beyond the last."""
        stop = min(stop, self.staged.rows)
        problems = {} if self.staged.plain else self._work.problems(start, stop)
        chunk = Chunk(start, stop, np.empty(0, np.intp), [], problems=problems)
        if self.signature.features:
            self._add_features(chunk)
        else:
            self._add_texts(chunk)
        if self.staged.target is not None:
            self._add_truth(chunk, self.staged.target)
        return chunk

    def _add_features(self, chunk: Chunk) -> None:
        features = self.signature.features
        places = [self._column(feature.name) for feature in features]
        columns, mistakes = self._codes(chunk, features, places)
        for row, errors in mistakes.items():
            chunk.add_problem(row, told_by(InvalidInput(errors)))
        chunk.places = _others(chunk)
        chunk.items = Columns(features, columns).taken(chunk.places)
        self._add_cautions(chunk, columns)

    def _column(self, feature: str) -> str:
        """Return the SQL for a feature's column; for one that the file lacks nothing is known."""
        place = self.staged.place_of(feature)
        return _ABSENT if place is None else f"c{place}"

    def _codes(
        self, chunk: Chunk, features: Sequence[Feature], places: Sequence[str]
    ) -> tuple[list[Floats], dict[int, list[FieldError]]]:
        """Return what columns hold in the rows that can be read, and all that is wrong by rows."""
        wanted: dict[str, str] = {}
        for index, (feature, place) in enumerate(zip(features, places, strict=True)):
            wanted[f"f{index}"] = self._code_sql(feature, place)
            if feature.optional:
                wanted[f"m{index}"] = is_missing(self._text_sql(place))
        found = self._work.read(chunk.start, chunk.stop, wanted)
        unreadable = list(chunk.problems)
        columns: list[Floats] = []
        mistakes: dict[int, list[FieldError]] = {}
        for index, feature in enumerate(features):
            column = np.array(np.ma.filled(found[f"f{index}"], np.nan), np.float64)
            wrong = np.isnan(column)
            if feature.optional:
                wrong &= ~np.asarray(found[f"m{index}"], bool)
            wrong |= _odd(feature, column)
            wrong[unreadable] = False
            rows = np.flatnonzero(wrong)
            for row, text in self._texts(chunk, places[index], rows):
                code = self._code(feature, text)
                column[row] = np.nan if isinstance(code, str) else code
                if isinstance(code, str):
                    mistakes.setdefault(row, []).append(FieldError(feature.name, code))
            columns.append(column)
        return columns, mistakes

    def _one_code(self, feature: Feature, text: str) -> float | str:
        """Return the code of a feature's value, or why the text of a cell is none."""
        try:
            cell = check_cell(feature, read_cell(feature, text.strip(), self.staged.decimal_comma))
        except ValueError as err:
            # A Message takes ten times the room of its text, and later ones are not kept.
            self._left -= 1
            return told_by(err) if self._left >= 0 else str(err)
        return _code(feature, cell)

    def _add_cautions(self, chunk: Chunk, columns: Sequence[Floats]) -> None:
        features = self.signature.features
        outside = np.zeros(chunk.stop - chunk.start, bool)
        for feature, column in zip(features, columns, strict=True):
            if feature.range is not None:
                outside |= (column < feature.range[0]) | (column > feature.range[1])
        outside[list(chunk.problems)] = False
        rows = np.flatnonzero(outside)
        items = Columns(features, columns).taken(rows)
        for row, item in zip(rows.tolist(), items, strict=True):
            told = [_on(one.field, one.message) for one in self.signature.cautions(item)]
            chunk.add_warning(row, joined(told, "; "))

    def _add_texts(self, chunk: Chunk) -> None:
        (column,) = (f"c{i}" for i, one in enumerate(self.staged.columns) if one.feature)
        items: list[str] = []
        for row, text in self._texts(chunk, column, _others(chunk)):
            try:
                items.append(self.signature.check_text(text) if self.signature.text else text)
            except ValueError as err:
                chunk.add_problem(row, _on("text", told_by(err)))
        chunk.places, chunk.items = _others(chunk), items

    def _add_truth(self, chunk: Chunk, place: int) -> None:
        """Add the answers; of a cell that is none a warning tells, and the row is scored."""
        column = f"c{place}"
        if self.signature.kind == "regression":
            value = Feature(name=column, unit=self.signature.unit, optional=True)
            (chunk.truth,), mistakes = self._codes(chunk, [value], [column])
            wrong = {row: errors[0].message for row, errors in mistakes.items()}
        else:
            chunk.truth, wrong = self._labels(chunk, column)
        for row, reason in wrong.items():
            chunk.add_warning(row, _on(self.staged.columns[place].name, reason))

    def _labels(self, chunk: Chunk, column: str) -> tuple[Floats, dict[int, str]]:
        """Return the indices of a column's labels, and of cells that hold another one why."""
        code = _place_sql(self._text_sql(column), self.signature.labels)
        found = self._work.read(chunk.start, chunk.stop, {"code": code})["code"]
        truth = np.array(np.ma.filled(found, np.nan), np.float64)
        wrong: dict[int, str] = {}
        for row, text in self._texts(chunk, column, np.flatnonzero(np.isnan(truth))):
            label = self._label(text)
            if isinstance(label, str):
                wrong[row] = label
            else:
                truth[row] = label
        return truth, wrong

    def _one_label(self, text: str) -> float | str:
        """Return the index of a label, NaN for a missing one, or why a text is none."""
        text = text.strip()
        place = place_of(text, self.signature.labels)
        if place is not None:
            return float(place)
        if text in MISSING:
            return np.nan
        return said("%(found)s is none of the labels.%(hint)s", found=repr(text[:80]),
                    hint=nearest(text, self.signature.labels))  # fmt: skip

    def _texts(
        self, chunk: Chunk, column: str, rows: NDArray[np.intp]
    ) -> Iterator[tuple[int, str]]:
        """Yield some rows and the texts of a column in them, "" for NULL."""
        if len(rows):
            sql = {"text": self._text_sql(column)}
            texts = self._work.read(chunk.start, chunk.stop, sql)["text"]
            hidden = np.ma.getmaskarray(texts)
            for row in rows.tolist():
                yield row, "" if hidden[row] else str(texts[row])

    def _text_sql(self, column: str) -> str:
        """Return the SQL for the text of a cell."""
        kind = "VARCHAR" if column == _ABSENT else self._types[column]
        if kind == "VARCHAR":
            return column
        # So the text is of the very number that is taken for a whole column.
        exact = f"CAST({column} AS DOUBLE)" if kind == "FLOAT" else column
        return f"CAST({exact} AS VARCHAR)"

    def _code_sql(self, feature: Feature, column: str) -> str:
        """Return the SQL for the code of a feature's value; NULL for what is not plainly one."""
        text = self._text_sql(column)
        if feature.kind == "category":
            return _place_sql(text, feature.choices)
        if feature.kind == "boolean":
            words = dict.fromkeys(FALSE, 0) | dict.fromkeys(TRUE, 1)
            cases = " ".join(f"WHEN {quoted(word)} THEN {code}" for word, code in words.items())
            return f"CAST(CASE lower(trim({text})) {cases} END AS DOUBLE)"
        if column != _ABSENT and _NUMERIC.fullmatch(self._types[column]):
            return f"CAST({column} AS DOUBLE)"
        plain = f"replace({text}, ',', '.')" if self.staged.decimal_comma else text
        if self.staged.plain and not self.staged.plain.signs:
            return f"TRY_CAST({plain} AS DOUBLE)"
        # DuckDB also takes "1_000" and "+-5".
        odd = f"contains({text}, '_') OR contains({text}, '+-')"
        return f"CASE WHEN {odd} THEN NULL ELSE TRY_CAST({plain} AS DOUBLE) END"


def _on(column: str, told: str) -> Message:
    return Message("%(column)s: %(message)s", {"column": column, "message": told})


def _place_sql(text: str, names: Sequence[str]) -> str:
    """Return the SQL for the place of a text among names; NULL for one that is not there.

    A name that no stripped text equals is kept from being equal to one without outer spaces.
    """
    known = ", ".join(quoted(name if name == name.strip() else f" {name}") for name in names)
    return f"CAST(enum_code(TRY_CAST(trim({text}) AS ENUM ({known}))) AS DOUBLE)"


def _odd(feature: Feature, column: Floats) -> NDArray[np.bool_]:
    """Return which numbers are none that the feature takes."""
    if feature.kind not in _TOO_LARGE:
        return np.zeros(len(column), bool)
    odd: NDArray[np.bool_] = np.abs(column) >= _TOO_LARGE[feature.kind]
    if feature.kind == "integer":
        odd |= np.floor(column) != column
        odd &= ~np.isnan(column)
    return odd


def _code(feature: Feature, value: Cell) -> float:
    if value is None:
        return np.nan
    return float(feature.choices.index(str(value)) if feature.choices else value)


def _others(chunk: Chunk) -> NDArray[np.intp]:
    """Return the rows without a problem."""
    whole = np.ones(chunk.stop - chunk.start, bool)
    whole[list(chunk.problems)] = False
    return np.flatnonzero(whole)
