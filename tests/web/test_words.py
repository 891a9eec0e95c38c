"""Numbers and answers in words."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from podium.app import App
from podium.prediction import (
    ClassPrediction,
    ClassUncertainty,
    Interval,
    ValuePrediction,
    ValueUncertainty,
)
from podium.web.body import BodyReader
from podium.web.page.answer import CautionView
from podium.web.site import create_site
from podium.web.words import (
    capitalised,
    coverage,
    form_of,
    hesitation,
    likelihood,
    listed,
    measure,
    number_form,
    small,
    value_spread,
    value_words,
    without_keys,
    written_ends,
)
from tests.support.apps import write_colours


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


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (["Adelie"], "With 90% confidence: Adelie"),
        (["Adelie", "Gentoo"], "With 90% confidence one of: Adelie, Gentoo"),
        (["Adelie", "Gentoo", "Chinstrap"], "With 90% confidence any of the 3 classes"),
        ([], "No class fits at 90% confidence: the model is surer of most cases it was checked on "
             "than of this one. Adelie is still the likeliest."),
        (None, ""),
    ],
)  # fmt: skip
def test_coverage_of_a_prediction_set(labels: list[str] | None, words: str) -> None:
    """A set is told by its labels, an empty or a full one in words of its own."""
    certainty = ClassUncertainty(prediction_set=labels, confidence_level=0.9)
    assert coverage(ClassPrediction("Adelie", 0.6, None, certainty, []), 3) == words


def test_empty_set_by_chance() -> None:
    """The method that draws by chance says why its set is empty."""
    certainty = ClassUncertainty(prediction_set=[], confidence_level=0.8)
    assert coverage(ClassPrediction("Adelie", 0.9, None, certainty, []), 3, "aps") == (
        "No class fits at 80% confidence: the model is sure of one, which chance left out. "
        "Adelie is still the likeliest."
    )


@pytest.mark.parametrize(
    ("interval", "unit", "words"),
    [
        ((11.204, 13.4), "mm", "With 97.5% confidence between 11.2 and 13.4 mm"),
        ((1132.41, 1132.58), None, "With 97.5% confidence between 1132.41 and 1132.58"),
        (None, "mm", ""),
    ],
)
def test_coverage_of_an_interval(interval: Interval | None, unit: str | None, words: str) -> None:
    """An interval is told with its unit, as precisely as it is wide."""
    certainty = ValueUncertainty(prediction_interval=interval, confidence_level=0.975)
    assert coverage(ValuePrediction(12.0, unit, certainty, []), 0) == words


def test_without_calibration_there_is_no_coverage() -> None:
    """What is not calibrated claims no coverage."""
    assert coverage(ClassPrediction("a", 0.6, None, ClassUncertainty(), []), 3) == ""
    assert coverage(ValuePrediction(1.0, None, ValueUncertainty(), []), 0) == ""


@pytest.mark.parametrize(
    ("aleatoric", "samples", "words"),
    [
        (None, 20, "90% of the single answers lie between 11 and 13 mm"),
        (None, 19, "The 19 single answers lie roughly between 11 and 13 mm"),
        (0.5, None, "The model itself expects 90% of values between 11 and 13 mm"),
        (0.5, 3, "The model itself expects 90% of values between 11 and 13 mm"),
        (None, None, "The model itself expects 90% of values between 11 and 13 mm"),
    ],
)
def test_value_spread(aleatoric: float | None, samples: int | None, words: str) -> None:
    """An interval is that of the passes, or what the model tells of its spread."""
    certainty = ValueUncertainty(
        aleatoric=aleatoric, samples=samples, interval=(11, 13), interval_level=0.9
    )
    assert value_spread(ValuePrediction(12.0, "mm", certainty, [])) == words


def test_value_without_spread() -> None:
    """A single answer has no spread to tell."""
    assert value_spread(ValuePrediction(12.0, "mm", ValueUncertainty(), [])) == ""


def test_numbers_side_by_side_have_the_same_decimals() -> None:
    """A value is written like the ends of its intervals: zeros go where all numbers end in them."""
    certainty = ValueUncertainty(std=3.1, interval=(157.0, 168.21), prediction_interval=(150, 175))
    prediction = ValuePrediction(162.6, "mm", certainty, [])
    assert value_words(prediction) == "162.6 mm"
    assert written_ends((157.0, 162.6), "mm", ".1f") == {"low": "157.0", "high": "162.6 mm"}
    written = [f"{157:{form_of(prediction)}}", f"{1e12:{number_form([1e12], None)}}",
               f"{0:{number_form([0.0], 0.0)}}"]  # fmt: skip
    assert written == ["157.0", "1e+12", "0"]


@pytest.mark.parametrize(
    ("value", "words"),
    [(1132.5, "1132.5"), (1132.52, "1132.52"), (12.0, "12"), (0.1 + 0.2, "0.3"),
     (3_108_000_000.4, "3,108,000,000"), (-1234567.8, "-1,234,568"), (1e15, "1e+15")],
)  # fmt: skip
def test_value_without_a_spread_loses_nothing(value: float, words: str) -> None:
    """Six digits are told, without the zeros at their end, and of a large number all."""
    assert value_words(ValuePrediction(value, None, ValueUncertainty(), [])) == words


Ends = tuple[float, float]


@pytest.mark.parametrize(
    ("best", "intervals", "told"),
    [
        (0.72, ((0.02, 1.0), (0.0, 0.96)), True),
        (0.72, ((0.55, 0.9), (0.0, 0.6)), False),
        (0.72, ((0.4, 0.9), (0.1, 0.3)), False),
        (0.94, ((0.0, 1.0), (0.0, 1.0)), False),
    ],
)
def test_single_answers_that_disagree(
    best: float, intervals: tuple[Ends, Ends], told: bool
) -> None:
    """A likely class has its caution where single answers favour another, unless few do."""
    shares = {"Adelie": best, "Chinstrap": 1 - best}
    certainty = ClassUncertainty(intervals=dict(zip(shares, intervals, strict=True)), samples=100)
    words = hesitation(ClassPrediction("Adelie", best, shares, certainty, []))
    assert words == (
        "Do not rely on this answer alone: the single answers behind it disagree between Adelie "
        "and Chinstrap." if told else ""
    )  # fmt: skip


def test_keys_are_left_out() -> None:
    """What a maker sets is of no use to who visits the page."""
    assert without_keys("the answer takes longer than 60 s ([limits] timeout); wait") == (
        "the answer takes longer than 60 s; wait"
    )
    assert without_keys("they may do worse ([task] training = 'a.csv' has this checked).") == (
        "they may do worse."
    )


def test_pages_leave_keys_out(tmp_path: Path) -> None:
    """Neither a note beside the picture nor a warning of an answer names a key."""
    flask = create_site(App(write_colours(tmp_path / "app")), cast(BodyReader, None))
    form = SimpleNamespace(image_error="Has more than 1 MB ([limits] upload).")
    caution = CautionView("Map", "300 ms are too few ([limits] map)", "", outside=False)
    answer = SimpleNamespace(outside="", warnings=[caution])
    with flask.test_request_context("/"):
        notes = flask.jinja_env.get_template("page/notes.html").module
        assert "Has more than 1 MB.</p>" in notes.image_note(form)  # type: ignore[attr-defined]
        warnings = flask.jinja_env.get_template("page/warnings.html").render(answer=answer)
    assert "300 ms are too few</span>" in warnings


def test_small_numbers_are_not_told_as_zero() -> None:
    """Three decimals are told, and that a number is less than the least of them."""
    assert [small(value) for value in (0.0, 0.0002, 0.00099, 0.001, 0.5)] == [
        "0.000", "< 0.001", "< 0.001", "0.001", "0.500",
    ]  # fmt: skip


def test_listed() -> None:
    """Of many labels the first are named, the others counted."""
    labels = [str(number) for number in range(11)]
    assert listed(labels[:3]) == "0, 1, 2"
    assert listed(labels) == "0, 1, 2, 3, 4, 5, 6, 7 and 3 more"


def test_measure() -> None:
    """A value has its unit, and as many digits as its spread asks for."""
    assert [measure(1132.55, 0.53, "kg"), measure(1132.55, None), measure(12.3, 50, "s")] == [
        "1132.55 kg", "1133", "12.3 s",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("shares", "covered", "words"),
    [
        ([0.67, 0.33], None, ""),
        ([0.98, 0.02], ["A"], ""),
        ([0.52, 0.45, 0.03], None, "the model hesitates between A and B."),
        ([0.52, 0.45, 0.03], ["A"], "the model hesitates between A and B."),
        ([0.4, 0.35, 0.25], None, "the model hesitates between A, B and C."),
        ([0.25, 0.25, 0.25, 0.25], None, "the model hesitates between many classes."),
        ([0.6, 0.1, 0.1, 0.1, 0.1], None,
         "the model is not sure of it, though no other class comes close."),
        ([0.9, 0.08, 0.02], ["A", "B"], "B cannot be ruled out."),
        ([0.9, 0.06, 0.04], ["A", "B", "C"], "B, C cannot be ruled out."),
    ],
)  # fmt: skip
def test_hesitation(shares: list[float], covered: list[str] | None, words: str) -> None:
    """Where a class is less than likely, or its set holds others, the answer is not enough."""
    certainty = ClassUncertainty(prediction_set=covered)
    probabilities = dict(zip("ABCDE", shares, strict=False))
    prediction = ClassPrediction("A", shares[0], probabilities, certainty, [])
    assert hesitation(prediction) == (f"Do not rely on this answer alone: {words}" if words else "")


def test_hesitation_without_probability() -> None:
    """Of a label alone nothing is known."""
    assert hesitation(ClassPrediction("A", None, None, ClassUncertainty(), [])) == ""


def test_capitalised() -> None:
    """A column's name begins a sentence."""
    assert capitalised("prediction_set") == "Prediction set"
