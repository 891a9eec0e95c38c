"""Figures of the passes behind one prediction."""

from __future__ import annotations

import json

import numpy as np
import pytest

from podium.charts import Spec, histograms, significant_digits, spread
from podium.charts.passes import MOST_CLASSES, MOST_MARKS
from podium.prediction import (
    ClassPrediction,
    ClassUncertainty,
    ValuePrediction,
    ValueUncertainty,
)

LEFT = [0.95, 0.9, 0.85, 0.5] * 5


def classes(samples: dict[str, list[float]]) -> ClassPrediction:
    """Return a prediction whose passes are given by label, its intervals from least to most."""
    mean = {label: float(np.mean(passes)) for label, passes in samples.items()}
    certainty = ClassUncertainty(
        intervals={label: (min(passes), max(passes)) for label, passes in samples.items()},
        interval_level=0.9,
        samples=len(next(iter(samples.values()))),
        sample_probabilities=samples,
    )
    label = max(mean, key=mean.__getitem__)
    return ClassPrediction(label, mean[label], mean, certainty, [])


def value(samples: list[float], unit: str | None = "mm") -> ValuePrediction:
    """Return a prediction whose passes are given, its interval from least to most."""
    certainty = ValueUncertainty(
        interval=(min(samples), max(samples)),
        interval_level=0.95,
        samples=len(samples),
        sample_values=samples,
    )
    return ValuePrediction(float(np.mean(samples)), unit, certainty, [])


def made(prediction: ClassPrediction | ValuePrediction) -> Spec:
    """Return the figure of the spread, which there must be."""
    figure = spread(prediction, "side")
    assert figure is not None
    return figure


def rows(figure: Spec) -> list[list[Spec]]:
    """Return the data of each layer."""
    return [layer["data"]["values"] for layer in figure["layer"]]


def test_spread_of_two_classes() -> None:
    """A class has a band from end to end of its interval, a mark a pass and a line at the mean."""
    figure = made(classes({"left": LEFT, "right": [1 - one for one in LEFT]}))
    bands, passes, means = rows(figure)
    assert [layer["mark"]["style"] for layer in figure["layer"]] == ["interval", "pass", "mean"]
    assert bands == [
        {"label": "left", "mean": 0.8, "low": 0.5, "high": 0.95},
        {"label": "right", "mean": 0.2, "low": 0.05, "high": 0.5},
    ]
    assert [one["value"] for one in passes[::5]] == [0.5, 0.85, 0.9, 0.95, 0.05, 0.1, 0.15, 0.5]
    assert [int(one["place"]) for one in passes] == [0] * 20 + [1] * 20
    assert [(one["left"], one["right"]) for one in means] == [(0.18, 0.82), (1.18, 1.82)]
    assert figure["layer"][0]["encoding"]["y"]["scale"] == {"domain": [0, 1]}
    assert figure["layer"][1]["encoding"]["x"]["scale"] == {"domain": [0, 2], "nice": False}


def test_spread_is_described() -> None:
    """Who does not see the figure is told the means and intervals; the page gives the colours."""
    figure = made(classes({"left": LEFT, "right": [1 - one for one in LEFT]}))
    assert figure["description"] == (
        "What 20 single answers say of how probable a class is. "
        "left: mean 80.0%, 90% interval from 50.0% to 95.0%. "
        "right: mean 20.0%, 90% interval from 5.0% to 50.0%."
    )
    assert (figure["background"], figure["width"]) == ("transparent", "container")
    assert "color" not in json.dumps(figure)


def test_few_passes_have_no_band() -> None:
    """Of few members the figure shows each one and their mean; its bars have no height."""
    figure = made(classes({"left": LEFT[:19], "right": [1 - one for one in LEFT[:19]]}))
    labels, passes, means = rows(figure)
    assert labels == [{"label": "left", "mean": 0.816}, {"label": "right", "mean": 0.184}]
    assert (len(passes), [sorted(one) for one in means]) == (
        38, [["label", "left", "mean", "right"]] * 2,
    )  # fmt: skip
    for layer in (0, 2):
        told = figure["layer"][layer]["encoding"]["tooltip"]
        assert [one["field"] for one in told] == ["label", "mean"]
    encoding = figure["layer"][0]["encoding"]
    assert (encoding["y"]["field"], encoding["y2"]["field"]) == ("mean", "mean")
    assert figure["description"] == (
        "What 19 single answers say of how probable a class is. "
        "left: mean 81.6%. right: mean 18.4%."
    )


def test_few_passes_that_tell_noise_have_a_band() -> None:
    """The interval of a normal distribution hangs on no number of passes."""
    certainty = ValueUncertainty(
        aleatoric=1.0, interval=(10, 14), interval_level=0.9, samples=2, sample_values=[11, 13]
    )
    figure = made(ValuePrediction(12.0, "mm", certainty, []))
    assert rows(figure)[0] == [{"label": "", "mean": 12.0, "low": 10, "high": 14}]


def test_marks_stay_in_their_column_and_place() -> None:
    """Marks lie over their band, widest where most are, at the same places every time."""
    passes = np.random.default_rng(5).beta(30, 3, 200)
    prediction = classes({"left": passes.tolist(), "right": (1 - passes).tolist()})
    first, again = (rows(made(prediction))[1] for _ in range(2))
    aside = np.array([one["place"] - int(one["place"]) - 0.5 for one in first[:200]])
    values = np.array([one["value"] for one in first[:200]])
    crowded = np.histogram(values, 20, (0, 1))[0].argmax()
    among = (values * 20).astype(int) == crowded
    assert first == again
    assert np.abs(aside).max() <= 0.32
    assert np.abs(aside[among]).max() > 0.29
    assert np.abs(aside[~among]).max() <= np.abs(aside[among]).max()


def test_spread_of_a_value_has_one_column_without_a_name() -> None:
    """A value's axis names target and unit, and its column has no label."""
    figure = made(value([11.0, 12.0, 16.0] * 7))
    band = figure["layer"][0]["encoding"]
    assert rows(figure)[0] == [{"label": "", "mean": 13.0, "low": 11.0, "high": 16.0}]
    assert (band["x"]["axis"], band["y"]["axis"]["title"]) == (None, "side (mm)")
    assert band["y"]["scale"] == {"zero": False}
    assert figure["description"] == (
        "What 21 single answers say of the side. mean 13, 95% interval from 11 to 16."
    )


def test_value_without_unit() -> None:
    """Without a unit the axis names the target alone."""
    assert made(value([1.0, 2.0], None))["layer"][0]["encoding"]["y"]["axis"]["title"] == "side"


def test_values_far_from_zero_keep_their_differences() -> None:
    """Numbers are rounded by how far they lie apart, not by their size."""
    figure = made(value([1132.41, 1132.42, 1132.47] * 7))
    assert [one["value"] for one in rows(figure)[1][::7]] == [1132.41, 1132.42, 1132.47]
    assert "mean 1132.433, 95% interval from 1132.41 to 1132.47." in figure["description"]


def test_the_likeliest_of_many_classes_are_shown() -> None:
    """More columns than fit are left out, from the least likely up; long names lean."""
    samples = {f"a long name {number}": [1 / (number + 2)] * 3 for number in range(40)}
    figure = made(classes(samples))
    bands, passes, _ = rows(figure)
    assert [one["label"] for one in bands] == list(samples)[:MOST_CLASSES]
    assert len(passes) == 3 * MOST_CLASSES
    assert figure["layer"][0]["encoding"]["x"]["axis"]["labelAngle"] == -35
    assert len(histograms(classes(samples), "side")) == MOST_CLASSES


def test_of_very_many_passes_even_ones_are_marked() -> None:
    """Thousands of passes leave as many marks as a column holds, from the least to the most."""
    passes = np.linspace(5, 6, 5001)
    marks = [one["value"] for one in rows(made(value(passes.tolist())))[1]]
    assert len(marks) == MOST_MARKS
    assert (marks[0], marks[-1]) == (5, 6)
    assert np.diff(marks) == pytest.approx(1 / (MOST_MARKS - 1), abs=7e-4)


def test_histograms_count_passes_on_the_same_axes() -> None:
    """Each class has its own figure; all bars are drawn on the scale of the highest."""
    left, right = histograms(
        classes({"left": [0.97, 0.92, 0.88, 0.51], "right": [0.01, 0.01, 0.02, 0.52]}), "side"
    )
    found = [
        {one["low"]: one["passes"] for one in rows(figure)[0] if one["passes"]}
        for figure in (left, right)
    ]
    assert (left["title"], right["title"]) == ("left", "right")
    assert found == [{0.5: 1, 0.85: 1, 0.9: 1, 0.95: 1}, {0: 3, 0.5: 1}]
    assert all(len(rows(figure)[0]) == 20 for figure in (left, right))
    tops = [figure["layer"][0]["encoding"]["y"]["scale"] for figure in (left, right)]
    assert tops == [{"domain": [0, 3]}] * 2
    assert rows(left)[1] == [{"label": "left", "mean": 0.82}]


def test_histogram_of_a_value() -> None:
    """A value's histogram spans its passes and names target and unit."""
    (figure,) = histograms(value([10.0, 10.5, 20.0]), "side")
    bars = rows(figure)[0]
    assert (bars[0]["low"], bars[-1]["high"]) == (10, 20)
    assert [one["passes"] for one in bars] == [1, 1, *[0] * 17, 1]
    assert figure["layer"][0]["encoding"]["x"]["axis"]["title"] == "side (mm)"


def test_passes_that_all_agree_have_a_figure() -> None:
    """Passes without any spread make a figure of one height, and one bar."""
    prediction = value([7.0] * 5)
    assert {one["value"] for one in rows(made(prediction))[1]} == {7.0}
    (figure,) = histograms(prediction, "side")
    assert [one["passes"] for one in rows(figure)[0] if one["passes"]] == [5]


@pytest.mark.parametrize(
    "prediction",
    [
        ClassPrediction("a", 0.9, {"a": 0.9, "b": 0.1}, ClassUncertainty(entropy=0.3), []),
        ClassPrediction("a", None, None, ClassUncertainty(), []),
        ClassPrediction("a", 0.9, {"a": 0.9, "b": 0.1}, ClassUncertainty(
            intervals={"a": (0.8, 1), "b": (0, 0.2)}, interval_level=0.9, samples=9), []),
        ValuePrediction(3.0, None, ValueUncertainty(), []),
        ValuePrediction(3.0, None, ValueUncertainty(
            std=1, interval=(2, 4), interval_level=0.9, samples=9), []),
    ],
    ids=["single", "ungraded", "no samples", "single value", "value without samples"],
)  # fmt: skip
def test_without_samples_there_is_no_figure(
    prediction: ClassPrediction | ValuePrediction,
) -> None:
    """A single answer, or passes that were not asked for, make no figure."""
    assert (spread(prediction, "side"), histograms(prediction, "side")) == (None, [])


def test_figures_are_plain_data() -> None:
    """A specification is what JSON can hold, without a number that is none."""
    prediction = classes({"left": LEFT, "right": [1 - one for one in LEFT]})
    for figure in (made(prediction), *histograms(prediction, "side"), made(value([1.0, 2.0]))):
        assert json.loads(json.dumps(figure, allow_nan=False)) == figure


@pytest.mark.parametrize(
    ("number", "spread", "digits"),
    [
        (1132.55, 0.53, 6), (1132.55, 53, 4), (12.3456, 0.25, 4), (0.5, 0.0001, 5),
        (0, 1, 4), (3, None, 4), (3, 0, 4), (1e9, 1e-9, 15),
    ],
)  # fmt: skip
def test_significant_digits(number: float, spread: float | None, digits: int) -> None:
    """Two digits of the spread are told, at least 4 of the number and no more than there are."""
    assert significant_digits(number, spread) == digits


@pytest.mark.parametrize("passes", [[1e30] * 30, [0.0] * 30, [-1e300, *[0.0] * 28, 1e300]])
def test_values_of_any_size_have_a_figure(passes: list[float]) -> None:
    """Passes that all agree on a large number, or span more than can be computed, are drawn."""
    for figure in (spread(value(passes), "mass"), *histograms(value(passes), "mass")):
        assert json.loads(json.dumps(figure, allow_nan=False)) == figure
