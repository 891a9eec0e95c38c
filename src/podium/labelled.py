"""A labelled CSV file becomes items with their true answers, checked as a request's items are."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from podium.cells import check_cell, parse_cell
from podium.csvfile import MISSING, CsvError, Rows, read_csv
from podium.errors import DataError, InvalidInput, Mistake, nearest
from podium.signature import MAX_ERRORS, Row, Signature
from podium.spec import Feature

T = TypeVar("T")
Item = Row | str | Path
"""A row of features, a text, or the file of an image."""

IMAGE_COLUMNS: Final = ("image", "file")
TEXT_COLUMN: Final = "text"
_MAX_LABELS_TOLD: Final = 10


class Line(NamedTuple):
    """One item of a file with its answer: a label, or a value; the line at which it stands."""

    number: int
    item: Item
    answer: str | float


@dataclass(frozen=True)
class Labelled:
    """The items of a file that have an answer; `left_out` counts those without."""

    file: Path
    lines: tuple[Line, ...]
    left_out: int = 0

    def without(self, numbers: Collection[int]) -> Labelled:
        """Return the items but for those at some lines."""
        return replace(self, lines=tuple(one for one in self.lines if one.number not in numbers))


def read_labelled(file: Path, signature: Signature) -> Labelled:
    """Read a labelled file: a column for each feature, or "image" or "text", and the target.

    The order of the columns is free and others are ignored. An image is named by its path from
    the file's folder. An empty cell is a missing value, and so is what pandas takes for one; a
    row without an answer is left out.

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
    known: dict[object, list[int]] = {}
    for line in data.lines:
        known.setdefault(_rough(line), []).append(line.number)

    def found(rows: Rows) -> set[object]:
        reader = _Reader(file, signature, rows)
        others = (reader.line(cells) for cells in rows)
        return {_exact(line) for line in others if isinstance(line, Line) and _rough(line) in known}

    there = _read(file, found)
    return [line.number for line in data.lines if there and _exact(line) in there]


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
        place = f"line {err.line}" if err.line else "CSV"
        raise DataError(file, [Mistake(place, err.reason)]) from err


def _all_lines(file: Path, signature: Signature, rows: Rows) -> Labelled:
    reader = _Reader(file, signature, rows)
    lines: list[Line] = []
    mistakes: list[Mistake] = []
    count = left_out = 0
    for cells in rows:
        found = reader.line(cells)
        if isinstance(found, Line):
            lines.append(found)
        elif found is None:
            left_out += 1
        else:
            count += len(found)
            mistakes += found[: MAX_ERRORS - len(mistakes)]
    if mistakes:
        raise DataError(file, mistakes, count)
    if not lines:
        raise DataError(file, [Mistake(signature.target, "no row has an answer in this column")])
    return Labelled(file, tuple(lines), left_out)


class _Reader:
    """Reads the rows of one file; its columns are found once."""

    def __init__(self, file: Path, signature: Signature, rows: Rows) -> None:
        self.signature, self.folder, self.rows = signature, file.parent, rows
        self._labels: dict[str, str] = {}
        self._value = Feature(name=signature.target, unit=signature.unit)
        wanted = list(signature.names)
        if signature.image is not None:
            wanted = [next(filter(rows.header.__contains__, IMAGE_COLUMNS), IMAGE_COLUMNS[0])]
        elif signature.text is not None:
            wanted = [TEXT_COLUMN]
        missing = [name for name in (*wanted, signature.target) if name not in rows.header]
        if missing:
            told = ", ".join(filter(None, rows.header)) or "none"
            raise DataError(file, [Mistake(name, "there is no such column."
                                           + (nearest(name, rows.header) or f" Columns: {told}."))
                                   for name in missing])  # fmt: skip
        self.columns = {name: rows.header.index(name) for name in wanted}
        self.target = rows.header.index(signature.target)

    def line(self, cells: Sequence[str]) -> Line | list[Mistake] | None:
        """Return an item with its answer, all that is wrong with it, or None without an answer."""
        number, mistakes = self.rows.line, []
        answer: str | float | None = None
        try:
            answer = self._answer(cells[self.target])
            if answer is None:
                return None
        except ValueError as err:
            mistakes.append(Mistake(f"line {number}, {self.signature.target}", str(err)))
        try:
            item = self._item(cells, f"line {number}, ")
        except InvalidInput as err:
            return [*(Mistake(*one) for one in err.errors), *mistakes]
        except ValueError as err:
            (column,) = self.columns
            return [Mistake(f"line {number}, {column}", str(err)), *mistakes]
        return mistakes if answer is None else Line(number, item, answer)

    def _answer(self, text: str) -> str | float | None:
        labels = self.signature.labels
        if self.signature.kind == "regression":
            if text in MISSING:
                return None
            return check_cell(self._value, self._parsed(self._value, text))
        if text not in self._labels:
            place = place_of(text, labels)
            if place is None and text in MISSING:
                return None
            if place is None:
                hint = nearest(text, labels) or f" Labels: {_some(labels)}."
                raise ValueError(f"expected one of the labels; found {text[:80]!r}.{hint}")
            self._labels[text] = labels[place]
        return self._labels[text]

    def _item(self, cells: Sequence[str], where: str) -> Item:
        if self.signature.features:
            features = self.signature.features
            texts = [cells[self.columns[feature.name]] for feature in features]
            values = {feature.name: self._parsed(feature, text)
                      for feature, text in zip(features, texts, strict=True)}  # fmt: skip
            return self.signature.row_of(values, where)
        (place,) = self.columns.values()
        if self.signature.text is not None:
            return self.signature.check_text(cells[place])
        path = self.folder / cells[place]
        if not path.is_file():
            raise ValueError(f"there is no file {cells[place]!r} in {self.folder}")
        return path

    def _parsed(self, feature: Feature, text: str) -> object:
        if text in MISSING and text not in feature.choices:
            return None
        if self.rows.decimal_comma and feature.kind in ("number", "integer"):
            text = text.replace(",", ".")
        return parse_cell(feature, text)


def _some(labels: Sequence[str]) -> str:
    more = len(labels) - _MAX_LABELS_TOLD
    told = ", ".join(labels[:_MAX_LABELS_TOLD])
    return f"{told} and {more} more" if more > 0 else told


def _rough(line: Line) -> object:
    """Return what is the same of equal items, and costs little to tell."""
    return line.item.stat().st_size if isinstance(line.item, Path) else _exact(line)


def _exact(line: Line) -> object:
    """Return what is the same of equal items alone."""
    if isinstance(line.item, Path):
        with line.item.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").digest()
    return line.item if isinstance(line.item, str) else (line.item, line.answer)


def _plain(text: str) -> str:
    """Return a name as it is compared: 1 and 1.0 are the same, and true and True."""
    try:
        return str(float(text))
    except ValueError:
        return text.casefold()
