"""JSON bodies become items; every mistake in them is told with its field."""

from __future__ import annotations

import base64
import json
from io import BytesIO
from typing import Any

import msgspec
import pytest
from PIL import Image

from podium.errors import FieldError, InvalidInput, MalformedRequest, RequestTooLarge
from podium.messages import plain
from podium.pipeline import decode
from podium.pipeline.decode import JsonReader, read_images
from podium.pipeline.files import readable
from podium.signature import Signature
from podium.spec import Feature, TextInput
from podium.spec import Image as ImageSpec

FEATURES = (
    Feature(name="bill length", unit="mm"),
    Feature(name="count", kind="integer"),
    Feature(name="flag", kind="boolean"),
    Feature(name="island", kind="category", choices=("p", "q"), optional=True),
)
TABLE = Signature("classification", "class", None, ("x", "y"), FEATURES, None)
PICTURE = Signature("classification", "class", None, ("x", "y"), (), ImageSpec(size=(4, 4)))
NOTE = Signature("regression", "value", None, (), (), None, TextInput(max_length=5))
ONE: dict[str, Any] = {"bill length": 1.5, "count": 2, "flag": True, "island": "p"}


def read(document: object, signature: Signature = TABLE, limit: int = 10) -> Any:
    """Return the items of a JSON body."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return JsonReader(signature, limit).read(body)


def mistakes_in(document: object, signature: Signature = TABLE) -> list[FieldError]:
    """Return what is wrong with the values of a body."""
    with pytest.raises(InvalidInput) as caught:
        read(document, signature)
    return list(caught.value.errors)


def test_rows_in_the_features_order() -> None:
    """Each input is a row in the features' order, whatever the order of its keys."""
    turned = dict(reversed(ONE.items()))
    assert read({"inputs": [ONE, turned, {**ONE, "island": None}]}) == [
        (1.5, 2, True, "p"),
        (1.5, 2, True, "p"),
        (1.5, 2, True, None),
    ]


def test_optional_value_may_be_left_out() -> None:
    """An optional value that is not there is missing."""
    one = {name: value for name, value in ONE.items() if name != "island"}
    assert read({"inputs": [one]}) == [(1.5, 2, True, None)]


def test_whole_numbers_and_numbers_convert() -> None:
    """3 is a number and 3.0 a whole number."""
    rows = read({"inputs": [{**ONE, "bill length": 3, "count": 3.0}]})
    assert rows == [(3.0, 3, True, "p")]
    assert [type(cell) for cell in rows[0]] == [float, int, bool, str]


def test_every_mistake_of_every_row() -> None:
    """Each wrong value of each row is told as inputs[i].name, together."""
    inputs = [
        {"bill lenght": 1, "count": "2", "flag": True},
        ONE,
        {**ONE, "flag": "yes", "island": "r"},
        7,
    ]
    assert mistakes_in({"inputs": inputs}) == [
        FieldError("inputs[0].bill lenght", "is not a feature. Did you mean 'bill length'?"),
        FieldError("inputs[0].bill length", "is missing; expected a number in mm"),
        FieldError("inputs[0].count", "expected a whole number; found '2'."),
        FieldError("inputs[2].flag", "expected true or false; found 'yes'."),
        FieldError("inputs[2].island", "expected one of p, q; found 'r'."),
        FieldError("inputs[3]", "expected an object of features; found 7"),
    ]


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_are_not_finite(text: str) -> None:
    """A number that is not finite is named with its field, although it is no JSON."""
    body = json.dumps({"inputs": [ONE]}).replace("1.5", text).encode()
    expected = "expected a number in mm; found {}, which is not finite"
    names = {"NaN": "nan", "Infinity": "inf", "-Infinity": "-inf", "1e999": "inf"}
    assert mistakes_in(body) == [FieldError("inputs[0].bill length", expected.format(names[text]))]


@pytest.mark.parametrize("digits", [39, 400, 5000])
@pytest.mark.parametrize("name", ["bill length", "count"])
def test_numbers_of_many_digits(name: str, digits: int) -> None:
    """A number too large for any model is named with its field, however many digits it has."""
    body = json.dumps({"inputs": [ONE, {**ONE, name: 7}]}).replace("7", "9" * digits).encode()
    (found,) = mistakes_in(body)
    assert found.field == f"inputs[1].{name}"
    assert found.message.endswith(("which is too large", "which is not finite"))
    assert len(found.message) < 200


def test_images_of_one_request_have_a_limit_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Images that together have too many pixels are refused before any is decoded."""
    monkeypatch.setattr(decode, "MAX_REQUEST_PIXELS", 17)
    monkeypatch.setattr(decode, "decode", lambda image, _: image)
    assert len(read_images([png("red")] * 2, "image")) == 2
    with pytest.raises(RequestTooLarge, match=r"have 0 megapixels together"):
        read_images([png("red")] * 3, "image")


def test_no_inputs() -> None:
    """An empty list is told."""
    assert mistakes_in({"inputs": []}) == [
        FieldError("inputs", "is empty; expected at least one item")
    ]


@pytest.mark.parametrize("wrong", [False, True])
def test_more_items_than_the_limit(wrong: bool) -> None:
    """More items than [limits] rows are refused with both numbers, right or wrong."""
    inputs = [{} if wrong else ONE] * 4
    with pytest.raises(RequestTooLarge) as caught:
        read({"inputs": inputs}, limit=3)
    message = "4 items in one request; the limit is 3 ([limits] rows)"
    assert (str(caught.value), caught.value.errors) == (message, (FieldError("inputs", message),))
    assert len(read({"inputs": [ONE] * 3}, limit=3)) == 3


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "The body is empty. Send JSON such as"),
        (b"  \n", "The body is empty. Send JSON such as"),
        (b"{", "The body is not JSON: "),
        (b'{"inputs": [{"bill length": "\xff"}]}', "The body is not JSON: "),
        (b"[1]", "found [1]"),
        (b"{}", "found an object with no inputs"),
        (b'{"inputs": {"bill length": 1}}', "found an object with dict"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"inputs": ' + b"[" * 100_000, "nested too deeply"),
    ],
    ids=["empty", "blank", "broken", "no UTF-8", "list", "no inputs", "object", "deep", "deeper"],
)  # fmt: skip
def test_body_of_another_shape(body: bytes, message: str) -> None:
    """A body that cannot be read at all is malformed, and an example shows what is expected."""
    with pytest.raises(MalformedRequest) as caught:
        read(body)
    assert message in str(caught.value)


def test_example_in_a_message_fits_the_application() -> None:
    """The example of a message has the application's first feature, an image or a text."""
    with pytest.raises(MalformedRequest, match=r'\{"inputs": \[\{"bill length": \.\.\.\}\]\}'):
        read(b"")
    with pytest.raises(MalformedRequest, match=r'\{"inputs": \[\{"image": "<base64>"\}\]\}'):
        read(b"", PICTURE)
    with pytest.raises(MalformedRequest, match=r'\{"inputs": \[\{"text": "\.\.\."\}\]\}'):
        read(b"", NOTE)


def test_keys_beside_inputs() -> None:
    """Options in the body are told where they go."""
    with pytest.raises(MalformedRequest) as caught:
        read({"inputs": [ONE], "model": "m", "seed": 1})
    message = 'stands beside "inputs"; options go into the query string'
    assert caught.value.errors == (FieldError("model", message), FieldError("seed", message))


@pytest.mark.parametrize(
    "body",
    [
        b'{"inputs": [{"bill length": 1}], "\\ud800": 1}',
        b'{"inputs": [{"\\ud800": 1}]}',
        b'{"inputs": [{"island": "\\ud800"}]}',
        b'["\\ud800"]',
    ],
    ids=["beside", "name", "value", "shape"],
)
def test_every_mistake_can_be_sent(body: bytes) -> None:
    """What a client sent can be told back to it: no half character gets into a message."""
    with pytest.raises((InvalidInput, MalformedRequest)) as caught:
        read(body)
    msgspec.json.encode([str(caught.value), list(caught.value.errors)], enc_hook=plain)


def test_long_keys_are_cut() -> None:
    """A key of a megabyte does not come back whole."""
    with pytest.raises(MalformedRequest) as caught:
        read({"inputs": [ONE], "k" * 10**6: 1})
    assert len(caught.value.errors[0].field) <= 100


def test_many_mistakes_are_cut() -> None:
    """At most a hundred mistakes are told, and how many more there are."""
    with pytest.raises(InvalidInput) as caught:
        read({"inputs": [{**ONE, "count": "x"}] * 150}, limit=200)
    assert len(caught.value.errors) == 101
    assert caught.value.errors[-1] == FieldError("inputs", "and 50 more mistakes")


def png(colour: str) -> bytes:
    """Return a PNG file of one colour."""
    buffer = BytesIO()
    Image.new("RGB", (3, 2), colour).save(buffer, "PNG")
    return buffer.getvalue()


def text(body: bytes) -> str:
    """Return bytes in base64."""
    return base64.b64encode(body).decode()


def test_images_in_base64() -> None:
    """Images come in base64, as they are or as a data: URL."""
    inputs = [{"image": text(png("red"))},
              {"image": f"data:image/png;base64,{text(png('blue'))}"}]  # fmt: skip
    for given in (inputs, inputs[:1], inputs[1:]):
        found = read({"inputs": given}, PICTURE)
        colours = {0: (255, 0, 0), 1: (0, 0, 255)}
        assert [image.getpixel((0, 0)) for image in found] == [
            colours[inputs.index(one)] for one in given
        ]


def test_every_wrong_image_is_told() -> None:
    """Each image that cannot be read is told with its number, together."""
    inputs: list[Any] = [
        {"image": text(png("red"))},
        {"image": "%%%"},
        {"image": text(b"not an image")},
        {"image": 3},
        {"picture": "x"},
        "x",
        {"image": ""},
    ]
    shown = {3: "{'image': 3}", 4: "{'picture': 'x'}", 5: "'x'"}
    found = mistakes_in({"inputs": inputs}, PICTURE)
    assert [error.field for error in found] == [f"inputs[{n}].image" for n in range(1, 7)]
    assert found[0].message.startswith("is not base64: ")
    formats = ", ".join(readable())
    assert found[1].message == f"is not an image file of a known format: {formats}"
    for number, what in shown.items():
        assert found[number - 1].message == f'expected {{"image": "<base64>"}}; found {what}'
    assert found[5].message == "is empty (0 bytes); expected an image file"


def test_read_images_names_each_field() -> None:
    """A file that cannot be read is told under the name that the caller gives it."""
    with pytest.raises(InvalidInput) as caught:
        read_images([png("red"), b"", FieldError("x", "is a folder")], "file {}")
    assert caught.value.errors == (
        FieldError("file 1", "is empty (0 bytes); expected an image file"),
        FieldError("file 2", "is a folder"),
    )


def test_texts_as_they_are() -> None:
    """Texts come through character for character; their length counts characters, not bytes."""
    texts = ["a", " \n\tb", "ßßßßß", "😀" * 5, "\u0645\u202e", "</p>"]
    assert read({"inputs": [{"text": text} for text in texts]}, NOTE) == texts


def test_every_wrong_text_is_told() -> None:
    """Each text that is empty, too long, half a character or none is told, together."""
    inputs: list[Any] = [
        {"text": "a"}, {"text": ""}, {"text": " \n"}, {"text": "\ud800"}, {"text": "a\0"},
        {"text": "123456"}, {"text": 3}, {"note": "a"}, "a",
    ]  # fmt: skip
    empty = "is empty; expected a text"
    unfit = "which stands in no text; is it encoded as UTF-8?"
    messages = [
        empty, empty, f"character 1 is '\\ud800', {unfit}", f"character 2 is '\\x00', {unfit}",
        "has 6 characters; the limit is 5 ([text] max_length)", "expected a text; found 3",
        """expected {"text": "..."}; found {'note': 'a'}""",
        """expected {"text": "..."}; found 'a'""",
    ]  # fmt: skip
    assert mistakes_in({"inputs": inputs}, NOTE) == [
        FieldError(f"inputs[{n}].text", message) for n, message in enumerate(messages, 1)
    ]


def test_nul_in_json_that_is_right_else() -> None:
    """A character that no text holds is found where nothing else is wrong with the JSON."""
    (found,) = mistakes_in({"inputs": [{"text": "\0"}]}, NOTE)
    assert found.field == "inputs[0].text"


def test_many_wrong_texts_are_cut() -> None:
    """At most a hundred wrong texts are told, and how many more there are."""
    with pytest.raises(InvalidInput) as caught:
        read({"inputs": [{"text": ""}] * 150}, NOTE, limit=200)
    assert len(caught.value.errors) == 101
    assert caught.value.errors[-1] == FieldError("inputs", "and 50 more mistakes")


def test_more_texts_than_the_limit() -> None:
    """Too many texts are refused before any is looked at."""
    with pytest.raises(RequestTooLarge):
        read({"inputs": [{"text": ""}] * 11}, NOTE)
