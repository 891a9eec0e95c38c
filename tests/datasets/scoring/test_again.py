"""Rows of a data set that is scored are asked about once more."""

from __future__ import annotations

from pathlib import Path

import pytest

from podium.app import App
from podium.datasets.dataset import Dataset
from podium.datasets.place import Place
from podium.datasets.reading import Upload
from podium.datasets.scoring.again import scores_again
from podium.datasets.wishes import Wishes
from podium.datasets.work import Work
from tests.support.apps import write_weights
from tests.support.scoring import results_of, run_csv


def test_a_row_gets_the_passes_that_its_answer_was_made_of(tmp_path: Path) -> None:
    """A model that draws at random draws the same again; a row that cannot be read is left out."""
    app = App(write_weights(tmp_path / "app"))
    rows = [f"{n},1,yes,oak" for n in range(6)]
    rows[2] = "x,1,yes,oak"
    text = "\n".join(["length,count,wet,material", *rows])
    run_csv(app, tmp_path, text, models=("noisy",), seed=3)
    with Work(Place(tmp_path).work) as work:
        assert work.staged is not None
        upload = Upload(tmp_path / "data.csv", "data.csv")
        data = Dataset(app, ("noisy",), upload, Wishes(seed=3), work.staged, work)
        found = scores_again(data, "noisy", [1, 2, 5])
    answers = [float(row["podium_value"] or "nan") for row in results_of(tmp_path)]
    assert {row: one.values.shape for row, one in found.items()} == {1: (1, 50), 5: (1, 50)}
    assert [one.values.mean() for one in found.values()] == pytest.approx([answers[1], answers[5]])
