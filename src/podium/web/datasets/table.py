"""The rows of the results in words: what the page shows of them, and where to go from there."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple

from flask import url_for
from flask_babel import gettext as _

from podium.datasets.findings import Findings
from podium.datasets.place import Place
from podium.datasets.reasons import reason_of
from podium.errors import DISK_FULL, Overloaded, StorageFull, UnknownDataset
from podium.messages import Message, joined, said
from podium.web.datasets.cells import are_numbers, column_texts, is_own
from podium.web.datasets.wanted import ANSWER, PAGE_ROWS, ROW, WARNING, Wanted

if TYPE_CHECKING:
    from podium.web.datasets.rows import Found, Rows

MOST_COLUMNS: Final = 60
WAIT_S: Final = 1.0
_reading, _coming = threading.BoundedSemaphore(2), threading.BoundedSemaphore(4)
"""So many read rows at once in a process, since each takes memory; and with those that wait so
many, since each keeps a thread from others."""

_WORDS: Final[dict[str, Callable[[], str]]] = {
    "label": lambda: _("Answer"),
    "value": lambda: _("Answer"),
    "probability": lambda: _("Probability"),
    "entropy": lambda: _("Entropy"),
    "aleatoric": lambda: _("Aleatoric"),
    "epistemic": lambda: _("Epistemic"),
    "set": lambda: _("Prediction set"),
    "std": lambda: _("Standard deviation"),
    "lower": lambda: _("Lower end"),
    "upper": lambda: _("Upper end"),
    WARNING: lambda: _("Warning or error"),
}


_KINDS: Final = {ROW: "row", "label": "said", "value": "said", WARNING: "why"}


class Choice(NamedTuple):
    """A view or a model that can be chosen, and where it is."""

    key: str
    title: str
    address: str
    current: bool
    rows: int | None = None


class Heading(NamedTuple):
    """A column: its title, where it is sorted by, and how it is sorted now ("" if not).

    `kind` is "row", "said" (the answer), "why" (warnings and errors) or "".
    """

    key: str
    title: str
    note: str
    address: str
    sorted: str
    kind: str
    number: bool


class Line(NamedTuple):
    """A row by its number, with a cell for each heading but that of the number."""

    number: int
    cells: tuple[str, ...]
    wrong: bool


class Table(NamedTuple):
    """One page of the rows, in words; `more` of the file's own columns are left out."""

    views: tuple[Choice, ...]
    models: tuple[Choice, ...]
    headings: tuple[Heading, ...]
    lines: tuple[Line, ...]
    order: str
    place: str
    earlier: str
    later: str
    csv: str
    more: int


def rows_table(job_id: str, place: Place, found: Findings, wanted: Wanted) -> Table | None:
    """Return the rows that are wanted; None without results.

    Raises:
        RequestError: as `_opened` does.
    """
    if not place.results("parquet").is_file() or not found.models:
        return None
    with _opened(place, found, wanted) as rows:
        page = rows.page(MOST_COLUMNS)
    return _Words(job_id, found, page).table()


def rows_file(place: Place, found: Findings, wanted: Wanted) -> IO[bytes]:
    """Return all rows of a view, with all columns of the results, as an open CSV file.

    Raises:
        RequestError: as `_opened` does.
    """
    with (
        _opened(place, found, wanted) as rows,
        TemporaryDirectory(prefix="rows-", dir=place.folder) as folder,
    ):
        made = Path(folder) / "rows.csv"
        rows.write_csv(made, place.results("csv"))
        return made.open("rb")  # it is there as long as it is read


@contextmanager
def _opened(place: Place, found: Findings, wanted: Wanted) -> Iterator[Rows]:
    """Open the results of a data set.

    Raises:
        UnknownDataset: they are not there any more.
        Overloaded: others are reading, or memory has no room for so many rows.
        StorageFull: the disk has none.
    """
    import duckdb  # which a worker that answers predictions alone need not load

    from podium.web.datasets.rows import opened

    file = place.results("parquet")
    try:
        with _turn(), opened(file, found, wanted) as rows:
            yield rows
    except duckdb.OutOfMemoryException as err:
        told = said("There is no memory to sort so many rows; the downloads have them all")
        raise Overloaded(told, 60) from err
    except (OSError, duckdb.IOException) as err:
        if not file.exists():  # removed, perhaps meanwhile
            raise UnknownDataset from err
        if not _is_full(err):
            raise
        told = said("The server's disk has no room to sort these rows; the downloads have them all")
        raise StorageFull(told) from err


@contextmanager
def _turn() -> Iterator[None]:
    """Wait a short time until few enough read rows.

    Raises:
        Overloaded: they still are too many, or too many wait.
    """
    with ExitStack() as held:
        for room, wait_s in ((_coming, 0), (_reading, WAIT_S)):
            if not room.acquire(timeout=wait_s):
                told = said("Too many people look at rows at this moment; try again")
                raise Overloaded(told, 2)
            held.callback(room.release)
        yield


def _is_full(err: Exception) -> bool:
    """Whether the disk is; DuckDB, whose errors have no number, says so in the system's words."""
    if isinstance(err, OSError):
        return err.errno in DISK_FULL
    return any(os.strerror(number) in str(err) for number in DISK_FULL)


class _Words:
    """Makes a table of a page."""

    def __init__(self, job_id: str, found: Findings, page: Found) -> None:
        self._job_id, self._found, self._page = job_id, found, page
        self._wanted = page.wanted
        self._titles = {one.model: one.title for one in found.models}

    def table(self) -> Table:
        """Return the table."""
        page, wanted = self._page, self._wanted
        columns = [self._texts(place) for place in range(len(page.keys))]
        csv = url_for("datasets.rows_csv", job_id=self._job_id, **self._asked(wanted))
        return Table(
            tuple(self._views()), tuple(self._models()), tuple(self._headings(columns)),
            tuple(self._lines(columns)), self._order(), self._place(), *self._neighbours(),
            csv, page.more,
        )  # fmt: skip

    def _address(self, wanted: Wanted) -> str:
        asked = {**self._asked(wanted), "page": wanted.page if wanted.page > 1 else None}
        return url_for("datasets.show", job_id=self._job_id, **asked, _anchor="rows")

    def _asked(self, wanted: Wanted) -> dict[str, Any]:
        model = wanted.model if len(self._titles) > 1 else None
        sort = f"-{wanted.sort}" if wanted.down else wanted.sort
        return {"rows": wanted.view, "model": model, "sort": sort or None}

    def _views(self) -> Iterator[Choice]:
        classes = bool(self._found.labels)
        titles = {
            "first": _("First rows"),
            "unsure": _("Least sure first"),
            "wrong": _("Wrong answers") if classes else _("Largest errors first"),
            "differ": _("Models disagree") if classes else _("Models furthest apart"),
            "failed": _("Without an answer"),
            "warned": _("With a warning"),
        }
        for view, count in self._page.counts.items():
            current = view == self._wanted.view
            if not count and not current and view != "wrong":
                continue
            wanted = self._wanted._replace(view=view, sort="", down=False, page=1)
            counted = count if view in ("wrong", "differ", "failed", "warned") and (
                classes or view in ("failed", "warned")) else None  # fmt: skip
            yield Choice(view, titles[view], self._address(wanted), current, counted)

    def _models(self) -> Iterator[Choice]:
        for model, title in self._titles.items() if len(self._titles) > 1 else ():
            wanted = self._wanted._replace(model=model, page=1)
            yield Choice(model, title, self._address(wanted), model == self._wanted.model)

    def _texts(self, place: int) -> list[str]:
        """Return the cells of a column."""
        key = self._page.keys[place]
        if key == WARNING:
            return [self._why(row.error, row.cells[place]) for row in self._page.rows]
        return column_texts(key, [row.cells[place] for row in self._page.rows])

    def _why(self, *told: str | None) -> Message:
        """Return what is noted of a row."""
        reasons = self._found.reasons
        return joined([reason_of(text, reasons) for text in told if text], "; ")

    def _headings(self, columns: Sequence[Sequence[str]]) -> Iterator[Heading]:
        wanted = self._wanted
        for key, texts in zip((ROW, *self._page.keys), ((), *columns), strict=True):
            current = wanted.sort == key
            # Of what tells how sure an answer is, the largest are looked for.
            down = not wanted.down if current else key in ("entropy", "epistemic", "std")
            address = self._address(wanted._replace(sort=key, down=down, page=1))
            way = "descending" if wanted.down else "ascending"
            yield Heading(key, *self._heading(key), address, way if current else "",
                          _KINDS.get(key, ""), are_numbers(texts))  # fmt: skip

    def _heading(self, key: str) -> tuple[str, str]:
        """Return what a column is called, and what more is said of it."""
        if key == ROW:
            return _("Row"), ""
        if key.startswith(ANSWER):
            return _("Answer"), list(self._titles.values())[int(key.removeprefix(ANSWER))]
        if not is_own(key):
            is_one_of_many = self._wanted.view == "differ" and key in ("label", "value")
            return _WORDS[key](), self._titles[self._wanted.model] if is_one_of_many else ""
        column = self._found.staged.columns[int(key[1:])]
        return column.name, _("true answer") if column.is_target else ""

    def _lines(self, columns: Sequence[Sequence[str]]) -> Iterator[Line]:
        for row, *cells in zip(self._page.rows, *columns, strict=True):
            yield Line(row.number, tuple(cells), row.wrong)

    def _order(self) -> str:
        """Return by what the rows are sorted."""
        wanted = self._wanted
        if wanted.sort:
            title = self._heading(wanted.sort)[0]
            if wanted.down:
                return _("Sorted by %(column)s, the largest first.", column=title)
            return _("Sorted by %(column)s, the smallest first.", column=title)
        target = self._found.target or ""
        if wanted.view == "wrong" and self._found.labels:
            return _("The answer is not that of the column %(target)s; the most probable first.",
                     target=target)  # fmt: skip
        if wanted.view == "wrong":
            return _("Sorted by how far the answer is from the column %(target)s.", target=target)
        if wanted.view == "differ":
            return (_("The models give different answers to these rows.") if self._found.labels
                    else _("Sorted by how far the models' answers lie apart."))  # fmt: skip
        if wanted.view == "unsure":
            return {"probability": _("Sorted by the probability of the answer, the lowest first."),
                    "std": _("Sorted by the standard deviation, the largest first."),
                    "width": _("Sorted by the width of the interval, the widest first."),
                    }[self._page.measure]  # fmt: skip
        return _("In the order of the file.")

    def _place(self) -> str:
        """Return which rows of how many are shown."""
        count, shown = self._page.counts[self._wanted.view], len(self._page.rows)
        if not count:
            return _("There are no such rows.")
        first = (self._wanted.page - 1) * PAGE_ROWS + 1
        return _("%(first)s to %(last)s of %(count)s", first=f"{first:,}",
                 last=f"{first + shown - 1:,}", count=f"{count:,}")  # fmt: skip

    def _neighbours(self) -> tuple[str, str]:
        """Return the addresses of the page before and the page after; "" where there is none."""
        page, last = self._wanted.page, self._page.pages
        earlier = self._address(self._wanted._replace(page=page - 1)) if page > 1 else ""
        later = self._address(self._wanted._replace(page=page + 1)) if page < last else ""
        return earlier, later
