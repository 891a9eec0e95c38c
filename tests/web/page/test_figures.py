"""The picture of the passes that the server draws."""

from __future__ import annotations

import pytest

from podium.prediction import ClassPrediction, ClassUncertainty, ValuePrediction, ValueUncertainty
from podium.web.page.figures import ColumnView, HistogramView, figures_view

LEFT = [0.25 + 0.5 * (number % 2) for number in range(20)]


def test_classes_are_columns() -> None:
    """Each class has its dots, band and mean at heights from 0 to 1, beside a scale in percent."""
    certainty = ClassUncertainty(
        intervals={"left": (0.25, 0.75), "right": (0.25, 0.75)}, interval_level=0.9, samples=20,
        sample_probabilities={"left": LEFT, "right": [1 - one for one in LEFT]},
    )  # fmt: skip
    prediction = ClassPrediction("left", 0.5, {"left": 0.5, "right": 0.5}, certainty, [])
    view = figures_view(prediction, "side")
    assert view is not None
    drawn = view.drawn_spread
    assert drawn.columns == (
        ColumnView("left", 0.5, (0.25, 0.75)), ColumnView("right", 0.5, (0.25, 0.75)),
    )  # fmt: skip
    assert [height for _, height in drawn.dots] == 2 * sorted(LEFT)
    assert all(0 < place < 1 for place, _ in drawn.dots[:20])
    assert all(1 < place < 2 for place, _ in drawn.dots[20:])
    assert drawn.ticks == ((0.0, "0%"), (0.5, "50%"), (1.0, "100%"))
    bars = view.drawn_histograms[1].bars
    assert view.drawn_histograms[1] == HistogramView("right", bars, 0.5, "0%", "100%")
    assert [*map(list, bars)] == [pytest.approx([0.25, 0.05, 1]), pytest.approx([0.75, 0.05, 1])]


def test_a_value_has_a_scale_of_its_own() -> None:
    """A value's picture reaches from the least to the most of its passes and its band."""
    certainty = ValueUncertainty(
        std=6, aleatoric=1, interval=(0, 20), interval_level=0.9, samples=3,
        sample_values=[5.0, 10.0, 15.0],
    )  # fmt: skip
    view = figures_view(ValuePrediction(10.0, "mm", certainty, []), "length")
    assert view is not None
    assert view.drawn_spread.columns == (ColumnView("", 0.5, (0.0, 1.0)),)
    assert [height for _, height in view.drawn_spread.dots] == [0.25, 0.5, 0.75]
    assert view.drawn_spread.ticks == ((0.0, "0"), (0.5, "10"), (1.0, "20"))
    (histogram,) = view.drawn_histograms
    assert (histogram.low, histogram.high, histogram.mean) == ("5", "15", 0.5)


def test_an_answer_without_passes_has_no_picture() -> None:
    """A single answer has nothing to draw."""
    assert figures_view(ValuePrediction(1.0, None, ValueUncertainty(), []), "length") is None
