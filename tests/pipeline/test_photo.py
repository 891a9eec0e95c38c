"""Pictures of every kind become upright RGB."""

from __future__ import annotations

import struct
import sys
import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from podium.pipeline.files import FORMATS, MAX_READS, MAX_SCANS, MAX_STRIPS, MAX_TILE, readable
from podium.pipeline.photo import MAX_PIXELS, open_image
from tests.support import pictures

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


@pytest.mark.parametrize("kind", ["JPEG", "MPO", "GIF", "AVIF", "HEIF"])
def test_lossy_formats_are_read(kind: str) -> None:
    """JPEG, a phone's file of several, GIF, AVIF and HEIC keep a plain colour nearly."""
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


def _turned(orientation: int, rgb: NDArray[np.uint8] = RGB) -> NDArray[np.uint8]:
    """Return pixels as EXIF's table says, worked out with numpy alone."""
    steps: dict[int, NDArray[np.uint8]] = {
        1: rgb,
        2: rgb[:, ::-1],
        3: rgb[::-1, ::-1],
        4: rgb[::-1],
        5: rgb.transpose(1, 0, 2),
        6: rgb.transpose(1, 0, 2)[:, ::-1],
        7: rgb[::-1, ::-1].transpose(1, 0, 2),
        8: rgb.transpose(1, 0, 2)[::-1],
    }
    return steps[orientation]


def _held(orientation: int) -> bytes:
    """Return the EXIF data of a camera that was held in another way."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_photos_are_turned_upright(kind: str, orientation: int) -> None:
    """Each of EXIF's eight orientations is undone, once."""
    options = {"lossless": True} if kind == "WEBP" else {}
    body = file_of(Image.fromarray(RGB), kind, exif=_held(orientation), **options)
    np.testing.assert_array_equal(pixels_of(body), _turned(orientation))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "AVIF", "HEIF"])
def test_lossy_photos_are_turned_upright(kind: str, orientation: int) -> None:
    """Each orientation is undone in a format that changes the pixels a little."""
    quarters = np.kron(RGB[:2, :2], np.ones((32, 32, 1), np.uint8))
    options = {"subsampling": "4:4:4"} if kind != "HEIF" else {"chroma": 444}
    body = file_of(Image.fromarray(quarters), kind, exif=_held(orientation), quality=95, **options)
    expected = _turned(orientation, RGB[:2, :2])
    np.testing.assert_allclose(pixels_of(body)[16::32, 16::32], expected, atol=8)


def test_odd_orientation_is_ignored() -> None:
    """An orientation that EXIF does not know turns nothing."""
    np.testing.assert_array_equal(pixels_of(file_of(Image.fromarray(RGB), exif=_held(42))), RGB)


def test_a_progressive_jpeg_is_read() -> None:
    """A JPEG that comes in several scans has all its detail."""
    image = Image.fromarray(np.kron(RGB, np.ones((8, 8, 1), np.uint8)))
    plain, progressive = (
        pixels_of(file_of(image, "JPEG", progressive=way)) for way in (False, True)
    )
    np.testing.assert_array_equal(progressive, plain)


@pytest.mark.parametrize("order", ["<", ">"])
def test_deep_colour_is_cut_to_8_bits(order: str) -> None:
    """Of 16-bit colour the higher byte is taken, in a PNG and in a TIFF of either byte order."""
    deep = [0x12FF, 0x3400, 0xFFFF]
    tags = {256: [1], 257: [1], 258: [16, 16, 16], 262: [2], 273: [8], 277: [3], 278: [1], 279: [6]}
    for body in (pictures.tiff(tags, struct.pack(f"{order}3H", *deep), order),
                 pictures.deep_png(deep, colour_type=2)):  # fmt: skip
        assert pixels_of(body)[0, 0].tolist() == [0x12, 0x34, 0xFF]


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF", "MPO", "AVIF", "HEIF"])
def test_first_frame_of_a_film(kind: str) -> None:
    """Of several frames, pages or pictures the first is read."""
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    body = file_of(frames[0], kind, save_all=True, append_images=frames[1:])
    np.testing.assert_allclose(pixels_of(body)[8, 8], (255, 0, 0), atol=4)


def test_empty_file() -> None:
    """An empty file is told as one."""
    with pytest.raises(ValueError, match=r"^is empty \(0 bytes\); expected an image file$"):
        open_image(b"")


@pytest.mark.parametrize("body", [b"hello", b"\x89PNG\r\n\x1a\n", b"%PDF-1.4", b"<svg/>"])
def test_what_is_no_image(body: bytes) -> None:
    """A file of another format is told with the formats that are read."""
    with pytest.raises(ValueError, match=f"known format: {', '.join(readable())}$"):
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


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.filterwarnings("ignore")
def test_damage_is_a_value_error(kind: str) -> None:
    """Whatever bytes are wrong, an image is read or refused with a ValueError."""
    options = {} if kind in ("GIF", "BMP") else {"exif": _held(6)}
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


@pytest.fixture
def _no_heif(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make pillow-heif look as if it were not installed."""
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    readable.cache_clear()
    yield
    readable.cache_clear()


@pytest.mark.usefixtures("_no_heif")
@pytest.mark.parametrize("brand", [b"heic", b"mif1"])
def test_heic_without_its_codec_names_the_way_out(brand: bytes) -> None:
    """Where pillow-heif is missing, the visitor is told what to send, the maker what to install."""
    body = file_of(Image.fromarray(RGB), "HEIF")
    expected = (
        "is a HEIC photo, which this server does not read. Send it as JPEG (an iPhone takes JPEG "
        "under Settings, Camera, Formats, Most Compatible), or let the server read it: "
        "pip install 'podium[heic]'"
    )
    with pytest.raises(ValueError) as caught:
        open_image(body.replace(b"heic", brand, 1))
    assert str(caught.value) == expected
    with pytest.raises(ValueError, match=r"known format: JPEG, PNG, WEBP, GIF, TIFF, BMP, AVIF$"):
        open_image(b"hello")


def test_heic_of_another_brand_is_read() -> None:
    """A HEIC photo whose file calls itself a plain HEIF, as AVIF files do too, is read."""
    body = file_of(Image.new("RGB", (16, 16), "red"), "HEIF").replace(b"heic", b"mif1", 1)
    np.testing.assert_allclose(pixels_of(body)[8, 8], (255, 0, 0), atol=4)


def test_formats_are_those_whose_codec_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its codec in Pillow a format is not among those that are read."""
    assert readable() == FORMATS
    monkeypatch.setattr("PIL.features.check", lambda _: False)
    readable.cache_clear()
    try:
        assert readable() == ("JPEG", "PNG", "GIF", "TIFF", "BMP", "HEIF")
    finally:
        readable.cache_clear()


def _in_pieces(kind: str, count: int) -> bytes:
    """Return a sound file into which `count` empty pieces were put."""
    body = file_of(Image.new("P" if kind == "GIF" else "L", (4, 4)), kind)
    empty = {"JPEG": b"\xff\xfe\0\2", "GIF": b"\x21\xfe\0",
             "PNG": b"\0\0\0\0abCd" + struct.pack(">I", zlib.crc32(b"abCd"))}[kind]  # fmt: skip
    place = {"JPEG": 2, "PNG": 33, "GIF": body.find(b"\x2c\0\0\0\0")}[kind]
    return body[:place] + empty * count + body[place:]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF"])
def test_a_file_of_countless_pieces_is_refused(kind: str) -> None:
    """A file cut into so many pieces that they would cost seconds is refused; some hundred not."""
    assert open_image(_in_pieces(kind, 500)).size == (4, 4)
    with pytest.raises(ValueError, match=f"damaged: it has more than {MAX_READS} pieces$"):
        open_image(_in_pieces(kind, MAX_READS))


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_tiff_of_countless_strips_is_refused(order: str) -> None:
    """A TIFF of a strip for each of too many rows is refused by its directory."""

    def striped(rows: int) -> bytes:
        tags = {256: [1], 257: [rows], 258: [8], 262: [1], 273: [8] * rows, 277: [1], 278: [1],
                279: [1] * rows}  # fmt: skip
        return pictures.tiff(tags, b"\x40", order)

    assert (pixels_of(striped(1000)) == 0x40).all()
    with pytest.raises(ValueError, match=f"damaged: it is a TIFF of more than {MAX_STRIPS} strips"):
        open_image(striped(MAX_STRIPS + 1))


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_of_countless_scans_is_refused(progressive: bool) -> None:
    """A JPEG that goes over its pixels again and again is refused, progressive or not."""
    body = file_of(Image.new("RGB", (16, 16)), "JPEG", progressive=progressive)
    last = body[body.rindex(b"\xff\xda") : -2]
    scans = body.count(b"\xff\xda")
    if progressive:
        assert open_image(body[:-2] + last * (MAX_SCANS - scans) + body[-2:]).size == (16, 16)
    with pytest.raises(ValueError, match=f"a JPEG of more than {MAX_SCANS} scans$"):
        open_image(body[:-2] + last * (MAX_SCANS - scans + 1) + body[-2:])


def test_a_tile_larger_than_its_picture_is_bounded() -> None:
    """A TIFF whose one tile would fill the memory is refused, however small its picture is."""
    tags = {256: 16, 257: 16, 258: 8, 259: 1, 262: 1, 322: 8000, 323: 8001, 324: 8, 325: 256}
    with pytest.raises(ValueError, match=f"tiles of more than {MAX_TILE} pixels$"):
        open_image(pictures.tiff({tag: [value] for tag, value in tags.items()}, b"\x40" * 256, "<"))
