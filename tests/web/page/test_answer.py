"""Predictions and the form in words and numbers for people."""

from __future__ import annotations

import base64
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from podium.app import App
from podium.charts import spread
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
from podium.web.page.answer import (
    BarsView,
    BarView,
    CautionView,
    FactView,
    RangeView,
    answer_view,
)
from podium.web.page.form import form_view, image_preview
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
    bars = BarView("left", 0.9, "90.0%", (0.7, 0.95)), BarView("right", 0.1, "10.0%", None)
    assert view.bars == BarsView(bars, (), 3, "The thin line spans 90% of the single answers.")
    assert view.bars.left_out == 1
    assert view.said == (
        "left, very likely, 90.0%. This input lies outside what the model was trained on: its "
        "percentages cannot be relied on."
    )
    assert view.larger == (
        "Most of the uncertainty comes from the data itself: more training would not end it."
    )
    assert [(fact.name, fact.value) for fact in view.facts] == [
        ("Entropy", "0.500"),
        ("Noise in the data (aleatoric)", "0.400"),
        ("Not yet learned (epistemic)", "0.100"),
        ("Single answers", "100"),
    ]
    assert all(fact.about for fact in view.facts)
    assert view.facts[0].about == "0 when sure, higher when spread out, at most 1.10 (nats)"
    assert view.warnings == (CautionView("Length", "9 is outside", "field-a", True),)
    assert (view.coverage, view.figures) == ("", None)
    assert (view.model, view.version) == ("Model", "abc123")


def test_class_without_probability(app: App) -> None:
    """What is not known is said in words, not as 0."""
    prediction = ClassPrediction("left", None, None, ClassUncertainty(), [])
    view = answer_view(app, ClassAnswer("m", "v", [prediction]))
    assert (view.headline, view.percent, view.words, view.bars) == (
        "left",
        "",
        "no probability",
        None,
    )
    assert view.said == "left, no probability."
    assert [fact.value for fact in view.facts] == ["not known"] * 3
    assert view.facts[2].about == (
        "On what the single answers disagree: more training data like this would lower it; not "
        "known by this kind of model"
    )
    assert view.warnings == ()


def test_value_in_words(app: App) -> None:
    """A value has its unit, the interval of its passes and their standard deviation."""
    certainty = ValueUncertainty(
        std=0.25, epistemic=0.0625, interval=(11.9, 12.8), interval_level=0.9, samples=50
    )
    view = answer_view(app, ValueAnswer("m", "v", [ValuePrediction(12.3456, "mm", certainty, [])]))
    assert (view.headline, view.percent, view.bars) == ("12.35 mm", "", None)
    assert view.said == "12.35 mm, 90% of the single answers lie between 11.90 and 12.80 mm."
    assert view.words == "90% of the single answers lie between 11.90 and 12.80 mm"
    assert [(fact.name, fact.value) for fact in view.facts] == [
        ("Standard deviation", "0.25 mm"), ("Noise in the data (aleatoric)", "not known"),
        ("Not yet learned (epistemic)", "0.25 mm"), ("Single answers", "50"),
    ]  # fmt: skip
    assert [view.facts[0].about, view.facts[2].about] == [
        "of what is not yet learned alone",
        "How far the single answers lie apart: more training data like this would lower it",
    ]  # fmt: skip


def test_single_value_that_tells_its_noise(app: App) -> None:
    """Of a model that answers once nothing is said of passes."""
    certainty = ValueUncertainty(std=3, aleatoric=9, interval=(7, 17), interval_level=0.9)
    view = answer_view(app, ValueAnswer("m", "v", [ValuePrediction(12.0, "mm", certainty, [])]))
    assert (view.words, view.aside) == (
        "The model itself expects 90% of values between 7 and 17 mm", "",
    )  # fmt: skip
    assert view.facts == (
        FactView("Standard deviation", "3 mm", "of the noise in the data alone"),
        FactView("Noise in the data (aleatoric)", "3 mm",
                 "The scatter of measured values that more training would not end"),
        FactView("Not yet learned (epistemic)", "not known",
                 "How far the single answers lie apart: more training data like this would "
                 "lower it; not known by this kind of model"),
    )  # fmt: skip


def test_calibrated_value_in_words(app: App) -> None:
    """The prediction interval comes first, what the model itself says goes aside."""
    certainty = ValueUncertainty(
        std=3, aleatoric=9, interval=(7, 17), interval_level=0.9, prediction_interval=(4, 20),
        confidence_level=0.9,
    )  # fmt: skip
    view = answer_view(app, ValueAnswer("m", "v", [ValuePrediction(12.0, "mm", certainty, [])]))
    assert (view.words, view.coverage, view.aside) == (
        "", "With 90% confidence between 4 and 20 mm",
        "The model itself expects 90% of values between 7 and 17 mm",
    )  # fmt: skip
    assert view.range == RangeView(0.5, (0.1875, 0.8125), "4", "20 mm")
    assert view.said == "12 mm. With 90% confidence between 4 and 20 mm."


def test_calibrated_class_in_words(app: App) -> None:
    """A calibrated answer says what its set holds, and warns of it under its own name.

    What the sentence says already is no warning.
    """
    cautions = [
        Caution("prediction_set", code, message)
        for code, message in (("fewer_passes", "Fewer passes"), ("prediction_set_empty", "None"),
                              ("prediction_set_full", "All"))
    ]  # fmt: skip
    certainty = ClassUncertainty(entropy=0.6, prediction_set=["left"], confidence_level=0.95)
    prediction = ClassPrediction("left", 0.6, {"left": 0.6}, certainty, cautions)
    view = answer_view(app, ClassAnswer("m", "v", [prediction]))
    assert view.coverage == "With 95% confidence: left"
    assert view.verdict == (
        "Do not rely on this answer alone: the model is not sure of it, though no other class "
        "comes close."
    )
    assert view.said == f"left, more likely than not, 60.0%. {view.verdict} {view.coverage}."
    assert view.warnings == (CautionView("Prediction set", "Fewer passes"),)


def test_passes_have_figures(app: App) -> None:
    """An answer that includes its passes has both figures, and a line on how to read them."""
    certainty = ClassUncertainty(
        intervals={"left": (0.8, 1), "right": (0, 0.2)}, interval_level=0.9, samples=3,
        sample_probabilities={"left": [0.8, 0.9, 1], "right": [0.2, 0.1, 0]},
    )  # fmt: skip
    prediction = ClassPrediction("left", 0.9, {"left": 0.9, "right": 0.1}, certainty, [])
    figures = answer_view(app, ClassAnswer("m", "v", [prediction])).figures
    assert figures is not None
    assert figures.spread == spread(prediction, "side")
    assert [figure["title"] for figure in figures.histograms] == ["left", "right"]
    assert figures.caption == (
        "Each dot is one of the 3 single answers behind this one. The line is their mean."
    )


def test_many_passes_have_a_band(app: App) -> None:
    """Of enough passes the figure's line tells what the band holds."""
    certainty = ValueUncertainty(
        std=6, epistemic=36, interval=(1, 20), interval_level=0.9, samples=20,
        sample_values=[float(number) for number in range(20)],
    )  # fmt: skip
    view = answer_view(app, ValueAnswer("m", "v", [ValuePrediction(9.5, None, certainty, [])]))
    assert view.figures is not None
    assert view.figures.caption == (
        "Each dot is one of the 20 single answers behind this one. The band holds 90% of them, "
        "the line is their mean."
    )


def test_interval_of_few_members(app: App) -> None:
    """Of few members the thin line is told as the rough thing it is."""
    certainty = ClassUncertainty(intervals={"left": (0.7, 0.95)}, samples=3, interval_level=0.9)
    view = answer_view(app, ClassAnswer("m", "v", [
        ClassPrediction("left", 0.9, {"left": 0.9}, certainty, [])]))  # fmt: skip
    assert view.bars is not None
    assert view.bars.note == "The thin line shows roughly where the 3 single answers lie."


def test_value_that_tells_its_noise(app: App) -> None:
    """The parts of a value's spread are told as standard deviations, and the band is no pass's."""
    certainty = ValueUncertainty(
        std=0.5, aleatoric=0.16, epistemic=0.09, interval=(11, 13), interval_level=0.9,
        samples=2, sample_values=[11.9, 12.1],
    )  # fmt: skip
    view = answer_view(app, ValueAnswer("m", "v", [ValuePrediction(12.0, "mm", certainty, [])]))
    assert [(fact.name, fact.value) for fact in view.facts] == [
        ("Standard deviation", "0.5 mm"), ("Noise in the data (aleatoric)", "0.4 mm"),
        ("Not yet learned (epistemic)", "0.3 mm"), ("Single answers", "2"),
    ]  # fmt: skip
    assert view.facts[0].about == "of both parts together"
    assert view.figures is not None
    assert view.figures.caption == (
        "Each dot is one of the 2 single answers behind this one. The band is where the model "
        "expects 90% of measured values, the line is their mean."
    )


def test_value_without_unit_or_passes(app: App) -> None:
    """A value alone is a number, and its spread is not known."""
    prediction = ValuePrediction(1234567.0, None, ValueUncertainty(), [])
    view = answer_view(app, ValueAnswer("m", "v", [prediction]))
    assert (view.headline, view.words, view.range) == ("1,234,567", "", None)
    assert [fact.value for fact in view.facts] == ["not known"] * 3


def test_form_keeps_what_was_typed(app: App) -> None:
    """The form has each field's text and its own mistake, and the chosen model."""
    errors = [FieldError("b", "is wrong"), FieldError("image", "is damaged")]
    view = form_view(app, {"a": "1.5", "b": "x", "model": "m"}, errors)
    assert [(one.feature.name, one.value, one.error) for one in view.fields] == [
        ("a", "1.5", ""), ("b", "x", "Is wrong."), ("c", "", ""),
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
