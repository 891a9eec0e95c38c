"""A labelled CSV file, read once in a stream: what its columns hold, and a sample of its rows."""

from __future__ import annotations

import csv
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Final, Literal, TextIO, TypeVar

from podium.cells import MAX_NUMBER, NUMBER
from podium.errors import FieldError, InvalidInput, nearest

T = TypeVar("T")
Texts = Mapping[str, str]
"""A row's cells by their columns, without those that miss."""

MISSING: Final = frozenset(
    ("", "#N/A", "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null")
)
"""What pandas reads as a missing value."""
MAX_VALUES: Final = 1000
"""A column with more different values is not remembered value by value."""
SAMPLE: Final = 200
SAMPLE_OF_A_LABEL: Final = 20

_CHUNK: Final = 1000
_MAX_LINE: Final = 10_000_000
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
    return tuple(name for name in _decoded(file, lambda stream: _rows(file, stream)[0]) if name)


def read_table(file: Path, target: str) -> LabelledTable:
    """Read a CSV file whose column `target` holds the answers.

    Commas, semicolons and tabs are told apart by the header, UTF-8 and Latin-1 by the bytes;
    with semicolons, a comma in a number is its decimal point.

    Raises:
        InvalidInput: it cannot be read, or has no such column.
    """
    return _decoded(file, partial(_read, file, target))


def _decoded(file: Path, read: Callable[[TextIO], T]) -> T:
    """Return what `read` makes of the file's text; Latin-1 decodes what UTF-8 does not."""
    try:
        with file.open("rb") as start:
            wide = start.read(2) in (b"\xff\xfe", b"\xfe\xff")
        for encoding in ("utf-16",) if wide else ("utf-8-sig", "latin-1"):
            try:
                with file.open(encoding=encoding, newline="") as stream:
                    return read(stream)
            except UnicodeDecodeError as err:
                reason = str(err)
    except OSError as err:
        reason = err.strerror or str(err)
    raise _wrong(f"{file} cannot be read: {reason}")


def _rows(file: Path, stream: TextIO) -> tuple[list[str], str, Iterator[list[str]]]:
    """Return the header, the delimiter and all rows below that are not blank."""
    first = stream.readline(_MAX_LINE)
    delimiter = max(",;\t", key=lambda one: len(next(csv.reader([first], delimiter=one), [])))
    lines = chain([first], iter(partial(stream.readline, _MAX_LINE), ""))
    reader = csv.reader(map(partial(_line, file), lines), delimiter=delimiter)
    rows = _checked(file, reader)
    header = next(rows, [])
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if not header or twice:
        told = f"names {', '.join(twice)} twice" if twice else "is empty"
        raise _wrong(f"{file} {told}; expected one header line, and one line an item")
    return header, delimiter, rows


def _line(file: Path, text: str) -> str:
    if len(text) == _MAX_LINE:
        raise _wrong(f"{file} has a line of more than {_MAX_LINE:,} characters: is it a CSV file?")
    return text


def _checked(file: Path, reader: Iterator[list[str]]) -> Iterator[list[str]]:
    """Yield stripped rows, all as long as the first."""
    width = 0
    try:
        for row in reader:
            width = width or len(row)
            if len(row) not in (0, width):
                line = reader.line_num  # type: ignore[attr-defined]
                raise _wrong(f"{file}, line {line}: {len(row)} cells; the header has {width}")
            if row:
                yield [cell.strip() for cell in row]
    except csv.Error as err:
        line = reader.line_num  # type: ignore[attr-defined]
        raise _wrong(f"{file}, line {line}: {err}") from err


def _read(file: Path, target: str, stream: TextIO) -> LabelledTable:
    header, delimiter, rows = _rows(file, stream)
    if target not in header:
        hint = nearest(target, header) or f" Columns: {', '.join(filter(None, header))}."
        raise InvalidInput([FieldError("--target", f"{file} has no column {target!r}.{hint}")])
    profiles = [_Profile(name, comma=delimiter == ";") for name in header]
    sampler = _Sampler(header.index(target))
    while chunk := list(islice(rows, _CHUNK)):
        for profile, cells in zip(profiles, zip(*chunk, strict=True), strict=True):
            profile.add(cells)
        for row in chunk:
            sampler.add(row)
    columns = {profile.name: profile.column() for profile in profiles if profile.name}
    if not sampler.all.seen:
        raise _wrong(f"{file} has no row with a {target}")
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
        self.random = random.Random(0)  # noqa: S311  no secret is drawn
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


def _wrong(message: str) -> InvalidInput:
    return InvalidInput([FieldError("--data", message)])
