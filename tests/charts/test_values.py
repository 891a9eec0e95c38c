"""Figures of a regression."""

from __future__ import annotations

import numpy as np
import pytest

from podium.charts import values
from tests.charts.support import field, rows, styles

TRUTH, TOLD = np.array([1.0, 5.0, 3.0]), np.array([2.0, 4.0, 3.0])


def test_predicted_values_lie_against_the_true_ones() -> None:
    """A point a row, by the true value, over the diagonal; without intervals no bars."""
    spec = values.predicted(TRUTH, TOLD, "weight (kg)", None, None)
    assert styles(spec) == ["guide", "dot"]
    assert rows(spec, 0) == [{"x": 1, "y": 1, "x2": 5, "y2": 5}]
    assert rows(spec, 1) == [{"x": 1, "y": 2}, {"x": 3, "y": 3}, {"x": 5, "y": 4}]
    assert spec["layer"][1]["encoding"]["x"]["title"] == "True weight (kg)"
    assert spec["layer"][1]["encoding"]["y"]["title"] == "Predicted weight (kg)"


def test_intervals_are_bars_behind_their_points() -> None:
    """A row with an interval has a bar; one without has its point alone."""
    lower, upper = TOLD - 1, TOLD + 2
    lower[0] = np.nan
    spec = values.predicted(TRUTH, TOLD, "weight", lower, upper)
    assert styles(spec) == ["guide", "interval-line", "dot"]
    assert [(one["low"], one["high"]) for one in rows(spec, 1)] == [(2, 5), (3, 6)]
    assert (field(spec, 1, "y"), field(spec, 1, "y2")) == ("low", "high")
    assert len(rows(spec, 2)) == 3


def test_residuals_are_true_minus_predicted() -> None:
    """A residual stands over its predicted value, around a line at 0."""
    spec = values.residuals(TRUTH, TOLD, "weight")
    assert rows(spec, 0) == [{"x": 2, "y": 0, "x2": 4, "y2": 0}]
    assert rows(spec, 1) == [{"x": 2, "y": -1}, {"x": 3, "y": 0}, {"x": 4, "y": 1}]


def test_of_many_rows_even_ones_are_drawn() -> None:
    """Thousands of rows leave as many points as can be told apart, from the least to the most."""
    truth = np.random.default_rng(1).permutation(50_001).astype(float)
    drawn = [one["x"] for one in rows(values.predicted(truth, truth, "x", None, None), 1)]
    assert (len(drawn), drawn[0], drawn[-1]) == (values.MOST_POINTS, 0, 50_000)
    assert np.diff(drawn) == pytest.approx(50_000 / 299, abs=15)


def test_equal_values_have_a_figure() -> None:
    """A model that always says the same has axes wider than nothing."""
    spec = values.residuals(np.full(4, 2.0), np.full(4, 2.0), "x")
    assert spec["layer"][1]["encoding"]["x"]["scale"]["domain"] == [1.5, 2.5]
