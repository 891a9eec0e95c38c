"""The `input` table is made by DuckDB, while somebody hears how far it is."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any, Final

import duckdb

from podium.datasets.work import MEMORY, Work
from podium.errors import DataError, Mistake
from podium.messages import said

Told = Callable[[float], None]
"""Hears the part that is done, from 0 to 1; what it raises ends the reading."""

_NOW_AND_THEN_S: Final = 0.5
_MEMORY: Final = re.compile(r"Out of Memory|(allocate|pin) block")
"""What DuckDB says when there is too little, whatever the error's class."""
_READS_PARQUET: Final = "read_parquet("


def create_input(work: Work, file: Path, query: str, columns: int, told: Told) -> int:
    """Make the `input` table of what a query finds in a file, and return how many rows it has.

    It finds so many `columns`. The rows stand in their order; the query has one parameter, the path
    of the file that is read.

    Raises:
        DataError: the rows take more memory than there is.
        duckdb.Error: the query fails otherwise.
    """
    work.make_room(columns)
    ask(work, file, f"CREATE OR REPLACE TABLE input AS {query}", told)
    (rows,) = work.con.execute("SELECT count(*) FROM input").fetchone() or (0,)
    return int(rows)


def ask(work: Work, file: Path, query: str, told: Told) -> tuple[Any, ...]:
    """Return the first row of what a query, which has the same parameter, finds in a file.

    Raises:
        DataError: it takes more memory than there is.
        duckdb.Error: the query fails otherwise.
    """
    try:
        return _answer(work.con, query, [str(file)], told)
    except duckdb.Error as err:
        if not _MEMORY.search(str(err)):
            raise
        reason = said("take more than %(memory)s at once; leave out columns that nobody needs",
                      memory=MEMORY)  # fmt: skip
        if _READS_PARQUET in query:
            reason = said("take more than %(memory)s at once; leave out columns that nobody needs, "
                          "or write smaller row groups", memory=MEMORY)  # fmt: skip
        raise DataError(file, [Mistake(said("rows"), reason)]) from err


def _answer(
    con: duckdb.DuckDBPyConnection, query: str, values: list[str], told: Told
) -> tuple[Any, ...]:
    con.execute("SET enable_progress_bar = true; SET enable_progress_bar_print = false")
    with ThreadPoolExecutor(1) as pool:
        making = pool.submit(con.execute, query, values)
        part = 0.0
        try:
            while not wait([making], _NOW_AND_THEN_S).done:
                part = max(part, min(1.0, con.query_progress() / 100))  # -1 before and after
                told(part)
        except BaseException:
            con.interrupt()
            raise
        return making.result().fetchone() or ()


def part_of(told: Told, start: float, stop: float) -> Told:
    """Return who hears the progress of a part of the reading."""
    return lambda done: told(start + (stop - start) * done)
