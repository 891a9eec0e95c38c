"""The signature checks values, reads texts and describes itself."""

from __future__ import annotations

import math
from typing import Any

import pytest

from podium.cells import check_cell, expectation, parse_cell, printable
from podium.errors import FieldError, InvalidInput
from podium.folder import Parsed
from podium.prediction import Caution
from podium.signature import MAX_ERRORS, Signature, merged
from podium.spec import Feature, ModelSpec, Spec, Task, TextInput

LENGTH = Feature(name="length", unit="mm", range=(10.0, 20.0))
COUNT = Feature(name="count", kind="integer", range=(0.0, 9.0))
FLAG = Feature(name="flag", kind="boolean")
COLOUR = Feature(name="colour", kind="category", choices=("red", "green"), optional=True)
FEATURES = (LENGTH, COUNT, FLAG, COLOUR)
SIGNATURE = Signature("classification", "class", None, ("x", "y"), FEATURES, None)
GOOD: dict[str, Any] = {"length": 12.5, "count": 3, "flag": True, "colour": "red"}


def wrong(values: dict[str, Any], where: str = "") -> list[FieldError]:
    """Return the mistakes in the values of a row."""
    with pytest.raises(InvalidInput) as caught:
        SIGNATURE.row_of(values, where)
    return list(caught.value.errors)


def test_row_stands_in_the_features_order() -> None:
    """A row has a value for each feature in their order, whatever the order of the request."""
    turned = dict(reversed(GOOD.items()))
    assert SIGNATURE.row_of(turned) == (12.5, 3, True, "red")
    assert SIGNATURE.names == ("length", "count", "flag", "colour")


def test_optional_value_may_be_missing() -> None:
    """An optional value that is left out or null is None."""
    del (given := dict(GOOD))["colour"]
    assert SIGNATURE.row_of(given) == (12.5, 3, True, None)
    assert SIGNATURE.row_of({**GOOD, "colour": None}) == (12.5, 3, True, None)


def test_every_mistake_of_a_row_at_once() -> None:
    """Unknown, missing and wrong values are told together, each under its field."""
    found = wrong({"lenght": 1, "count": 2.5, "flag": 1, "colour": "gren"}, "inputs[3].")
    assert found == [
        FieldError("inputs[3].lenght", "is not a feature. Did you mean 'length'?"),
        FieldError("inputs[3].length", "is missing; expected a number in mm"),
        FieldError("inputs[3].count", "expected a whole number; found 2.5."),
        FieldError("inputs[3].flag", "expected true or false; found 1."),
        FieldError(
            "inputs[3].colour", "expected one of red, green; found 'gren'. Did you mean 'green'?"
        ),
    ]


def test_unknown_feature_like_no_other_lists_all() -> None:
    """A name that is like none is answered with the features there are."""
    assert wrong({**GOOD, "zzz": 1}) == [
        FieldError("zzz", "is not a feature. Features: length, count, flag, colour.")
    ]


@pytest.mark.parametrize(
    ("feature", "value", "cell"),
    [
        (LENGTH, 3, 3.0),
        (LENGTH, -2.5, -2.5),
        (COUNT, 3.0, 3),
        (COUNT, -4, -4),
        (FLAG, False, False),
        (COLOUR, "green", "green"),
    ],
)
def test_values_of_each_kind(feature: Feature, value: Any, cell: Any) -> None:
    """A value becomes the feature's type."""
    found = check_cell(feature, value)
    assert (found, type(found)) == (cell, type(cell))


@pytest.mark.parametrize(
    ("feature", "value", "message"),
    [
        (LENGTH, "3", "expected a number in mm; found '3'."),
        (LENGTH, True, "expected a number in mm; found True."),
        (LENGTH, [1], "expected a number in mm; found [1]."),
        (LENGTH, math.nan, "expected a number in mm; found nan, which is not finite"),
        (LENGTH, -math.inf, "expected a number in mm; found -inf, which is not finite"),
        (LENGTH, 10**39, f"expected a number in mm; found {10**39}, which is too large"),
        (LENGTH, -1e39, "expected a number in mm; found -1e+39, which is too large"),
        (COUNT, 2**63, f"expected a whole number; found {2**63}, which is too large"),
        (COUNT, math.inf, "expected a whole number; found inf, which is not finite"),
        (COUNT, math.nan, "expected a whole number; found nan, which is not finite"),
        (COUNT, False, "expected a whole number; found False."),
        (FLAG, "true", "expected true or false; found 'true'."),
        (FLAG, 0, "expected true or false; found 0."),
        (COLOUR, "Red", "expected one of red, green; found 'Red'. Did you mean 'red'?"),
        (COLOUR, 1, "expected one of red, green; found 1."),
        (COLOUR, {}, "expected one of red, green; found {}."),
        (LENGTH, None, "is missing; expected a number in mm"),
    ],
)
def test_wrong_values_of_each_kind(feature: Feature, value: Any, message: str) -> None:
    """A wrong value is told with what is expected and what was found."""
    with pytest.raises(ValueError) as caught:
        check_cell(feature, value)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("feature", "text", "value"),
    [
        (LENGTH, " 12.5 ", 12.5),
        (LENGTH, "1e3", 1000.0),
        (LENGTH, "x", "x"),
        (LENGTH, "  ", None),
        (COUNT, "3", 3.0),
        (FLAG, "true", True),
        (FLAG, "ON", True),
        (FLAG, "1", True),
        (FLAG, "yes", True),
        (FLAG, "off", False),
        (FLAG, "No", False),
        (FLAG, "0", False),
        (FLAG, "false", False),
        (FLAG, "maybe", "maybe"),
        (COLOUR, " red ", "red"),
        (COLOUR, "", None),
    ],
)
def test_texts_of_a_form(feature: Feature, text: str, value: Any) -> None:
    """A form's text becomes a value; what is no such value stays text."""
    found = parse_cell(feature, text)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "count"),
    [("9223372036854775807", 2**63 - 1), ("9007199254740993", 2**53 + 1), ("3", 3)],
)
def test_a_form_keeps_every_digit_of_a_whole_number(text: str, count: int) -> None:
    """A number that no float can hold is read as it stands."""
    row = SIGNATURE.parse_row({"length": "1", "count": text, "flag": "on"})
    assert count in row
    with pytest.raises(InvalidInput):
        SIGNATURE.parse_row({"length": "1", "count": "9223372036854775808", "flag": "on"})


@pytest.mark.parametrize("text", ["1_000", "١٢", "infinity", "0x10", "1,5"])
def test_texts_that_only_python_takes_for_numbers(text: str) -> None:
    """What is no number in a form or a CSV is not read as one; a decimal comma is no point."""
    with pytest.raises(InvalidInput):
        SIGNATURE.parse_row({"length": text, "count": "3", "flag": "on"})


def test_row_of_texts() -> None:
    """The texts of a form become a row; an empty optional field is missing."""
    texts = {"length": "12.5", "count": "3", "flag": "on", "colour": ""}
    assert SIGNATURE.parse_row(texts) == (12.5, 3, True, None)


def test_wrong_texts_are_told_as_they_were_typed() -> None:
    """A text that is no value is told as it was typed, and an unknown field too."""
    with pytest.raises(InvalidInput) as caught:
        SIGNATURE.parse_row({"length": "long", "count": "2.5", "flag": "maybe", "extra": "1"})
    assert caught.value.errors == (
        FieldError("extra", "is not a feature. Features: length, count, flag, colour."),
        FieldError("length", "expected a number in mm; found 'long'."),
        FieldError("count", "expected a whole number; found 2.5."),
        FieldError("flag", "expected true or false; found 'maybe'."),
    )


def test_values_outside_the_training_range_are_warned_of() -> None:
    """Each value outside its range is warned of; the ends of a range are inside."""
    assert SIGNATURE.cautions((9.5, 10, True, None)) == [
        Caution("length", "outside_training_range",
                "9.5 is outside the training range, 10 to 20"),
        Caution("count", "outside_training_range", "10 is outside the training range, 0 to 9"),
    ]  # fmt: skip
    assert SIGNATURE.cautions((10.0, 0, True, "red")) == []
    assert SIGNATURE.cautions((20.0, 9, True, "red")) == []


def test_missing_value_is_not_warned_of() -> None:
    """A missing optional value is not outside any range."""
    feature = Feature(name="a", optional=True, range=(0.0, 1.0))
    signature = Signature("regression", "value", None, (), (feature,), None)
    assert signature.cautions((None,)) == []


NOTE = Signature("regression", "value", None, (), (), None, TextInput(max_length=4))


@pytest.mark.parametrize("text", ["a", " \n\u05d0 ", "😀😀😀😀", "<b>", "\u0001"])
def test_text_is_taken_as_it_is(text: str) -> None:
    """A text of up to max_length characters is taken, white space and all."""
    assert NOTE.check_text(text) == text


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "expected a text; found None"),
        (b"a", "expected a text; found b'a'"),
        ("", "is empty; expected a text"),
        ("\u2003\n", "is empty; expected a text"),
        ("abcde", "has 5 characters; the limit is 4 ([text] max_length)"),
        ("ab\0", "character 3 is '\\x00', which stands in no text; is it encoded as UTF-8?"),
        ("\udfff", "character 1 is '\\udfff', which stands in no text; is it encoded as UTF-8?"),
    ],
)
def test_what_is_no_text(value: object, message: str) -> None:
    """What is no text, is empty or too long, or holds no character, is told in words."""
    with pytest.raises(ValueError) as caught:
        NOTE.check_text(value)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("feature", "words"),
    [
        (LENGTH, "a number in mm"),
        (COUNT, "a whole number"),
        (FLAG, "true or false"),
        (COLOUR, "one of red, green"),
    ],
)
def test_expectation(feature: Feature, words: str) -> None:
    """A feature says in words what it takes."""
    assert expectation(feature) == words


@pytest.mark.parametrize(
    ("kind", "target", "expected"),
    [
        ("classification", None, "class"),
        ("regression", None, "value"),
        ("regression", "strain", "strain"),
    ],
)
def test_signature_of_a_spec(kind: Any, target: str | None, expected: str) -> None:
    """A signature takes its task, labels and features from podium.toml; the target has a name."""
    unit = "mm" if kind == "regression" else None
    spec = Spec(
        title="A",
        task=Task(kind=kind, target=target, unit=unit),
        models=(ModelSpec(name="m", file="m.onnx"),),
        features=(LENGTH,),
    )
    found = Signature.of(Parsed(spec, ("x", "y")))
    assert found == Signature(kind, expected, unit, ("x", "y"), (LENGTH,), None)


def test_printable_text_is_short_and_encodable() -> None:
    """A text in a message can be written as UTF-8 and takes at most 80 characters."""
    assert printable("größe") == "größe"
    assert printable("a\ud800b") == "a\\ud800b"
    assert printable("a\x1b[31m\n") == "a\\x1b[31m\\n"
    assert printable("x" * 100) == "x" * 80


def test_many_mistakes_are_cut_and_counted() -> None:
    """At most a hundred mistakes are told, and how many more there are."""
    errors = [FieldError(f"inputs[{n}].a", "is missing") for n in range(MAX_ERRORS + 5)]
    assert merged(errors[:MAX_ERRORS]).errors == tuple(errors[:MAX_ERRORS])
    found = merged(errors).errors
    assert found == (*errors[:MAX_ERRORS], FieldError("inputs", "and 5 more mistakes"))
