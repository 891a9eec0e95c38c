"""One answer in words and numbers for people, as the templates show it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

from flask_babel import gettext as _

from podium.app import App
from podium.pipeline.calibration import Calibration
from podium.prediction import (
    Answer,
    ClassPrediction,
    Interval,
    Prediction,
    ValuePrediction,
    ValueUncertainty,
)
from podium.rounding import level_percent, percent
from podium.web.page.figures import FiguresView, figures_view, interval_note
from podium.web.page.form import Control, controls_of
from podium.web.page.looked import LookedView
from podium.web.words import (
    capitalised,
    coverage,
    deviation,
    ends,
    hesitation,
    likelihood,
    measure,
    not_known,
    small,
    spaced,
    value_spread,
    value_words,
)

MOST_BARS: Final = 100
"""How many classes the page shows at most; the API tells all."""
_FIRST: Final = 5
"""How many of many classes are seen at once; the others unfold."""
_TOLD: Final = frozenset({"prediction_set_empty", "prediction_set_full"})
"""Codes of cautions that say what the page says of the prediction set itself."""


class BarView(NamedTuple):
    """One class's probability, and the interval of its passes as numbers from 0 to 1."""

    label: str
    probability: float
    percent: str
    interval: Interval | None


class BarsView(NamedTuple):
    """The likeliest classes, those that unfold, and of how many `classes` in all."""

    first: tuple[BarView, ...]
    others: tuple[BarView, ...]
    classes: int
    note: str

    @property
    def left_out(self) -> int:
        """How many classes are not shown at all."""
        return self.classes - len(self.first) - len(self.others)


class RangeView(NamedTuple):
    """A value's widest interval as a line of length 1: on it the value, and a narrower interval."""

    mark: float
    inner: Interval | None
    low: str
    high: str


class FactView(NamedTuple):
    """A number about an answer, and what it means."""

    name: str
    value: str
    about: str


class CautionView(NamedTuple):
    """What to know of an answer; `anchor` is the field it is about, "" where there is none.

    `outside` says that the model was trained on no such value.
    """

    name: str
    message: str
    anchor: str = ""
    outside: bool = False


class AnswerView(NamedTuple):
    """One answer in words; `coverage` is empty when the model is not calibrated.

    `verdict` says that the model is not sure, `larger` which part of that is the larger one.
    `aside` is what a calibrated model itself believes, `evidence` what its coverage rests on,
    `name` the model's, `model` its title.
    """

    headline: str
    words: str
    facts: tuple[FactView, ...]
    percent: str = ""
    verdict: str = ""
    larger: str = ""
    bars: BarsView | None = None
    range: RangeView | None = None
    aside: str = ""
    model: str = ""
    version: str = ""
    name: str = ""
    warnings: tuple[CautionView, ...] = ()
    coverage: str = ""
    evidence: str = ""
    figures: FiguresView | None = None
    looked: LookedView | None = None

    @property
    def outside(self) -> str:
        """What the answer is worth where its input lies outside the training data; else ""."""
        return outside_words(self.warnings, value=self.bars is None)

    @property
    def said(self) -> str:
        """What a screen reader says when the answer has come."""
        first = ", ".join(one for one in (self.headline, self.words, self.percent) if one)
        told = (self.outside, self.verdict, self.coverage)
        rest = [f"{one.rstrip('.')}." for one in told if one]
        return " ".join([f"{first}.", *rest])


def outside_words(warnings: Sequence[CautionView], value: bool) -> str:
    """Return what an input is worth that lies outside the training data; "" for any other."""
    if not any(one.outside for one in warnings):
        return ""
    if value:
        return _("This input lies outside what the model was trained on: its value cannot be "
                 "relied on.")  # fmt: skip
    return _("This input lies outside what the model was trained on: its percentages cannot be "
             "relied on.")  # fmt: skip


def answer_view(app: App, answer: Answer) -> AnswerView:
    """Return the first prediction of an answer as the page shows it."""
    prediction = answer.predictions[0]
    classes = len(app.signature.labels)
    shown = _value_view(prediction) if isinstance(prediction, ValuePrediction) else (
        _class_view(prediction, classes)
    )  # fmt: skip
    served = answer.model in app.names  # that of a kept answer may be gone
    calibration = app.kept(answer.model).calibration if served else None
    return shown._replace(
        model=title_of(app, answer.model),
        name=answer.model,
        version=answer.version,
        warnings=cautions(app, prediction),
        coverage=coverage(prediction, classes, calibration.fit.method if calibration else "lac"),
        evidence=_evidence(calibration) if calibration else "",
        larger=_larger(prediction),
        figures=figures_view(prediction, spaced(app.signature.target), _draws(app, answer)),
    )


def _draws(app: App, answer: Answer) -> bool | None:
    """Return whether a model's single answers differ by chance; None where that is not known."""
    if answer.model not in app.names or app.version(answer.model) != answer.version:
        return None
    return app.draws(answer.model)


def _larger(prediction: Prediction) -> str:
    """Return which of its two parts most of an uncertainty is; "" where one is not known."""
    noise, learned = prediction.uncertainty.aleatoric, prediction.uncertainty.epistemic
    if noise is None or learned is None or noise == learned:
        return ""
    if noise > learned:
        return _("Most of the uncertainty comes from the data itself: more training would not end "
                 "it.")  # fmt: skip
    return _("Most of the uncertainty comes from what the model has not yet learned: more training "
             "data like this would lower it.")  # fmt: skip


def cautions(app: App, prediction: Prediction) -> tuple[CautionView, ...]:
    """Return what to know of an answer beside its set, each with what it is about."""
    controls = controls_of(app.signature)
    return tuple(
        CautionView(control.title, one.message, control.id,
                    one.code == "outside_training_range")
        for one in prediction.warnings if one.code not in _TOLD
        for control in [controls.get(one.field, Control("", capitalised(one.field)))]
    )  # fmt: skip


def title_of(app: App, name: str) -> str:
    """Return what people call a model."""
    return {spec.name: spec.title or spec.name for spec in app.spec.models}.get(name, name)


def _evidence(calibration: Calibration) -> str:
    """Return on what a calibration rests, and what it came to."""
    return _("Calibrated on %(rows)s rows: at %(level)s confidence it held the truth in %(held)s "
             "of them", rows=calibration.rows, level=level_percent(calibration.confidence_level),
             held=f"{100 * calibration.coverage.coverage:.3g}%")  # fmt: skip


def _class_view(prediction: ClassPrediction, classes: int) -> AnswerView:
    known = prediction.probability
    certainty = prediction.uncertainty
    intervals = certainty.intervals or {}
    bars = tuple(
        BarView(label, share, percent(share), intervals.get(label))
        for label, share in (prediction.probabilities or {}).items()
    )
    return AnswerView(
        headline=prediction.label,
        words=_("no probability") if known is None else likelihood(known),
        percent="" if known is None else percent(known),
        verdict=hesitation(prediction),
        bars=_bars(bars, classes, interval_note(certainty)),
        facts=(
            _fact(_("Entropy"), certainty.entropy,
                  _("0 when sure, higher when spread out, at most %(most)s (nats)",
                    most=f"{math.log(classes):.2f}")),
            _fact(_("Noise in the data (aleatoric)"), certainty.aleatoric,
                  _("What the input itself leaves open: more training would not end it")),
            _fact(_("Not yet learned (epistemic)"), certainty.epistemic,
                  _("On what the single answers disagree: more training data like this would "
                    "lower it")),
            *_passes(certainty.samples),
        ),
    )  # fmt: skip


def _bars(bars: Sequence[BarView], classes: int, note: str) -> BarsView | None:
    if not bars:
        return None
    first = len(bars) if len(bars) <= _FIRST + 1 else _FIRST  # a single one needs no unfolding
    return BarsView(tuple(bars[:first]), tuple(bars[first:MOST_BARS]), classes, note)


def _value_view(prediction: ValuePrediction) -> AnswerView:
    certainty = prediction.uncertainty
    words = value_spread(prediction)
    calibrated = certainty.prediction_interval is not None
    return AnswerView(
        headline=value_words(prediction),
        words="" if calibrated else words,
        aside=words if calibrated else "",
        range=_range(prediction),
        facts=(*_parts(certainty, prediction.unit), *_passes(certainty.samples)),
    )


def _range(prediction: ValuePrediction) -> RangeView | None:
    """Return where a value lies in its intervals; None where it has none that is wider than it."""
    own, calibrated = (
        prediction.uncertainty.interval,
        prediction.uncertainty.prediction_interval,
    )
    known = [one for one in (own, calibrated) if one]
    low = min((prediction.value, *(one[0] for one in known)))
    high = max((prediction.value, *(one[1] for one in known)))
    if not (known and low < high and math.isfinite(high - low)):
        return None
    places = [(end - low) / (high - low) for end in (prediction.value, *(own or ()))]
    inner = (places[1], places[2]) if own and calibrated else None
    return RangeView(places[0], inner, **ends(prediction, (low, high)))


def _parts(certainty: ValueUncertainty, unit: str | None) -> tuple[FactView, ...]:
    """Return a value's standard deviation and those of its parts; each square is a variance."""
    noise, learned = certainty.aleatoric, certainty.epistemic
    std = None if certainty.std is None else measure(certainty.std, None, unit)
    if noise is None and learned is not None:
        made = _("of what is not yet learned alone")
    elif noise is not None and learned is None:
        made = _("of the noise in the data alone")
    else:
        made = _("of both parts together")
    return (
        _known(_("Standard deviation"), std, made),
        _known(_("Noise in the data (aleatoric)"), deviation(noise, unit),
               _("The scatter of measured values that more training would not end")),
        _known(_("Not yet learned (epistemic)"), deviation(learned, unit),
               _("How far the single answers lie apart: more training data like this would "
                 "lower it")),
    )  # fmt: skip


def _fact(name: str, value: float | None, about: str) -> FactView:
    return _known(name, None if value is None else small(value), about)


def _known(name: str, value: str | None, about: str) -> FactView:
    if value is None:
        about = _("%(about)s; not known by this kind of model", about=about)
    return FactView(name, value or not_known(), about)


def _passes(samples: int | None) -> tuple[FactView, ...]:
    about = _("runs of the model, or its members, behind this answer")
    return () if samples is None else (FactView(_("Single answers"), str(samples), about),)
