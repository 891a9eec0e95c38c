"""The file in which a data set is worked on: its rows as they came, and the answers so far.

DuckDB writes a chunk's answers and how far they reach in one transaction: whenever the process
ends, the file holds whole chunks, none twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import duckdb
import msgspec
import numpy as np
from numpy.typing import NDArray

from podium.cpus import available_cpus
from podium.datasets.connection import connect
from podium.datasets.reasons import reason_columns
from podium.datasets.sql import between, quoted
from podium.datasets.wishes import Staged
from podium.messages import Message, heard, whole

MEMORY: Final = "200MB"
"""What DuckDB may hold; what is more lies in its file."""
ROW_GROUP: Final = 122_880
"""In so many rows DuckDB keeps a table: as many at once are written straight into the file, fewer
go through its log first."""
_LEAST_ROWS: Final = 2048
_WIDE: Final = 100
_SMALL_BLOCK: Final = 16_384
"""In bytes. DuckDB holds a block of each column that it reads, else of 256 KiB; small ones take
longer, and so are for tables of many columns alone."""
_PACKING: Final = "fsst,dict_fsst,alp,alprd,bitpacking,rle"
"""How DuckDB would make texts and numbers smaller."""
_GROUP_CELLS: Final = 2_000_000
"""DuckDB holds whole groups of rows of all columns in memory: of a wide table smaller ones."""

Arrays = Mapping[str, NDArray[Any]]


@dataclass
class Tally:
    """How many items a model has answered, and on how many it failed."""

    answered: int = 0
    failed: int = 0


def group_rows(columns: int) -> int:
    """Return how many rows of so many columns stand in a group, for DuckDB to hold some."""
    rows = _GROUP_CELLS // columns // _LEAST_ROWS * _LEAST_ROWS
    return max(_LEAST_ROWS, min(rows, ROW_GROUP))


class Work:
    """The tables of one data set.

    `input` holds the rows in their order: columns c0, c1, ... as they came (text, but for Parquet
    files), and `problem`, why a row cannot be read, else NULL. Each of the `answers` tables has a
    row for each scored row of `input`. `reasons` holds what is said of rows as `Reasons` do.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        file.parent.mkdir(parents=True, exist_ok=True)
        # Beside a database in memory, since sizes are chosen when one is attached.
        self.con = connect(MEMORY, available_cpus(), file.with_suffix(".tmp"))
        # Packing them would take as long as scoring them, and the file is gone soon.
        self.con.execute(f"SET disabled_compression_methods = {quoted(_PACKING)}")
        self._attach()
        self._known: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, err: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.con.close()

    def make_room(self, columns: int) -> None:
        """Get ready for an `input` table of so many columns, before it is made."""
        self.con.execute("USE memory; DETACH work")
        self.file.unlink()  # only a new file takes another size of blocks
        block = [f"BLOCK_SIZE {_SMALL_BLOCK}"] if columns > _WIDE else []
        self._attach(f"ROW_GROUP_SIZE {group_rows(columns)}", *block)

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """Return a connection of its own to the same tables, for another thread."""
        cursor = self.con.cursor()
        cursor.execute("USE work")
        return cursor

    def _attach(self, *options: str) -> None:
        told = f"({', '.join(options)})" if options else ""
        self.con.execute(f"ATTACH {quoted(str(self.file))} AS work {told}; USE work")
        self._reading = self.cursor()
        self.con.execute("CREATE TABLE IF NOT EXISTS staged (told VARCHAR)")
        self.con.execute("CREATE TABLE IF NOT EXISTS scored (rows BIGINT, tallies BIGINT[][])")
        self.con.execute("CREATE TABLE IF NOT EXISTS reasons (text VARCHAR, told VARCHAR)")

    @property
    def staged(self) -> Staged | None:
        """What was taken in; None until all of it is."""
        found = self.con.execute("SELECT told FROM staged").fetchone()
        return msgspec.json.decode(found[0], type=Staged, dec_hook=heard) if found else None

    def stage(self, staged: Staged) -> None:
        """Keep that `input` is complete, and what is known of it."""
        self.con.execute(
            "INSERT INTO staged VALUES (?)", [msgspec.json.encode(staged, enc_hook=whole).decode()]
        )

    @property
    def reasons(self) -> dict[str, str]:
        """What is said of rows, in English, and each text as JSON, for a translation."""
        return dict(self.con.execute("SELECT text, told FROM reasons").fetchall())

    def keep_reasons(self, reasons: Mapping[str, Message]) -> None:
        """Keep what is said of rows of `input`, by its English text."""
        if reasons:
            self._append("reasons", reason_columns(reasons))

    @property
    def scored(self) -> int:
        """How many rows have their answers."""
        found = self.con.execute("SELECT max(rows) FROM scored").fetchone()
        return (found and found[0]) or 0

    def read(self, start: int, stop: int, columns: Mapping[str, str]) -> dict[str, NDArray[Any]]:
        """Return SQL expressions over `input` for some rows; what is NULL is masked.

        One thread may read while another one does all else.
        """
        wanted = ", ".join(f"{sql} AS {name}" for name, sql in columns.items())
        query = f"SELECT rowid, {wanted} FROM input WHERE {between(start, stop)}"  # noqa: S608
        found = self._reading.execute(query).fetchnumpy()
        rows = found.pop("rowid")
        # DuckDB keeps the order of such a query; to have it sort them would take half of the time.
        if np.any(np.diff(rows) < 0):
            order = np.argsort(rows)
            found = {name: values[order] for name, values in found.items()}
        return found

    def problems(self, start: int, stop: int) -> dict[int, str]:
        """Return why rows cannot be read, by their place from `start` on; like `read`."""
        query = (
            f"SELECT rowid - {start}, problem FROM input "  # noqa: S608
            f"WHERE {between(start, stop)} AND problem IS NOT NULL"
        )
        return dict(self._reading.execute(query).fetchall())

    def tallies(self, models: int) -> list[Tally]:
        """Return how so many models fared with the rows that are scored."""
        found = self.con.execute("SELECT arg_max(tallies, rows) FROM scored").fetchone()
        told = (found and found[0]) or [(0, 0)] * models
        return [Tally(*one) for one in told]

    def add(self, tables: Mapping[str, Arrays], tallies: Sequence[Tally], stop: int) -> None:
        """Add the answers of one chunk, by table and column, which reach up to row `stop`.

        `tallies` say how each model fared up to there.
        """
        self.con.execute("BEGIN")
        try:
            for name, arrays in tables.items():
                self._append(name, arrays)
            told = [list(astuple(one)) for one in tallies]
            self.con.execute("INSERT INTO scored VALUES (?, ?)", [stop, told])
            self.con.execute("COMMIT")
        except BaseException:
            self.con.execute("ROLLBACK")
            raise

    def query(self, sql: str, values: Sequence[object] = ()) -> dict[str, NDArray[Any]]:
        """Return the columns that a query finds."""
        return self.con.execute(sql, list(values)).fetchnumpy()

    def _append(self, name: str, arrays: Arrays) -> None:
        # DuckDB takes a dict of arrays for a table.
        chunk = dict(arrays)  # noqa: F841  named in the query
        columns = ", ".join(map(_column, arrays, arrays.values()))
        verb = f"INSERT INTO {name} BY NAME" if self._has(name) else f"CREATE TABLE {name} AS"
        self.con.execute(f"{verb} SELECT {columns} FROM chunk")  # noqa: S608

    def _has(self, name: str) -> bool:
        if name in self._known:
            return True
        found = self.con.execute(
            "SELECT count(*) FROM duckdb_tables() WHERE table_name = ?", [name]
        ).fetchone()
        if not found or not found[0]:
            return False
        self._known.add(name)
        return True


def _column(name: str, array: NDArray[Any]) -> str:
    """Return the SQL for a column; of one in which nothing is known no cell is looked at again."""
    if array.dtype == np.float64:
        return f"CAST(NULL AS DOUBLE) AS {name}" if np.isnan(array).all() else name
    if array.dtype != object:
        return name
    told = array.tolist()
    source = "NULL" if told.count(None) == len(told) else name
    return f"CAST({source} AS VARCHAR) AS {name}"
