"""Numbers and answers in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from podium.charts import significant_digits
from podium.prediction import ClassPrediction, Interval, Prediction, ValuePrediction

NOTHING: Final = "no class"
NAMED: Final = 8
"""How many labels of a prediction set are named, before the rest is counted."""


def coverage(prediction: Prediction, classes: int) -> str:
    """Return a calibrated answer's prediction set or interval in a sentence; "" without one.

    `classes` is how many there are in all.
    """
    level, covered = prediction.uncertainty.confidence_level, covered_by(prediction, classes)
    if level is None or not covered:
        return ""
    if covered == NOTHING:
        return f"{NOTHING} fits at {level_percent(level)} confidence".capitalize()
    alone = isinstance(prediction, ClassPrediction) and prediction.uncertainty.prediction_set == [
        covered
    ]
    return f"With {level_percent(level)} confidence{':' if alone else ''} {covered}"


def covered_by(prediction: Prediction, classes: int) -> str:
    """Return what a prediction set or interval holds, in words; "" without one."""
    if isinstance(prediction, ValuePrediction):
        interval = prediction.uncertainty.prediction_interval
        return between(interval, prediction.unit) if interval else ""
    labels = prediction.uncertainty.prediction_set
    if labels is None:
        return ""
    if len(labels) < 2:
        return labels[0] if labels else NOTHING
    return (
        f"any of the {classes} classes" if len(labels) == classes else f"one of: {listed(labels)}"
    )


def value_spread(prediction: ValuePrediction) -> str:
    """Return in words where a value's passes lie, or where the model expects it; "" if unknown."""
    interval, level = prediction.uncertainty.interval, prediction.uncertainty.interval_level
    if interval is None or level is None:
        return ""
    of = "of the passes lie" if prediction.uncertainty.aleatoric is None else "expected"
    return f"{level_percent(level)} {of} {between(interval, prediction.unit)}"


def between(interval: Interval, unit: str | None) -> str:
    """Return an interval in words, with its unit."""
    low, high = (measure(end, interval[1] - interval[0]) for end in interval)
    return f"between {low} and {high}{f' {unit}' if unit else ''}"


def measure(value: float, spread: float | None, unit: str | None = None) -> str:
    """Return a value with its unit, as precisely as its spread asks for."""
    return f"{value:.{significant_digits(value, spread)}g}{f' {unit}' if unit else ''}"


def listed(labels: Sequence[str]) -> str:
    """Return labels as a list, the last of many only counted."""
    more = len(labels) - NAMED
    return ", ".join(labels[:NAMED]) + (f" and {more} more" if more > 0 else "")


def percent(share: float) -> str:
    """Return a share in percent; never 0 or 100 for what is neither."""
    if 0 < share < 0.001:
        return "< 0.1%"
    if 0.999 < share < 1:
        return "> 99.9%"
    return f"{share:.1%}"


def likelihood(probability: float) -> str:
    """Return a probability in words, on the scale of the IPCC's guidance note (2010)."""
    scale = ((0.99, "virtually certain"), (0.9, "very likely"), (0.66, "likely"),
             (0.5, "more likely than not"))  # fmt: skip
    return next((words for least, words in scale if probability >= least), "uncertain")


def level_percent(share: float) -> str:
    """Return a level in percent, as many digits as were asked for."""
    return f"{100 * share:.6g}%"


def spaced(name: str) -> str:
    """Return a name of a table's column as words."""
    return name.replace("_", " ")


def capitalised(name: str) -> str:
    """Return a name as words that begin a sentence."""
    words = spaced(name)
    return words[:1].upper() + words[1:]
