"""The records of a CSV file: a wrong one keeps its place, and swallows no line of another."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple, TextIO

from podium.csvfile.dialect import CsvError, delimiter_of, told_delimiter
from podium.messages import Message, said, said_of

MAX_RECORD: Final = 1 << 20
"""The most characters of a line, and of a record with line ends in its cells."""
_IN_VAIN: Final = 4 * MAX_RECORD
"""So many characters behind open quotes may be read again, and then no more than were read for
good: else a quote in each line that is closed nowhere would make every line look far ahead."""
_SAMPLE: Final = 100
_SAMPLE_LENGTH: Final = 65_536
"""The delimiter is told by so many lines, or characters."""
_QUOTED: Final = re.compile(r'[^"]*+(?:""[^"]*+)*+')
"""What stands between two quotes, quotes in it doubled."""
_BLANK: Final = " \t\v\f\r\n\x1a"
"""DOS ends a file with the last of these."""


class Record(NamedTuple):
    """The cells of a record that begins at a line, and why it cannot be read, if so.

    Then the cells are those of that line as far as they can be told, no more than the header has.
    """

    line: int
    cells: list[str]
    problem: Message | None


class Records:
    """The records of a CSV file that are not blank.

    `header` holds the columns' names, stripped, and `line` is where it stands; `delimiter` is what
    parts the cells. A record has a problem if it has not as many cells as the header, or if its
    quotes do not pair up: then the next one begins at the next line.

    Raises:
        CsvError: there is no header, or a line is too long; also while iterating.
    """

    def __init__(self, file: Path, stream: TextIO) -> None:
        self._file, self._stream = file, stream
        self._number = 0
        self._waiting: deque[str] = deque()
        self._taken: list[str] = []
        self._length, self._spare = 0, _IN_VAIN
        first = self._first()
        told = told_delimiter(first[0]) if first else None
        if told:
            self._next()
        self.delimiter = told or delimiter_of([line for line in first if line.strip(_BLANK)])
        self.header: list[str] = []
        self.line, cells, problem = next(iter(self), Record(0, [], None))
        if problem is not None:
            raise CsvError(file, problem, self.line)
        if not cells:
            raise CsvError(file, said("is empty; expected one header line, and one line an item"))
        self.header = [cell.strip() for cell in cells]

    @property
    def part(self) -> float:
        """The part of the file that is read, from 0 to 1."""
        return self._stream.buffer.tell() / self._file.stat().st_size

    def __iter__(self) -> Iterator[Record]:
        width = len(self.header)
        for line in iter(self._next, ""):
            number = self._number
            problem: Message | None = None
            self._length = len(line)
            body = line.rstrip("\r\n")
            try:
                cells = self._quoted(body, line) if '"' in body else body.split(self.delimiter)
                if "\0" in body:
                    raise _Unreadable(said("holds a NUL character, which stands in no text"))
            except _Unreadable as err:
                cells, problem = [], err.reason
            if len(cells) == 1 and not body.strip(_BLANK):
                continue
            width = width or len(cells)
            if problem is None and len(cells) != width:
                problem = self._odd(len(cells), width)
            if problem is None:
                self._spare += self._length
            else:
                if self._taken or not cells:  # where cells end, the quotes do not tell
                    cells = body.replace("\0", "").split(self.delimiter)
                cells = cells[:width]
                vain = self._length - len(line)
                self._spare += len(line) - vain
                self._give_back()
            self._taken.clear()
            yield Record(number, cells, problem)

    def _odd(self, cells: int, width: int) -> Message:
        told = said_of(cells, "%(cells)s cell; the header has %(width)s",
                       "%(cells)s cells; the header has %(width)s",
                       cells=f"{cells:,}", width=width)  # fmt: skip
        if not self._taken:
            return told
        return said("a quote that opens in this line closes in line %(line)s, which makes %(told)s",
                    line=self._number, told=told)  # fmt: skip

    def _quoted(self, body: str, line: str) -> list[str]:
        """Return the cells of a record some of which are quoted, and take the lines it goes on."""
        cells: list[str] = []
        place = 0
        while True:
            if body.startswith('"', place):
                cell, body, line, place = self._unquoted(body, line, place + 1, len(cells) + 1)
            else:
                end = body.find(self.delimiter, place)
                start, place = place, len(body) if end < 0 else end
                cell = body[start:place]
            cells.append(cell)
            if place == len(body):
                return cells
            place += 1

    def _unquoted(self, body: str, line: str, place: int, number: int) -> tuple[str, str, str, int]:
        """Return a quoted cell, the line in which it ends, whole and without its end, and where."""
        parts: list[str] = []
        while True:
            inside = _QUOTED.match(body, place)
            assert inside is not None  # it may be empty
            place = inside.end()
            parts.append(inside[0])
            if place < len(body):
                break
            parts.append(line[len(body) :])
            line = self._next()
            self._length += len(line)
            self._taken.append(line)
            if not line or self._length > MAX_RECORD or self._length > self._spare or "\0" in line:
                raise _Unreadable(_never_closed(number))
            body, place = line.rstrip("\r\n"), 0
        place += 1
        if place < len(body) and body[place] != self.delimiter:
            if self._taken:
                raise _Unreadable(_never_closed(number))
            raise _Unreadable(said(
                "cell %(cell)s goes on behind its closing quote; quotes in it are doubled",
                cell=number,
            ))  # fmt: skip
        return "".join(parts).replace('""', '"'), body, line, place

    def _first(self) -> list[str]:
        """Return some first lines, which wait to be read again."""
        lines: list[str] = []
        for line in islice(iter(self._next, ""), _SAMPLE):
            lines.append(line)
            if sum(map(len, lines)) > _SAMPLE_LENGTH:
                break
        self._taken = lines[:]
        self._give_back()
        return lines

    def _next(self) -> str:
        """Return a line with its end; "" when there is none."""
        line = self._waiting.popleft() if self._waiting else self._stream.readline(MAX_RECORD)
        if len(line) == MAX_RECORD and line[-1] not in "\r\n":
            reason = said("has more than %(count)s characters; is it a CSV file?",
                          count=f"{MAX_RECORD:,}")  # fmt: skip
            raise CsvError(self._file, reason, self._number + 1)
        self._number += bool(line)
        return line

    def _give_back(self) -> None:
        """Let the lines be read again that a record has taken beside its first."""
        lines = [line for line in self._taken if line]
        self._waiting.extendleft(reversed(lines))
        self._number -= len(lines)
        self._taken.clear()


class _Unreadable(ValueError):
    """A record cannot be read."""

    def __init__(self, reason: Message) -> None:
        self.reason = reason
        super().__init__(reason)


def _never_closed(cell: int) -> Message:
    return said("a quote opens in cell %(cell)s and is never closed", cell=cell)
