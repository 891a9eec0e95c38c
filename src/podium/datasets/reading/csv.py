"""CSV files: one that is written plainly is read by DuckDB, any other by way of a mended copy."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TextIO

from podium.csvfile import CsvError, Records, read_text
from podium.csvfile.records import MAX_RECORD
from podium.datasets.reading.intake import Intake
from podium.datasets.reading.loading import Told, create_input, part_of
from podium.datasets.reading.match import match
from podium.datasets.reading.plain import plain
from podium.datasets.reasons import Reasons
from podium.datasets.wishes import Column, Staged
from podium.datasets.work import Work
from podium.errors import DataError
from podium.messages import Message, said

_MAX_BYTES: Final = 4 * MAX_RECORD + 1000
"""The most bytes of a record of a mended copy: four a character, or twice as many quotes."""
_NOW_AND_THEN: Final = 10_000
_ENCODINGS: Final = {
    "utf-8-sig": said("UTF-8 with a byte order mark"),
    "utf-16": "UTF-16",
    "utf-32": "UTF-32",
    "cp1252": "Latin-1 (Windows-1252)",
    "latin-1": "Latin-1",
}
_DELIMITERS: Final = {
    ";": said("The cells are parted by semicolons."),
    "\t": said("The cells are parted by tabs."),
    "|": said("The cells are parted by vertical bars."),
}
_COMMA: Final = r"[+-]?\d*,\d+([eE][+-]?\d+)?"
_SURE: Final = r"[+-]?(\d{4,}|0\d*)?,\d+([eE][+-]?\d+)?|[+-]?\d+,(\d{1,2}|\d{4,})([eE][+-]?\d+)?"
"""Not so: one to three digits, of which the first is no 0, a comma and three digits."""
_POINT: Final = r"[+-]?\d*\.\d+([eE][+-]?\d+)?"
_TELLING: Final = 10_000
"""Rows with commas that tell whether they are decimal ones."""
_MOST_WRONG: Final = 1_000_000
"""Of a file of mere line ends the reasons would take far more room than itself."""
_CHECKED: Final = 0.1
_MENDED: Final = 0.6
"""The part of the time after which a file is checked, or mended."""


def stage_csv(file: Path, intake: Intake) -> Staged:
    """Take in a CSV file; a row that cannot be read stays in its place, with the reason.

    Its cells are kept as far as they are there.

    Raises:
        DataError: it cannot be read, or lacks columns.
    """
    try:
        return read_text(file, lambda stream: _stage(file, stream, intake))
    except CsvError as err:
        raise DataError(file, [err.mistake]) from err


def _stage(file: Path, stream: TextIO, intake: Intake) -> Staged:
    work, told = intake.work, intake.told
    records = Records(file, stream)
    columns, notes = match(file, records.header, intake.signature, intake.target)
    looks = None
    if stream.encoding.startswith("utf-8"):
        looks = plain(file, records, part_of(told, 0, _CHECKED))
    if looks:
        rest = part_of(told, _CHECKED, 1)
        rows = _load(file, work, len(columns), rest, delim=records.delimiter)
    else:
        mended, reasons = work.file.with_suffix(".csv"), Reasons()
        with _mended(file, mended, records, reasons, part_of(told, 0, _MENDED)) as copy:
            quoted = {"quote": '"', "escape": '"', "new_line": "\\r\\n"}
            rest = part_of(told, _MENDED, 1)
            rows = _load(copy, work, len(columns), rest, problems=True, delim=",", **quoted)
        work.keep_reasons(reasons)
    if not rows:
        raise CsvError(file, said("has a header and no rows; expected one line an item"))
    # Without quotes no cell holds the comma that parts it from the next.
    comma = not (looks and records.delimiter == ",") and _decimal_comma(
        intake, columns, records.delimiter
    )
    seen = (*_notes(stream.encoding, records.delimiter, comma), *notes)
    return Staged(kind="csv", columns=columns, rows=rows, decimal_comma=comma,
                  plain=looks, notes=seen)  # fmt: skip


def _load(
    file: Path, work: Work, width: int, told: Told, problems: bool = False, **dialect: str
) -> int:
    """Make the `input` table of a file whose records all are right, and return its rows."""
    names = [*(f"c{index}" for index in range(width)), *(["problem"] if problems else [])]
    problem = "" if problems else ", NULL::VARCHAR AS problem"
    options = {"quote": "", "escape": "", "encoding": "utf-8", **dialect}
    types = ", ".join(f"{name}: 'VARCHAR'" for name in names)
    sizes = f"max_line_size={_MAX_BYTES}, buffer_size={2 * _MAX_BYTES}"
    told_options = ", ".join([sizes, *(f"{key}='{value}'" for key, value in options.items())])
    how = f"auto_detect=false, header=true, hive_partitioning=false, {told_options}"
    query = f"SELECT *{problem} FROM read_csv(?, columns={{{types}}}, {how})"  # noqa: S608
    return create_input(work, file, query, width, told)


@contextmanager
def _mended(
    file: Path, copy: Path, records: Records, reasons: Reasons, told: Told
) -> Iterator[Path]:
    """Write a copy in which each record is right, with a column for the problems."""
    blank = [""] * len(records.header)
    wrong = 0
    try:
        with copy.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow([*blank, ""])
            for number, (line, cells, problem) in enumerate(records):
                if problem is None:
                    writer.writerow([*cells, ""])
                else:
                    rest = blank[len(cells) :]
                    reason = said("line %(line)s: %(problem)s", line=line, problem=problem)
                    writer.writerow([*cells, *rest, reasons.noted(reason)])
                    wrong += 1
                if wrong > _MOST_WRONG:
                    reason = said("more than %(most)s rows cannot be read; this one: %(problem)s",
                                  most=f"{_MOST_WRONG:,}", problem=problem)  # fmt: skip
                    raise CsvError(file, reason, line)
                if number % _NOW_AND_THEN == 0:
                    told(records.part)
        yield copy
    finally:
        copy.unlink(missing_ok=True)


def _decimal_comma(intake: Intake, columns: Sequence[Column], delimiter: str) -> bool:
    """Return whether a comma stands for the point in what should be numbers.

    The first rows with commas tell. "1,234" may be meant for 1234, unless semicolons between the
    cells keep commas free: it takes a surer one to read what else would be wrong by a thousand.
    """
    signature = intake.signature
    numbers = {one.name for one in signature.features if one.kind in ("number", "integer")}
    regression = signature.kind == "regression"
    cells = [f"c{index}" for index, one in enumerate(columns)
             if one.feature in numbers or (one.is_target and regression)]  # fmt: skip
    if not cells:
        return False
    kinds = (_COMMA if delimiter == ";" else _SURE, _POINT)
    counts = ", ".join(
        " + ".join(f"count_if(regexp_full_match(trim({cell}), '{kind}'))" for cell in cells)
        for kind in kinds
    )
    found = " OR ".join(f"contains({cell}, ',')" for cell in cells)
    some = f"problem IS NULL AND ({found})"
    first = f"SELECT {', '.join(cells)} FROM input WHERE {some} LIMIT {_TELLING}"  # noqa: S608
    commas, points = intake.work.con.execute(f"SELECT {counts} FROM ({first})").fetchone() or (0, 0)  # noqa: S608
    return (commas or 0) > (points or 0)


def _notes(encoding: str, delimiter: str, decimal_comma: bool) -> Iterator[Message]:
    """Yield what was recognised that is not the plain way to write a CSV file."""
    if encoding in _ENCODINGS:
        yield said("The encoding is %(encoding)s.", encoding=_ENCODINGS[encoding])
    if delimiter in _DELIMITERS:
        yield _DELIMITERS[delimiter]
    if decimal_comma:
        yield said('Numbers have a decimal comma: "3,5" is 3.5.')
