"""Pictures of every kind become upright RGB."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from podium.pipeline.photo import MAX_PIXELS, open_image, to_rgb

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
