"""Numbers and answers in words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from math import floor, log10, sqrt
from typing import Final

from flask_babel import format_datetime, ngettext
from flask_babel import gettext as _

from podium.charts import FEW, significant_digits
from podium.prediction import ClassPrediction, Interval, Prediction, ValuePrediction
from podium.rounding import level_percent
from podium.web.language import translated

NAMED: Final = 8
"""How many labels of a prediction set are named, before the rest is counted."""
LIKELY: Final = 0.66
"""From which probability on a class is called likely (IPCC 2010)."""
VERY_LIKELY: Final = 0.9
"""From which probability on a class is called very likely (IPCC 2010)."""
_WRITTEN_OUT: Final = (1e6, 1e15)
"""From where to where a value without a spread is written with all its digits before the point."""
_KEY: Final = re.compile(r" \(\[\w+\] \w+[^()]*\)")
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


def covered_by(prediction: Prediction, classes: int, form: str | None = None) -> str:
    """Return what a prediction set or interval holds, in words; "" without one.

    `form` is that of an interval's ends; without it they are written like the value.
    """
    if isinstance(prediction, ValuePrediction):
        interval = prediction.uncertainty.prediction_interval
        if interval is None:
            return ""
        return _("between %(low)s and %(high)s", **ends(prediction, interval, form))
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
    if best is None:
        return ""
    if best >= LIKELY and len(covered) > 1:
        others = [label for label in covered if label != prediction.label]
        return _("Do not rely on this answer alone: %(labels)s cannot be ruled out.",
                 labels=listed(others))  # fmt: skip
    if best >= LIKELY:
        return _disagreement(prediction, best)
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


def _disagreement(prediction: ClassPrediction, best: float) -> str:
    """Return what to keep in mind where single answers favour another class; "" where few do.

    Their intervals overlap, and that of the likeliest class reaches below one half. Where that is
    very likely all the same, those that disagree are few, and a forest's trees always do.
    """
    intervals = prediction.uncertainty.intervals or {}
    first, second = [*(prediction.probabilities or {}), "", ""][:2]
    if best >= VERY_LIKELY or not {first, second} <= {*intervals}:
        return ""
    low = intervals[first][0]
    if low >= 0.5 or intervals[second][1] <= low:
        return ""
    return _("Do not rely on this answer alone: the single answers behind it disagree between "
             "%(first)s and %(second)s.", first=first, second=second)  # fmt: skip


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
        return _("The %(count)s single answers lie roughly between %(low)s and %(high)s",
                 count=certainty.samples, **where)  # fmt: skip
    return _("%(share)s of the single answers lie between %(low)s and %(high)s",
             share=share, **where)  # fmt: skip


def ends(
    prediction: ValuePrediction, interval: Interval, form: str | None = None
) -> dict[str, str]:
    """Return an interval's ends, written like its value: `low`, and `high` with the unit."""
    return written_ends(interval, prediction.unit, form or form_of(prediction))


def written_ends(interval: Interval, unit: str | None, form: str) -> dict[str, str]:
    """Return an interval's ends: `low`, and `high` with the unit; `form` as of `number_form`."""
    low, high = (f"{end:{form}}" for end in interval)
    return {"low": low, "high": _with_unit(high, unit)}


def not_known() -> str:
    """Return what stands for a number that a model cannot know."""
    return _("not known")


def measure(value: float, spread: float | None, unit: str | None = None) -> str:
    """Return a value with its unit, as precisely as its spread asks for."""
    return _with_unit(f"{value:{number_form([value], spread)}}", unit)


def value_words(prediction: ValuePrediction, form: str | None = None) -> str:
    """Return a value with its unit, as precisely as its intervals are told."""
    return _with_unit(f"{prediction.value:{form or form_of(prediction)}}", prediction.unit)


def _with_unit(number: str, unit: str | None) -> str:
    return f"{number} {unit}" if unit else number


def deviation(variance: float | None, unit: str | None) -> str | None:
    """Return the standard deviation of a variance with its unit; None where it is not known."""
    return None if variance is None else measure(sqrt(variance), None, unit)


def form_of(*predictions: ValuePrediction) -> str:
    """Return the one form in which values and the ends of their intervals are written.

    The narrowest spread decides. Where none is known, nothing says which digits are too many: a
    value has six of them, and a large one is written out.
    """
    numbers: list[float] = []
    spreads: list[float] = []
    for one in predictions:
        known = one.uncertainty
        ends = [*(known.interval or ()), *(known.prediction_interval or ())]
        numbers += [one.value, *ends]
        spread = known.std or (max(ends) - min(ends) if ends else 0)
        spreads += [spread] if spread else []
    if spreads:
        return number_form(numbers, min(spreads))
    plain = _WRITTEN_OUT[0] <= max(map(abs, numbers)) < _WRITTEN_OUT[1]
    return ",.0f" if plain else number_form(numbers, None, 6)


def number_form(numbers: Sequence[float], spread: float | None, usual: int = 0) -> str:
    """Return the form of numbers that stand side by side: equally many decimals for all.

    The largest has the digits that its spread asks for, `usual` ones if they are more; zeros in
    which all end are left out.
    """
    largest = max(map(abs, numbers))
    digits = max(usual, significant_digits(largest, spread))
    size = floor(log10(largest)) if largest else 0
    if not -4 <= size < 6:
        return f".{digits}g"
    decimals = max(0, digits - 1 - size)
    while decimals and all(f"{number:.{decimals}f}".endswith("0") for number in numbers):
        decimals -= 1
    return f".{decimals}f"


def without_keys(message: str) -> str:
    """Return a message in the page's language, without the key of podium.toml that it names."""
    return _KEY.sub("", translated(message))


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
    if probability >= VERY_LIKELY:
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


def moment(seconds: float) -> str:
    """Return a time in words, such as "23 November 2026, 10:15 UTC"."""
    when = format_datetime(datetime.fromtimestamp(seconds, UTC), "d MMMM y, HH:mm")
    return _("%(when)s UTC", when=when)


def lasting(seconds: float) -> str:
    """Return a time in the largest unit of which it holds two, or one whole."""
    days, hours, minutes = (round(seconds / length) for length in (86400, 3600, 60))
    if seconds >= 2 * 86400 or seconds == 86400:
        return ngettext("%(num)s day", "%(num)s days", days)
    if seconds >= 2 * 3600 or seconds == 3600:
        return ngettext("%(num)s hour", "%(num)s hours", hours)
    if seconds >= 2 * 60 or seconds == 60:
        return ngettext("%(num)s minute", "%(num)s minutes", minutes)
    return ngettext("%(num)s second", "%(num)s seconds", round(seconds))
