"""Which rows of the results are shown, in which order, and as which file."""

from __future__ import annotations

import csv
from pathlib import Path

import duckdb
import pytest

from podium.datasets.findings import Findings, Judged
from podium.datasets.wishes import Column, Staged, Wishes
from podium.web.datasets.rows import Found, opened
from podium.web.datasets.wanted import PAGE_ROWS, Wanted, asked_rows

LABELS = ("Adelie", "Gentoo")
COLUMNS = (Column("year", "year"), Column("species", None, is_target=True))
CLASSES = """
  (2007, 'Adelie',   'Adelie', 0.9, 0.3, 'Gentoo', 0.6, 0.7, NULL, NULL),
  (2008, ' ADELIE ', 'Adelie', 0.7, 0.6, 'Gentoo', 0.8, 0.5, NULL, NULL),
  (2009, 'Gentoo',   'Adelie', 0.8, 0.5, 'Gentoo', 0.9, 0.3, 'year: 2009 is rare', NULL),
  (2010, '=2+3',     'Gentoo', 0.6, 0.7, 'Gentoo', 0.7, 0.6, NULL, NULL),
  (2011, 'Gentoo',   NULL,     NULL, NULL, NULL,   NULL, NULL, NULL, 'year: expected a number')
"""
CLASS_NAMES = ("year, species, podium_label_a, podium_probability_a, podium_entropy_a, "
               "podium_label_b, podium_probability_b, podium_entropy_b, podium_warning, "
               "podium_error")  # fmt: skip
UNTOLD = ("NULL::DOUBLE AS podium_aleatoric_{0}, NULL::DOUBLE AS podium_epistemic_{0}, "
          "NULL::VARCHAR AS podium_set_{0}")  # fmt: skip


def findings(*models: str, labels: tuple[str, ...] = LABELS) -> Findings:
    """Return findings of so many models on a file with a year and its answers."""
    staged = Staged(kind="csv", columns=COLUMNS, rows=5)
    judged = tuple(Judged(model=name, title=name.upper(), version="1", rows=4, judged=3)
                   for name in models)  # fmt: skip
    return Findings(title="Birds", file="birds.csv", target="species", unit=None, labels=labels,
                    rows=5, failed=1, problems=(), staged=staged, wishes=Wishes(),
                    models=judged)  # fmt: skip


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    """Five rows that two models, a and b, have answered."""
    file = tmp_path / "results.parquet"
    own = ("year, species, podium_label_{0}, podium_probability_{0}::DOUBLE AS "
           "podium_probability_{0}, podium_entropy_{0}::DOUBLE AS podium_entropy_{0}, "
           + UNTOLD)  # fmt: skip
    columns = ", ".join((own.format("a"), own.format("b").removeprefix("year, species, "),
                         "podium_warning, podium_error"))  # fmt: skip
    duckdb.connect().execute(
        f"COPY (SELECT {columns} FROM (VALUES {CLASSES}) AS t({CLASS_NAMES})) TO '{file}'"  # noqa: S608
    )
    return file


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
    """A row has what its model says, the truth, then the rest; without an answer, why."""
    found = page(classes, findings("a", "b"), Wanted("first"))
    assert found.keys == ("label", "probability", "entropy", "warning", "c1", "c0")
    assert found.rows[2] == (3, ("Adelie", 0.8, 0.5, "year: 2009 is rare", "Gentoo", 2009), True,
                             None)  # fmt: skip
    assert found.rows[4] == (5, (None, None, None, None, "Gentoo", 2011), False,
                             "year: expected a number")  # fmt: skip
    assert page(classes, findings("a", "b"), Wanted("wrong", "b")).keys == (
        "label", "probability", "entropy", "c1", "c0",
    )  # fmt: skip


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
    file = tmp_path / "rows.csv"
    with opened(classes, findings("a", "b"), Wanted("unsure")) as rows:
        rows.write_csv(file)
    with file.open(newline="", encoding="utf-8") as stream:
        header, *lines = csv.reader(stream)
    assert (header[:3], len(header)) == (["year", "species", "podium_label_a"], 16)
    assert [line[:3] for line in lines] == [
        ["2010", "'=2+3", "Gentoo"], ["2008", " ADELIE ", "Adelie"], ["2009", "Gentoo", "Adelie"],
        ["2007", "Adelie", "Adelie"],
    ]  # fmt: skip


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
