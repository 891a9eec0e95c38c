"""A labelled CSV file, read once in a stream: what its columns hold, and a sample of its rows."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final, Literal, TypeVar

from podium.cells import MAX_NUMBER, MISSING, NUMBER, listed
from podium.csvfile import CsvError, Rows, read_csv
from podium.errors import FieldError, InvalidInput, nearest

T = TypeVar("T")
Texts = Mapping[str, str]
"""A row's cells by their columns, without those that miss."""

MAX_VALUES: Final = 1000
"""A column with more different values is not remembered value by value."""
SAMPLE: Final = 200
SAMPLE_OF_A_LABEL: Final = 20

_CHUNK: Final = 1000
_IDENTIFIER: Final = re.compile(r"(?i:id|index|unnamed: 0|.*[_ -]id)|.*[a-z]I[dD]")


@dataclass(frozen=True)
class Column:
    """What one column holds; `values` are its different texts in order, () when too many."""

    name: str
    kind: Literal["number", "integer", "boolean", "text"]
    rows: int
    missing: int
    range: tuple[float, float] | None
    values: tuple[str, ...]

    @property
    def identifies(self) -> bool:
        """Whether it seems to name the rows, and to tell nothing of them."""
        named = _IDENTIFIER.fullmatch(self.name) is not None
        different = len(self.values) == self.rows - self.missing
        return named or (self.kind == "text" and (not self.values or different))


@dataclass(frozen=True)
class LabelledTable:
    """A CSV file with a column of answers, the target.

    `sample` are rows drawn evenly, `by_label` some rows of each answer: empty when there are more
    answers than a classification has. Rows without an answer are in neither.
    """

    file: Path
    target: Column
    columns: tuple[Column, ...]
    sample: tuple[Texts, ...]
    by_label: Mapping[str, tuple[Texts, ...]]

    def column(self, name: str) -> Column | None:
        """Return the column of a name, or None."""
        return next((column for column in self.columns if column.name == name), None)

    @property
    def useful(self) -> tuple[str, ...]:
        """The names of the columns that tell something of a row."""
        return tuple(column.name for column in self.columns if not column.identifies)


def read_header(file: Path) -> tuple[str, ...]:
    """Return the names of a CSV file's columns, without what has no name.

    Raises:
        InvalidInput: it cannot be read, or names a column twice.
    """
    return tuple(filter(None, _read_csv(file, lambda rows: rows.header)))


def read_table(file: Path, target: str) -> LabelledTable:
    """Read a CSV file whose column `target` holds the answers.

    With semicolons or tabs between the cells, a comma in a number is its decimal point.

    Raises:
        InvalidInput: it cannot be read, or has no such column.
    """
    return _read_csv(file, partial(_read, file, target))


def _read_csv(file: Path, read: Callable[[Rows], T]) -> T:
    try:
        return read_csv(file, read)
    except CsvError as err:
        raise InvalidInput([FieldError("--data", str(err))]) from err


def _read(file: Path, target: str, rows: Rows) -> LabelledTable:
    header, lines = rows.header, iter(rows)
    if target not in header:
        hint = nearest(target, header) or f" Columns: {listed([*filter(None, header)])}."
        raise InvalidInput([FieldError("--target", f"{file} has no column {target!r}.{hint}")])
    profiles = [_Profile(name, comma=rows.decimal_comma) for name in header]
    sampler = _Sampler(header.index(target))
    while chunk := list(islice(lines, _CHUNK)):
        for profile, cells in zip(profiles, zip(*chunk, strict=True), strict=True):
            profile.add(cells)
        for row in chunk:
            sampler.add(row)
    columns = {profile.name: profile.column() for profile in profiles if profile.name}
    if not sampler.all.seen:
        raise CsvError(file, f"has no row with a {target}")
    return LabelledTable(
        file, columns.pop(target), tuple(columns.values()), sampler.all.kept(profiles),
        {label: one.kept(profiles) for label, one in sampler.by_label.items()},
    )  # fmt: skip


class _Profile:
    """What has been seen of one column. With `comma`, "3,5" is a number too."""

    def __init__(self, name: str, comma: bool) -> None:
        self.name = name
        self.rows = self.missing = 0
        self.values: set[str] = set()
        self.many = False
        self.numeric, self.whole, self.comma = True, True, comma
        self.low, self.high = float("inf"), float("-inf")

    def add(self, cells: Sequence[str]) -> None:
        """See a part of the column."""
        found = set(cells)
        self.rows += len(cells)
        self.missing += sum(map(cells.count, found & MISSING))
        found -= MISSING
        if not self.many:
            self.values |= found
            self.many = len(self.values) > MAX_VALUES
        if found and self.numeric:
            self._add_numbers([self.plain(text) for text in found])

    def plain(self, text: str) -> str:
        """Return a cell with a decimal point in place of a comma."""
        return text.replace(",", ".") if self.comma and self.numeric else text

    def _add_numbers(self, texts: list[str]) -> None:
        self.numeric = all(map(NUMBER.fullmatch, texts))
        if self.numeric:
            numbers = list(map(float, texts))
            self.low, self.high = min(self.low, *numbers), max(self.high, *numbers)
            self.numeric = -MAX_NUMBER <= self.low <= self.high <= MAX_NUMBER
            self.whole = self.whole and all(map(float.is_integer, numbers))

    def column(self) -> Column:
        """Return what the column holds."""
        seen = bool(self.values)
        numeric = self.numeric and seen
        words = {value.lower() for value in self.values}
        logical = seen and (words <= {"true", "false"} or words <= {"yes", "no"})
        values = () if self.many else tuple(sorted(self.values, key=self._rank))
        return Column(
            self.name,
            ("integer" if self.whole else "number") if numeric
            else "boolean" if logical else "text",
            self.rows, self.missing, (self.low, self.high) if numeric else None, values,
        )  # fmt: skip

    def _rank(self, text: str) -> tuple[float, str]:
        return (float(self.plain(text)) if self.numeric else 0.0, text)


class _Sampler:
    """Draws rows as they come, each with the same chance; the same ones at every run."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.random = random.Random(0)  # noqa: S311  # nosec B311  # no secret is drawn
        self.all = _Reservoir(SAMPLE, self.random)
        self.by_label: dict[str, _Reservoir] = {}
        self.many = False

    def add(self, row: list[str]) -> None:
        """See a row."""
        answer = row[self.target]
        if answer in MISSING:
            return
        self.all.add(row)
        if answer not in self.by_label and not self.many:
            self.by_label[answer] = _Reservoir(SAMPLE_OF_A_LABEL, self.random)
            self.many = len(self.by_label) > MAX_VALUES
        if self.many:
            self.by_label.clear()
        else:
            self.by_label[answer].add(row)


class _Reservoir:
    """An even sample of `size` rows of all that were seen."""

    def __init__(self, size: int, rng: random.Random) -> None:
        self.size, self.random = size, rng
        self.rows: list[list[str]] = []
        self.seen = 0

    def add(self, row: list[str]) -> None:
        """See a row."""
        self.seen += 1
        place = len(self.rows) if self.seen <= self.size else self.random.randrange(self.seen)
        if place < self.size:
            self.rows[place : place + 1] = [row]

    def kept(self, profiles: Sequence[_Profile]) -> tuple[Texts, ...]:
        """Return the sample's cells by their columns."""
        return tuple(
            {profile.name: profile.plain(cell)
             for profile, cell in zip(profiles, row, strict=True)
             if profile.name and cell not in MISSING}
            for row in self.rows
        )  # fmt: skip
