"""Lines that judge probabilities."""

from __future__ import annotations

import numpy as np

from podium.charts import curves
from podium.charts.curves import Curve
from tests.charts.support import field, rows, styles

STEPS = Curve("a (AUC 0.750)", np.array([0, 0, 0.5, 1]), np.array([0, 0.5, 1, 1]))


def test_roc_draws_each_class_and_chance() -> None:
    """A line a class over the diagonal, its points in their order also where it stands upright."""
    spec = curves.roc([STEPS, STEPS._replace(name="b")])
    assert styles(spec) == ["guide", "line"]
    assert rows(spec, 0) == [{"x": 0, "y": 0, "x2": 1, "y2": 1}]
    assert rows(spec, 1)[:4] == [
        {"of": "a (AUC 0.750)", "n": 0, "x": 0, "y": 0},
        {"of": "a (AUC 0.750)", "n": 1, "x": 0, "y": 0.5},
        {"of": "a (AUC 0.750)", "n": 2, "x": 0.5, "y": 1},
        {"of": "a (AUC 0.750)", "n": 3, "x": 1, "y": 1},
    ]
    assert [one["of"] for one in rows(spec, 1)[4:]] == ["b"] * 4
    encoding = spec["layer"][1]["encoding"]
    assert (field(spec, 1, "order"), field(spec, 1, "color")) == ("n", "of")
    assert encoding["color"]["scale"] == {"domain": ["a (AUC 0.750)", "b"]}
    assert encoding["x"]["scale"] == encoding["y"]["scale"] == {"domain": [0, 1]}
    assert (encoding["x"]["title"], encoding["y"]["title"]) == (
        "False positive rate", "True positive rate",
    )  # fmt: skip


def test_precision_is_stepped() -> None:
    """Between two points the precision is that of the higher recall: no line promises more."""
    spec = curves.precision_recall([STEPS])
    assert spec["layer"][-1]["mark"]["interpolate"] == "step-before"
    assert "color" not in spec["layer"][-1]["encoding"]


def test_a_long_curve_is_drawn_with_few_points() -> None:
    """Of a million points a hundred stay, the ends among them, evenly along the line."""
    x = np.linspace(0, 1, 1_000_001) ** 4
    drawn = rows(curves.roc([Curve("a", x, x)]), 1)
    assert len(drawn) == curves.POINTS
    assert (drawn[0]["x"], drawn[-1]["x"]) == (0, 1)
    assert max(np.diff([one["x"] for one in drawn])) < 0.012


def test_rejection_begins_below_the_lowest_accuracy() -> None:
    """The axis shows where the lines lie; the words tell both ends."""
    spec = curves.rejection([Curve("m", np.array([0, 0.4]), np.array([0.84, 0.96]))])
    assert spec["layer"][0]["encoding"]["y"]["scale"] == {"domain": [0.7, 1]}
    assert spec["description"] == (
        "Accuracy against rejection rate. m: 84.0% of all answers are right, 96.0% of the surest "
        "60%."
    )


def test_reliability_tells_each_bin_and_how_many_it_holds() -> None:
    """Bars are shares of all answers, points lie at mean probability and share of right ones."""
    spec = curves.reliability(
        np.array([0, 0.5]), np.array([np.nan, 0.8]), np.array([np.nan, 0.75]), np.array([0, 4])
    )
    assert styles(spec) == ["count", "guide", "dot"]
    one = {"low": 0.5, "high": 1.0, "x": 0.8, "y": 0.75, "rows": 4, "share": 1.0}
    assert rows(spec, 0) == rows(spec, 2) == [one]
    assert [field(spec, 0, "y"), *(field(spec, 2, channel) for channel in ("x", "y", "size"))] == [
        "share", "x", "y", "rows",
    ]  # fmt: skip
    assert spec["description"] == (
        "Reliability diagram. 4 answers of mean probability 80.0%: 75.0% right."
    )
