"""The rows of the results as the page shows them: some of them, in an order, one page at a time.

They are read from results.parquet, which lies column by column: what a view asks for is one or two
columns, and of the rest only the rows of its page are read.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

import duckdb

from podium.datasets.connection import connect
from podium.datasets.findings import Findings
from podium.datasets.sql import identifier, is_missing, quoted
from podium.datasets.writing import BOM, NUMBERED, OF_A_CLASS, OF_A_VALUE
from podium.datasets.writing.spreadsheet import neutral, neutral_sql
from podium.labelled import place_of
from podium.web.datasets.wanted import ANSWER, LONGEST, PAGE_ROWS, ROW, VIEWS, WARNING, Wanted

ERROR: Final = "error"

_MEMORY: Final = "150MB"
_THREADS: Final = 2
_MOST_TEXTS: Final = 10_000
"""So many ways in which true labels may be written are understood here."""


class Row(NamedTuple):
    """A row by its number, from 1, with its cells; `error` says why a model gave no answer."""

    number: int
    cells: tuple[Any, ...]
    wrong: bool
    error: str | None


class Found(NamedTuple):
    """One page of `pages`: the keys of its columns and its rows; how many rows each view has.

    `more` of the file's own columns are left out. `measure` is the column that tells how unsure an
    answer is: "probability", "std", or "width" for the width of the interval.
    """

    wanted: Wanted
    keys: tuple[str, ...]
    rows: tuple[Row, ...]
    counts: dict[str, int]
    measure: str
    more: int
    pages: int


class _View(NamedTuple):
    """The SQL for which rows are shown, and for their order; "" for that of the file."""

    condition: str
    order: str = ""


class Rows:
    """The results of one data set, and one model's answers among them.

    Of a classification rows may be wrong, and models disagree; of a regression rows are more or
    less off, and models more or less apart.
    """

    def __init__(
        self, con: duckdb.DuckDBPyConnection, file: Path, found: Findings, wanted: Wanted
    ) -> None:
        self._con, self._found, self._file = con, found, file
        self._source = (
            f"read_parquet({quoted(str(file))}, {NUMBERED} = true, hive_partitioning = false)"
        )
        told = con.execute(f"DESCRIBE FROM {self._source}").fetchall()
        self._kinds = {name: str(kind) for name, kind, *_ in told[:-1]}
        self._names = list(self._kinds)
        models = [one.model for one in found.models]
        model = wanted.model if wanted.model in models else models[0]
        self._told = OF_A_CLASS if found.labels else OF_A_VALUE
        self._own = len(found.staged.columns)
        own = {f"c{place}": name for place, name in enumerate(self._names[: self._own])}
        last = dict(zip((WARNING, ERROR), self._names[-2:], strict=True))
        answers = {f"{ANSWER}{index}": self._of_model(index)[self._told[0]]
                   for index in range(len(models))}  # fmt: skip
        self._index = models.index(model)
        self._columns = own | answers | self._of_model(self._index) | last
        view = wanted.view if wanted.view in self._views else VIEWS[0]
        sort = wanted.sort if wanted.sort in {ROW, *self._columns} - {ERROR} else ""
        self.wanted = wanted._replace(model=model, view=view, sort=sort)

    def page(self, most_columns: int) -> Found:
        """Return the page that is wanted; of very many columns the first are read."""
        counts = self._counts()
        pages = max(1, -(-counts[self.wanted.view] // PAGE_ROWS))
        wanted = self.wanted._replace(page=min(max(1, self.wanted.page), pages))
        places = self._places(wanted.page)
        keys, more = self._shown(places, most_columns)
        rows = self._read(places, keys)
        return Found(wanted, keys, tuple(rows), counts, self._measure, more, pages)

    def write_csv(self, file: Path, like: Path) -> None:
        """Write all rows of the view in its order, with all columns of the results.

        They begin with a byte order mark if `like`, the results as CSV, does.
        """
        columns = ", ".join(f"{self._safe(name)} AS {identifier(neutral(name))}"
                            for name in self._names)  # fmt: skip
        query = f"SELECT {columns} FROM {self._source} WHERE {self._condition} {self._order}"  # noqa: S608
        self._con.execute(f"COPY ({query}) TO ? (FORMAT csv)", [str(file)])
        if _is_marked(like):
            _mark(file)

    def _of_model(self, index: int) -> dict[str, str]:
        """Return the names of the columns with a model's answers."""
        start = self._own + index * len(self._told)
        return dict(zip(self._told, self._names[start : start + len(self._told)], strict=True))

    def _sql(self, key: str) -> str:
        return NUMBERED if key == ROW else identifier(self._columns[key])

    @cached_property
    def _filled(self) -> frozenset[str]:
        """The keys of the columns in which any cell is filled, by what the file says of itself."""
        found = self._con.execute(
            "SELECT path_in_schema FROM parquet_metadata(?) GROUP BY ALL "
            "HAVING sum(coalesce(num_values - stats_null_count, 1)) > 0",
            [str(self._file)],
        ).fetchall()
        filled = {name for (name,) in found}
        return frozenset(key for key, name in self._columns.items() if name in filled)

    @cached_property
    def _truth(self) -> str | None:
        """The SQL for the true label or value of a row; None where none is known."""
        place = self._found.staged.target
        if place is None:
            return None
        cell = f"CAST({self._sql(f'c{place}')} AS VARCHAR)"
        if self._found.labels:
            return self._true_label(f"trim({cell})")
        point = f"replace({cell}, ',', '.')" if self._found.staged.decimal_comma else cell
        return f"CASE WHEN NOT {is_missing(cell)} THEN TRY_CAST({point} AS DOUBLE) END"

    def _true_label(self, cell: str) -> str | None:
        """Return the SQL for the label that a cell means, however it is written."""
        query = f"SELECT DISTINCT {cell} FROM {self._source} WHERE {cell} <> '' LIMIT ?"  # noqa: S608
        texts = [text for (text,) in self._con.execute(query, [_MOST_TEXTS]).fetchall()]
        labels = self._found.labels
        meant = {text: place for text in texts if (place := place_of(text, labels)) is not None}
        if not meant:
            return None
        known = ", ".join(map(quoted, meant))
        told = ", ".join(quoted(labels[place]) for place in meant.values())
        return f"list_extract([{told}], enum_code(TRY_CAST({cell} AS ENUM ({known}))) + 1)"

    @cached_property
    def _off(self) -> str | None:
        """The SQL for whether an answer is wrong, or how far it is off; None if not known."""
        answer = self._sql(self._told[0])
        if self._truth is None:
            return None
        return f"({answer} <> {self._truth})" if self._found.labels else (
            f"abs({answer} - {self._truth})")  # fmt: skip

    @property
    def _measure(self) -> str:
        known = ("probability",) if self._found.labels else ("std", "upper")
        found = next((name for name in known if name in self._filled), "")
        return "width" if found == "upper" else found

    @cached_property
    def _views(self) -> dict[str, _View]:
        """The views that there are."""
        answer, warning = self._sql(self._told[0]), self._sql(WARNING)
        made = {"first": _View("true")}
        if self._measure:
            made["unsure"] = self._by_size(self._unsure())
        if self._off:
            made["wrong"] = (
                _View(self._off, f"{self._sql('probability')} DESC NULLS LAST")
                if self._found.labels
                else self._by_size(self._off)
            )
        if len(self._found.models) > 1:
            made["differ"] = self._differing()
        made["failed"] = _View(f"{answer} IS NULL")
        made["warned"] = _View(f"{warning} IS NOT NULL")
        return made

    def _unsure(self) -> str:
        """Return the SQL for how unsure an answer is."""
        if self._measure == "width":
            return f"({self._sql('upper')} - {self._sql('lower')})"
        return f"{'-' if self._found.labels else ''}{self._sql(self._measure)}"

    def _differing(self) -> _View:
        count = len(self._found.models)
        answers = ", ".join(identifier(self._of_model(index)[self._told[0]])
                            for index in range(count))  # fmt: skip
        least, most = f"least({answers})", f"greatest({answers})"
        if self._found.labels:
            return _View(f"({least} <> {most})")
        return self._by_size(f"({most} - {least})")

    @staticmethod
    def _by_size(sql: str) -> _View:
        return _View(f"{sql} IS NOT NULL", f"{sql} DESC")

    @property
    def _condition(self) -> str:
        return self._views[self.wanted.view].condition

    @property
    def _order(self) -> str:
        order = self._views[self.wanted.view].order
        if self.wanted.sort:
            way = "DESC" if self.wanted.down else "ASC"
            order = f"{self._sql(self.wanted.sort)} {way} NULLS LAST"
        return f"ORDER BY {', '.join(filter(None, (order, NUMBERED)))}"

    def _counts(self) -> dict[str, int]:
        """Return how many rows each view has."""
        counted = ", ".join(f"count(*) FILTER ({one.condition})" for one in self._views.values())
        found = self._con.execute(f"SELECT {counted} FROM {self._source}").fetchone() or ()  # noqa: S608
        return dict(zip(self._views, found, strict=True))

    def _places(self, page: int) -> list[int]:
        """Return which rows are on a page, counted from 0, in their order."""
        query = (
            f"SELECT {NUMBERED} FROM {self._source} WHERE {self._condition} "  # noqa: S608
            f"{self._order} LIMIT ? OFFSET ?"
        )
        found = self._con.execute(query, [PAGE_ROWS, PAGE_ROWS * (page - 1)])
        return [place for (place,) in found.fetchall()]

    def _shown(self, places: Sequence[int], most: int) -> tuple[tuple[str, ...], int]:
        """Return which columns are shown, and how many of the file's own are not.

        First the answers (where models disagree of all of them) and the truth, then how sure the
        model is, then the file's own; last what is noted, which comes early where it is looked for.
        """
        target = self._found.staged.target
        told = [self._told[0]]
        if self.wanted.view == "differ":
            told += [f"{ANSWER}{index}" for index in range(len(self._found.models))
                     if index != self._index]  # fmt: skip
        if target is not None:
            told.append(f"c{target}")
        measures = [name for name in self._told[1:] if name in self._filled]
        noted = any(row.cells[0] or row.error for row in self._read(places, (WARNING,)))
        note = (WARNING,) * noted
        early, late = (note, ()) if self.wanted.view in ("failed", "warned") else ((), note)
        others = [f"c{place}" for place in range(self._own) if place != target]
        shown = others[: max(0, most - len(told) - noted - len(measures))]
        return (*told, *early, *measures, *shown, *late), len(others) - len(shown)

    def _read(self, places: Sequence[int], keys: Sequence[str]) -> Iterator[Row]:
        """Yield some rows; a text is cut beyond what is shown of it."""
        if not places:
            return
        wrong = self._off if self._found.labels and self._off else "false"
        cells = [f"left({self._sql(key)}, {LONGEST + 1})"
                 if self._kinds[self._columns[key]] == "VARCHAR" and key != WARNING
                 else self._sql(key)
                 for key in keys]  # fmt: skip
        columns = ", ".join([NUMBERED, wrong, self._sql(ERROR), *cells])
        which = ", ".join(map(str, places))
        query = f"SELECT {columns} FROM {self._source} WHERE {NUMBERED} IN ({which})"  # noqa: S608
        found = {row[0]: row for row in self._con.execute(query).fetchall()}
        for number, is_wrong, error, *own in map(found.__getitem__, places):
            yield Row(number + 1, tuple(own), bool(is_wrong), error)

    def _safe(self, name: str) -> str:
        sql = identifier(name)
        return neutral_sql(sql) if self._kinds[name] == "VARCHAR" else sql


def _is_marked(csv: Path) -> bool:
    with csv.open("rb") as stream:
        return stream.read(len(BOM)) == BOM


def _mark(csv: Path) -> None:
    """Put a byte order mark at the beginning, which DuckDB cannot."""
    marked = csv.with_suffix(".marked")
    with csv.open("rb") as read, marked.open("wb") as out:
        out.write(BOM)
        shutil.copyfileobj(read, out, 1 << 20)
    marked.replace(csv)


@contextmanager
def opened(file: Path, found: Findings, wanted: Wanted) -> Iterator[Rows]:
    """Open the results of a data set, in little memory.

    Raises:
        FileNotFoundError: their folder is not there any more.
        duckdb.Error: they cannot be read: they are gone, or memory or the disk is full.
    """
    with (
        TemporaryDirectory(prefix="rows-", dir=file.parent) as spill,
        connect(_MEMORY, _THREADS, Path(spill)) as con,
    ):
        yield Rows(con, file, found, wanted)
