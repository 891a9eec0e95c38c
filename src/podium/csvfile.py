"""A CSV file as people have it: read once in a stream, whatever its delimiter and encoding."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Final, TextIO, TypeVar

from podium.cells import listed
from podium.errors import counted

T = TypeVar("T")

_MAX_LINE: Final = 10_000_000
_START: Final = 65_536
_CONTROLS: Final = bytes(set(range(32)) - set(b"\t\n\v\f\r"))
_MOST_CONTROLS: Final = 0.05
"""Of random bytes a tenth are control characters; in a text there is hardly one."""


class CsvError(ValueError):
    """A file cannot be read as CSV; `line` is the number of the line that is wrong, or 0."""

    def __init__(self, file: Path, reason: str, line: int = 0) -> None:
        self.reason, self.line = reason, line
        super().__init__(f"{file}, line {line}: {reason}" if line else f"{file} {reason}")


class Rows:
    """The rows of a CSV file that are not blank, stripped, all as long as the header.

    `header` holds the columns' names, "" where one has none; no other name stands there twice.
    `line` is the number of the line at which the row that came last begins. With `decimal_comma`
    a number may be written "3,5": where no comma stands between the cells.

    Raises:
        CsvError: also while iterating.
    """

    def __init__(self, file: Path, stream: TextIO) -> None:
        self._file = file
        first = stream.readline(_MAX_LINE)
        delimiter = max(",;\t", key=lambda one: len(next(csv.reader([first], delimiter=one), [])))
        lines = chain([first], iter(partial(stream.readline, _MAX_LINE), ""))
        self._reader = csv.reader(map(self._whole, lines), delimiter=delimiter)
        self._rows = self._checked()
        self.decimal_comma = delimiter != ","
        self.line = 0
        self.header = next(self._rows, [])
        twice = sorted({name for name in self.header if name and self.header.count(name) > 1})
        if not self.header or twice:
            told = f"names {listed(twice)} twice" if twice else "is empty"
            raise CsvError(file, f"{told}; expected one header line, and one line an item")

    def __iter__(self) -> Iterator[list[str]]:
        return self._rows

    def _whole(self, text: str) -> str:
        if len(text) == _MAX_LINE:
            reason = f"has a line of more than {_MAX_LINE:,} characters: is it a CSV file?"
            raise CsvError(self._file, reason)
        return text

    def _checked(self) -> Iterator[list[str]]:
        width = 0
        try:
            ended = 0
            for row in self._reader:
                self.line, ended = ended + 1, self._reader.line_num
                width = width or len(row)
                if len(row) not in (0, width):
                    reason = f"{counted(len(row), 'cell')}; the header has {width}"
                    raise CsvError(self._file, reason, self.line)
                if row:
                    yield [cell.strip() for cell in row]
        except csv.Error as err:
            raise CsvError(self._file, str(err), self._reader.line_num) from err


def read_csv(file: Path, read: Callable[[Rows], T]) -> T:
    """Return what `read` makes of a file's rows.

    Commas, semicolons and tabs are told apart by the header, UTF-8, UTF-16 and Latin-1 by the
    bytes: `read` is called anew when what began as UTF-8 turns out to be none.

    Raises:
        CsvError: it cannot be read.
    """
    try:
        with file.open("rb") as stream:
            start = stream.read(_START)
        wide = start[:2] in (b"\xff\xfe", b"\xfe\xff")
        if not wide and _is_binary(start):
            reason = "is no text: it holds bytes that stand in no CSV file. Is it another file?"
            raise CsvError(file, reason)
        for encoding in ("utf-16",) if wide else ("utf-8-sig", "latin-1"):
            try:
                with file.open(encoding=encoding, newline="") as text:
                    return read(Rows(file, text))
            except UnicodeDecodeError as err:
                reason = str(err)
    except OSError as err:
        reason = err.strerror or str(err)
    raise CsvError(file, f"cannot be read: {reason}")


def _is_binary(start: bytes) -> bool:
    controls = len(start) - len(start.translate(None, _CONTROLS))
    return b"\0" in start or controls > _MOST_CONTROLS * len(start)
