"""What the templates show: predictions and the form in words and numbers for people."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import NamedTuple

from PIL.Image import Image

from podium.app import App
from podium.errors import FieldError
from podium.prediction import Answer, Caution, ClassPrediction, Interval, ValuePrediction
from podium.spec import Feature

PREVIEW_PIXELS = 320


class FieldView(NamedTuple):
    """One field of the form."""

    feature: Feature
    value: str
    error: str


class FormView(NamedTuple):
    """The form: its fields, the chosen model, and what is wrong with its image."""

    fields: tuple[FieldView, ...]
    model: str
    image_error: str


class BarView(NamedTuple):
    """One class's probability, and the interval of its passes as numbers from 0 to 1."""

    label: str
    probability: float
    percent: str
    interval: Interval | None


class AnswerView(NamedTuple):
    """One answer in words."""

    headline: str
    percent: str
    words: str
    bars: tuple[BarView, ...]
    facts: tuple[tuple[str, str, str], ...]
    warnings: tuple[Caution, ...]
    model: str
    version: str


def form_view(app: App, values: Mapping[str, str], errors: Sequence[FieldError] = ()) -> FormView:
    """Return the form filled with `values`, each mistake beside its field."""
    wrong = {error.field: error.message for error in errors}
    fields = tuple(
        FieldView(feature, values.get(feature.name, ""), wrong.get(feature.name, ""))
        for feature in app.signature.features
    )
    model = values.get("model", "")
    return FormView(fields, model if model in app.names else app.names[0], wrong.get("image", ""))


def answer_view(app: App, answer: Answer) -> AnswerView:
    """Return the first prediction of an answer as the page shows it."""
    prediction = answer.predictions[0]
    title = next(s.title or s.name for s in app.spec.models if s.name == answer.model)
    if isinstance(prediction, ValuePrediction):
        return _value_view(prediction, title, answer.version)
    return _class_view(prediction, title, answer.version)


def image_preview(image: object) -> str | None:
    """Return an image as a small data: URL, so that the page shows what was answered for."""
    if not isinstance(image, Image):
        return None
    small = image.copy()
    small.thumbnail((PREVIEW_PIXELS, PREVIEW_PIXELS))
    buffer = BytesIO()
    small.save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


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


def _class_view(prediction: ClassPrediction, title: str, version: str) -> AnswerView:
    known = prediction.probability
    certainty = prediction.uncertainty
    intervals = certainty.intervals or {}
    bars = tuple(
        BarView(label, share, percent(share), intervals.get(label))
        for label, share in (prediction.probabilities or {}).items()
    )
    facts = _facts(
        ("Entropy", certainty.entropy, "0 when sure, higher when the probability is spread (nats)"),
        ("Noise in the data", certainty.aleatoric, "the part that more training would not remove"),
        ("Not yet learned", certainty.epistemic, "the part on which the passes disagree"),
    )
    return AnswerView(
        prediction.label,
        percent(known) if known is not None else "",
        likelihood(known) if known is not None else "no probability",
        bars, _with_samples(facts, certainty.samples), tuple(prediction.warnings), title, version,
    )  # fmt: skip


def _value_view(prediction: ValuePrediction, title: str, version: str) -> AnswerView:
    certainty = prediction.uncertainty
    unit = f" {prediction.unit}" if prediction.unit else ""
    words = ""
    if certainty.interval and certainty.interval_level:
        low, high = certainty.interval
        words = f"{percent(certainty.interval_level)} of the passes: {low:.4g} to {high:.4g}{unit}"
    facts = _facts(("Standard deviation", certainty.std, f"of the passes{unit and ', in' + unit}"))
    return AnswerView(
        f"{prediction.value:.4g}{unit}", "", words, (), _with_samples(facts, certainty.samples),
        tuple(prediction.warnings), title, version,
    )  # fmt: skip


def _facts(*facts: tuple[str, float | None, str]) -> list[tuple[str, str, str]]:
    return [(name, "not known" if value is None else f"{value:.3f}", about)
            for name, value, about in facts]  # fmt: skip


def _with_samples(
    facts: list[tuple[str, str, str]], samples: int | None
) -> tuple[tuple[str, str, str], ...]:
    if samples is None:
        return tuple(facts)
    return (*facts, ("Passes", str(samples), "answers of the model or of its members behind this"))
