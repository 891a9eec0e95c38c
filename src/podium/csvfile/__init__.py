"""A CSV file as people have it: read once in a stream, whatever its delimiter and encoding."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO, TypeVar

from podium.cells import listed
from podium.csvfile.dialect import CsvError, read_text
from podium.csvfile.records import Records
from podium.messages import said

__all__ = ["CsvError", "Records", "Rows", "read_csv", "read_text"]

T = TypeVar("T")


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
        self._records = Records(file, stream)
        self.decimal_comma = self._records.delimiter != ","
        self.line = self._records.line
        self.header = self._records.header
        times = Counter(self.header)
        twice = sorted(name for name in times if name and times[name] > 1)
        if twice:
            raise CsvError(file, said(
                "names %(names)s twice; expected one header line, and one line an item",
                names=listed(twice),
            ))  # fmt: skip

    def __iter__(self) -> Iterator[list[str]]:
        for line, cells, problem in self._records:
            self.line = line
            if problem is not None:
                raise CsvError(self._file, problem, self.line)
            yield [cell.strip() for cell in cells]


def read_csv(file: Path, read: Callable[[Rows], T]) -> T:
    """Return what `read` makes of a file's rows; it is called anew where `read_text` does.

    Raises:
        CsvError: it cannot be read.
    """
    return read_text(file, lambda stream: read(Rows(file, stream)))
