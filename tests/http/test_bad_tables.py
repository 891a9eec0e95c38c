"""Bad tables: JSON that is none, of another shape, or with wrong values; and forms."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.http.conftest import BEAM, GENTOO
from tests.support.client import Client, assert_problem

EXAMPLE = '{"inputs": [{"bill_length_mm": ...}]}'
FEATURES = "bill_length_mm, bill_depth_mm, flipper_length_mm, body_mass_g, island, sex"
ISLANDS = "one of Biscoe, Dream, Torgersen"
MISSING = [
    ("bill_length_mm", "is missing; expected a number in mm"),
    ("bill_depth_mm", "is missing; expected a number in mm"),
    ("flipper_length_mm", "is missing; expected a number in mm"),
    ("body_mass_g", "is missing; expected a number in g"),
    ("island", f"is missing; expected {ISLANDS}"),
]


def inputs(*rows: object) -> bytes:
    """Return a body; NaN and Infinity are written as Python does."""
    return json.dumps({"inputs": rows}).encode()


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"", f"The body is empty. Send JSON such as {EXAMPLE}"),
        (b" \r\n\t ", f"The body is empty. Send JSON such as {EXAMPLE}"),
        (b'{"inputs": [', "The body is not JSON: Expecting value: line 1 column 13 (char 12). "
                          f"Send {EXAMPLE}"),
        (b"bill_length_mm=3", "The body is not JSON: Expecting value: line 1 column 1 (char 0). "
                              f"Send {EXAMPLE}"),
        (b'{"inputs": []} x', "The body is not JSON: Extra data: line 1 column 16 (char 15). "
                              f"Send {EXAMPLE}"),
        (b'\xff{"inputs": []}', "The body is not JSON: 'utf-8' codec can't decode byte 0xff in "
                                f"position 0: invalid start byte. Send {EXAMPLE}"),
        (b"[" * 100_000 + b"]" * 100_000, "The body is nested too deeply to be read"),
        (b'{"inputs":' * 100_000, "The body is nested too deeply to be read"),
        (b'{"inputs":[{"island":' + b"[" * 100_000 + b"]" * 100_000 + b"}]}",
         "The body is nested too deeply to be read"),
    ],
    ids=["empty", "blank", "cut off", "a form", "more after it", "no UTF-8", "deep list",
         "deep object", "deep value"],
)  # fmt: skip
def test_no_json(penguins: Client, body: bytes, detail: str) -> None:
    """A body that is no JSON at all is malformed, and the body is what is named."""
    answer = penguins.predict_json(body)
    assert_problem(answer, 400, "Malformed request", [("body", detail)], detail)


@pytest.mark.parametrize(
    ("document", "found"),
    [
        ([GENTOO], None), ("text", "'text'"), (None, "None"), (7, "7"),
        (GENTOO, "an object with no inputs"), ({}, "an object with no inputs"),
        ({"inputs": GENTOO}, "an object with dict"), ({"inputs": "x"}, "an object with str"),
        ({"inputs": None}, "an object with NoneType"),
    ],
    ids=["list", "text", "null", "number", "bare row", "empty", "object", "text in it",
         "null in it"],
)  # fmt: skip
def test_other_shape(penguins: Client, document: Any, found: str | None) -> None:
    """JSON of another shape is malformed; what is expected and what was found are told."""
    found = found or f"{str(document)[:77]}..."
    message = f"expected {EXAMPLE}; found {found}"
    answer = penguins.predict_json(json.dumps(document).encode())
    detail = f"The JSON has another shape: {message}"
    assert_problem(answer, 400, "Malformed request", [("inputs", message)], detail)


def test_more_beside_the_inputs(penguins: Client) -> None:
    """Whatever stands beside "inputs" is named, with the place where options go."""
    body = json.dumps({"inputs": [GENTOO], "seed": 1, "model": "bnn"}).encode()
    message = 'stands beside "inputs"; options go into the query string'
    assert_problem(
        penguins.predict_json(body), 400, "Malformed request",
        [("seed", message), ("model", message)], "The JSON has another shape",
    )  # fmt: skip


def test_no_rows(penguins: Client) -> None:
    """A list without items has nothing to predict."""
    answer = penguins.predict()
    message = "is empty; expected at least one item"
    assert_problem(answer, 422, "Invalid input", [("inputs", message)])


def test_rows_that_are_no_objects(penguins: Client) -> None:
    """Each item that is no object is named by its index."""
    answer = penguins.predict(1, GENTOO, None, [2], "x")
    words = "expected an object of features; found"
    errors = [(f"inputs[{i}]", f"{words} {found}")
              for i, found in ((0, "1"), (2, "None"), (3, "[2]"), (4, "'x'"))]  # fmt: skip
    assert_problem(answer, 422, "Invalid input", errors)


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"bill_lenght_mm": 1}, "bill_lenght_mm",
         "is not a feature. Did you mean 'bill_length_mm'?"),
        ({"colour": 1}, "colour", f"is not a feature. Features: {FEATURES}."),
        ({"\ud800": 1}, "\\ud800", f"is not a feature. Features: {FEATURES}."),
        ({"bill_length_mm": "long"}, "bill_length_mm", "expected a number in mm; found 'long'."),
        ({"bill_length_mm": "47.5"}, "bill_length_mm", "expected a number in mm; found '47.5'."),
        ({"bill_length_mm": True}, "bill_length_mm", "expected a number in mm; found True."),
        ({"bill_length_mm": [47.5]}, "bill_length_mm", "expected a number in mm; found [47.5]."),
        ({"bill_length_mm": {}}, "bill_length_mm", "expected a number in mm; found {}."),
        ({"bill_length_mm": None}, "bill_length_mm", "is missing; expected a number in mm"),
        ({"bill_length_mm": float("nan")}, "bill_length_mm",
         "expected a number in mm; found nan, which is not finite"),
        ({"body_mass_g": float("inf")}, "body_mass_g",
         "expected a number in g; found inf, which is not finite"),
        ({"body_mass_g": float("-inf")}, "body_mass_g",
         "expected a number in g; found -inf, which is not finite"),
        ({"body_mass_g": 10**400}, "body_mass_g",
         "expected a number in g; found inf, which is not finite"),
        ({"island": "Dreem"}, "island",
         f"expected {ISLANDS}; found 'Dreem'. Did you mean 'Dream'?"),
        ({"island": "dream"}, "island",
         f"expected {ISLANDS}; found 'dream'. Did you mean 'Dream'?"),
        ({"island": "Iceland"}, "island", f"expected {ISLANDS}; found 'Iceland'."),
        ({"island": 1}, "island", f"expected {ISLANDS}; found 1."),
        ({"island": "\ud800"}, "island", f"expected {ISLANDS}; found '\\ud800'."),
        ({"island": ""}, "island", f"expected {ISLANDS}; found ''."),
        ({"sex": "m"}, "sex", "expected one of female, male; found 'm'."),
    ],
    ids=lambda value: None if isinstance(value, str) else ascii(value)[:40],
)  # fmt: skip
def test_wrong_value(penguins: Client, changes: dict[str, Any], field: str, message: str) -> None:
    """A wrong value is named by its row and feature, with what is expected and what was found."""
    answer = penguins.predict_json(inputs(GENTOO, {**GENTOO, **changes}))
    assert_problem(answer, 422, "Invalid input", [(f"inputs[1].{field}", message)])


def test_long_unknown_name(penguins: Client) -> None:
    """An unknown name of any length is named by its beginning."""
    ((field, message),) = penguins.predict({**GENTOO, "x" * 100_000: 1}).errors
    assert field.startswith("inputs[0].xxx")
    assert len(field) < 100
    assert message == f"is not a feature. Features: {FEATURES}."


def test_float_overflow_in_json(penguins: Client) -> None:
    """A number beyond what a float holds is named as a number that is not finite."""
    body = inputs(GENTOO).replace(b"47.5", b"1e999")
    message = "expected a number in mm; found inf, which is not finite"
    assert_problem(
        penguins.predict_json(body), 422, "Invalid input", [("inputs[0].bill_length_mm", message)]
    )


def test_number_of_many_digits(penguins: Client) -> None:
    """A whole number of 5,000 digits is too large a number, not broken JSON."""
    body = inputs(GENTOO).replace(b"47.5", b"9" * 5000)
    message = "expected a number in mm; found inf, which is not finite"
    assert_problem(
        penguins.predict_json(body), 422, "Invalid input", [("inputs[0].bill_length_mm", message)]
    )


@pytest.mark.parametrize("model", ["bnn", "forest", "tree", "bayes"])
def test_number_too_large_for_the_model(penguins: Client, model: str) -> None:
    """A finite number that no model can take is the request's mistake, whatever the model."""
    answer = penguins.predict({**GENTOO, "bill_length_mm": 1e300}, query=f"?model={model}")
    assert (answer.status, answer.json()["title"]) == (422, "Invalid input")
    assert [field for field, _ in answer.errors] == ["inputs[0].bill_length_mm"]


def test_missing_features(penguins: Client) -> None:
    """Every missing feature is named; one that is optional is not."""
    errors = [(f"inputs[0].{name}", message) for name, message in MISSING]
    assert_problem(penguins.predict({}), 422, "Invalid input", errors)


def test_every_mistake_of_every_row_is_named(penguins: Client) -> None:
    """Several mistakes in several rows are all told at once."""
    wrong = {name: value for name, value in GENTOO.items() if name != "island"}
    answer = penguins.predict(
        {**wrong, "iland": "Biscoe"}, GENTOO, {**GENTOO, "body_mass_g": "x", "sex": 1}
    )
    assert_problem(answer, 422, "Invalid input", [
        ("inputs[0].iland", "is not a feature. Did you mean 'island'?"),
        ("inputs[0].island", f"is missing; expected {ISLANDS}"),
        ("inputs[2].body_mass_g", "expected a number in g; found 'x'."),
        ("inputs[2].sex", "expected one of female, male; found 1."),
    ])  # fmt: skip


def test_very_many_mistakes(penguins: Client) -> None:
    """Of very many mistakes the first 100 are named and the rest is counted."""
    answer = penguins.predict(*[{**GENTOO, "island": "x"}] * 150)
    assert answer.status == 422
    fields = [field for field, _ in answer.errors]
    assert fields == [*(f"inputs[{index}].island" for index in range(100)), "inputs"]
    assert answer.errors[-1] == ("inputs", "and 50 more mistakes")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("count", 2.5, "expected a whole number; found 2.5."),
        ("count", "2", "expected a whole number; found '2'."),
        ("count", True, "expected a whole number; found True."),
        ("wet", 1, "expected true or false; found 1."),
        ("wet", "true", "expected true or false; found 'true'."),
        ("wet", None, "is missing; expected true or false"),
    ],
)
def test_wrong_kind(weights: Client, field: str, value: Any, message: str) -> None:
    """A value of another kind is not converted in JSON; it is named."""
    answer = weights.predict({**BEAM, field: value})
    assert_problem(answer, 422, "Invalid input", [(f"inputs[0].{field}", message)])


@pytest.mark.parametrize("number", [1e300, 10**400], ids=["1e300", "400 digits"])
def test_integer_too_large(weights: Client, number: float) -> None:
    """A whole number that no model can take is the request's mistake."""
    answer = weights.predict({**BEAM, "count": number})
    assert (answer.status, answer.json()["title"]) == (422, "Invalid input")
    assert [field for field, _ in answer.errors] == ["inputs[0].count"]


def test_form_with_mistakes(penguins: Client) -> None:
    """A form's mistakes are named by its fields' names, those of its options with them."""
    fields = [("bill_length_mm", "long"), ("bill_depth_mm", "nan"), ("island", "Dreem"),
              ("flipper", "1"), ("body_mass_g", " "), ("seed", "x")]  # fmt: skip
    answer = penguins.submit("/predict", fields)
    assert_problem(answer, 422, "Invalid input", [
        ("flipper", f"is not a feature. Features: {FEATURES}."),
        ("bill_length_mm", "expected a number in mm; found 'long'."),
        ("bill_depth_mm", "expected a number in mm; found 'nan'."),
        ("flipper_length_mm", "is missing; expected a number in mm"),
        ("body_mass_g", "is missing; expected a number in g"),
        ("island", f"expected {ISLANDS}; found 'Dreem'. Did you mean 'Dream'?"),
        ("seed", "expected a whole number from 0; found 'x'"),
    ])  # fmt: skip


def test_form_field_given_twice(penguins: Client) -> None:
    """A field that is given twice is named: a form is one row."""
    fields = [(name, str(value)) for name, value in GENTOO.items()]
    answer = penguins.submit("/predict", [*fields, ("island", "Dream")])
    message = "is given 2 times; expected once"
    assert_problem(answer, 422, "Invalid input", [("island", message)])


def test_empty_form(penguins: Client) -> None:
    """A form without fields misses every feature."""
    assert_problem(penguins.submit("/predict"), 422, "Invalid input", MISSING)


@pytest.mark.parametrize(
    "content_type",
    ["multipart/form-data", "multipart/form-data; boundary=other"],
    ids=["no boundary", "another boundary"],
)
def test_form_that_is_none(penguins: Client, content_type: str) -> None:
    """A multipart body that cannot be taken apart is malformed, and the body is named."""
    answer = penguins.post("/predict", b"--x\r\nno form\r\n", content_type)
    detail = answer.json()["detail"]
    assert detail.startswith("The form cannot be read: ")
    assert_problem(answer, 400, "Malformed request", [("body", detail)], detail)


@pytest.mark.parametrize(
    "content_type", ["text/plain", "", "application/xml", "image/png", "application/jsonx"]
)
def test_wrong_content_type(penguins: Client, content_type: str) -> None:
    """Another content type is told, with those that are read."""
    answer = penguins.post("/predict", inputs(GENTOO), content_type)
    detail = (f"Content type {content_type!r} is not read. Send JSON "
              '(-H "Content-Type: application/json") or a form (-F name=value).')  # fmt: skip
    errors = [("Content-Type", detail)]
    assert_problem(answer, 415, "Unsupported content type", errors, detail)


def test_json_called_a_form(penguins: Client) -> None:
    """JSON that curl -d sends as a form is told how to say that it is JSON."""
    answer = penguins.post("/predict", inputs(GENTOO), "application/x-www-form-urlencoded")
    detail = 'The body is JSON but is called a form. Add -H "Content-Type: application/json".'
    errors = [("Content-Type", detail)]
    assert_problem(answer, 415, "Unsupported content type", errors, detail)
