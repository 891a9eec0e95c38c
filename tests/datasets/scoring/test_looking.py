"""The rows of a data set are looked at before any is scored."""

from __future__ import annotations

from pathlib import Path

from podium.app import App
from podium.cli import DEMOS
from podium.datasets.look import Look, Sample
from podium.datasets.reading import Upload, stage
from podium.datasets.scoring.looking import look
from podium.datasets.wishes import Wishes
from podium.datasets.work import Work
from podium.messages import is_english

HEADER = "Bill length mm;bill_depth_mm;flipper_length_mm;body_mass_g;island;species;note\n"


def looked(folder: Path, rows: str) -> Look:
    """Return how a table of penguins is understood."""
    file = folder / "birds.csv"
    file.write_text(HEADER + rows)
    signature = App(DEMOS / "penguins").signature
    with Work(folder / "work.duckdb") as work:
        staged = stage(Upload(file, file.name), work, signature, Wishes())
        return look(signature, staged, work)


def test_rows_as_they_are_understood(tmp_path: Path) -> None:
    """Values are those that the models get; of a wrong row the cells are as they came.

    A column that may be left out, here `sex`, is no reason for a row to be wrong.
    """
    rows = ("39,1;18,70;181;3750;Torgersen;Adelie;x\n"
            "39,5;;abc;3800;Torgersen;;\n"
            "99,5;17,4;186;3800;Biscoe;Gentoo;y\n")  # fmt: skip
    found = looked(tmp_path, rows)
    wrong = ("bill_depth_mm: is missing; expected a number in mm; "
             "flipper_length_mm: expected a number in mm; found 'abc'.")  # fmt: skip
    assert found.samples == (
        Sample(("39.1", "18.7", "181", "3750", "Torgersen", "Adelie", "x")),
        Sample(("39,5", None, "abc", "3800", "Torgersen", None, None), wrong),
        Sample(("99.5", "17.4", "186", "3800", "Biscoe", "Gentoo", "y")),
    )
    assert (found.checked, found.wrong, found.warned, found.known) == (3, 1, 1, 2)
    assert found.problems == ((2, wrong),)
    assert not any(is_english(told) for _, told in (*found.problems, *found.warnings))
    assert found.warnings[0][0] == 3


def test_the_first_problems_are_named(tmp_path: Path) -> None:
    """Of many wrong rows the first hundred are named, and all are counted."""
    found = looked(tmp_path, "39.1;18.7;181;3750;Nowhere;Adelie;x\n" * 119 + "39.1;18.7\n")
    assert (found.checked, found.wrong, len(found.samples)) == (120, 120, 5)
    assert [row for row, _ in found.problems] == [*range(1, 101)]


def test_a_torn_row_is_told_for_a_translation(tmp_path: Path) -> None:
    """Why it cannot be read was found out when the file was taken in."""
    found = looked(tmp_path, "39.1;18.7;181;3750;Biscoe;Adelie;x\n39.1;18.7\n")
    ((row, told),) = found.problems
    assert (row, told) == (2, "line 3: 2 cells; the header has 7")
    assert told.template == "line %(line)s: %(problem)s"
