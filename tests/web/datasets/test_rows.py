"""Which rows of the results are shown, in which order, and as which file."""

from __future__ import annotations

import csv
from pathlib import Path

import duckdb
import pytest

from podium.datasets.findings import Findings
from podium.web.datasets.rows import Found, opened
from podium.web.datasets.wanted import PAGE_ROWS, Wanted, asked_rows
from tests.support.birds import UNTOLD, findings, write_birds


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    """Five rows that two models, a and b, have answered."""
    return write_birds(tmp_path / "results.parquet")


@pytest.fixture
def values(tmp_path: Path) -> Path:
    """Three rows that one model of a regression has answered."""
    file = tmp_path / "results.parquet"
    duckdb.connect().execute(
        "COPY (SELECT * FROM (VALUES "  # noqa: S608
        "(2007, 10.0, 11.0, NULL::DOUBLE, NULL::DOUBLE, NULL::DOUBLE, 9.0, 12.0, NULL, NULL), "
        "(2008, 10.0, 15.0, NULL, NULL, NULL, 14.0, 16.0, NULL, NULL), "
        "(2009, NULL, 10.0, NULL, NULL, NULL, 5.0, 15.0, NULL, NULL)) "
        "AS t(year, species, podium_value, podium_std, podium_aleatoric, podium_epistemic, "
        f"podium_lower, podium_upper, podium_warning, podium_error)) TO '{file}'"
    )
    return file


def page(file: Path, found: Findings, wanted: Wanted) -> Found:
    """Return the page that is wanted."""
    with opened(file, found, wanted) as rows:
        return rows.page(60)


def numbers(found: Found) -> list[int]:
    """Return which rows are on a page."""
    return [row.number for row in found.rows]


@pytest.mark.parametrize(
    ("wanted", "rows"),
    [
        (Wanted(), [1, 2, 3, 4, 5]),
        (Wanted("unsure"), [4, 2, 3, 1]),
        (Wanted("unsure", "b"), [1, 4, 2, 3]),
        (Wanted("wrong"), [3]),
        (Wanted("wrong", "b"), [2, 1]),
        (Wanted("differ"), [1, 2, 3]),
        (Wanted("failed"), [5]),
        (Wanted("warned"), [3]),
        (Wanted("first", sort="probability", down=True), [1, 3, 2, 4, 5]),
        (Wanted("first", sort="c1"), [2, 4, 1, 3, 5]),
        (Wanted("differ", sort="row", down=True), [3, 2, 1]),
        (Wanted("none", "none", sort="none; DROP TABLE x"), [1, 2, 3, 4, 5]),
        (Wanted(sort="error", down=True), [1, 2, 3, 4, 5]),
    ],
)
def test_views_of_a_classification(wanted: Wanted, rows: list[int], classes: Path) -> None:
    """Each view has its rows in its order, or in that of a column; what there is not is ignored.

    A label is right however it is written, and nothing is said of one that is no label.
    """
    found = page(classes, findings("a", "b"), wanted)
    assert numbers(found) == rows
    assert found.counts == {"first": 5, "unsure": 4, "wrong": 1 + (wanted.model == "b"),
                            "differ": 3, "failed": 1, "warned": 1}  # fmt: skip


def test_a_page_of_rows(classes: Path) -> None:
    """A row has its answer, the truth, how sure it is, the rest; last what is noted, if any is."""
    found = page(classes, findings("a", "b"), Wanted("first"))
    assert found.keys == ("label", "c1", "probability", "entropy", "c0", "warning")
    assert found.rows[2] == (3, ("Adelie", "Gentoo", 0.8, 0.5, 2009, "year: 2009 is rare"), True,
                             None)  # fmt: skip
    assert found.rows[4] == (5, (None, "Gentoo", None, None, 2011, None), False,
                             "year: expected a number")  # fmt: skip
    assert page(classes, findings("a", "b"), Wanted("wrong", "b")).keys == (
        "label", "c1", "probability", "entropy", "c0",
    )  # fmt: skip


@pytest.mark.parametrize("view", ["failed", "warned"])
def test_what_is_noted_comes_early_where_it_is_looked_for(view: str, classes: Path) -> None:
    """Beside the answer and the truth, before how sure the model is."""
    found = page(classes, findings("a", "b"), Wanted(view))
    assert found.keys == ("label", "c1", "warning", "probability", "entropy", "c0")


def test_of_very_many_columns_the_files_own_are_left_out(classes: Path) -> None:
    """What is told of a row has its place, up to what is noted."""
    with opened(classes, findings("a", "b"), Wanted()) as rows:
        found = rows.page(5)
    assert found.keys == ("label", "c1", "probability", "entropy", "warning")
    assert (found.more, {len(row.cells) for row in found.rows}) == (1, {5})


def test_views_of_a_regression(values: Path) -> None:
    """The widest interval is the least sure where no deviation is told; errors have sizes."""
    found = findings("a", labels=())
    unsure = page(values, found, Wanted("unsure"))
    assert (numbers(unsure), unsure.measure) == ([3, 1, 2], "width")
    assert numbers(page(values, found, Wanted("wrong"))) == [2, 1]
    assert unsure.counts == {"first": 3, "unsure": 3, "wrong": 2, "failed": 0, "warned": 0}


def test_pages(tmp_path: Path) -> None:
    """A page has 50 rows; beyond the last one, that is shown."""
    file = tmp_path / "results.parquet"
    duckdb.connect().execute(
        "COPY (SELECT range AS year, 'Gentoo' AS species, 'Gentoo' AS podium_label, "  # noqa: S608
        f"range / 200.0 AS podium_probability, 0.0 AS podium_entropy, {UNTOLD.format('a')}, "
        "NULL::VARCHAR AS podium_warning, NULL::VARCHAR AS podium_error FROM range(120)) "
        f"TO '{file}'"
    )
    found = page(file, findings("a"), Wanted("unsure", page=2))
    assert numbers(found) == [*range(51, 101)]
    last = page(file, findings("a"), Wanted("unsure", page=9))
    assert (numbers(last), last.wanted.page, last.pages) == ([*range(101, 121)], 3, 3)
    assert len(found.rows) == PAGE_ROWS


def test_a_view_as_csv(classes: Path, tmp_path: Path) -> None:
    """All rows of a view come with all columns, in its order; no text starts a formula."""
    file, whole = tmp_path / "rows.csv", tmp_path / "results.csv"
    whole.write_text("year\n")
    with opened(classes, findings("a", "b"), Wanted("unsure")) as rows:
        rows.write_csv(file, whole)
    with file.open(newline="", encoding="utf-8") as stream:
        header, *lines = csv.reader(stream)
    assert (header[:3], len(header)) == (["year", "species", "podium_label_a"], 16)
    assert [line[:3] for line in lines] == [
        ["2010", "'=2+3", "Gentoo"], ["2008", " ADELIE ", "Adelie"], ["2009", "Gentoo", "Adelie"],
        ["2007", "Adelie", "Adelie"],
    ]  # fmt: skip


def test_a_view_as_csv_begins_as_the_results_do(classes: Path, tmp_path: Path) -> None:
    """A byte order mark leads it where one leads the results, so that Excel knows the encoding."""
    file, whole = tmp_path / "rows.csv", tmp_path / "results.csv"
    whole.write_text("year\n", encoding="utf-8-sig")
    with opened(classes, findings("a", "b"), Wanted("warned")) as rows:
        rows.write_csv(file, whole)
    lines = file.read_bytes().split(b"\n")
    assert [line[:12] for line in lines] == [b"\xef\xbb\xbfyear,spec", b"2009,Gentoo,", b""]


def test_where_models_disagree_all_answers_stand_side_by_side(classes: Path) -> None:
    """The answer of the model comes first, then those of the others."""
    first, second = (page(classes, findings("a", "b"), Wanted("differ", name)) for name in "ab")
    assert first.keys == ("label", "answer1", "c1", "probability", "entropy", "c0", "warning")
    assert [row.cells[:4] for row in first.rows] == [
        ("Adelie", "Gentoo", "Adelie", 0.9), ("Adelie", "Gentoo", " ADELIE ", 0.7),
        ("Adelie", "Gentoo", "Gentoo", 0.8),
    ]  # fmt: skip
    assert second.keys[:2] == ("label", "answer0")
    assert second.rows[0].cells[:4] == ("Gentoo", "Adelie", "Adelie", 0.6)


def test_an_answer_has_its_column_where_none_was_given(tmp_path: Path) -> None:
    """That there is none can then be told in its place, and why at the end."""
    file = tmp_path / "results.parquet"
    duckdb.connect().execute(
        "COPY (SELECT 2007 AS year, 'Gentoo' AS species, NULL::VARCHAR AS podium_label, "
        "NULL::DOUBLE AS podium_probability, NULL::DOUBLE AS podium_entropy, "
        f"{UNTOLD.format('a')}, NULL::VARCHAR AS podium_warning, 'odd' AS podium_error) TO '{file}'"
    )
    found = page(file, findings("a"), Wanted())
    assert found.keys == ("label", "c1", "c0", "warning")
    assert found.rows == ((1, (None, "Gentoo", 2007, None), False, "odd"),)


def test_a_folder_that_is_called_as_a_partition(classes: Path, tmp_path: Path) -> None:
    """An equals sign in the path of the state makes no column of it."""
    folder = tmp_path / "kept=here"
    folder.mkdir()
    found = page(classes.rename(folder / classes.name), findings("a", "b"), Wanted("failed"))
    assert found.rows[0].error == "year: expected a number"


@pytest.mark.parametrize(
    ("args", "wanted"),
    [
        ({}, Wanted()),
        ({"rows": "wrong", "model": "b", "sort": "-entropy", "page": "3"},
         Wanted("wrong", "b", "entropy", True, 3)),
        ({"rows": "../x", "page": "-1"}, Wanted()),
        ({"page": "1" * 40}, Wanted()),
    ],
)  # fmt: skip
def test_what_an_address_asks_for(args: dict[str, str], wanted: Wanted) -> None:
    """An address names a view, a model, a column and a page; nonsense is taken for nothing."""
    assert asked_rows(args) == wanted
