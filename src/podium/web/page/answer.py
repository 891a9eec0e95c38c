"""One answer in words and numbers for people, as the templates show it."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from podium.app import App
from podium.charts import FEW, Spec, histograms, spread
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
from podium.web.page.looked import LookedView
from podium.web.words import (
    BEHIND,
    NOT_KNOWN,
    capitalised,
    coverage,
    deviation,
    likelihood,
    measure,
    small,
    spaced,
    value_spread,
    value_words,
)

_TOLD: Final = frozenset({"prediction_set_empty", "prediction_set_full"})
"""Codes of cautions that say what the page says of the prediction set itself."""


class BarView(NamedTuple):
    """One class's probability, and the interval of its passes as numbers from 0 to 1."""

    label: str
    probability: float
    percent: str
    interval: Interval | None


class FactView(NamedTuple):
    """A number about an answer, and what it means."""

    name: str
    value: str
    about: str


class FiguresView(NamedTuple):
    """How far the passes lie apart, how many lie where, and how to read it."""

    spread: Spec
    histograms: tuple[Spec, ...]
    caption: str


class AnswerView(NamedTuple):
    """One answer in words; `coverage` is empty when the model is not calibrated.

    `aside` is what a calibrated model itself believes, `evidence` what its coverage rests on,
    `name` the model's, `model` its title.
    """

    headline: str
    words: str
    model: str
    version: str
    facts: tuple[FactView, ...]
    warnings: tuple[tuple[str, str], ...]
    percent: str = ""
    bars: tuple[BarView, ...] = ()
    interval_note: str = ""
    name: str = ""
    coverage: str = ""
    aside: str = ""
    evidence: str = ""
    figures: FiguresView | None = None
    looked: LookedView | None = None


def answer_view(app: App, answer: Answer) -> AnswerView:
    """Return the first prediction of an answer as the page shows it."""
    prediction = answer.predictions[0]
    classes = len(app.signature.labels)
    shown = _value_view(prediction) if isinstance(prediction, ValuePrediction) else (
        _class_view(prediction, classes)
    )  # fmt: skip
    calibration = app.kept(answer.model).calibration
    return shown._replace(
        model=title_of(app, answer.model),
        name=answer.model,
        version=answer.version,
        warnings=cautions(app, prediction),
        coverage=coverage(prediction, classes, calibration.fit.method if calibration else "lac"),
        evidence=_evidence(calibration) if calibration else "",
        figures=_figures(prediction, spaced(app.signature.target)),
    )


def cautions(app: App, prediction: Prediction) -> tuple[tuple[str, str], ...]:
    """Return what to know of an answer beside its set, each with what it is about."""
    labels = {feature.name: feature.label or feature.name for feature in app.signature.features}
    return tuple((labels.get(w.field, capitalised(w.field)), w.message)
                 for w in prediction.warnings if w.code not in _TOLD)  # fmt: skip


def title_of(app: App, name: str) -> str:
    """Return what people call a model."""
    return {spec.name: spec.title or spec.name for spec in app.spec.models}[name]


def _evidence(calibration: Calibration) -> str:
    """Return on what a calibration rests, and what it came to."""
    held = f"{100 * calibration.coverage.coverage:.3g}%"
    return (
        f"Calibrated on {calibration.rows} rows: at {level_percent(calibration.confidence_level)} "
        f"confidence it held the truth in {held} of them"
    )


def _class_view(prediction: ClassPrediction, classes: int) -> AnswerView:
    known = prediction.probability
    certainty = prediction.uncertainty
    intervals = certainty.intervals or {}
    return AnswerView(
        headline=prediction.label,
        words="no probability" if known is None else likelihood(known),
        percent="" if known is None else percent(known),
        model="",
        version="",
        warnings=(),
        bars=tuple(
            BarView(label, share, percent(share), intervals.get(label))
            for label, share in (prediction.probabilities or {}).items()
        ),
        interval_note=_interval_note(certainty.interval_level, certainty.samples),
        facts=(
            _fact("Entropy", certainty.entropy, "0 when sure, higher when spread out, "
                  f"at most {math.log(classes):.2f} (nats)"),
            _fact("Noise in the data (aleatoric)", certainty.aleatoric,
                  "the part more training would not end"),
            _fact("Not yet learned (epistemic)", certainty.epistemic,
                  f"the part on which {BEHIND} disagree"),
            *_passes(certainty.samples),
        ),
    )  # fmt: skip


def _value_view(prediction: ValuePrediction) -> AnswerView:
    certainty = prediction.uncertainty
    words = value_spread(prediction)
    calibrated = certainty.prediction_interval is not None
    return AnswerView(
        headline=value_words(prediction),
        words="" if calibrated else words,
        aside=words if calibrated else "",
        model="",
        version="",
        warnings=(),
        facts=(*_parts(certainty, prediction.unit), *_passes(certainty.samples)),
    )


def _parts(certainty: ValueUncertainty, unit: str | None) -> tuple[FactView, ...]:
    """Return a value's standard deviation and those of its parts; each square is a variance."""
    noise, learned = certainty.aleatoric, certainty.epistemic
    std = None if certainty.std is None else measure(certainty.std, None, unit)
    if noise is not None:
        made = "of the noise in the data alone" if learned is None else "of both parts together"
    else:
        made = "of what is not yet learned alone" if learned is not None else "of both parts"
    spread_out = f"how far the {BEHIND} lie apart" if certainty.samples else (
        "standard deviation that more training would lower"
    )  # fmt: skip
    return (
        _known("Standard deviation", std, made),
        _known("Noise in the data (aleatoric)", deviation(noise, unit),
               "standard deviation that more training would not end"),
        _known("Not yet learned (epistemic)", deviation(learned, unit), spread_out),
    )  # fmt: skip


def _figures(prediction: Prediction, target: str) -> FiguresView | None:
    figure = spread(prediction, target)
    samples, level = prediction.uncertainty.samples, prediction.uncertainty.interval_level
    if figure is None or samples is None or level is None:
        return None
    tells_noise = (
        isinstance(prediction, ValuePrediction) and prediction.uncertainty.aleatoric is not None
    )
    if tells_noise:
        band = f"The band is where the model expects {level_percent(level)} of measured values, the"
    else:
        band = "The" if samples < FEW else f"The band holds {level_percent(level)} of them, the"
    caption = f"Each dot is one of {samples} {BEHIND}. {band} line is their mean."
    return FiguresView(figure, tuple(histograms(prediction, target)), caption)


def _fact(name: str, value: float | None, about: str) -> FactView:
    return _known(name, None if value is None else small(value), about)


def _known(name: str, value: str | None, about: str) -> FactView:
    if value is None:
        return FactView(name, NOT_KNOWN, f"{about}; not known by this kind of model")
    return FactView(name, value, about)


def _passes(samples: int | None) -> tuple[FactView, ...]:
    about = "answers of the model, or of its members, behind this one"
    return () if samples is None else (FactView(capitalised(BEHIND), str(samples), about),)


def _interval_note(level: float | None, samples: int | None) -> str:
    if level is None or samples is None:
        return ""
    if samples < FEW:
        return f"The thin line shows roughly where the {samples} {BEHIND} lie."
    return f"The thin line spans {level_percent(level)} of the {BEHIND}."
