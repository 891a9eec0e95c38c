"""Parquet files: their columns keep their types, but for what no CSV file can hold."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import duckdb

from podium.datasets.reading.intake import Intake
from podium.datasets.reading.loading import ask, create_input, part_of
from podium.datasets.reading.match import match
from podium.datasets.wishes import Staged
from podium.datasets.work import Work
from podium.errors import DataError, Mistake
from podium.messages import Message, said
from podium.strict import Size

_KEPT: Final = re.compile(
    r"BOOLEAN|U?(TINY|SMALL|BIG|HUGE)?INT|U?INTEGER|FLOAT|DOUBLE|DECIMAL\(\d+,\d+\)|VARCHAR"
    r"|DATE|TIME|TIMESTAMP(_S|_MS|_NS)?"
)
"""Types whose values a CSV file tells as they are; others are written as text."""

_CELL: Final = 8
"""What a cell counts in bytes beside its text, as a number in memory; in a CSV file more or less.
Cells that are all the same take no room in a Parquet file."""
_CHECKED: Final = 0.2
"""The part of the time after which it is known how much a file unpacks to."""
_END: Final = b"PAR1"
_LEAST: Final = 12  # bytes: PAR1, the length of the footer, PAR1
_ENCRYPTED: Final = b"PARE"
_READ: Final = "read_parquet(?, hive_partitioning=false)"
_FULL: Final = os.strerror(errno.ENOSPC)


def stage_parquet(file: Path, intake: Intake) -> Staged:
    """Take in a Parquet file.

    Raises:
        DataError: it cannot be read, lacks columns, or unpacks to more than [limits] dataset.
        duckdb.Error: there is no room for it.
    """
    try:
        return _stage(file, intake)
    except duckdb.Error as err:
        if _FULL in str(err):
            raise
        raise DataError(file, [Mistake("Parquet", _trouble(file, err))]) from err


def _stage(file: Path, intake: Intake) -> Staged:
    work = intake.work
    described = work.con.execute(f"DESCRIBE SELECT * FROM {_READ}", [str(file)]).fetchall()  # noqa: S608
    names = [*_names(file, work)]
    if len(names) != len(described):  # what DuckDB makes one column of may be several there
        names = [name for name, *_ in described]
    columns, notes = match(file, names, intake.signature, intake.target)
    places = [f"c{index}" for index in range(len(columns))]
    types = dict(zip(places, (kind for _, kind, *_ in described), strict=True))
    cells = {place: place if _KEPT.fullmatch(kind) else f"CAST({place} AS VARCHAR)"
             for place, kind in types.items()}  # fmt: skip
    chosen = ", ".join(f"{cell} AS {place}" for place, cell in cells.items())
    texts = [cell for place, cell in cells.items() if cell != place or types[place] == "VARCHAR"]
    read = f"FROM {_READ} AS t({', '.join(places)})"
    # Else all columns of a row group would be in memory at once.
    work.con.execute("SET disable_parquet_prefetching = true")
    _check_size(file, intake, len(columns), texts, read)
    query = f"SELECT {chosen}, NULL::VARCHAR AS problem {read}"
    rows = create_input(work, file, query, len(columns), part_of(intake.told, _CHECKED, 1))
    if not rows:
        raise DataError(file, [Mistake("Parquet", said("has columns and no rows"))])
    return Staged(kind="parquet", columns=columns, rows=rows, notes=notes)


def _check_size(file: Path, intake: Intake, columns: int, texts: Sequence[str], read: str) -> None:
    """Refuse a file that unpacks to more than [limits] dataset.

    The rows are those of the row groups, by which DuckDB reads them, and texts are measured: what
    the footer says of sizes is not believed, and says nothing of a text that many cells share.
    """
    groups = "SELECT DISTINCT row_group_id, row_group_num_rows AS rows FROM parquet_metadata(?)"
    counted = f"SELECT coalesce(sum(abs(rows)), 0) FROM ({groups})"  # noqa: S608
    (rows,) = intake.work.con.execute(counted, [str(file)]).fetchone() or (0,)
    size, limit = rows * columns * _CELL, intake.limits.dataset
    if texts and size <= limit:
        lengths = " + ".join(f"coalesce(sum(strlen({cell})), 0)" for cell in texts)
        told = part_of(intake.told, 0, _CHECKED)
        (length,) = ask(intake.work, file, f"SELECT {lengths} {read}", told)
        size += length
    if size > limit:
        reason = said(
            "unpacks to %(size)s MB: %(rows)s rows of %(columns)s columns; the limit is %(limit)s "
            "([limits] dataset). Send fewer rows at once, or leave out columns that nobody needs",
            size=f"{size / 1e6:,.0f}", rows=f"{rows:,}", columns=f"{columns:,}", limit=Size(limit),
        )  # fmt: skip
        raise DataError(file, [Mistake("Parquet", reason)])


def _trouble(file: Path, err: duckdb.Error) -> Message:
    """Return in words why a file cannot be read."""
    with file.open("rb") as stream:
        content = stream.read(len(_END))
        stream.seek(-min(len(_END), file.stat().st_size), os.SEEK_END)
        end = stream.read()
    if _ENCRYPTED in (content, end):
        return said("is encrypted. Write it without encryption")
    if end != _END or file.stat().st_size < _LEAST:
        return said("ends too soon: it was not written or sent whole. Write or send it again")
    why = str(err).partition("\n")[0].replace(f" '{file}'", "").replace(f' "{file}"', "")
    return said(
        "is damaged, or written in a way that is not known here (%(reason)s). Write or send it "
        "again",
        reason=why.replace(str(file), "it"),
    )


def _names(file: Path, work: Work) -> Iterator[str]:
    """Yield the names of the columns as they stand there; DuckDB changes those that are alike."""
    query = "SELECT name, coalesce(num_children, 0) FROM parquet_schema(?)"
    (_, *nodes) = work.con.execute(query, [str(file)]).fetchall()
    inside = 0
    for name, children in nodes:
        if not inside:
            yield name
        inside = max(0, inside - 1) + children
