"""Whether a CSV file is written so plainly that DuckDB reads it as it is, without a guess."""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import Final

from podium.csvfile import Records
from podium.csvfile.records import MAX_RECORD
from podium.datasets.reading.loading import Told
from podium.datasets.wishes import Plain

_BLOCK: Final = MAX_RECORD // 2
"""Bytes looked at at once: with a line end in each, no line has more than MAX_RECORD."""
_TELLING: Final = b'\r\n"\0\x1a'
_NOW_AND_THEN: Final = 64


def plain(file: Path, records: Records, told: Told) -> Plain | None:
    """Return what holds of a file of UTF-8 without quotes, each line with the header's cells.

    None if it is no such file.

    The skeleton of such a file, what is left of it but for delimiters and line ends, is the same
    few bytes again and again.

    Raises:
        UnicodeDecodeError: it is no UTF-8.
    """
    delimiter = records.delimiter.encode()
    width = len(records.header)
    with file.open("rb") as stream:
        line = stream.readline(MAX_RECORD)
        end = _line_end(line)
        if width < 2 or records.line != 1 or not end or len(delimiter) > 1:
            return None  # one column: a blank line would look like an empty cell
        header = line.index(end) + len(end)
        stream.seek(0)
        pattern = delimiter * (width - 1) + end
        others = bytes(set(range(256)) - set(_TELLING + delimiter))
        decoder = codecs.getincrementaldecoder("utf-8")()
        size = file.stat().st_size
        rest = last = b""
        ascii_only, signs = True, False
        for number, block in enumerate(iter(lambda: stream.read(_BLOCK), b"")):
            rows = block if number else block[header:]
            ascii_only = ascii_only and rows.isascii()
            # One byte is found several times as fast as two.
            plus = b"+" in rows or last == b"+"
            signs = signs or b"_" in rows or (plus and b"+-" in last + rows)
            last = rows[-1:]
            if not block.isascii() or decoder.getstate()[0]:
                decoder.decode(block)
            skeleton = block.translate(None, others)
            if len(block) == _BLOCK and end[-1] not in skeleton:
                return None
            rest += skeleton
            count = len(rest) // len(pattern)
            if not (pattern * (count + 1)).startswith(rest):
                return None
            rest = rest[count * len(pattern) :]
            if number % _NOW_AND_THEN == 0:
                told(stream.tell() / size)
        decoder.decode(b"", final=True)
    return Plain(ascii_only, signs) if rest in (b"", pattern[: -len(end)]) else None


def _line_end(line: bytes) -> bytes:
    """Return how a first line ends; b"" if not at all."""
    if line.endswith(b"\r\n"):
        return b"\r\n"
    if b"\r" in line:
        return b"\r"
    return b"\n" if line.endswith(b"\n") else b""
