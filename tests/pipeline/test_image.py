"""Pictures of every kind become upright RGB, and the arrays that models take."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from podium.pipeline.image import MAX_PIXELS, open_image, prepare, to_rgb
from podium.spec import Image as ImageSpec

WIDTH, HEIGHT = 5, 3
RGB = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


def file_of(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """Return an image as a file."""
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def pixels_of(body: bytes) -> NDArray[np.uint8]:
    """Return what is read of an image file, and check that it is 8-bit RGB."""
    image = open_image(body)
    assert image.mode == "RGB"
    return np.asarray(image)


@pytest.mark.parametrize(("kind", "options"), [
    ("PNG", {}), ("BMP", {}), ("TIFF", {}), ("WEBP", {"lossless": True})])  # fmt: skip
def test_lossless_formats_keep_every_pixel(kind: str, options: dict[str, Any]) -> None:
    """A colour image of each lossless format comes as it is."""
    np.testing.assert_array_equal(pixels_of(file_of(Image.fromarray(RGB), kind, **options)), RGB)


@pytest.mark.parametrize("kind", ["JPEG", "GIF"])
def test_lossy_formats_are_read(kind: str) -> None:
    """JPEG and GIF are read; a plain colour is kept nearly."""
    body = file_of(Image.new("RGB", (16, 16), (200, 30, 60)), kind)
    np.testing.assert_allclose(pixels_of(body), np.full((16, 16, 3), [200, 30, 60]), atol=3)


def test_grey_is_the_same_in_every_channel() -> None:
    """8-bit grey comes as three equal channels."""
    grey = RGB[:, :, 0]
    expected = np.repeat(grey[:, :, None], 3, axis=2)
    np.testing.assert_array_equal(pixels_of(file_of(Image.fromarray(grey))), expected)


def test_black_and_white() -> None:
    """A bitmap is 0 and 255."""
    bits = RGB[:, :, 0] > 127
    found = pixels_of(file_of(Image.fromarray(bits)))
    np.testing.assert_array_equal(found, np.repeat(bits[:, :, None] * 255, 3, axis=2))


def test_deep_grey_is_scaled_not_clipped() -> None:
    """16-bit grey is divided by 257, to a level; black and white stay what they are."""
    deep = np.array([[0, 128, 129, 257, 32768, 65535]], np.uint16)
    found = pixels_of(file_of(Image.fromarray(deep)))
    np.testing.assert_allclose(found[0, :, 0], deep[0] / 257, 0, 1)
    assert found[0, [0, -1], 0].tolist() == [0, 255]
    assert (found == found[:, :, :1]).all()


def test_deep_grey_tiff() -> None:
    """A TIFF of 16-bit grey is scaled too, in either byte order."""
    deep = np.array([[0, 257, 65535]], np.uint16)
    body = file_of(Image.fromarray(deep), "TIFF")
    assert pixels_of(body)[0, :, 0].tolist() == [0, 1, 255]


def test_float_grey_is_scaled_from_one() -> None:
    """Float grey from 0 to 1 is scaled to 0 to 255; what is no number is black."""
    floats = np.array([[0, 0.5, 1.0, np.nan]], np.float32)
    found = pixels_of(file_of(Image.fromarray(floats), "TIFF"))[0, :, 0]
    np.testing.assert_allclose(found, [0, 127.5, 255, 0], 0, 1)


def test_transparency_lies_over_white() -> None:
    """RGBA is laid over white, in proportion."""
    rgba = np.array([[[10, 20, 30, 0], [10, 20, 30, 255], [0, 100, 200, 51]]], np.uint8)
    expected = [[255, 255, 255], [10, 20, 30], [204, 224, 244]]
    assert pixels_of(file_of(Image.fromarray(rgba)))[0].tolist() == expected


def test_grey_with_transparency_lies_over_white() -> None:
    """Grey with an alpha channel is laid over white."""
    image = Image.fromarray(np.array([[[0, 0], [0, 255], [100, 51]]], np.uint8), "LA")
    assert pixels_of(file_of(image))[0, :, 0].tolist() == [255, 0, 224]


def test_palette_with_transparency_lies_over_white() -> None:
    """A palette's transparent colour becomes white, its other colours stay."""
    image = Image.new("P", (3, 1))
    image.putpalette([200, 0, 0, 0, 200, 0, 0, 0, 200])
    image.putdata([0, 1, 2])
    found = pixels_of(file_of(image, transparency=1))
    assert found[0].tolist() == [[200, 0, 0], [255, 255, 255], [0, 0, 200]]


def test_palette_without_transparency() -> None:
    """A palette image has its palette's colours."""
    image = Image.new("P", (2, 1))
    image.putpalette([200, 10, 20, 0, 100, 3])
    image.putdata([1, 0])
    assert pixels_of(file_of(image))[0].tolist() == [[0, 100, 3], [200, 10, 20]]


def test_transparent_colour_of_an_rgb_file() -> None:
    """A PNG that declares one colour transparent shows white there."""
    image = Image.fromarray(np.array([[[1, 2, 3], [4, 5, 6]]], np.uint8))
    found = pixels_of(file_of(image, transparency=(1, 2, 3)))
    assert found[0].tolist() == [[255, 255, 255], [4, 5, 6]]


@pytest.mark.parametrize(
    ("ink", "colour"),
    [((0, 0, 0, 0), (255, 255, 255)), ((255, 0, 0, 0), (0, 255, 255)), ((0, 0, 0, 255), (0, 0, 0))],
)
def test_print_colours(ink: tuple[int, ...], colour: tuple[int, ...]) -> None:
    """CMYK becomes RGB: no ink is white, cyan lacks red, black is black; also as a JPEG."""
    image = Image.new("CMYK", (16, 16), ink)
    np.testing.assert_array_equal(pixels_of(file_of(image, "TIFF"))[0, 0], colour)
    np.testing.assert_allclose(pixels_of(file_of(image, "JPEG", quality=95))[8, 8], colour, atol=4)


def _turned(orientation: int) -> NDArray[np.uint8]:
    """Return RGB as EXIF's table says, worked out with numpy alone."""
    steps: dict[int, NDArray[np.uint8]] = {
        1: RGB,
        2: RGB[:, ::-1],
        3: RGB[::-1, ::-1],
        4: RGB[::-1],
        5: RGB.transpose(1, 0, 2),
        6: RGB.transpose(1, 0, 2)[:, ::-1],
        7: RGB[::-1, ::-1].transpose(1, 0, 2),
        8: RGB.transpose(1, 0, 2)[::-1],
    }
    return steps[orientation]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_are_turned_upright(orientation: int) -> None:
    """Each of EXIF's eight orientations is undone."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    body = file_of(Image.fromarray(RGB), exif=exif)
    np.testing.assert_array_equal(pixels_of(body), _turned(orientation))


def test_odd_orientation_is_ignored() -> None:
    """An orientation that EXIF does not know turns nothing."""
    exif = Image.Exif()
    exif[0x0112] = 42
    np.testing.assert_array_equal(pixels_of(file_of(Image.fromarray(RGB), exif=exif)), RGB)


def test_first_frame_of_a_film() -> None:
    """Of several frames the first is read."""
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    body = file_of(frames[0], "GIF", save_all=True, append_images=frames[1:])
    np.testing.assert_allclose(pixels_of(body)[0, 0], (255, 0, 0), atol=2)


def test_empty_file() -> None:
    """An empty file is told as one."""
    with pytest.raises(ValueError, match=r"^is empty \(0 bytes\); expected an image file$"):
        open_image(b"")


@pytest.mark.parametrize("body", [b"hello", b"\x89PNG\r\n\x1a\n", b"%PDF-1.4", b"<svg/>"])
def test_what_is_no_image(body: bytes) -> None:
    """A file of another format is told with the formats that are read."""
    with pytest.raises(ValueError, match=r"known format: JPEG, PNG, WEBP, GIF, TIFF, BMP$"):
        open_image(body)


@pytest.mark.parametrize("kind", ["PPM", "ICO", "TGA", "PDF"])
def test_other_formats_of_pillow_are_not_read(kind: str) -> None:
    """What Pillow could read beyond the listed formats is refused."""
    with pytest.raises(ValueError, match="known format"):
        open_image(file_of(Image.fromarray(RGB), kind))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_cut_file_is_damaged(kind: str) -> None:
    """A file that ends too early is told as damaged."""
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    body = file_of(Image.fromarray(noise), kind)
    with pytest.raises(ValueError, match=r"damaged|known format"):
        open_image(body[: len(body) // 2])


def _huge_png(width: int, height: int) -> bytes:
    """Return a PNG whose header alone is huge."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + check

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )  # fmt: skip


@pytest.mark.parametrize(("width", "height"), [(8001, 8000), (200_000, 200_000)])
def test_too_many_pixels_are_refused_by_the_header(width: int, height: int) -> None:
    """An image above 64 megapixels is refused before it is decoded; the message has its size."""
    assert width * height > MAX_PIXELS
    expected = f"^has {width} x {height} pixels; at most 64 megapixels are read$"
    with pytest.raises(ValueError, match=expected):
        open_image(_huge_png(width, height))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP"])
@pytest.mark.filterwarnings("ignore")
def test_damage_is_a_value_error(kind: str) -> None:
    """Whatever bytes are wrong, an image is read or refused with a ValueError."""
    exif = Image.Exif()
    exif[0x0112] = 6
    options = {} if kind in ("GIF", "BMP") else {"exif": exif}
    body = bytearray(file_of(Image.fromarray(np.tile(RGB, (4, 4, 1))), kind, **options))
    rng = np.random.default_rng(1)
    refused = 0
    for _ in range(400):
        damaged = bytearray(body)
        for place in rng.integers(0, len(body), rng.integers(1, 6)):
            damaged[place] = int(rng.integers(256))
        try:
            assert open_image(bytes(damaged)).mode == "RGB"
        except ValueError:
            refused += 1
    assert refused > 0


def test_to_rgb_leaves_the_given_image_alone() -> None:
    """The image that is given stays as it is."""
    image = Image.fromarray(np.zeros((2, 2, 4), np.uint8))
    assert to_rgb(image).mode == "RGB"
    assert image.mode == "RGBA"


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
    "bilinear": Image.Resampling.BILINEAR,
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
    assert len(set(made.values())) == 4
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
