"""What every model says of one input, side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import log
from typing import NamedTuple

from flask_babel import gettext as _
from flask_babel import ngettext

from podium.app import App
from podium.charts import widened
from podium.prediction import Answer, ClassPrediction, Interval, ValuePrediction
from podium.rounding import level_percent, percent
from podium.web.page.answer import CautionView, cautions, outside_words, title_of
from podium.web.problem import Problem
from podium.web.words import (
    VERY_LIKELY,
    covered_by,
    deviation,
    form_of,
    likelihood,
    measure,
    not_known,
    small,
    value_words,
    without_keys,
    written_ends,
)

Outcome = tuple[str, Answer | Problem]
"""A model's name, and its answer or what went wrong."""


class Track(NamedTuple):
    """Where along a row its mark and the interval around it lie, from 0 to 1."""

    mark: float
    interval: Interval | None


class _Scale(NamedTuple):
    """From where to where the values and their intervals lie, and how they are written."""

    low: float
    high: float
    form: str


class RowView(NamedTuple):
    """One model's answer, or the `problem` for which it gave none.

    `covered` is what its prediction set or interval holds, "" where it is not calibrated; the
    `numbers` stand under the comparison's heads. `name` is the model's, `model` its title;
    `differs` says that most models answer otherwise, `words` how likely its answer is.
    """

    name: str
    model: str
    headline: str = ""
    percent: str = ""
    track: Track | None = None
    covered: str = ""
    level: str = ""
    numbers: tuple[str, ...] = ()
    problem: str = ""
    differs: bool = False
    words: str = ""


class ComparedView(NamedTuple):
    """The answers of all models, in a sentence whether they agree, and how to read the table."""

    sentence: str
    agree: bool
    heads: tuple[str, ...]
    rows: tuple[RowView, ...]
    warnings: tuple[CautionView, ...]
    note: str

    @property
    def level(self) -> str:
        """The confidence level of every prediction set or interval; "" where they differ."""
        levels = {row.level for row in self.rows if row.covered}
        return levels.pop() if len(levels) == 1 else ""

    @property
    def outside(self) -> str:
        """What the answers are worth where the input lies outside the training data; else ""."""
        return outside_words(self.warnings, value=not any(row.percent for row in self.rows))

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
    usual, form = _usual(classes), form_of(*values) if values else ""
    sentence, agree = _values_agree(values, form) if values else _classes_agree(classes)
    missing = len(outcomes) - len(answers)
    if missing:
        sentence = _("%(said)s %(missing)s of %(count)s gave no answer.",
                     said=sentence, missing=missing, count=len(outcomes))  # fmt: skip
    heads = (_("Standard deviation"), _("Noise in the data")) if values else (_("Entropy"),)
    return ComparedView(
        sentence,
        agree,
        (*heads, _("Not yet learned")),
        tuple(_row(app, outcome, _Scale(*_span(values), form), usual) for outcome in outcomes),
        _warnings(app, answers),
        _value_note() if values else _class_note(classes, len(app.signature.labels)),
    )


def _usual(predictions: Sequence[ClassPrediction]) -> str | None:
    """Return the label that more models give than any other; None where there is no such one."""
    said = [*Counter(one.label for one in predictions).most_common(2), ("", 0), ("", 0)]
    return said[0][0] if said[0][1] > said[1][1] else None


def _class_note(predictions: Sequence[ClassPrediction], classes: int) -> str:
    levels = {
        one.uncertainty.interval_level for one in predictions if one.uncertainty.interval_level
    }
    note = _("Entropy is 0 when a model is sure and higher when its probabilities are spread out, "
             "at most %(most)s (nats). What it has not yet learned (epistemic) shows in single "
             "answers that disagree; a model that gives one answer cannot know it.",
             most=f"{log(classes):.2f}")  # fmt: skip
    if not levels:
        return note
    if len(levels) > 1:
        line = _("The thin line spans most of a model's single answers, roughly so where they "
                 "are few.")  # fmt: skip
    else:
        line = _("The thin line spans %(share)s of a model's single answers, roughly so where "
                 "they are few.", share=level_percent(max(levels)))  # fmt: skip
    return f"{line} {note}"


def _value_note() -> str:
    return _(
        "The line is the value, the band its prediction interval; without one, where a model's "
        "single answers lie or the model itself expects the value. Noise in the data "
        "(aleatoric) and what is not yet learned (epistemic) are standard deviations, too; the "
        "first one is made of those parts that are known."
    )


def _warnings(app: App, answers: Sequence[Answer]) -> tuple[CautionView, ...]:
    """Return what to know of the input once, and of a single answer with its model's name."""
    told: dict[CautionView, list[str]] = {}
    for answer in answers:
        for caution in cautions(app, answer.predictions[0]):
            told.setdefault(caution, []).append(title_of(app, answer.model))
    return tuple(
        caution if len(models) == len(answers)
        else caution._replace(name=f"{', '.join(models)}: {caution.name}")
        for caution, models in told.items()
    )  # fmt: skip


def _row(app: App, outcome: Outcome, scale: _Scale, usual: str | None) -> RowView:
    name, answer = outcome
    row = RowView(name, title_of(app, name))
    if isinstance(answer, Problem):
        return row._replace(problem=without_keys(answer.detail))
    prediction = answer.predictions[0]
    if isinstance(prediction, ValuePrediction):
        row = _value_row(row, prediction, scale)
    else:
        differs = usual is not None and prediction.label != usual
        row = _class_row(row, prediction)._replace(differs=differs)
    level = prediction.uncertainty.confidence_level
    covered = covered_by(prediction, len(app.signature.labels), scale.form)
    return row._replace(covered=covered, level=level_percent(level) if level and covered else "")


def _class_row(row: RowView, prediction: ClassPrediction) -> RowView:
    certainty, share = prediction.uncertainty, prediction.probability
    interval = (certainty.intervals or {}).get(prediction.label)
    numbers = (_number(certainty.entropy), _number(certainty.epistemic))
    row = row._replace(headline=prediction.label, numbers=numbers)
    if share is None:
        return row._replace(percent=_("no probability"))
    return row._replace(percent=percent(share), words=likelihood(share),
                        track=Track(share, interval))  # fmt: skip


def _value_row(row: RowView, prediction: ValuePrediction, scale: _Scale) -> RowView:
    certainty = prediction.uncertainty
    interval = _interval(prediction)
    low, high, form = scale
    track = Track(
        (prediction.value - low) / (high - low),
        ((interval[0] - low) / (high - low), (interval[1] - low) / (high - low))
        if interval
        else None,
    )
    std = None if certainty.std is None else measure(certainty.std, None, prediction.unit)
    parts = (certainty.aleatoric, certainty.epistemic)
    numbers = (std, *(deviation(part, prediction.unit) for part in parts))
    return row._replace(headline=value_words(prediction, form), track=track,
                        numbers=tuple(number or not_known() for number in numbers))  # fmt: skip


def _number(value: float | None) -> str:
    return not_known() if value is None else small(value)


def _classes_agree(predictions: Sequence[ClassPrediction]) -> tuple[str, bool]:
    said = Counter(prediction.label for prediction in predictions).most_common()
    if len(said) == 1:
        label, count = said[0]
        return " ".join([_all_say(label, count), *_unsure(predictions)]), True
    parts = [
        ngettext("%(num)s says %(label)s", "%(num)s say %(label)s", count, label=label)
        for label, count in said
    ]
    return _("The models disagree: %(who)s.", who=", ".join(parts)), False


def _unsure(predictions: Sequence[ClassPrediction]) -> list[str]:
    """Return in a sentence that most of several models are less than very sure, if they are."""
    shares = [one.probability for one in predictions if one.probability is not None]
    count = sum(share < VERY_LIKELY for share in shares)
    if len(predictions) < 2 or 2 * count <= len(predictions):
        return []
    return [_("%(count)s of them give it less than %(level)s.",
              count=count, level=level_percent(VERY_LIKELY))]  # fmt: skip


def _values_agree(predictions: Sequence[ValuePrediction], form: str) -> tuple[str, bool]:
    """Return what the values span; models whose intervals do not all overlap disagree."""
    values = [prediction.value for prediction in predictions]
    unit = predictions[0].unit
    if len({value_words(one, form) for one in predictions}) == 1:
        return _all_say(value_words(predictions[0], form), len(values)), True
    where = written_ends((min(values), max(values)), unit, form)
    known = [interval for one in predictions if (interval := _interval(one))]
    if known and max(low for low, _high in known) > min(high for _low, high in known):
        return _("The models say between %(low)s and %(high)s, and disagree: their intervals do "
                 "not all overlap.", **where), False  # fmt: skip
    return _("The models say between %(low)s and %(high)s.", **where), True


def _all_say(answer: str, count: int) -> str:
    if count == 1:
        return _("One model says %(answer)s.", answer=answer)
    if count == 2:
        return _("Both models say %(answer)s.", answer=answer)
    return _("All %(count)s models say %(answer)s.", count=count, answer=answer)


def _interval(prediction: ValuePrediction) -> Interval | None:
    """Return a value's calibrated interval, else the one that its model tells."""
    return prediction.uncertainty.prediction_interval or prediction.uncertainty.interval


def _span(values: Sequence[ValuePrediction]) -> Interval:
    """Return from where to where all values and their intervals lie."""
    ends = [end for one in values for end in (one.value, *(_interval(one) or ()))]
    low, high = min(ends, default=0.0), max(ends, default=1.0)
    return widened(low, high)
