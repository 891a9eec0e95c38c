"""Predictions and the form in words and numbers for people."""

from __future__ import annotations

import base64
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from podium.app import App
from podium.errors import FieldError
from podium.prediction import (
    Caution,
    ClassAnswer,
    ClassPrediction,
    ClassUncertainty,
    ValueAnswer,
    ValuePrediction,
    ValueUncertainty,
)
from podium.web.view import (
    BarView,
    answer_view,
    form_view,
    image_preview,
    likelihood,
    percent,
)
from tests.conformance.cases import build
from tests.conformance.onnx_cases import CASES
from tests.support.apps import LONG_NOTE, SHORT_NOTE, write_notes

PLAIN = {case.name: case for case in CASES}["onnx-logits"]


@pytest.fixture
def app(tmp_path: Path) -> App:
    """Return an application of the model m, called Model."""
    build(PLAIN, tmp_path)
    (tmp_path / "podium.toml").write_text(
        PLAIN.toml.replace('name = "a"', 'name = "a"\nlabel = "Length"') + 'title = "Model"\n'
    )
    return App(tmp_path)


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0, "0.0%"),
        (0.0004, "< 0.1%"),
        (0.001, "0.1%"),
        (0.1234, "12.3%"),
        (0.5, "50.0%"),
        (0.999, "99.9%"),
        (0.9991, "> 99.9%"),
        (0.9999999, "> 99.9%"),
        (1, "100.0%"),
    ],
)
def test_percent(share: float, text: str) -> None:
    """A share is never 0 or 100 percent unless it is."""
    assert percent(share) == text


@pytest.mark.parametrize(
    ("probability", "words"),
    [
        (1, "virtually certain"),
        (0.99, "virtually certain"),
        (0.98, "very likely"),
        (0.9, "very likely"),
        (0.89, "likely"),
        (0.66, "likely"),
        (0.65, "more likely than not"),
        (0.5, "more likely than not"),
        (0.49, "uncertain"),
        (0.1, "uncertain"),
    ],
)
def test_likelihood(probability: float, words: str) -> None:
    """A probability in the words of the IPCC's scale."""
    assert likelihood(probability) == words


def test_class_in_words(app: App) -> None:
    """A class's answer has its headline, a bar for each label, the facts and the warnings."""
    caution = Caution("a", "outside_training_range", "9 is outside")
    certainty = ClassUncertainty(
        entropy=0.5,
        aleatoric=0.4,
        epistemic=0.1,
        intervals={"left": (0.7, 0.95)},
        samples=100,
        interval_level=0.9,
    )
    prediction = ClassPrediction("left", 0.9, {"left": 0.9, "right": 0.1}, certainty, [caution])
    view = answer_view(app, ClassAnswer("m", "abc123", [prediction]))
    assert (view.headline, view.percent, view.words) == ("left", "90.0%", "very likely")
    assert view.bars == (
        BarView("left", 0.9, "90.0%", (0.7, 0.95)),
        BarView("right", 0.1, "10.0%", None),
    )
    assert [(fact.name, fact.value) for fact in view.facts] == [
        ("Entropy", "0.500"),
        ("Noise in the data (aleatoric)", "0.400"),
        ("Not yet learned (epistemic)", "0.100"),
        ("Passes", "100"),
    ]
    assert all(fact.about for fact in view.facts)
    assert view.warnings == (("Length", "9 is outside"),)
    assert view.interval_note == "The thin line spans 90% of the passes."
    assert (view.model, view.version) == ("Model", "abc123")


def test_class_without_probability(app: App) -> None:
    """What is not known is said in words, not as 0."""
    prediction = ClassPrediction("left", None, None, ClassUncertainty(), [])
    view = answer_view(app, ClassAnswer("m", "v", [prediction]))
    assert (view.headline, view.percent, view.words, view.bars) == (
        "left",
        "",
        "no probability",
        (),
    )
    assert [fact.value for fact in view.facts] == ["not known"] * 3
    assert (view.interval_note, view.warnings) == ("", ())


def test_value_in_words(app: App) -> None:
    """A value has its unit, the interval of its passes and their standard deviation."""
    certainty = ValueUncertainty(std=0.25, interval=(11.9, 12.8), interval_level=0.9, samples=50)
    view = answer_view(app, ValueAnswer("m", "v", [ValuePrediction(12.3456, "mm", certainty, [])]))
    assert (view.headline, view.percent, view.bars) == ("12.35 mm", "", ())
    assert view.words == "90.0% of the passes: 11.9 to 12.8 mm"
    assert [(fact.name, fact.value) for fact in view.facts] == [
        ("Standard deviation", "0.250"), ("Passes", "50"),
    ]  # fmt: skip


def test_value_without_unit_or_passes(app: App) -> None:
    """A value alone is a number, and its spread is not known."""
    prediction = ValuePrediction(1234567.0, None, ValueUncertainty(), [])
    view = answer_view(app, ValueAnswer("m", "v", [prediction]))
    assert (view.headline, view.words) == ("1.235e+06", "")
    assert [(fact.name, fact.value) for fact in view.facts] == [("Standard deviation", "not known")]


def test_form_keeps_what_was_typed(app: App) -> None:
    """The form has each field's text and its own mistake, and the chosen model."""
    errors = [FieldError("b", "is wrong"), FieldError("image", "is damaged")]
    view = form_view(app, {"a": "1.5", "b": "x", "model": "m"}, errors)
    assert [(one.feature.name, one.value, one.error) for one in view.fields] == [
        ("a", "1.5", ""), ("b", "x", "is wrong"), ("c", "", ""),
    ]  # fmt: skip
    assert (view.model, view.image_error, view.map) == ("m", "is damaged", False)


@pytest.mark.parametrize("include", ["map", "samples,map"])
def test_form_keeps_the_wish_for_a_map(app: App, include: str) -> None:
    """The box stays ticked after it was sent, or when the address asks for a map."""
    assert form_view(app, {"include": include}).map is True


def test_form_keeps_the_text(tmp_path: Path) -> None:
    """The form has what was typed and what is wrong with it, or the example that was asked for."""
    app = App(write_notes(tmp_path / "app"))
    view = form_view(app, {"text": " x", "example": "0"}, [FieldError("text", "is wrong")])
    assert (view.fields, view.text, view.text_error, view.model) == ((), " x", "is wrong", "crc")
    asked = [form_view(app, {"example": number}).text for number in ("0", "1", "2", "")]
    assert asked == [SHORT_NOTE, LONG_NOTE, "", ""]


@pytest.mark.parametrize("model", ["", "none"])
def test_form_of_no_known_model_shows_the_default(model: str, app: App) -> None:
    """Without a known model the first one is chosen."""
    assert form_view(app, {"model": model}).model == "m"


def test_preview_is_a_small_png() -> None:
    """A picture is shown again, at most 320 pixels wide and high, in its own proportions."""
    image = Image.new("RGB", (1600, 800), "red")
    address = image_preview(image)
    assert address is not None
    head, _, body = address.partition(",")
    assert head == "data:image/png;base64"
    with Image.open(BytesIO(base64.b64decode(body))) as small:
        assert (small.format, small.size) == ("PNG", (320, 160))
        assert small.convert("RGB").getpixel((0, 0)) == (255, 0, 0)
    assert image.size == (1600, 800)


def test_row_has_no_preview() -> None:
    """What is no picture has no preview."""
    assert image_preview((1.0, 2.0)) is None
