"""POST /predict with images: every form of the body, and files of every kind seen rightly.

The probabilities of the colour application are a third each of the mean red, green and blue.
"""

from __future__ import annotations

import base64
import tomllib

import pytest

from podium.cli import DEMOS
from tests.support import pictures, profiles
from tests.support.client import Answer, Client, Upload
from tests.support.pictures import BLUE, GREEN, QUARTERS, RED, WHITE, Colour, encoded, plain, png


def seen(answer: Answer, index: int = 0) -> Colour:
    """Return the colour that the application saw."""
    shares = answer.predictions[index]["probabilities"]
    red, green, blue = (round(shares[name] * 3 * 255) for name in ("red", "green", "blue"))
    return red, green, blue


def near(colour: Colour, off: int) -> object:
    """Return what equals a colour up to the loss of its compression."""
    return pytest.approx(colour, abs=off)


def test_answer(colours: Client) -> None:
    """An image gets an answer of the same shape as a table does."""
    (found,) = colours.post("/predict", png((0, 255, 0)), "image/png").predictions
    assert found["probabilities"] == {
        "green": pytest.approx(1 / 3), "rest": pytest.approx(2 / 3), "red": 0, "blue": 0,
    }  # fmt: skip
    assert (found["label"], found["warnings"]) == ("rest", [])
    assert found["uncertainty"]["entropy"] == pytest.approx(0.6365, abs=1e-4)
    assert found["uncertainty"]["epistemic"] is None


def test_forms_answer_alike(colours: Client) -> None:
    """The same image gets the same answer as a file, a raw body, base64 and a data: URL."""
    image = png((10, 200, 30))
    text = base64.b64encode(image).decode()
    expected = colours.post("/predict", image, "image/png").json()
    assert colours.submit("/predict", files=[Upload("image", image)]).json() == expected
    assert colours.post("/predict", image, "image/jpeg").json() == expected
    assert colours.post("/predict", iter([image]), "image/png").json() == expected
    assert colours.predict({"image": text}).json() == expected
    assert colours.predict({"image": f"data:image/png;base64,{text}"}).json() == expected


def test_file_name_and_type_do_not_matter(colours: Client) -> None:
    """What an image is, is told from its content."""
    upload = Upload("image", png(BLUE), "blue.txt", "text/plain")
    assert seen(colours.submit("/predict", files=[upload])) == BLUE


def test_several_images(colours: Client) -> None:
    """`image` repeated, and several items of JSON, are answered in their order."""
    wanted = [RED, GREEN, BLUE]
    files = [Upload("image", png(colour)) for colour in wanted]
    items = [{"image": base64.b64encode(png(colour)).decode()} for colour in wanted]
    by_form, by_json = colours.submit("/predict", files=files), colours.predict(*items)
    assert [seen(by_form, index) for index in range(3)] == wanted
    assert by_json.json() == by_form.json()


def test_options_of_an_image(colours: Client) -> None:
    """Query and form fields choose the model and cut the labels, also for images."""
    image = Upload("image", encoded(pictures.quartered(), "PNG"))
    by_query = colours.submit("/predict?model=topright&top=2", files=[image]).json()
    by_field = colours.submit("/predict", [("model", "topright"), ("top", "2")], [image]).json()
    assert by_query == by_field
    assert by_query["model"] == "topright"
    assert list(by_query["predictions"][0]["probabilities"]) == ["rest", "green"]


KINDS: dict[str, tuple[bytes, Colour, int]] = {
    "JPEG": (encoded(plain((200, 100, 50)), "JPEG", quality=95), (200, 100, 50), 3),
    "grey JPEG": (encoded(plain(77, "L"), "JPEG"), (77, 77, 77), 1),
    "CMYK JPEG, red": (encoded(plain((0, 255, 255, 0), "CMYK"), "JPEG"), RED, 2),
    "CMYK JPEG, cyan": (encoded(plain((255, 0, 0, 0), "CMYK"), "JPEG"), (0, 255, 255), 2),
    "CMYK JPEG, half black": (encoded(plain((0, 0, 0, 127), "CMYK"), "JPEG"), (128,) * 3, 2),
    "CMYK TIFF, red": (encoded(plain((0, 255, 255, 0), "CMYK"), "TIFF"), RED, 2),
    "16-bit grey PNG": (pictures.deep_png([0x8000], 0), (128,) * 3, 1),
    "16-bit grey PNG, dark": (pictures.deep_png([0x0400], 0), (4,) * 3, 1),
    "16-bit grey PNG, white": (pictures.deep_png([0xFFFF], 0), WHITE, 0),
    "16-bit RGB PNG": (pictures.deep_png([0xC000, 0x4000, 0x8000], 2), (192, 64, 128), 1),
    "16-bit grey PNG, clear": (pictures.deep_png([0x4000, 0], 4), WHITE, 0),
    "16-bit RGBA PNG, half clear": (pictures.deep_png([0xFFFF, 0, 0, 0x8000], 6),
                                    (255, 127, 127), 1),
    "16-bit grey PNG, a clear grey": (pictures.deep_png([0x4000], 0, b"\x40\x00"), WHITE, 0),
    "16-bit grey TIFF": (encoded(plain(0x8000, "I;16"), "TIFF"), (128,) * 3, 1),
    "RGBA PNG, half clear": (encoded(plain((255, 0, 0, 128), "RGBA"), "PNG"), (255, 127, 127), 1),
    "RGBA PNG, clear": (encoded(plain((0, 0, 0, 0), "RGBA"), "PNG"), WHITE, 0),
    "grey PNG, half clear": (encoded(plain((0, 128), "LA"), "PNG"), (127,) * 3, 1),
    "1-bit PNG": (encoded(plain(1, "1"), "PNG"), WHITE, 0),
    "BMP": (encoded(plain((9, 99, 199)), "BMP"), (9, 99, 199), 0),
    "WebP": (encoded(plain((9, 99, 199)), "WEBP", lossless=True), (9, 99, 199), 1),
    "AVIF": (encoded(plain((9, 99, 199)), "AVIF", quality=95), (9, 99, 199), 3),
    "HEIC": (encoded(plain((9, 99, 199)), "HEIF", quality=95), (9, 99, 199), 3),
    "phone's file of several": (pictures.frames("MPO", [RED, BLUE]), RED, 3),
    "JPEG in Display P3": (encoded(plain((200, 100, 50)), "JPEG", quality=95,
                                   icc_profile=profiles.display_p3()), (216, 93, 24), 3),
    "animated GIF": (pictures.frames("GIF", [RED, GREEN, BLUE], duration=50), RED, 0),
    "animated WebP": (pictures.frames("WEBP", [GREEN, BLUE], lossless=True), GREEN, 1),
    "animated PNG": (pictures.frames("PNG", [BLUE, RED]), BLUE, 0),
    "TIFF of several pages": (pictures.frames("TIFF", [GREEN, RED, BLUE]), GREEN, 0),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_colours(colours: Client, kind: str) -> None:
    """Every kind of file is converted to its right colours; of several frames the first counts."""
    image, colour, off = KINDS[kind]
    assert seen(colours.post("/predict", image, "image/png")) == near(colour, off)


@pytest.mark.parametrize(
    ("transparency", "left"),
    [(0, WHITE), (b"\x00\xff", WHITE), (b"\x80\xff", (127, 127, 127)), (b"\xff\xff", (0, 0, 0))],
    ids=["an entry", "clear", "half clear", "none clear"],
)
def test_palette_with_transparency(
    colours: Client, transparency: int | bytes, left: Colour
) -> None:
    """What is clear in a palette is seen over white, the other entries keep their colour."""
    image = pictures.palette_png(transparency)
    assert seen(colours.post("/predict?model=topleft", image, "image/png")) == near(left, 1)
    assert seen(colours.post("/predict?model=topright", image, "image/png")) == BLUE


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation(colours: Client, orientation: int) -> None:
    """A photo is turned upright as its EXIF orientation says."""
    image = pictures.turned_jpeg(orientation)
    for model, colour in (("topleft", QUARTERS[0]), ("topright", QUARTERS[1])):
        answer = colours.post(f"/predict?model={model}", image, "image/jpeg")
        assert seen(answer) == near(colour, 6)


def test_odd_orientation(colours: Client) -> None:
    """An orientation that no standard knows leaves the photo as it is."""
    answer = colours.post("/predict?model=topleft", pictures.turned_jpeg(99), "image/jpeg")
    assert seen(answer) == near(QUARTERS[0], 6)


def test_broken_exif(colours: Client) -> None:
    """Odd metadata is no reason to refuse a picture."""
    image = encoded(plain(RED), "JPEG", quality=95, exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff")
    assert seen(colours.post("/predict", image, "image/jpeg")) == near(RED, 3)


def test_shape_of_the_image(colours: Client) -> None:
    """An image of another size and shape is resized to the model's."""
    wide = encoded(plain(BLUE).resize((640, 33)), "PNG")
    assert seen(colours.post("/predict", wide, "image/png")) == BLUE


def test_digits_demo(digits: Client) -> None:
    """The digits demo reads the examples it shows as what they are."""
    spec = tomllib.loads((DEMOS / "digits" / "podium.toml").read_text())
    examples = [one for one in spec["examples"] if "expected" in one]
    assert examples
    for example in examples:
        image = (DEMOS / "digits" / example["image"]).read_bytes()
        (found,) = digits.submit("/predict", files=[Upload("image", image)]).predictions
        assert found["label"] == str(example["expected"])
