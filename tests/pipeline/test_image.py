"""RGB pictures become the arrays that models take."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from podium.pipeline.image import prepare
from podium.spec import Image as ImageSpec


def spec(**options: Any) -> ImageSpec:
    """Return an [image] of 4 x 6 pixels."""
    return ImageSpec(**{"size": (4, 6), "scale": 1.0, **options})


def picture(width: int, height: int, seed: int = 0) -> Image.Image:
    """Return noise as an image."""
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(values)


def test_values_are_scaled_shifted_and_divided() -> None:
    """Pixels times scale, less mean, over std, a channel each; float32, channels first."""
    image = picture(6, 4)
    found = prepare([image], spec(scale=1 / 255, mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, 2.0)))
    expected = (np.asarray(image) / 255 - [0.1, 0.2, 0.3]) / [0.5, 0.25, 2.0]
    assert (found.dtype.name, found.shape) == ("float32", (1, 3, 4, 6))
    np.testing.assert_allclose(found[0], expected.transpose(2, 0, 1), atol=1e-6)
    assert found.flags.c_contiguous


def test_one_mean_and_std_for_all_channels() -> None:
    """One number counts for every channel."""
    image = picture(6, 4)
    found = prepare([image], spec(mean=(100.0,), std=(50.0,), layout="NHWC"))
    np.testing.assert_allclose(found[0], (np.asarray(image) - 100.0) / 50.0, atol=1e-5)


def test_default_scale_is_zero_to_one() -> None:
    """Without a scale, values run from 0 to 1."""
    found = prepare([Image.new("RGB", (2, 2), "white")], ImageSpec(size=(2, 2)))
    assert found.min() == found.max() == 1.0


def test_layouts() -> None:
    """NHWC has the channels last, NCHW after the batch; the values are the same."""
    image = picture(6, 4)
    last = prepare([image], spec(layout="NHWC"))
    first = prepare([image], spec(layout="NCHW"))
    assert (last.shape, first.shape) == ((1, 4, 6, 3), (1, 3, 4, 6))
    np.testing.assert_array_equal(last[0], np.asarray(image))
    np.testing.assert_array_equal(first, last.transpose(0, 3, 1, 2))


def test_colour_orders() -> None:
    """With bgr the channels turn round; grey has one, the luma of ITU-R 601-2."""
    image = picture(6, 4)
    pixels = np.asarray(image)
    bgr = prepare([image], spec(colour="bgr", layout="NHWC"))
    np.testing.assert_array_equal(bgr[0], pixels[:, :, ::-1])
    grey = prepare([image], spec(colour="grey", layout="NHWC"))
    assert grey.shape == (1, 4, 6, 1)
    np.testing.assert_allclose(grey[0, :, :, 0], pixels @ [0.299, 0.587, 0.114], atol=1)


def test_batch_keeps_its_order() -> None:
    """Images of different sizes stand in the batch in their order."""
    images = [picture(7, 9, 1), picture(30, 20, 2), picture(6, 4, 3)]
    found = prepare(images, spec())
    assert found.shape == (3, 3, 4, 6)
    for index, image in enumerate(images):
        np.testing.assert_array_equal(found[index], prepare([image], spec())[0])


RESAMPLING = {
    "nearest": Image.Resampling.NEAREST,
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "hamming": Image.Resampling.HAMMING,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


@pytest.mark.parametrize("name", RESAMPLING)
def test_exact_resizing(name: str) -> None:
    """exact: to the size, whatever the shape, with the interpolation that is named."""
    image = picture(37, 23)
    found = prepare([image], spec(interpolation=name, layout="NHWC"))
    np.testing.assert_array_equal(found[0], np.asarray(image.resize((6, 4), RESAMPLING[name])))


def test_interpolations_differ() -> None:
    """No two interpolations give the same pixels, and bilinear is the default."""
    image = picture(37, 23)
    made = {name: prepare([image], spec(interpolation=name)).tobytes() for name in RESAMPLING}
    assert len(set(made.values())) == len(RESAMPLING)
    assert prepare([image], spec()).tobytes() == made["bilinear"]


def _as_torchvision(image: Image.Image, side: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return what Resize(side) and CenterCrop(size) of torchvision 0.20 make of an image."""
    width, height = image.size
    short, long = min(width, height), max(width, height)
    other = int(side * long / short)
    new = (side, other) if width <= height else (other, side)
    resized = image.resize(new, Image.Resampling.BILINEAR)
    top = int(round((resized.height - size[0]) / 2.0))  # noqa: RUF046  as it stands there
    left = int(round((resized.width - size[1]) / 2.0))  # noqa: RUF046
    return np.asarray(resized.crop((left, top, left + size[1], top + size[0])))


@pytest.mark.parametrize("crop", [1.0, 0.875])
@pytest.mark.parametrize(
    ("width", "height"),
    [(640, 480), (480, 640), (500, 375), (333, 500), (1000, 999), (224, 224), (100, 30),
     (49, 61), (197, 299), (375, 301)],
)  # fmt: skip
def test_shortest_side_and_centre_crop(width: int, height: int, crop: float) -> None:
    """shortest: as torchvision's Resize(size / crop) and CenterCrop(size), pixel by pixel."""
    image = picture(width, height)
    found = prepare([image], spec(size=(224, 224), resize="shortest", crop=crop, layout="NHWC"))
    expected = _as_torchvision(image, int(224 / crop), (224, 224))
    np.testing.assert_array_equal(found[0], expected)


@pytest.mark.parametrize("size", [(4, 6), (6, 4), (5, 5)])
@pytest.mark.parametrize("shape", [(40, 30), (30, 40), (100, 10), (10, 100)])
def test_shortest_covers_a_size_of_any_shape(size: tuple[int, int], shape: tuple[int, int]) -> None:
    """A crop fills the whole size without a border and without distortion."""
    image = Image.new("RGB", shape, (200, 100, 50))
    found = prepare([image], spec(size=size, resize="shortest", layout="NHWC"))
    assert found.shape == (1, *size, 3)
    np.testing.assert_array_equal(found, np.broadcast_to([200, 100, 50], found.shape))


def test_longest_side_is_padded_with_black() -> None:
    """longest: the whole image, centred, black beside it."""
    image = picture(60, 20)
    found = prepare([image], spec(size=(6, 6), resize="longest", layout="NHWC"))[0]
    small = np.asarray(image.resize((6, 2), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(found[2:4], small)
    assert found[:2].max() == found[4:].max() == 0
    turned = image.transpose(Image.Transpose.ROTATE_90)
    found = prepare([turned], spec(size=(6, 6), resize="longest", layout="NHWC"))[0]
    assert found[:, :2].max() == found[:, 4:].max() == 0
    assert found[:, 2:4].min() >= 0
    assert found[:, 2:4].any()


def test_padding_has_its_colour() -> None:
    """Fill is one number, or one a channel in the model's order of them."""
    image = Image.new("RGB", (60, 20), (1, 2, 3))
    for colour, fill, beside, inside in (
        ("rgb", (9,), [9, 9, 9], [1, 2, 3]), ("rgb", (7, 8, 9), [7, 8, 9], [1, 2, 3]),
        ("bgr", (7, 8, 9), [7, 8, 9], [3, 2, 1]), ("grey", (9,), [9], [2]),
    ):  # fmt: skip
        options = spec(size=(6, 6), resize="longest", colour=colour, fill=fill, layout="NHWC")
        found = prepare([image], options)[0]
        np.testing.assert_array_equal(found[:2], np.broadcast_to(beside, (2, 6, len(beside))))
        np.testing.assert_array_equal(found[2:4], np.broadcast_to(inside, (2, 6, len(inside))))


def test_a_strip_keeps_a_pixel_of_its_shorter_side() -> None:
    """However long a picture is, longest leaves something of it."""
    image = Image.new("RGB", (600, 2), (200, 200, 200))
    found = prepare([image], spec(size=(6, 6), resize="longest", layout="NHWC"))[0]
    assert [row.max() for row in found] == [0, 0, 200, 0, 0, 0]


@pytest.mark.parametrize(
    ("resize", "resize_size", "resized"),
    [
        ("exact", 10, (10, 10)), ("exact", (10, 8), (10, 8)), ("shortest", 10, (10, 15)),
        ("longest", 10, (7, 10)), ("longest", (10, 20), (10, 15)),
    ],
)  # fmt: skip
def test_a_picture_is_resized_and_then_cut(
    resize: str, resize_size: int | tuple[int, int], resized: tuple[int, int]
) -> None:
    """resize_size is one side, or height and width; the middle of size is kept of it."""
    image = picture(60, 40)
    whole = np.asarray(image.resize(resized[::-1], Image.Resampling.BILINEAR))
    top, left = round((resized[0] - 4) / 2), round((resized[1] - 6) / 2)
    found = prepare([image], spec(resize=resize, resize_size=resize_size, layout="NHWC"))
    np.testing.assert_array_equal(found[0], whole[top : top + 4, left : left + 6])


@pytest.mark.parametrize("resize", ["exact", "longest"])
def test_crop_is_a_part_of_every_resizing(resize: str) -> None:
    """Crop says what resize_size would, cut to whole pixels."""
    image = picture(40, 40)
    part = prepare([image], spec(size=(8, 8), resize=resize, crop=0.7))
    side = prepare([image], spec(size=(8, 8), resize=resize, resize_size=11))
    np.testing.assert_array_equal(part, side)


@pytest.mark.parametrize(
    ("place", "starts"),
    [
        ("centre", {1: 0, 3: 2, 5: 2, -1: 0, -3: -2, -5: -2}),
        ("torchvision", {1: 0, 3: 2, 5: 2, -1: 0, -3: -1, -5: -2}),
        ("transformers", {1: 0, 3: 1, 5: 2, -1: -1, -3: -2, -5: -3}),
        ("corner", {1: 0, 3: 0, 5: 0, -1: 0, -3: 0, -5: 0}),
    ],
)
def test_half_a_pixel_of_margin_has_its_place(place: str, starts: dict[int, int]) -> None:
    """Where a cut of 6 begins by how many pixels there are more, or less, in each direction."""
    for spare, start in starts.items():
        image = picture(6 + spare, 6 + spare)
        options = spec(size=(6, 6), resize_size=6 + spare, place=place, layout="NHWC")
        framed = np.pad(np.asarray(image), ((9, 9), (9, 9), (0, 0)))
        expected = framed[9 + start : 15 + start, 9 + start : 15 + start]
        np.testing.assert_array_equal(prepare([image], options)[0], expected)


def test_a_strip_is_cut_before_it_would_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the middle of a very long picture is resized, to the same pixels."""
    image = picture(2000, 4)
    options = spec(size=(8, 8), resize="shortest")
    expected = prepare([image], options)
    sizes: list[tuple[int, int]] = []
    resize = Image.Image.resize

    def seen(self: Image.Image, size: tuple[int, int], *others: Any) -> Image.Image:
        sizes.append(size)
        return resize(self, size, *others)

    monkeypatch.setattr(Image.Image, "resize", seen)
    monkeypatch.setattr("podium.pipeline.image.MAX_PIXELS", 10_000)
    np.testing.assert_array_equal(prepare([image], options), expected)
    assert sizes == [(128, 8)]


def test_dark_strokes_are_made_light() -> None:
    """With polarity any, dark strokes on light ground and light on dark give nearly the same."""
    strokes = np.full((40, 40, 3), 255, np.uint8)
    strokes[10:30, 18:22] = 0
    dark, light = Image.fromarray(strokes), Image.fromarray(255 - strokes)
    options = spec(size=(20, 20), colour="grey", polarity="any", layout="NHWC")
    found = prepare([dark, light], options)
    np.testing.assert_allclose(found[0], found[1], atol=4)
    assert found[0, 10, 10] > 200
    assert found[0, 0, 0] < 20
    plain = prepare([dark], spec(size=(20, 20), colour="grey", layout="NHWC"))
    assert plain[0, 0, 0] == 255


def test_trim_cuts_to_the_strokes() -> None:
    """With trim, strokes in a corner fill the image as strokes in the middle do."""
    pages = []
    for top, left in ((0, 0), (50, 55)):
        page = np.zeros((100, 100, 3), np.uint8)
        page[top + 5 : top + 25, left + 5 : left + 25] = 255
        pages.append(Image.fromarray(page))
    found = prepare(pages, spec(size=(20, 20), colour="grey", trim=True, layout="NHWC"))
    np.testing.assert_allclose(found[0], found[1], atol=1)
    assert found[0].mean() > 100
    assert found[0, 10, 10] == 255
