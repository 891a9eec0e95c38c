"""What every model says of one input, side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import log
from typing import NamedTuple

from podium.app import App
from podium.charts import widened
from podium.prediction import Answer, ClassPrediction, Interval, ValuePrediction
from podium.rounding import level_percent, percent
from podium.web.page.answer import cautions, title_of
from podium.web.problem import Problem
from podium.web.words import (
    BEHIND,
    NOT_KNOWN,
    between,
    covered_by,
    deviation,
    measure,
    small,
    value_words,
)

Outcome = tuple[str, Answer | Problem]
"""A model's name, and its answer or what went wrong."""


class Track(NamedTuple):
    """Where along a row its mark and the interval around it lie, from 0 to 1."""

    mark: float
    interval: Interval | None


class RowView(NamedTuple):
    """One model's answer, or the `problem` for which it gave none.

    `covered` is what its prediction set or interval holds, "" where it is not calibrated; the
    `numbers` stand under the comparison's heads.
    """

    model: str
    headline: str = ""
    percent: str = ""
    track: Track | None = None
    covered: str = ""
    level: str = ""
    numbers: tuple[str, ...] = ()
    problem: str = ""


class ComparedView(NamedTuple):
    """The answers of all models, in a sentence whether they agree, and how to read the table."""

    sentence: str
    agree: bool
    heads: tuple[str, ...]
    rows: tuple[RowView, ...]
    warnings: tuple[tuple[str, str], ...]
    note: str

    @property
    def level(self) -> str:
        """The confidence level of every prediction set or interval; "" where they differ."""
        levels = {row.level for row in self.rows if row.covered}
        return levels.pop() if len(levels) == 1 else ""

    @property
    def calibrated(self) -> bool:
        """Whether any model has a prediction set or interval."""
        return any(row.covered for row in self.rows)


def compared_view(app: App, outcomes: Sequence[Outcome]) -> ComparedView:
    """Return each model's first prediction as a row; at least one model answered."""
    answers = [answer for _, answer in outcomes if not isinstance(answer, Problem)]
    values: list[ValuePrediction] = []
    classes: list[ClassPrediction] = []
    for answer in answers:
        prediction = answer.predictions[0]
        if isinstance(prediction, ValuePrediction):
            values.append(prediction)
        else:
            classes.append(prediction)
    sentence, agree = _values_agree(values) if values else _classes_agree(classes)
    missing = len(outcomes) - len(answers)
    heads = ("Standard deviation", "Noise in the data") if values else ("Entropy",)
    return ComparedView(
        sentence + (f" {missing} of {len(outcomes)} gave no answer." if missing else ""),
        agree,
        (*heads, "Not yet learned"),
        tuple(_row(app, outcome, _scale(values)) for outcome in outcomes),
        _warnings(app, answers),
        _value_note() if values else _class_note(classes, len(app.signature.labels)),
    )


def _class_note(predictions: Sequence[ClassPrediction], classes: int) -> str:
    levels = {
        one.uncertainty.interval_level for one in predictions if one.uncertainty.interval_level
    }
    line = ""
    if levels:
        share = level_percent(max(levels)) if len(levels) == 1 else "most"
        line = f"The thin line spans {share} of a model's {BEHIND}, roughly so where they are few. "
    return (
        f"{line}Entropy is 0 when a model is sure and higher "
        f"when its probabilities are spread out, at most {log(classes):.2f} (nats). What it has "
        f"not yet learned (epistemic) shows in {BEHIND} that disagree; a model that gives one "
        "answer cannot know it."
    )


def _value_note() -> str:
    return (
        "The line is the value, the band its prediction interval; without one, where a model's "
        f"{BEHIND} lie or the model itself expects the value. Noise in the data (aleatoric) and "
        "what is not yet learned (epistemic) are standard deviations, too; the first one is made "
        "of those parts that are known."
    )


def _warnings(app: App, answers: Sequence[Answer]) -> tuple[tuple[str, str], ...]:
    """Return what to know of the input once, and of a single answer with its model's name."""
    told: dict[tuple[str, str], list[str]] = {}
    for answer in answers:
        for caution in cautions(app, answer.predictions[0]):
            told.setdefault(caution, []).append(title_of(app, answer.model))
    return tuple(
        (about if len(models) == len(answers) else f"{', '.join(models)}: {about}", message)
        for (about, message), models in told.items()
    )


def _row(app: App, outcome: Outcome, scale: Interval) -> RowView:
    name, answer = outcome
    model = title_of(app, name)
    if isinstance(answer, Problem):
        return RowView(model, problem=answer.detail)
    prediction = answer.predictions[0]
    if isinstance(prediction, ValuePrediction):
        row = _value_row(model, prediction, scale)
    else:
        row = _class_row(model, prediction)
    level = prediction.uncertainty.confidence_level
    covered = covered_by(prediction, len(app.signature.labels))
    return row._replace(covered=covered, level=level_percent(level) if level and covered else "")


def _class_row(model: str, prediction: ClassPrediction) -> RowView:
    certainty, share = prediction.uncertainty, prediction.probability
    interval = (certainty.intervals or {}).get(prediction.label)
    numbers = (_number(certainty.entropy), _number(certainty.epistemic))
    if share is None:
        return RowView(model, prediction.label, "no probability", numbers=numbers)
    return RowView(model, prediction.label, percent(share), Track(share, interval), numbers=numbers)


def _value_row(model: str, prediction: ValuePrediction, scale: Interval) -> RowView:
    certainty = prediction.uncertainty
    interval = _interval(prediction)
    low, high = scale
    track = Track(
        (prediction.value - low) / (high - low),
        ((interval[0] - low) / (high - low), (interval[1] - low) / (high - low))
        if interval
        else None,
    )
    std = None if certainty.std is None else measure(certainty.std, None, prediction.unit)
    parts = (certainty.aleatoric, certainty.epistemic)
    numbers = (std, *(deviation(part, prediction.unit) for part in parts))
    return RowView(model, value_words(prediction), track=track,
                   numbers=tuple(number or NOT_KNOWN for number in numbers))  # fmt: skip


def _number(value: float | None) -> str:
    return NOT_KNOWN if value is None else small(value)


def _classes_agree(predictions: Sequence[ClassPrediction]) -> tuple[str, bool]:
    said = Counter(prediction.label for prediction in predictions).most_common()
    if len(said) == 1:
        label, count = said[0]
        return f"{_all(count)} {label}.", True
    parts = [f"{count} {'says' if count == 1 else 'say'} {label}" for label, count in said]
    return f"The models disagree: {', '.join(parts)}.", False


def _values_agree(predictions: Sequence[ValuePrediction]) -> tuple[str, bool]:
    """Return what the values span; models whose intervals do not all overlap disagree."""
    values = [prediction.value for prediction in predictions]
    unit = predictions[0].unit
    if min(values) == max(values):
        return (
            f"{_all(len(values))} {measure(values[0], predictions[0].uncertainty.std, unit)}.",
            True,
        )
    said = f"The models say {between((min(values), max(values)), unit)}"
    known = [interval for one in predictions if (interval := _interval(one))]
    if known and max(low for low, _ in known) > min(high for _, high in known):
        return f"{said}, and disagree: their intervals do not all overlap.", False
    return f"{said}.", True


def _all(count: int) -> str:
    return {1: "One model says", 2: "Both models say"}.get(count, f"All {count} models say")


def _interval(prediction: ValuePrediction) -> Interval | None:
    """Return a value's calibrated interval, else the one that its model tells."""
    return prediction.uncertainty.prediction_interval or prediction.uncertainty.interval


def _scale(values: Sequence[ValuePrediction]) -> Interval:
    """Return from where to where all values and their intervals lie."""
    ends = [end for one in values for end in (one.value, *(_interval(one) or ()))]
    low, high = min(ends, default=0.0), max(ends, default=1.0)
    return widened(low, high)
