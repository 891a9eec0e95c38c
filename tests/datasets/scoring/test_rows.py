"""Rows of a data set are read in whole columns, and mean what they mean one by one."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from podium.cells import Cell, read_cell
from podium.datasets.scoring.rows import Chunk, RowReader
from podium.datasets.wishes import Column, Staged
from podium.datasets.work import Work
from podium.errors import InvalidInput
from podium.signature import Signature
from podium.spec import Feature, TextInput

KINDS = (
    Feature(name="number", unit="mm"),
    Feature(name="number?", optional=True),
    Feature(name="integer", kind="integer"),
    Feature(name="integer?", kind="integer", optional=True),
    Feature(name="boolean", kind="boolean"),
    Feature(name="boolean?", kind="boolean", optional=True),
    Feature(name="category", kind="category", choices=("red", "NA", "a b", " odd", "odd\t", "1")),
    Feature(name="category?", kind="category", choices=("red", "it's", "None"), optional=True),
)
NASTY = (
    "", " ", "0", "-0", "5", " 5 ", "5\t", "\xa05\xa0", "+5", "+-5", "--5", "5.0", "5.", ".5", ".",
    "-.5e-3", "1e5", "1E+5", "1e", "e5", "1e400", "-1e400", "1e-400", "3.4e38", "3.5e38", "1_000",
    "1__0", "_1", "0x10", "0b1", "1d5", "1f", "inf", "-inf", "Infinity", "nan", "NaN", "NAN",
    "-nan", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "1e19", "9" * 400,
    "9007199254740993", "1,5", "1.234,5", "1,234.5", "1,234", "1 000", "٣", "\uff15", "½", "true",
    "True", "TRUE ", "yes", "No", "on", "OFF", "t", "y", "\uff39\uff25\uff33",
    "NA", " NA ", "n/a", "N/A", "null",
    "NULL", "None", "none", "#N/A", "<NA>", "red", "Red", " red", "red\n", "a b", "a  b", " odd",
    "odd", "odd\t", "it's", '"', "1", "1.0", "\\", "💧", "%s", "{}", "x" * 300,
)  # fmt: skip


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Work]:
    """A data set's work."""
    with Work(tmp_path / "work.duckdb") as work:
        yield work


def signature_of(features: Sequence[Feature]) -> Signature:
    """Return what an application takes."""
    return Signature("classification", "kind", None, ("Oak", "1", "Ash"), tuple(features))


def reader(
    work: Work, signature: Signature, columns: Mapping[str, Sequence[str | None]] | str,
    target: str | None = None, decimal_comma: bool = False,
) -> RowReader:  # fmt: skip
    """Return the reader of a table, given as its columns or as a query with its columns named."""
    if isinstance(columns, str):
        query = columns
    else:
        lists = ", ".join(f"unnest(?::VARCHAR[]) AS {_quoted(name)}" for name in columns)
        query = f"SELECT {lists}"
    values = [] if isinstance(columns, str) else [list(cells) for cells in columns.values()]
    made = work.con.execute(f"SELECT * FROM ({query})", values)  # noqa: S608
    names = [name for name, *_ in made.description or ()]
    places = ", ".join(f"c{place}" for place in range(len(names)))
    work.con.execute(
        f"CREATE TABLE input AS SELECT *, NULL::VARCHAR AS problem FROM ({query}) AS t({places})",  # noqa: S608
        values,
    )
    (rows,) = work.con.execute("SELECT count(*) FROM input").fetchone() or (0,)
    known = {*signature.names, *(("text",) if signature.text else ())}
    staged = Staged(
        kind="csv",
        columns=tuple(Column(name, name if name in known else None, name == target)
                      for name in names),
        rows=rows,
        decimal_comma=decimal_comma,
    )  # fmt: skip
    return RowReader(signature, staged, work)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def told(chunk: Chunk) -> list[tuple[Cell, ...] | str]:
    """Return the item of each row, or its problem."""
    items = {int(row): tuple(item) for row, item in zip(chunk.places, chunk.items, strict=True)}
    return [chunk.problems.get(row) or items[row] for row in range(chunk.stop - chunk.start)]


def one_by_one(
    signature: Signature, rows: Sequence[Sequence[str | None]], decimal_comma: bool
) -> list[tuple[Cell, ...] | str]:
    """Return what the rows of a labelled file would be: the way of `podium calibrate`."""
    found: list[tuple[Cell, ...] | str] = []
    for row in rows:
        cells = {feature.name: read_cell(feature, (text or "").strip(), decimal_comma)
                 for feature, text in zip(signature.features, row, strict=True)}  # fmt: skip
        try:
            found.append(signature.row_of(cells))
        except InvalidInput as err:
            found.append(str(err))
    return found


@pytest.mark.parametrize("decimal_comma", [False, True])
@pytest.mark.parametrize("feature", KINDS, ids=lambda feature: feature.name)
def test_nasty_cells(feature: Feature, decimal_comma: bool, work: Work) -> None:
    """A cell's value, or what is wrong with it, is what it is one by one."""
    signature = signature_of([feature])
    rows = reader(work, signature, {feature.name: [*NASTY, None]}, decimal_comma=decimal_comma)
    expected = one_by_one(signature, [[text] for text in (*NASTY, None)], decimal_comma)
    assert told(rows.read(0, 1000)) == expected
    assert {type(one) for one in expected} == {str, tuple}


def test_random_rows(work: Work) -> None:
    """So is a row of many features, whose mistakes are told together, in chunks of any size."""
    draw = random.Random(1)  # noqa: S311  no secret
    alphabet = "0123456789+-.eE_ ,xnaif\t"
    texts = [[draw.choice(("5", draw.choice(NASTY), "".join(draw.choices(alphabet, k=3)), "red"))
              for _ in KINDS] for _ in range(2000)]  # fmt: skip
    signature = signature_of(KINDS)
    columns = {feature.name: [row[place] for row in texts] for place, feature in enumerate(KINDS)}
    rows = reader(work, signature, columns)
    found = [one for start in range(0, 2000, 333) for one in told(rows.read(start, start + 333))]
    assert found == one_by_one(signature, texts, False)


def test_what_is_right_is_not_looked_at_one_by_one(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plain cells of any kind, missing ones too, are read in whole columns."""
    plain = {"number": "-1.5e3", "number?": "NA", "integer": "7", "integer?": None,
             "boolean": " Yes", "boolean?": "", "category": "a b ", "category?": None}  # fmt: skip
    signature = signature_of(KINDS)
    cells = {name: [text] * 3 for name, text in plain.items()}
    rows = reader(work, signature, {**cells, "kind": ["Ash", "Oak ", "1"]}, "kind")
    monkeypatch.setattr(rows, "_code", None)
    monkeypatch.setattr(rows, "_label", None)
    chunk = rows.read(0, 3)
    assert told(chunk) == [(-1500.0, None, 7, None, True, None, "a b", None)] * 3
    assert chunk.truth is not None
    assert chunk.truth.tolist() == [2, 0, 1]


def test_a_wrong_number_is_told_as_it_stands(work: Work) -> None:
    """A number with thousands and decimals is told as the file has it."""
    signature = signature_of([Feature(name="x")])
    rows = reader(work, signature, {"x": ["1.234,5", "3,5"]}, decimal_comma=True)
    assert told(rows.read(0, 2)) == [
        "x: expected a number; found '1.234,5'. Leave out what parts the thousands.", (3.5,)
    ]  # fmt: skip


def test_rows_that_cannot_be_read_have_no_other_problem(work: Work) -> None:
    """The reason for which a row is empty is the only one; it has no answer, and no warning."""
    signature = signature_of([Feature(name="x", range=(0, 1))])
    rows = reader(work, signature, {"x": ["1", None, "2"], "kind": ["Oak", None, "Ash"]}, "kind")
    work.con.execute("UPDATE input SET problem = 'line 3: 1 cell' WHERE c0 IS NULL")
    chunk = rows.read(0, 3)
    assert chunk.problems == {1: "line 3: 1 cell"}
    assert chunk.warnings == {2: "x: 2 is outside the training range, 0 to 1"}
    assert (chunk.places.tolist(), [*chunk.items]) == ([0, 2], [(1.0,), (2.0,)])
    np.testing.assert_array_equal(chunk.truth, [0, math.nan, 2])


def test_values_outside_the_training_range(work: Work) -> None:
    """A warning tells each of them; wrong rows and missing values have none."""
    features = [Feature(name="x", range=(0, 1), optional=True),
                Feature(name="n", kind="integer", range=(1, 9))]  # fmt: skip
    columns = {"x": ["0", "1.5", "-1", "", "7"], "n": ["1", "5", "10", "9", "no"]}
    chunk = reader(work, signature_of(features), columns).read(0, 5)
    assert chunk.warnings == {
        1: "x: 1.5 is outside the training range, 0 to 1",
        2: "x: -1 is outside the training range, 0 to 1; "
           "n: 10 is outside the training range, 1 to 9",
    }  # fmt: skip
    assert list(chunk.problems) == [4]


def test_labels(work: Work) -> None:
    """A label may differ in case, or be 1.0; another one is a warning, and none is unknown."""
    signature = signature_of([Feature(name="x", range=(0, 1))])
    labels = ["Oak", "oak", " ASH ", "1.0", "1", "NA", None, "Oka"]
    rows = reader(work, signature, {"x": ["1"] * 7 + ["2"], "kind": labels}, "kind")
    chunk = rows.read(0, 8)
    np.testing.assert_array_equal(chunk.truth, [0, 0, 2, 1, 1, math.nan, math.nan, math.nan])
    assert chunk.problems == {}
    assert chunk.warnings == {
        7: "x: 2 is outside the training range, 0 to 1; "
           "kind: 'Oka' is none of the labels. Did you mean 'Oak'?"
    }  # fmt: skip


def test_values_that_are_answers(work: Work) -> None:
    """The answers of a regression are numbers; others are warned of."""
    signature = replace(
        signature_of([Feature(name="x")]), kind="regression", target="v", labels=(), unit="mm"
    )
    rows = reader(
        work, signature, {"x": ["1"] * 5, "v": ["1,5", "2.5", "n/a", "inf", "-1e3"]}, "v", True
    )
    chunk = rows.read(0, 5)
    np.testing.assert_array_equal(chunk.truth, [1.5, 2.5, math.nan, math.nan, -1000])
    assert chunk.warnings == {3: "v: expected a number in mm; found 'inf'."}
    assert chunk.places.tolist() == [0, 1, 2, 3, 4]


def test_texts(work: Work) -> None:
    """A text is taken as it stands; one that is empty or too long is a problem."""
    signature = replace(signature_of([]), text=TextInput(max_length=9))
    texts = ["a, b", " NA ", None, "  ", "1234567890", "ä\nö"]
    chunk = reader(work, signature, {"text": texts, "kind": ["Oak"] * 6}, "kind").read(0, 9)
    assert chunk.items == ["a, b", " NA ", "ä\nö"]
    assert chunk.places.tolist() == [0, 1, 5]
    assert chunk.problems == {
        2: "text: is empty; expected a text",
        3: "text: is empty; expected a text",
        4: "text: has 10 characters; the limit is 9 ([text] max_length)",
    }


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("1.5::DOUBLE", (1.5, None, None, None)),
        ("0.1::FLOAT", (float(np.float32(0.1)), None, None, None)),
        ("1::TINYINT", (1.0, 1, True, "1")),
        ("2.50::DECIMAL(9, 2)", (2.5, None, None, None)),
        ("1e19::DOUBLE", (1e19, None, None, None)),
        ("9223372036854775807::BIGINT", (2.0**63, None, None, None)),
        ("true", (None, None, True, None)),
        ("'red'", (None, None, None, "red")),
        ("DATE '2026-01-01'", (None, None, None, None)),
        ("'nan'::DOUBLE", (None, None, None, None)),
        ("NULL::DOUBLE", (None, None, None, None)),
    ],
)
def test_typed_cells(sql: str, found: tuple[Cell, ...], work: Work) -> None:
    """A typed column means what its text does: a boolean is no number, 1 may be a choice."""
    features = [
        renamed(KINDS[place], name) for place, name in zip((0, 2, 4, 6), "nibc", strict=True)
    ]
    for feature, value in zip(features, found, strict=True):
        work.con.execute("DROP TABLE IF EXISTS input")
        rows = reader(work, signature_of([feature]), f"SELECT {sql} AS {feature.name}")
        (row,) = told(rows.read(0, 1))
        assert (None if isinstance(row, str) else row[0]) == value


def renamed(feature: Feature, name: str) -> Feature:
    """Return a feature by another name."""
    return Feature(name=name, kind=feature.kind, choices=feature.choices)
