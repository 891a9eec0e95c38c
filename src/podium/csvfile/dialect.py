"""How a CSV file is written: the bytes tell its encoding, the first lines its delimiter."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TextIO, TypeVar

from podium.errors import Mistake
from podium.filekinds import foreign
from podium.messages import said

T = TypeVar("T")

_START: Final = 65_536
_DELIMITERS: Final = (",", ";", "\t", "|")
_NONE: Final = "\x1f"
"""The unit separator of ASCII, for a file of one column: its lines may hold all other ones."""
_TOLD: Final = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
"""A first line by which Excel is told the delimiter."""

_CONTROLS: Final = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1a"))
_MOST_CONTROLS: Final = 0.05
"""Of random bytes a tenth are control characters; in a text there is hardly one."""
_WIDE: Final = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


class CsvError(ValueError):
    """A file cannot be read as CSV; `line` is the number of the line that is wrong, or 0."""

    def __init__(self, file: Path, reason: str, line: int = 0) -> None:
        self.reason, self.line = reason, line
        super().__init__(f"{file}, line {line}: {reason}" if line else f"{file} {reason}")

    @property
    def mistake(self) -> Mistake:
        """The mistake with its place, among those of a file of data."""
        place = said("line %(line)s", line=self.line) if self.line else "CSV"
        return Mistake(place, self.reason)


def read_text(file: Path, read: Callable[[TextIO], T]) -> T:
    """Return what `read` makes of a file's text, whose line ends are as they stand there.

    UTF-8 and UTF-16 are told by their byte order marks; without one it is UTF-8, or else
    Windows-1252, or else Latin-1: `read` is called anew when what began as one of them turns out to
    be none. `encoding` of the stream is what it is.

    Raises:
        CsvError: it cannot be read, or is no text.
    """
    try:
        with file.open("rb") as stream:
            start = stream.read(_START)
    except OSError as err:
        why = err.strerror or str(err)
        raise CsvError(file, said("cannot be read: %(reason)s", reason=why)) from err
    reason = ""
    for encoding in _encodings(file, start):
        try:
            with file.open(encoding=encoding, newline="") as text:
                return read(text)
        except UnicodeDecodeError as err:
            reason = str(err)
    raise CsvError(file, said("cannot be read: %(reason)s", reason=reason))


def _encodings(file: Path, start: bytes) -> Sequence[str]:
    """Return the encodings that a file may have by its first bytes, the likeliest first."""
    wide = next((name for mark, name in _WIDE.items() if start.startswith(mark)), None)
    if wide is not None:
        return (wide,)
    known = foreign(start)
    if known is not None:
        raise CsvError(file, said("is no text but %(kind)s. Save the table as CSV",
                                  kind=known.name))  # fmt: skip
    controls = len(start) - len(start.translate(None, _CONTROLS))
    if controls > _MOST_CONTROLS * len(start):
        raise CsvError(file, said(
            "is no text: it holds bytes that stand in no CSV file. Is it another file?"
        ))  # fmt: skip
    if start.startswith(codecs.BOM_UTF8):
        return ("utf-8-sig",)
    return ("utf-8", "cp1252", "latin-1")


def told_delimiter(line: str) -> str | None:
    """Return the delimiter that a line such as "sep=;" tells, else None."""
    told = _TOLD.fullmatch(line)
    return told[1] if told else None


def delimiter_of(lines: Sequence[str]) -> str:
    """Return what stands between the cells of some first lines, of which the header comes first.

    It gives most of the lines as many cells as the header has, and the header most cells.
    """
    header, others = _parted(lines)
    widths = {one: _width(header, one) for one in _DELIMITERS}
    likely = [one for one, width in widths.items() if width > 1]

    def worth(one: str) -> tuple[float, int]:
        return sum(_width(line, one) == widths[one] for line in others), widths[one]

    return max(likely, key=worth, default=_NONE)


def _parted(lines: Sequence[str]) -> tuple[str, Sequence[str]]:
    """Return a header, which ends where its quotes pair up, and the lines behind it."""
    for end in range(1, len(lines) + 1):
        header = "".join(lines[:end])
        if header.count('"') % 2 == 0:
            return header, lines[end:]
    return "".join(lines), ()


def _width(line: str, delimiter: str) -> int:
    """Return how many cells a line has; delimiters between quotes part none."""
    return sum(part.count(delimiter) for part in line.split('"')[::2]) + 1
