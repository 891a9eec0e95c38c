"""Numbers and answers in words."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, log10, sqrt
from typing import Final

from flask_babel import gettext as _
from flask_babel import ngettext

from podium.charts import FEW, significant_digits
from podium.prediction import ClassPrediction, Interval, Prediction, ValuePrediction
from podium.rounding import level_percent

NAMED: Final = 8
"""How many labels of a prediction set are named, before the rest is counted."""
LIKELY: Final = 0.66
"""From which probability on a class is called likely (IPCC 2010), and needs no second look."""
_RIVAL: Final = 3
"""A class is a rival of the likeliest one, if it is at least one so-many-th as probable."""


def coverage(prediction: Prediction, classes: int, method: str = "lac") -> str:
    """Return a calibrated answer's prediction set or interval in a sentence; "" without one.

    `classes` is how many there are in all; `method` made the set, and tells why it may be empty.
    """
    level = level_percent(prediction.uncertainty.confidence_level or 0)
    if isinstance(prediction, ValuePrediction):
        interval = prediction.uncertainty.prediction_interval
        if interval is None:
            return ""
        return _("With %(level)s confidence between %(low)s and %(high)s",
                 level=level, **ends(prediction, interval))  # fmt: skip
    labels = prediction.uncertainty.prediction_set
    if labels is None:
        return ""
    if not labels:
        return _no_class(prediction.label, level, method)
    if len(labels) == 1:
        return _("With %(level)s confidence: %(label)s", level=level, label=labels[0])
    if len(labels) == classes:
        return _("With %(level)s confidence any of the %(count)s classes",
                 level=level, count=classes)  # fmt: skip
    return _("With %(level)s confidence one of: %(labels)s", level=level, labels=listed(labels))


def _no_class(label: str, level: str, method: str) -> str:
    if method == "aps":
        return _("No class fits at %(level)s confidence: the model is sure of one, which chance "
                 "left out. %(label)s is still the likeliest.",
                 level=level, label=label)  # fmt: skip
    return _("No class fits at %(level)s confidence: the model is surer of most cases it was "
             "checked on than of this one. %(label)s is still the likeliest.",
             level=level, label=label)  # fmt: skip


def covered_by(prediction: Prediction, classes: int) -> str:
    """Return what a prediction set or interval holds, in words; "" without one."""
    if isinstance(prediction, ValuePrediction):
        interval = prediction.uncertainty.prediction_interval
        if interval is None:
            return ""
        return _("between %(low)s and %(high)s", **ends(prediction, interval))
    labels = prediction.uncertainty.prediction_set
    if labels is None:
        return ""
    if len(labels) < 2:
        return labels[0] if labels else _("no class")
    if len(labels) == classes:
        return _("any of the %(count)s classes", count=classes)
    return _("one of: %(labels)s", labels=listed(labels))


def hesitation(prediction: ClassPrediction) -> str:
    """Return what to keep in mind where a model is not sure of its class; "" where it is.

    It tells what the model itself says, and holds whether or not it is calibrated.
    """
    best, covered = prediction.probability, prediction.uncertainty.prediction_set or []
    if best is None or (best >= LIKELY and len(covered) < 2):
        return ""
    if best >= LIKELY:
        others = [label for label in covered if label != prediction.label]
        return _("Do not rely on this answer alone: %(labels)s cannot be ruled out.",
                 labels=listed(others))  # fmt: skip
    shares = prediction.probabilities or {}
    rivals = [label for label, share in shares.items() if share * _RIVAL >= best]
    if len(rivals) < 2:
        return _("Do not rely on this answer alone: the model is not sure of it, though no other "
                 "class comes close.")  # fmt: skip
    if len(rivals) == 2:
        return _("Do not rely on this answer alone: the model hesitates between %(first)s and "
                 "%(second)s.", first=rivals[0], second=rivals[1])  # fmt: skip
    if len(rivals) == 3:
        return _("Do not rely on this answer alone: the model hesitates between %(first)s, "
                 "%(second)s and %(third)s.",
                 first=rivals[0], second=rivals[1], third=rivals[2])  # fmt: skip
    return _("Do not rely on this answer alone: the model hesitates between many classes.")


def value_spread(prediction: ValuePrediction) -> str:
    """Return in words where a value's passes lie, or where the model expects it; "" if unknown."""
    certainty = prediction.uncertainty
    if certainty.interval is None or certainty.interval_level is None:
        return ""
    where = ends(prediction, certainty.interval)
    share = level_percent(certainty.interval_level)
    if certainty.samples is None or certainty.aleatoric is not None:
        return _("The model itself expects %(share)s of values between %(low)s and %(high)s",
                 share=share, **where)  # fmt: skip
    if certainty.samples < FEW:
        return _("The %(count)s passes or members lie roughly between %(low)s and %(high)s",
                 count=certainty.samples, **where)  # fmt: skip
    return _("%(share)s of the passes or members lie between %(low)s and %(high)s",
             share=share, **where)  # fmt: skip


def ends(prediction: ValuePrediction, interval: Interval) -> dict[str, str]:
    """Return an interval's ends, written like its value: `low`, and `high` with the unit."""
    form = form_of(prediction)
    return written_ends(interval, prediction.unit, form)


def written_ends(interval: Interval, unit: str | None, form: str | None = None) -> dict[str, str]:
    """Return an interval's ends: `low`, and `high` with the unit; `form` as of `number_form`."""
    form = form or number_form(interval, interval[1] - interval[0])
    low, high = (f"{end:{form}}" for end in interval)
    return {"low": low, "high": _with_unit(high, unit)}


def not_known() -> str:
    """Return what stands for a number that a model cannot know."""
    return _("not known")


def measure(value: float, spread: float | None, unit: str | None = None) -> str:
    """Return a value with its unit, as precisely as its spread asks for."""
    return _with_unit(f"{value:{number_form([value], spread)}}", unit)


def value_words(prediction: ValuePrediction) -> str:
    """Return a value with its unit, as precisely as its intervals are told."""
    return _with_unit(f"{prediction.value:{form_of(prediction)}}", prediction.unit)


def _with_unit(number: str, unit: str | None) -> str:
    return f"{number} {unit}" if unit else number


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
    named, more = ", ".join(labels[:NAMED]), len(labels) - NAMED
    if more <= 0:
        return named
    return ngettext("%(labels)s and %(num)s more", "%(labels)s and %(num)s more", more,
                    labels=named)  # fmt: skip


def likelihood(probability: float) -> str:
    """Return a probability in words, on the scale of the IPCC's guidance note (2010)."""
    if probability >= 0.99:
        return _("virtually certain")
    if probability >= 0.9:
        return _("very likely")
    if probability >= LIKELY:
        return _("likely")
    return _("more likely than not") if probability >= 0.5 else _("uncertain")


def spaced(name: str) -> str:
    """Return a name of a table's column as words."""
    return name.replace("_", " ")


def capitalised(name: str) -> str:
    """Return a name as words that begin a sentence."""
    words = spaced(name)
    return words[:1].upper() + words[1:]
