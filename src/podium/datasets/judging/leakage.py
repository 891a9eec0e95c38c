"""Which rows of a data set the models may have learned from: those in a file of the folder."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import duckdb
import numpy as np
from numpy.typing import NDArray

from podium.datasets.reading.match import match
from podium.datasets.sql import identifier, is_missing, quoted
from podium.datasets.wishes import Column, Staged
from podium.datasets.work import Work
from podium.errors import DataError
from podium.signature import Signature

_TABLE: Final = "seen"
_KINDS: Final = (".csv", ".tsv", ".parquet")
_SEPARATOR: Final = "'\\x1F'"


def rows_also_in(
    file: Path, work: Work, staged: Staged, signature: Signature
) -> NDArray[np.intp] | None:
    """Return the labelled rows, from 0, that stand in another labelled file too, with their answer.

    Values are compared as numbers where they are some, however they are written. None where that
    cannot be told: of images, and of a file that cannot be read, or lacks a column.
    """
    if signature.image is not None or not file.name.lower().endswith(_KINDS):
        return None
    con = work.con
    try:
        _open(con, file)
        header = [row[0] for row in con.execute(f"DESCRIBE {_TABLE}").fetchall()]
        there = match(file, header, signature).columns
        if not any(one.is_target for one in there):
            return None
        theirs = _key(there, [*map(identifier, header)])
        ours = _key(staged.columns, [f"c{index}" for index in range(len(staged.columns))])
        return _same(con, ours, theirs)
    except (duckdb.Error, DataError):
        return None
    finally:
        con.execute(f"DROP VIEW IF EXISTS {_TABLE}")


def equal_rows(work: Work, staged: Staged) -> int:
    """Return how many labelled rows have the features and the answer of another one."""
    key = _key(staged.columns, [f"c{index}" for index in range(len(staged.columns))])
    found = work.con.execute(
        f"SELECT coalesce(sum(times), 0) FROM (SELECT count(*) AS times "  # noqa: S608
        f"FROM input POSITIONAL JOIN rows WHERE NOT isnan(rows.truth) GROUP BY {key}) "
        "WHERE times > 1"
    ).fetchone()
    return int(found[0]) if found else 0


def _same(con: duckdb.DuckDBPyConnection, ours: str, theirs: str) -> NDArray[np.intp]:
    found = con.execute(
        f"SELECT input.rowid AS row FROM input POSITIONAL JOIN rows "  # noqa: S608
        f"WHERE NOT isnan(rows.truth) AND {ours} IN (SELECT {theirs} FROM {_TABLE}) ORDER BY row"
    ).fetchnumpy()["row"]
    return np.asarray(found, np.intp)


def _open(con: duckdb.DuckDBPyConnection, file: Path) -> None:
    name = quoted(str(file))
    parquet = file.name.lower().endswith(".parquet")
    read = (
        f"read_parquet({name})" if parquet else f"read_csv({name}, all_varchar=true, header=true)"
    )
    con.execute(f"CREATE OR REPLACE TEMP VIEW {_TABLE} AS SELECT * FROM {read}")  # noqa: S608


def _key(columns: tuple[Column, ...], names: list[str]) -> str:
    """Return the SQL of a text that is the same for the same features and answer."""
    there = {"" if one.is_target else one.feature: name
             for one, name in zip(columns, names, strict=True)
             if one.is_target or one.feature}  # fmt: skip
    values = (_value(there[key]) for key in sorted(there, key=str))
    return f"concat_ws({_SEPARATOR}, {', '.join(values)})"


def _value(column: str) -> str:
    text = f"trim(CAST({column} AS VARCHAR))"
    number = f"TRY_CAST(replace({text}, ',', '.') AS DOUBLE)"
    return (
        f"CASE WHEN {is_missing(text)} THEN '' ELSE coalesce(CAST({number} AS VARCHAR), {text}) END"
    )
