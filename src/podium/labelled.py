"""A labelled CSV file becomes items with their true answers, checked as a request's items are."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from podium.cells import MISSING, check_cell, listed, read_cell
from podium.csvfile import CsvError, Rows, read_csv
from podium.errors import DataError, FieldError, InvalidInput, Mistake, nearest
from podium.header import absent, find_columns, forgiven, optional_columns, wanted_columns
from podium.runtimes.trust import sha256
from podium.signature import MAX_ERRORS, Row, Signature
from podium.spec import Feature

T = TypeVar("T")
Item = Row | str | Path
"""A row of features, a text, or the file of an image."""

_IN_FULL: Final = 5
_MAX_LINES_TOLD: Final = 10
_FOUND: Final = re.compile(r"found |['\"\d]")
"""Where a message comes to what was found: up to there it is the kind of mistake."""


class Line(NamedTuple):
    """One item of a file with its answer: a label, or a value; the line at which it stands."""

    number: int
    item: Item
    answer: str | float


@dataclass(frozen=True)
class Labelled:
    """The items of a file that have an answer; `left_out` counts those without.

    `notes` name the columns that are called so but for the case, if any.
    """

    file: Path
    lines: tuple[Line, ...]
    left_out: int = 0
    notes: tuple[str, ...] = ()

    def without(self, numbers: Collection[int]) -> Labelled:
        """Return the items but for those at some lines."""
        return replace(self, lines=tuple(one for one in self.lines if one.number not in numbers))


def read_labelled(file: Path, signature: Signature) -> Labelled:
    """Read a labelled file: a column for each feature, or "image" or "text", and the target.

    The order of the columns is free and others are ignored; case, and in names of columns spaces,
    hyphens and underscores, count only where two differ in nothing else. An image is named by its
    path from the file's folder. An empty cell is a missing value, and so is what pandas takes for
    one; a row without an answer is left out.

    Raises:
        DataError: it cannot be read, or naming each column that it lacks, or each value that is
            wrong by its line and column.
    """
    return _read(file, lambda rows: _all_lines(file, signature, rows))


def lines_also_in(data: Labelled, file: Path, signature: Signature) -> list[int]:
    """Return the lines of `data` that stand in another labelled file too.

    Rows are the same with equal values and an equal answer, however they are written; texts and
    the bytes of images when they are equal. Rows of the other file that are wrong are skipped.

    Raises:
        DataError: the other file cannot be read, or lacks a column.
    """
    known = set(map(_rough, data.lines))

    def found(rows: Rows) -> set[object]:
        reader = _Reader(file, signature, rows)
        others = (reader.line(cells) for cells in rows)
        return {_exact(line) for line in others if isinstance(line, Line) and _rough(line) in known}

    there = _read(file, found)
    return [line.number for line in data.lines if there and _exact(line) in there]


def lines_twice(data: Labelled) -> list[int]:
    """Return the lines whose item, and its answer, stands on another line too."""
    rough = Counter(map(_rough, data.lines))
    exact = [(line.number, _exact(line)) for line in data.lines if rough[_rough(line)] > 1]
    times = Counter(key for _, key in exact)
    return [number for number, key in exact if times[key] > 1]


class Mistakes:
    """What is wrong in the lines of a file: of each kind in a column the first are told in full."""

    def __init__(self) -> None:
        self.count = 0
        self._kinds: dict[tuple[str, str], _Kind] = {}

    def add(self, line: int, error: FieldError, kind: str | None = None) -> None:
        """Add what is wrong with a column of a line, or the line ("")."""
        self.count += 1
        column, message = error
        known = _FOUND.split(message, maxsplit=1)[0] if kind is None else kind
        self._kinds.setdefault((column, known), _Kind(column)).add(line, message)

    def error(self, file: Path) -> DataError:
        """Return all as one error, of at most MAX_ERRORS lines and one."""
        told = [one for kind in self._kinds.values() for one in kind.told()]
        rest = sum(count for _, count in told[MAX_ERRORS:])
        more = [Mistake(f"and {rest:,} more", "in other columns or of other kinds")] if rest else []
        return DataError(file, [*(one for one, _ in told[:MAX_ERRORS]), *more], self.count)


@dataclass
class _Kind:
    """The mistakes of one kind in one column."""

    column: str
    full: list[Mistake] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    more: int = 0

    def add(self, line: int, message: str) -> None:
        if len(self.full) < _IN_FULL:
            place = f"line {line}, {self.column}" if self.column else f"line {line}"
            self.full.append(Mistake(place, message))
            return
        self.more += 1
        if len(self.lines) < _MAX_LINES_TOLD:
            self.lines.append(line)

    def told(self) -> Iterator[tuple[Mistake, int]]:
        """Yield what is told, and for how many mistakes each stands."""
        yield from ((one, 1) for one in self.full)
        if self.more:
            column = f" in {self.column}" if self.column else ""
            numbers = ", ".join(map(str, self.lines)) + (
                ", ..." if self.more > len(self.lines) else ""
            )
            lines = "line" if self.more == 1 else "lines"
            key = f"and {self.more:,} more like this{column}"
            yield Mistake(key, f"{lines} {numbers}"), self.more


def place_of(label: str, names: Sequence[str]) -> int | None:
    """Return the place of a label among names: the same one, or the same but for 1.0 and True."""
    if label in names:
        return names.index(label)
    plain = [_plain(name) for name in names]
    return plain.index(_plain(label)) if _plain(label) in plain else None


def _read(file: Path, read: Callable[[Rows], T]) -> T:
    try:
        return read_csv(file, read)
    except CsvError as err:
        raise DataError(file, [err.mistake]) from err


def _all_lines(file: Path, signature: Signature, rows: Rows) -> Labelled:
    reader = _Reader(file, signature, rows)
    lines: list[Line] = []
    mistakes = Mistakes()
    left_out = 0
    for cells in rows:
        found = reader.line(cells)
        if isinstance(found, Line):
            lines.append(found)
        elif found is None:
            left_out += 1
        else:
            for error in found:
                mistakes.add(rows.line, error)
    if mistakes.count:
        raise mistakes.error(file)
    if not lines:
        raise DataError(file, [Mistake(signature.target, "no row has an answer in this column")])
    return Labelled(file, tuple(lines), left_out, reader.notes)


class _Reader:
    """Reads the rows of one file; its columns are found once."""

    def __init__(self, file: Path, signature: Signature, rows: Rows) -> None:
        self.signature, self.folder, self.rows = signature, file.parent, rows
        self._labels: dict[str, str] = {}
        self._value = Feature(name=signature.target, unit=signature.unit)
        wanted = wanted_columns(signature, rows.header)
        found = find_columns([*wanted, signature.target], rows.header)
        left_out = {name for name in optional_columns(signature) if found[name] is None}
        needed = {name: column for name, column in found.items() if name not in left_out}
        if None in needed.values():
            raise DataError(file, absent(needed, rows.header))
        places = {name: rows.header.index(column) for name, column in needed.items() if column}
        self.columns = {name: places[name] for name in wanted if name not in left_out}
        self.target = places[signature.target]
        others = forgiven(found)
        told = f"Columns of {file.name} are taken that are written otherwise: {others}."
        self.notes = (told,) if others else ()

    def line(self, cells: Sequence[str]) -> Line | list[FieldError] | None:
        """Return an item with its answer, all that is wrong with it, or None without an answer."""
        mistakes: list[FieldError] = []
        answer: str | float | None = None
        try:
            answer = self._answer(cells[self.target])
            if answer is None:
                return None
        except ValueError as err:
            mistakes.append(FieldError(self.signature.target, str(err)))
        try:
            item = self._item(cells)
        except InvalidInput as err:
            return [*err.errors, *mistakes]
        except ValueError as err:
            (column,) = self.columns
            return [FieldError(column, str(err)), *mistakes]
        return mistakes if answer is None else Line(self.rows.line, item, answer)

    def _answer(self, text: str) -> str | float | None:
        labels = self.signature.labels
        if self.signature.kind == "regression":
            if text in MISSING:
                return None
            return check_cell(self._value, read_cell(self._value, text, self.rows.decimal_comma))
        if text not in self._labels:
            place = place_of(text, labels)
            if place is None and text in MISSING:
                return None
            if place is None:
                hint = nearest(text, labels) or f" Labels: {listed(labels)}."
                raise ValueError(f"expected one of the labels; found {text[:80]!r}.{hint}")
            self._labels[text] = labels[place]
        return self._labels[text]

    def _item(self, cells: Sequence[str]) -> Item:
        if self.signature.features:
            features = [one for one in self.signature.features if one.name in self.columns]
            texts = [cells[self.columns[feature.name]] for feature in features]
            values = {feature.name: read_cell(feature, text, self.rows.decimal_comma)
                      for feature, text in zip(features, texts, strict=True)}  # fmt: skip
            return self.signature.row_of(values)
        (place,) = self.columns.values()
        if self.signature.text is not None:
            return self.signature.check_text(cells[place])
        path = self.folder / cells[place]
        if not path.is_file():
            raise ValueError(f"there is no file {cells[place]!r} in {self.folder}")
        return path


def _rough(line: Line) -> object:
    """Return what is the same of equal items, and costs little to tell."""
    return line.item.stat().st_size if isinstance(line.item, Path) else _exact(line)


def _exact(line: Line) -> object:
    """Return what is the same of equal items alone."""
    if isinstance(line.item, Path):
        return sha256(line.item, [line.item])
    return line.item if isinstance(line.item, str) else (line.item, line.answer)


def _plain(text: str) -> str:
    """Return a name as it is compared: 1 and 1.0 are the same, and true and True."""
    try:
        return str(float(text))
    except ValueError:
        return text.casefold()
