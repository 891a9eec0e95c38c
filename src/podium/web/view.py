"""What the templates show: predictions and the form in words and numbers for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from PIL.Image import Image

from podium.app import App
from podium.errors import FieldError
from podium.prediction import Answer, ClassPrediction, Interval, ValuePrediction
from podium.spec import Feature
from podium.web.looked import LookedView
from podium.web.picture import data_url

PREVIEW_PIXELS = 320


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


class AnswerView(NamedTuple):
    """One answer in words."""

    headline: str
    words: str
    model: str
    version: str
    facts: tuple[FactView, ...]
    warnings: tuple[tuple[str, str], ...]
    percent: str = ""
    bars: tuple[BarView, ...] = ()
    interval_note: str = ""
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
        model if model in app.names else app.names[0],
        wrong.get("image", ""),
        wrong.get("text", ""),
        "map" in values.get("include", "").split(","),
    )


def answer_view(app: App, answer: Answer) -> AnswerView:
    """Return the first prediction of an answer as the page shows it."""
    prediction = answer.predictions[0]
    titles = {spec.name: spec.title or spec.name for spec in app.spec.models}
    labels = {feature.name: feature.label or feature.name for feature in app.signature.features}
    shown = _value_view(prediction) if isinstance(prediction, ValuePrediction) else (
        _class_view(prediction)
    )  # fmt: skip
    return shown._replace(
        model=titles[answer.model],
        version=answer.version,
        warnings=tuple((labels.get(w.field, w.field), w.message) for w in prediction.warnings),
    )


def image_preview(image: object) -> str | None:
    """Return an image as a small data: URL, so that the page shows what was answered for."""
    if not isinstance(image, Image):
        return None
    small = image.copy()
    small.thumbnail((PREVIEW_PIXELS, PREVIEW_PIXELS))
    return data_url(small, "PNG")


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
            _fact(
                "Noise in the data (aleatoric)",
                certainty.aleatoric,
                "the part more training would not end",
            ),
            _fact(
                "Not yet learned (epistemic)",
                certainty.epistemic,
                "the part on which passes disagree",
            ),
            *_passes(certainty.samples),
        ),
    )


def _value_view(prediction: ValuePrediction) -> AnswerView:
    certainty = prediction.uncertainty
    unit = f" {prediction.unit}" if prediction.unit else ""
    words = ""
    if certainty.interval and certainty.interval_level:
        low, high = certainty.interval
        words = f"{percent(certainty.interval_level)} of the passes: {low:.4g} to {high:.4g}{unit}"
    return AnswerView(
        headline=f"{prediction.value:.4g}{unit}",
        words=words,
        model="",
        version="",
        warnings=(),
        facts=(
            _fact("Standard deviation", certainty.std, "how far the passes lie apart"),
            *_passes(certainty.samples),
        ),
    )


def _fact(name: str, value: float | None, about: str) -> FactView:
    return FactView(name, "not known" if value is None else f"{value:.3f}", about)


def _passes(samples: int | None) -> tuple[FactView, ...]:
    about = "answers of the model, or of its members, behind this one"
    return () if samples is None else (FactView("Passes", str(samples), about),)


def _interval_note(level: float | None) -> str:
    return "" if level is None else f"The thin line spans {level:.0%} of the passes."
