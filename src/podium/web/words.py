"""Numbers and answers in words."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, log10, sqrt
from typing import Final

from podium.charts import FEW, significant_digits
from podium.prediction import ClassPrediction, Interval, Prediction, ValuePrediction
from podium.rounding import level_percent

NOTHING: Final = "no class"
NAMED: Final = 8
"""How many labels of a prediction set are named, before the rest is counted."""
NOT_KNOWN: Final = "not known"
BEHIND: Final = "passes or members"
"""What gave the many answers behind one: a stochastic model's passes, or an ensemble's members."""
_EMPTY: Final = {
    "lac": "the model is surer of most cases it was checked on than of this one",
    "aps": "the model is sure of one, which chance left out",
}


def coverage(prediction: Prediction, classes: int, method: str = "lac") -> str:
    """Return a calibrated answer's prediction set or interval in a sentence; "" without one.

    `classes` is how many there are in all; `method` made the set, and tells why it may be empty.
    """
    level, covered = prediction.uncertainty.confidence_level, covered_by(prediction, classes)
    if level is None or not covered:
        return ""
    if covered == NOTHING and isinstance(prediction, ClassPrediction):
        return (f"No class fits at {level_percent(level)} confidence: {_EMPTY[method]}. "
                f"{prediction.label} is still the likeliest.")  # fmt: skip
    alone = isinstance(prediction, ClassPrediction) and prediction.uncertainty.prediction_set == [
        covered
    ]
    return f"With {level_percent(level)} confidence{':' if alone else ''} {covered}"


def covered_by(prediction: Prediction, classes: int) -> str:
    """Return what a prediction set or interval holds, in words; "" without one."""
    if isinstance(prediction, ValuePrediction):
        interval = prediction.uncertainty.prediction_interval
        return between(interval, prediction.unit, form_of(prediction)) if interval else ""
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
    certainty = prediction.uncertainty
    if certainty.interval is None or certainty.interval_level is None:
        return ""
    where = between(certainty.interval, prediction.unit, form_of(prediction))
    share = level_percent(certainty.interval_level)
    if certainty.samples is None or certainty.aleatoric is not None:
        return f"The model itself expects {share} of values {where}"
    if certainty.samples < FEW:
        return f"The {certainty.samples} {BEHIND} lie roughly {where}"
    return f"{share} of the {BEHIND} lie {where}"


def between(interval: Interval, unit: str | None, form: str | None = None) -> str:
    """Return an interval in words, with its unit; `form` as `number_form` returns it."""
    form = form or number_form(interval, interval[1] - interval[0])
    low, high = (f"{end:{form}}" for end in interval)
    return f"between {low} and {high}{f' {unit}' if unit else ''}"


def measure(value: float, spread: float | None, unit: str | None = None) -> str:
    """Return a value with its unit, as precisely as its spread asks for."""
    return f"{value:{number_form([value], spread)}}{f' {unit}' if unit else ''}"


def value_words(prediction: ValuePrediction) -> str:
    """Return a value with its unit, as precisely as its intervals are told."""
    unit = f" {prediction.unit}" if prediction.unit else ""
    return f"{prediction.value:{form_of(prediction)}}{unit}"


def deviation(variance: float | None, unit: str | None) -> str | None:
    """Return the standard deviation of a variance with its unit; None where it is not known."""
    return None if variance is None else measure(sqrt(variance), None, unit)


def form_of(prediction: ValuePrediction) -> str:
    """Return the one form in which a value and the ends of its intervals are written."""
    known = prediction.uncertainty
    ends = [*(known.interval or ()), *(known.prediction_interval or ())]
    width = max(ends) - min(ends) if ends else None
    return number_form([prediction.value, *ends], known.std or width)


def number_form(numbers: Sequence[float], spread: float | None) -> str:
    """Return the form of numbers that stand side by side: equally many decimals for all.

    The largest has the digits that its spread asks for; zeros in which all end are left out.
    """
    largest = max(map(abs, numbers))
    digits = significant_digits(largest, spread)
    size = floor(log10(largest)) if largest else 0
    if not -4 <= size < 6:
        return f".{digits}g"
    decimals = max(0, digits - 1 - size)
    while decimals and all(f"{number:.{decimals}f}".endswith("0") for number in numbers):
        decimals -= 1
    return f".{decimals}f"


def small(value: float) -> str:
    """Return an entropy or a part of one in nats; never 0 for what is not."""
    return "< 0.001" if 0 < value < 0.001 else f"{value:.3f}"


def listed(labels: Sequence[str]) -> str:
    """Return labels as a list, the last of many only counted."""
    more = len(labels) - NAMED
    return ", ".join(labels[:NAMED]) + (f" and {more} more" if more > 0 else "")


def likelihood(probability: float) -> str:
    """Return a probability in words, on the scale of the IPCC's guidance note (2010)."""
    scale = ((0.99, "virtually certain"), (0.9, "very likely"), (0.66, "likely"),
             (0.5, "more likely than not"))  # fmt: skip
    return next((words for least, words in scale if probability >= least), "uncertain")


def spaced(name: str) -> str:
    """Return a name of a table's column as words."""
    return name.replace("_", " ")


def capitalised(name: str) -> str:
    """Return a name as words that begin a sentence."""
    words = spaced(name)
    return words[:1].upper() + words[1:]
