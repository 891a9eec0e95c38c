"""Parquet files: their columns keep their types, but for what no CSV file can hold."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import duckdb

from podium.datasets.reading.intake import Intake
from podium.datasets.reading.loading import create_input
from podium.datasets.reading.match import match
from podium.datasets.wishes import Staged
from podium.datasets.work import Work
from podium.errors import DataError, Mistake

_KEPT: Final = re.compile(
    r"BOOLEAN|U?(TINY|SMALL|BIG|HUGE)?INT|U?INTEGER|FLOAT|DOUBLE|DECIMAL\(\d+,\d+\)|VARCHAR"
    r"|DATE|TIME|TIMESTAMP(_S|_MS|_NS)?"
)
"""Types whose values a CSV file tells as they are; others are written as text."""

_READ: Final = "read_parquet(?, hive_partitioning=false)"
_FULL: Final = os.strerror(errno.ENOSPC)


def stage_parquet(file: Path, intake: Intake) -> Staged:
    """Take in a Parquet file.

    Raises:
        DataError: it cannot be read, or lacks columns.
        duckdb.Error: there is no room for it.
    """
    try:
        return _stage(file, intake)
    except duckdb.Error as err:
        if _FULL in str(err):
            raise
        why = str(err).partition("\n")[0].replace(f" '{file}'", "").replace(f' "{file}"', "")
        reason = f"cannot be read: is it cut short, or damaged? ({why}) Write or send it again"
        raise DataError(file, [Mistake("Parquet", reason)]) from err


def _stage(file: Path, intake: Intake) -> Staged:
    work = intake.work
    described = work.con.execute(f"DESCRIBE SELECT * FROM {_READ}", [str(file)]).fetchall()  # noqa: S608
    names = [*_names(file, work)]
    if len(names) != len(described):  # what DuckDB makes one column of may be several there
        names = [name for name, *_ in described]
    columns, notes = match(file, names, intake.signature, intake.target)
    places = [f"c{index}" for index in range(len(columns))]
    chosen = ", ".join(
        place if _KEPT.fullmatch(kind) else f"CAST({place} AS VARCHAR) AS {place}"
        for place, (_, kind, *_) in zip(places, described, strict=True)
    )
    # Else all columns of a row group would be in memory at once.
    work.con.execute("SET disable_parquet_prefetching = true")
    query = f"SELECT {chosen}, NULL::VARCHAR AS problem FROM {_READ} AS t({', '.join(places)})"  # noqa: S608
    rows = create_input(work, file, query, len(columns), intake.told)
    if not rows:
        raise DataError(file, [Mistake("Parquet", "has columns and no rows")])
    return Staged(kind="parquet", columns=columns, rows=rows, notes=notes)


def _names(file: Path, work: Work) -> Iterator[str]:
    """Yield the names of the columns as they stand there; DuckDB changes those that are alike."""
    query = "SELECT name, coalesce(num_children, 0) FROM parquet_schema(?)"
    (_, *nodes) = work.con.execute(query, [str(file)]).fetchall()
    inside = 0
    for name, children in nodes:
        if not inside:
            yield name
        inside = max(0, inside - 1) + children
