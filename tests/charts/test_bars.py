"""Figures that count."""

from __future__ import annotations

import numpy as np

from podium.charts import bars
from tests.charts.support import field, rows, styles


def test_histogram_has_a_bar_a_bin() -> None:
    """Each bin tells from where to where it goes, and its rows."""
    spec = bars.histogram(np.array([1, 3]), 10.0, 20.0, "Weight (kg)")
    assert rows(spec, 0) == [{"low": 10, "high": 15, "rows": 1}, {"low": 15, "high": 20, "rows": 3}]
    assert styles(spec) == ["count"]
    assert spec["layer"][0]["encoding"]["x"]["title"] == "Weight (kg)"
    assert spec["description"] == ("Histogram of Weight (kg): 4 rows, most of them from 15 to 20.")


def test_two_groups_stand_side_by_side_as_shares() -> None:
    """Each group's bars sum to 1, and have half of a bin each."""
    spec = bars.two_histograms(
        {"right": np.array([0.0, 0.0, 1.0]), "wrong": np.array([2.0])}, "Entropy", 2.0
    )
    assert rows(spec, 0) == [
        {"of": "right", "low": 0, "high": 0.05, "rows": 2, "share": 0.667},
        {"of": "right", "low": 1, "high": 1.05, "rows": 1, "share": 0.333},
        {"of": "wrong", "low": 1.95, "high": 2, "rows": 1, "share": 1},
    ]
    assert spec["layer"][0]["encoding"]["color"]["scale"] == {"domain": ["right", "wrong"]}
    assert spec["layer"][0]["encoding"]["y"]["stack"] is None


def test_a_group_may_be_empty() -> None:
    """A model without wrong answers has a figure, and the words say so."""
    spec = bars.two_histograms({"right": np.array([0.1]), "wrong": np.array([])}, "Entropy", 1.0)
    assert [one["of"] for one in rows(spec, 0)] == ["right"]
    assert "wrong: 0 answers, median unknown." in spec["description"]


def test_answers_are_counted_from_the_commonest_down() -> None:
    """Of more labels than can be read the commonest are shown, with their share of all."""
    spec = bars.counted({f"n{i}": i + 1 for i in range(24)}, "kind")
    first, *_, last = rows(spec, 0)
    assert first == {"label": "n23", "rows": 24, "share": 0.08}
    assert (len(rows(spec, 0)), last["label"]) == (bars.MOST_BARS, "n4")
    assert (field(spec, 0, "y"), field(spec, 0, "x")) == ("label", "rows")
