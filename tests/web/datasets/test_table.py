"""The table of rows in words, and what is told where rows cannot be read."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import duckdb
import pytest
from flask import Flask
from flask_babel import Babel

from podium.datasets.place import Place
from podium.errors import Overloaded, StorageFull, UnknownDataset
from podium.web.datasets import table
from podium.web.datasets.api import datasets
from podium.web.datasets.rows import Rows
from podium.web.datasets.table import Table, rows_file, rows_table
from podium.web.datasets.wanted import Wanted
from tests.support.birds import findings, write_birds

FOUND = findings("a", "b")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """The place of a data set whose rows two models have answered."""
    write_birds(tmp_path / "results.parquet")
    (tmp_path / "results.csv").write_text("year\n")
    return Place(tmp_path)


def shown(place: Place, wanted: Wanted) -> Table:
    """Return the table as a page shows it."""
    flask = Flask("birds")
    Babel(flask)
    flask.register_blueprint(datasets)
    with flask.test_request_context():
        made = rows_table("0", place, FOUND, wanted)
    assert made is not None
    return made


def test_where_models_disagree_each_answer_names_its_model(place: Place) -> None:
    """Answers stand side by side, each under the title of who gave it."""
    made = shown(place, Wanted("differ", "b", sort="answer0"))
    headings = [(one.title, one.note) for one in made.headings[:5]]
    assert headings == [("Row", ""), ("Answer", "B"), ("Answer", "A"), ("species", "true answer"),
                        ("Probability", "")]  # fmt: skip
    assert [line.cells[:4] for line in made.lines] == [("Gentoo", "Adelie", "Adelie", "60.0%"),
        ("Gentoo", "Adelie", " ADELIE ", "80.0%"), ("Gentoo", "Adelie", "Gentoo", "90.0%"),
    ]  # fmt: skip
    assert made.order == "Sorted by Answer, the smallest first."


def test_columns_by_their_kind(place: Place) -> None:
    """Answers and notes are told apart, numbers stand right; a warning or an error is noted."""
    made = shown(place, Wanted())
    assert [(one.key, one.kind, one.number) for one in made.headings] == [
        ("row", "row", False), ("label", "said", False), ("c1", "", False),
        ("probability", "", True), ("entropy", "", True), ("c0", "", True),
        ("warning", "why", False),
    ]  # fmt: skip
    assert [line.cells[-1] for line in made.lines] == [
        "", "", "year: 2009 is rare", "", "year: expected a number",
    ]  # fmt: skip
    assert made.lines[4].cells[:4] == ("", "Gentoo", "", "")


@pytest.mark.parametrize("sort", ["error", "-error", "c9", "answer9"])
def test_what_is_not_shown_sorts_nothing(sort: str, place: Place) -> None:
    """Rows are in the order of the file then."""
    made = shown(place, Wanted(sort=sort.removeprefix("-"), down=sort != "error"))
    assert [line.number for line in made.lines] == [1, 2, 3, 4, 5]
    assert made.order == "In the order of the file."


@pytest.mark.parametrize(("room", "count"), [("_reading", 2), ("_coming", 4)])
def test_few_read_rows_at_once(
    room: str, count: int, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who finds no room, or too many waiting, is told when to try again; who reads makes room."""
    monkeypatch.setattr(table, "WAIT_S", 0.01)
    with ExitStack() as held:
        for _ in range(count):
            held.enter_context(getattr(table, room))
        with pytest.raises(Overloaded, match="Too many people look at rows") as told:
            rows_file(place, FOUND, Wanted())
    assert told.value.retry_after == 2
    for _ in range(5):
        with rows_file(place, FOUND, Wanted("failed")) as file:
            assert file.read().count(b"\n") == 2


def test_rows_that_are_gone(place: Place) -> None:
    """Results that are removed before they are read are no data set any more."""
    place.results("parquet").unlink()
    for gone in (place, Place(place.folder / "gone")):
        with pytest.raises(UnknownDataset):
            rows_file(gone, FOUND, Wanted())


@pytest.mark.parametrize(
    ("kind", "told"),
    [(OSError, (28, "No space left on device")),
     (duckdb.IOException, ('Could not write file "x": No space left on device',))],
)  # fmt: skip
def test_a_full_disk(
    kind: type[Exception], told: tuple[object, ...], place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told in words, and what was begun is removed."""

    def fail(*_: object) -> None:
        raise kind(*told)

    monkeypatch.setattr(Rows, "write_csv", fail)
    with pytest.raises(StorageFull, match="no room to sort these rows"):
        rows_file(place, FOUND, Wanted())
    assert sorted(one.name for one in place.folder.iterdir()) == ["results.csv", "results.parquet"]


def test_another_trouble_is_not_told_as_a_full_disk(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What nobody expects goes to the log."""

    def fail(*_: object) -> None:
        raise duckdb.IOException("Could not read")

    monkeypatch.setattr(Rows, "write_csv", fail)
    with pytest.raises(duckdb.IOException, match="Could not read"):
        rows_file(place, FOUND, Wanted())
