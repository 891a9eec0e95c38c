"""What the templates show: predictions and the form in words and numbers for people."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from PIL.Image import Image

from podium.app import App
from podium.charts import Spec, histograms, spread
from podium.errors import FieldError
from podium.prediction import (
    Answer,
    ClassPrediction,
    Interval,
    Prediction,
    ValuePrediction,
    ValueUncertainty,
)
from podium.spec import Feature
from podium.web.looked import LookedView
from podium.web.picture import data_url
from podium.web.words import (
    capitalised,
    coverage,
    level_percent,
    likelihood,
    measure,
    percent,
    spaced,
    value_spread,
)

PREVIEW_PIXELS = 320
ALL_MODELS: Final = "*"
"""What the form sends as its model to have every model answer; no model can have this name."""


class FieldView(NamedTuple):
    """One field of the form."""

    feature: Feature
    value: str
    error: str


class FormView(NamedTuple):
    """The form: its fields or text, the chosen model, and what is wrong with image or text.

    `map` says whether to show where the model looked.
    """

    fields: tuple[FieldView, ...]
    text: str
    model: str
    image_error: str
    text_error: str
    map: bool


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
    """One answer in words; `coverage` is empty when the model is not calibrated."""

    headline: str
    words: str
    model: str
    version: str
    facts: tuple[FactView, ...]
    warnings: tuple[tuple[str, str], ...]
    percent: str = ""
    bars: tuple[BarView, ...] = ()
    interval_note: str = ""
    coverage: str = ""
    figures: FiguresView | None = None
    looked: LookedView | None = None


def form_view(app: App, values: Mapping[str, str], errors: Sequence[FieldError] = ()) -> FormView:
    """Return the form filled with `values`, each mistake beside its field."""
    wrong = {error.field: error.message for error in errors}
    fields = tuple(
        FieldView(feature, values.get(feature.name, ""), wrong.get(feature.name, ""))
        for feature in app.signature.features
    )
    model = values.get("model", "")
    return FormView(
        fields,
        values.get("text") or _example_text(app, values.get("example", "")),
        model if model in (*app.names, ALL_MODELS) else app.names[0],
        wrong.get("image", ""),
        wrong.get("text", ""),
        "map" in values.get("include", "").split(","),
    )


def answer_view(app: App, answer: Answer) -> AnswerView:
    """Return the first prediction of an answer as the page shows it."""
    prediction = answer.predictions[0]
    shown = _value_view(prediction) if isinstance(prediction, ValuePrediction) else (
        _class_view(prediction)
    )  # fmt: skip
    return shown._replace(
        model=title_of(app, answer.model),
        version=answer.version,
        warnings=cautions(app, prediction),
        coverage=coverage(prediction, len(app.signature.labels)),
        figures=_figures(prediction, spaced(app.signature.target)),
    )


def cautions(app: App, prediction: Prediction) -> tuple[tuple[str, str], ...]:
    """Return what to know of an answer, each with what it is about."""
    labels = {feature.name: feature.label or feature.name for feature in app.signature.features}
    return tuple((labels.get(w.field, capitalised(w.field)), w.message)
                 for w in prediction.warnings)  # fmt: skip


def title_of(app: App, name: str) -> str:
    """Return what people call a model."""
    return {spec.name: spec.title or spec.name for spec in app.spec.models}[name]


def image_preview(image: object) -> str | None:
    """Return an image as a small data: URL, so that the page shows what was answered for."""
    if not isinstance(image, Image):
        return None
    small = image.copy()
    small.thumbnail((PREVIEW_PIXELS, PREVIEW_PIXELS))
    return data_url(small, "PNG")


def _example_text(app: App, number: str) -> str:
    """Return the text of an example that is too long for an address, by its number."""
    texts = {str(index): example.text for index, example in enumerate(app.spec.examples)}
    return texts.get(number) or ""


def _class_view(prediction: ClassPrediction) -> AnswerView:
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
        interval_note=_interval_note(certainty.interval_level),
        facts=(
            _fact("Entropy", certainty.entropy, "0 when sure, higher when spread out (nats)"),
            _fact("Noise in the data (aleatoric)", certainty.aleatoric,
                  "the part more training would not end"),
            _fact("Not yet learned (epistemic)", certainty.epistemic,
                  "the part on which passes disagree"),
            *_passes(certainty.samples),
        ),
    )  # fmt: skip


def _value_view(prediction: ValuePrediction) -> AnswerView:
    certainty = prediction.uncertainty
    unit = f" {prediction.unit}" if prediction.unit else ""
    return AnswerView(
        headline=measure(prediction.value, certainty.std, prediction.unit),
        words=value_spread(prediction),
        model="",
        version="",
        warnings=(),
        facts=(
            _fact("Standard deviation", certainty.std, "how far the passes lie apart", unit),
            *_parts(certainty, unit),
            *_passes(certainty.samples),
        ),
    )


def _parts(certainty: ValueUncertainty, unit: str) -> tuple[FactView, ...]:
    """Return what a value's spread is made of, where both parts are known."""
    if certainty.aleatoric is None or certainty.epistemic is None:
        return ()
    return (
        _fact("Noise in the data (aleatoric)", math.sqrt(certainty.aleatoric),
              "standard deviation that more training would not end", unit),
        _fact("Not yet learned (epistemic)", math.sqrt(certainty.epistemic),
              "standard deviation of what the passes expect", unit),
    )  # fmt: skip


def _figures(prediction: Prediction, target: str) -> FiguresView | None:
    figure = spread(prediction, target)
    level = prediction.uncertainty.interval_level
    if figure is None or level is None:
        return None
    share = level_percent(level)
    tells_noise = isinstance(prediction, ValuePrediction) and prediction.uncertainty.aleatoric
    band = f"is where the model expects {share} of measured values" if tells_noise else (
        f"holds {share} of them"
    )  # fmt: skip
    caption = (
        f"Each dot is one of {prediction.uncertainty.samples} passes. The band {band}, "
        "the line is their mean."
    )
    return FiguresView(figure, tuple(histograms(prediction, target)), caption)


def _fact(name: str, value: float | None, about: str, unit: str = "") -> FactView:
    if value is None:
        return FactView(name, "not known", f"{about}; not known by this kind of model")
    return FactView(name, f"{value:.4g}{unit}" if unit else f"{value:.3f}", about)


def _passes(samples: int | None) -> tuple[FactView, ...]:
    about = "answers of the model, or of its members, behind this one"
    return () if samples is None else (FactView("Passes", str(samples), about),)


def _interval_note(level: float | None) -> str:
    return "" if level is None else f"The thin line spans {level_percent(level)} of the passes."
