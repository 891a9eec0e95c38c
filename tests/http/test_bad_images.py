"""Bad images: each is refused with its field, and costs no memory."""

from __future__ import annotations

import base64

import pytest

from podium.pipeline.files import readable
from tests.support import pictures
from tests.support.client import Client, Upload, assert_problem
from tests.support.pictures import RED, encoded, plain, png
from tests.support.server import Server

UNKNOWN = f"is not an image file of a known format: {', '.join(readable())}"
DAMAGED = "cannot be read as an image; it may be damaged: "
SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'
JPEG, NOISE = pictures.noise("JPEG"), pictures.noise("PNG")

BAD: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is empty (0 bytes); expected an image file"),
    "text": (b"This is a text that was renamed to photo.jpg.\n" * 40, UNKNOWN),
    "SVG": (SVG, UNKNOWN),
    "PDF": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", UNKNOWN),
    "EPS": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", UNKNOWN),
    "JPEG signature alone": (JPEG[:3], UNKNOWN),
    "truncated JPEG": (JPEG[: len(JPEG) // 2], DAMAGED),
    "truncated PNG": (NOISE[: len(NOISE) // 2], DAMAGED),
    "truncated GIF": (encoded(plain(RED), "GIF")[:-12], DAMAGED),
    "huge PNG": (pictures.huge_png(50_000),
                 "has 50000 x 50000 pixels; at most 64 megapixels are read"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("form", ["multipart", "raw", "base64"])
def test_bad_image(colours: Client, form: str, kind: str) -> None:
    """A file that is no sound image is named by its field, in each form of the body."""
    body, message = BAD[kind]
    if form == "multipart":
        answer = colours.submit("/predict", files=[Upload("image", body)])
    elif form == "raw":
        answer = colours.post("/predict", body, "image/jpeg")
    else:
        answer = colours.predict({"image": base64.b64encode(body).decode()})
    field = "inputs[0].image" if form == "base64" else "image"
    if message == DAMAGED:
        ((_, message),) = answer.errors
        assert message.startswith(DAMAGED)
    assert_problem(answer, 422, "Invalid input", [(field, message)])


def test_huge_image_costs_no_memory(colours_server: Server, colours: Client) -> None:
    """An image of 50,000 x 50,000 pixels is refused from its header; memory stays flat."""
    colours.post("/predict", png(RED), "image/png")
    colours_server.forget_peak()
    before = colours_server.resident_bytes()
    for _ in range(5):
        assert colours.post("/predict", pictures.huge_png(50_000), "image/png").status == 422
    assert colours_server.peak_bytes() - before < 20_000_000
    assert colours_server.resident_bytes() - before < 20_000_000


def test_several_bad_images(colours: Client) -> None:
    """Every bad image of a request is named by its place among them."""
    files = [Upload("image", body) for body in (b"", png(RED), SVG)]
    errors = [("image[0]", BAD["empty"][1]), ("image[2]", UNKNOWN)]
    assert_problem(colours.submit("/predict", files=files), 422, "Invalid input", errors)


def test_image_and_option_are_named_together(colours: Client) -> None:
    """A bad image and a wrong option are told in one answer."""
    answer = colours.submit("/predict", [("top", "0")], [Upload("image", SVG)])
    errors = [("image", UNKNOWN), ("top", "expected a whole number from 1; found '0'")]
    assert_problem(answer, 422, "Invalid input", errors)


def test_raw_image_and_query_are_named_together(colours: Client) -> None:
    """A bad raw image and a wrong query parameter are told in one answer."""
    answer = colours.post("/predict?top=0", SVG, "image/svg+xml")
    assert answer.status == 422
    assert sorted(answer.errors) == [
        ("image", UNKNOWN), ("top", "expected a whole number from 1; found '0'"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "files", "errors"),
    [
        ([], [], [("image", "is missing; expected a file: -F image=@photo.jpg")]),
        ([("image", "photo.jpg")], [],
         [("image", "expected a file: -F image=@photo.jpg")]),
        ([], [Upload("imgae", png(RED))],
         [("imgae", "is not a field of this form. Did you mean 'image'?")]),
        ([("bill", "3")], [Upload("photo", png(RED)), Upload("image", png(RED))],
         [("bill", "is not a field of this form. Expected image."),
          ("photo", "is not a field of this form. Expected image.")]),
    ],
    ids=["none", "its name as text", "misspelt", "others beside it"],
)  # fmt: skip
def test_form_without_its_image(
    colours: Client,
    fields: list[tuple[str, str]],
    files: list[Upload],
    errors: list[tuple[str, str]],
) -> None:
    """A form whose image is missing or stands elsewhere is told where it belongs."""
    assert_problem(colours.submit("/predict", fields, files), 422, "Invalid input", errors)


@pytest.mark.parametrize(
    ("item", "found"),
    [(7, "7"), ({}, "{}"), ({"image": 7}, "{'image': 7}"), ({"img": "x"}, "{'img': 'x'}"),
     ({"image": "", "more": 1}, "{'image': '', 'more': 1}")],
    ids=str,
)  # fmt: skip
def test_json_without_its_image(colours: Client, item: object, found: str) -> None:
    """An item of JSON that holds no image is told what to hold."""
    message = f'expected {{"image": "<base64>"}}; found {found}'
    assert_problem(colours.predict(item), 422, "Invalid input", [("inputs[0].image", message)])


@pytest.mark.parametrize("text", ["no base64!", "QUJ", "Q", "äöü"])
def test_broken_base64(colours: Client, text: str) -> None:
    """Text that is no base64 is named as that, by its item."""
    good = base64.b64encode(png(RED)).decode()
    answer = colours.predict({"image": good}, {"image": text})
    ((field, message),) = answer.errors
    assert (answer.status, field) == (422, "inputs[1].image")
    assert message.startswith("is not base64: ")


def test_wrong_content_type(colours: Client) -> None:
    """Another content type is told the three ways to send an image."""
    answer = colours.post("/predict", png(RED), "application/octet-stream")
    detail = (
        "Content type 'application/octet-stream' is not read. Send the image as multipart "
        "(-F image=@photo.jpg), as a raw body with an image/* type, or as JSON "
        '(-H "Content-Type: application/json").'
    )
    errors = [("Content-Type", detail)]
    assert_problem(answer, 415, "Unsupported content type", errors, detail)
