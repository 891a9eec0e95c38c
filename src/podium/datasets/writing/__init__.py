"""The results as files: the data set's own columns, then what the models say.

A CSV file is safe to open in a spreadsheet. It is UTF-8, and begins with a byte order mark where a
character is beyond ASCII, by which Excel tells the encoding. In a Parquet file texts stay as they
are; a column of numbers that a feature or the target needs holds numbers if each of its cells is
one, or missing.
"""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from podium.cpus import available_cpus
from podium.datasets.place import Format, Rows
from podium.datasets.sql import answers_table, between, identifier, is_missing, quoted
from podium.datasets.wishes import Staged
from podium.datasets.work import ROW_GROUP, Work, group_rows
from podium.datasets.writing.spreadsheet import neutral, neutral_sql
from podium.messages import Message, said
from podium.signature import Signature

_PREFIX: Final = "podium"
OF_A_CLASS: Final = ("label", "probability", "entropy", "aleatoric", "epistemic", "set")
OF_A_VALUE: Final = ("value", "std", "aleatoric", "epistemic", "lower", "upper")
"""What each model tells of a row, in this order; after all models come a warning and an error."""
_NUMERIC: Final = ("number", "integer")
_PART: Final = 4 * ROW_GROUP
"""How many rows one thread writes at once."""
BOM: Final = b"\xef\xbb\xbf"
"""What begins a CSV file where a character is beyond ASCII."""
NUMBERED: Final = "file_row_number"
"""What DuckDB calls the place of a row in a Parquet file, so that no column of it may be."""
_PLAIN: Final = ("INT", "DOUBLE", "FLOAT", "DECIMAL", "BOOLEAN", "DATE", "TIME")
"""How types begin whose values start no formula."""


class Result(NamedTuple):
    """One column of the results: its name, its SQL, and whether it holds texts."""

    name: str
    sql: str
    text: bool


class Export:
    """Writes what `work` holds, once every row is scored."""

    def __init__(
        self, work: Work, staged: Staged, signature: Signature, models: Sequence[str]
    ) -> None:
        self.work, self.staged, self.signature, self.models = work, staged, signature, models
        own = {one.name.strip().casefold() for one in staged.columns}
        told = [one.name.casefold() for one in self._told()]
        prefixes = (_PREFIX + (str(number) if number > 1 else "") for number in count(1))
        self.prefix = next(one for one in prefixes if own.isdisjoint(f"{one}_{n}" for n in told))

    @property
    def notes(self) -> tuple[Message, ...]:
        """What of the results is named otherwise than one would expect, in words."""
        if self.prefix == _PREFIX:
            return ()
        return (
            said("The data set has columns of its own that are called as the results would be: "
                 "what the models say stands in columns that begin with %(prefix)s instead.",
                 prefix=f"{self.prefix}_"),
        )  # fmt: skip

    def write(self, file: Path, kind: Format, told: Rows = lambda *_: None) -> None:
        """Write the results of all rows; `file` is there whole or not at all.

        What `told` raises ends it.
        """
        part = file.with_name(file.name + ".part")
        try:
            if kind == "csv":
                self._write_csv(part, told)
            else:
                self._write_parquet(part)
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)

    def _write_csv(self, part: Path, told: Rows) -> None:
        results = list(self._results(neutral))
        names = io.StringIO()
        csv.writer(names, lineterminator="\n").writerow([neutral(one.name) for one in results])
        header = names.getvalue().encode()
        starts = range(0, self.staged.rows, _PART)
        parts = [part.with_name(f"{part.name}{start}") for start in starts]
        columns = ", ".join(map(self._safe, results))
        try:
            with part.open("wb") as stream, ThreadPoolExecutor(available_cpus()) as pool:
                stream.write((BOM if self._is_wide(results) else b"") + header)
                writing = [pool.submit(self._copy, columns, start, own)
                           for start, own in zip(starts, parts, strict=True)]  # fmt: skip
                try:
                    for start, one, own in zip(starts, writing, parts, strict=True):
                        one.result()
                        _move(own, stream)
                        told(min(start + _PART, self.staged.rows), self.staged.rows)
                finally:
                    pool.shutdown(cancel_futures=True)
        finally:
            for own in parts:
                own.unlink(missing_ok=True)

    def _safe(self, result: Result) -> str:
        """Return the SQL for what a spreadsheet does not take for a formula."""
        if not result.text:
            return result.sql
        if result.sql in self._numeric:
            # Of a row without a problem it was read as a number: there is no need to look again.
            safe = neutral_sql(result.sql)
            return f"CASE WHEN rows.problem IS NULL THEN {result.sql} ELSE {safe} END"
        return neutral_sql(result.sql)

    @cached_property
    def _numeric(self) -> frozenset[str]:
        """The SQL of the columns that hold features which are numbers."""
        numeric = {one.name for one in self.signature.features if one.kind in _NUMERIC}
        columns = enumerate(self.staged.columns)
        return frozenset(f"input.c{index}" for index, one in columns if one.feature in numeric)

    def _copy(self, columns: str, start: int, file: Path) -> None:
        # Each thread takes a connection of its own.
        with self.work.cursor() as con:
            tables = self._tables(start, start + _PART)
            con.execute(
                f"COPY (SELECT {columns} FROM {tables}) TO ? (FORMAT csv, HEADER false)",  # noqa: S608
                [str(file)],
            )

    def _is_wide(self, results: Sequence[Result]) -> bool:
        """Return whether a character is beyond ASCII, which then has several bytes."""
        texts = [*(one.name for one in results), *self.signature.labels]
        if not all(text.isascii() for text in texts):
            return True
        plain = self.staged.plain
        for table in ("rows",) if plain and plain.ascii else ("input", "rows"):
            wide = [f"coalesce(bool_or(strlen({one.sql}) <> length({one.sql})), false)"
                    for one in results if one.text and one.sql.startswith(f"{table}.")]  # fmt: skip
            query = f"SELECT {' OR '.join(wide)} FROM {table}"  # noqa: S608
            if wide and (self.work.con.execute(query).fetchone() or (False,))[0]:
                return True
        return False

    def _write_parquet(self, part: Path) -> None:
        numbers = self._numbers()
        results = list(self._results())
        columns = ", ".join(
            f"{numbers.get(one.sql, one.sql)} AS {identifier(name)}"
            for one, name in zip(results, _distinct([one.name for one in results]), strict=True)
        )
        tables = self._tables(0, self.staged.rows)
        self.work.con.execute(
            f"COPY (SELECT {columns} FROM {tables}) TO ? "  # noqa: S608
            f"(FORMAT parquet, ROW_GROUP_SIZE {group_rows(len(results))})",
            [str(part)],
        )

    def _results(self, shown: Callable[[str], str] = str) -> Iterator[Result]:
        """Yield each column of the results; `shown` makes of a label what is written."""
        described = self.work.con.execute("DESCRIBE input").fetchall()
        types = {name: str(kind) for name, kind, *_ in described}
        for index, one in enumerate(self.staged.columns):
            kind, sql = types[f"c{index}"], f"input.c{index}"
            if kind.removeprefix("U").startswith(_PLAIN):
                yield Result(one.name, sql, text=False)
            else:
                cast = sql if kind == "VARCHAR" else f"CAST({sql} AS VARCHAR)"
                yield Result(one.name, cast, text=True)
        for told in self._told(shown):
            yield told._replace(name=f"{self.prefix}_{told.name}")

    def _told(self, shown: Callable[[str], str] = str) -> Iterator[Result]:
        """Yield the columns of what is told of each row, without the prefix of their names."""
        classes = self.signature.kind == "classification"
        labels = "[" + ", ".join(quoted(shown(label)) for label in self.signature.labels) + "]"
        for index, model in enumerate(self.models):
            suffix = f"_{model}" if len(self.models) > 1 else ""
            table = answers_table(index)
            for name in OF_A_CLASS if classes else OF_A_VALUE:
                own = f"{table}.{name}"
                known = {"label": f"list_extract({labels}, {own} + 1)",
                         "set": f"{table}.labels_in_set"}  # fmt: skip
                yield Result(name + suffix, known.get(name, own), text=name == "set")
        yield Result("warning", "rows.warning", text=True)
        yield Result("error", "rows.problem", text=True)

    def _numbers(self) -> dict[str, str]:
        """Return the SQL for numbers in the columns of which each cell is one, or missing."""
        numeric = {one.name for one in self.signature.features if one.kind in _NUMERIC}
        value = self.signature.kind == "regression"
        made: dict[str, tuple[str, str]] = {}
        for result, one in zip(self._results(), self.staged.columns, strict=False):
            if result.text and (one.feature in numeric or (one.is_target and value)):
                cell = f"CASE WHEN NOT {is_missing(result.sql)} THEN trim({result.sql}) END"
                point = f"replace({cell}, ',', '.')" if self.staged.decimal_comma else cell
                number = f"TRY_CAST({point} AS DOUBLE)"
                made[result.sql] = number, f"count({cell}) = count({number})"
        if not made:
            return {}
        asked = ", ".join(test for _, test in made.values())
        found = self.work.con.execute(f"SELECT {asked} FROM input").fetchone() or ()  # noqa: S608
        return {sql: number for (sql, (number, _)), whole in zip(made.items(), found, strict=True)
                if whole}  # fmt: skip

    def _tables(self, start: int, stop: int) -> str:
        """Return the SQL for some rows of all tables, side by side."""
        names = ["input", "rows", *map(answers_table, range(len(self.models)))]
        return " POSITIONAL JOIN ".join(
            f"(SELECT * FROM {name} WHERE {between(start, stop)}) AS {name}"  # noqa: S608
            for name in names
        )


def _move(part: Path, stream: BinaryIO) -> None:
    """Append a file to another one, and remove it."""
    with part.open("rb") as read:
        shutil.copyfileobj(read, stream, 1 << 20)
    part.unlink()


def _distinct(names: Sequence[str]) -> list[str]:
    """Return names that DuckDB, which knows no case, tells apart; none is empty, or its own."""
    taken, found = {NUMBERED}, []
    for place, name in enumerate(names, 1):
        plain = name or f"column_{place}"
        unlike = (plain if number == 1 else f"{plain}_{number}" for number in count(1))
        free = next(one for one in unlike if one.casefold() not in taken)
        taken.add(free.casefold())
        found.append(free)
    return found
