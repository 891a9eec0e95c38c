"""The bytes of an image file become an upright sRGB image."""

from __future__ import annotations

import struct
import warnings
from typing import Final

from PIL import ExifTags
from PIL import Image as pil
from PIL.Image import Image, Transpose
from PIL.JpegImagePlugin import JpegImageFile

from podium.messages import said
from podium.pipeline.colour import to_srgb
from podium.pipeline.files import open_header
from podium.spec import Image as ImageSpec

MAX_PIXELS: Final = 64_000_000
"""The largest image that is decoded; its header is enough to refuse a larger one."""
MAX_REQUEST_PIXELS: Final = 2 * MAX_PIXELS
"""How many pixels the images of one request may have together, for the server's memory."""
ENOUGH: Final = 2.5
"""How many times the size that [image] resizes to is left when a picture is scaled down first."""

# What undoes each EXIF orientation but the first (TIFF 6.0, tag 274).
_TURNS: Final = {2: Transpose.FLIP_LEFT_RIGHT, 3: Transpose.ROTATE_180,
                 4: Transpose.FLIP_TOP_BOTTOM, 5: Transpose.TRANSPOSE, 6: Transpose.ROTATE_270,
                 7: Transpose.TRANSVERSE, 8: Transpose.ROTATE_90}  # fmt: skip
_SIDEWAYS: Final = 5  # from this orientation on, rows are columns
_FROM_RIGHT: Final = (2, 3, 6, 7)  # what is decoded first lies on the right when upright
_FROM_BOTTOM: Final = (3, 4, 7, 8)
_EXTENT: Final = "podium.extent"

pil.MAX_IMAGE_PIXELS = None  # MAX_PIXELS is checked here, as an error and not a warning
warnings.filterwarnings("ignore", module=r"PIL\.")  # of odd metadata, for every request


def open_image(body: bytes, spec: ImageSpec | None = None) -> Image:
    """Return the first frame of an image file: upright, 8-bit sRGB, over white.

    Raises:
        ValueError: it is no image of a known format, is damaged, or too large.
    """
    return decode(peek(body), spec)


def peek(body: bytes) -> Image:
    """Return an image file of which only the header is read.

    Raises:
        ValueError: it is no image of a known format, or too large.
    """
    image = open_header(body)
    if image.width * image.height > MAX_PIXELS:
        raise ValueError(
            said(
                "has %(width)s x %(height)s pixels; at most %(limit)s megapixels are read",
                width=image.width, height=image.height, limit=MAX_PIXELS // 10**6,
            )
        )  # fmt: skip
    return image


def decode(image: Image, spec: ImageSpec | None = None) -> Image:
    """Return the pixels of an image that was peeked at: upright, 8-bit sRGB, over white.

    `spec` is what the pixels are for: with decode = "fast" a picture that is much larger than
    needed comes at a half, a quarter or an eighth of its size, see `extent`.

    Raises:
        ValueError: the file is damaged.
    """
    try:
        if not isinstance(image, JpegImageFile):
            image.load()  # first of all, since it turns a TIFF and can change the size of a HEIC
        turn = _orientation(image)
        factor = 1 if spec is None else _factor(image, turn, spec)
        width, height = image.width / factor, image.height / factor
        upright = to_srgb(_scaled(image, factor))
        upright = upright.transpose(_TURNS[turn]) if turn in _TURNS else upright
    except Exception as err:  # Pillow passes on whatever a damaged file causes
        raise ValueError(
            said("cannot be read as an image; it may be damaged: %(reason)s", reason=err)
        ) from err
    if turn >= _SIDEWAYS:
        width, height = height, width
    left = upright.width - width if turn in _FROM_RIGHT else 0.0
    top = upright.height - height if turn in _FROM_BOTTOM else 0.0
    upright.info = {_EXTENT: (left, top, left + width, top + height)} if factor > 1 else {}
    return upright


def extent(image: Image) -> tuple[float, float, float, float]:
    """Return the part of a decoded image that the picture fills: left, top, right, bottom.

    That is all of it, but for the last row and column of one that was scaled down and whose
    sides are no multiples of the factor. Resizing just this part leaves nothing displaced.
    """
    return image.info.get(_EXTENT) or (0, 0, *image.size)


def _factor(image: Image, turn: int, spec: ImageSpec) -> int:
    """Return by how much a picture may be scaled down before [image] resizes it: 1, 2, 4 or 8.

    Strokes are looked for in the whole picture, and the nearest pixel is not a mean of pixels.
    """
    exact = spec.decode == "exact" or spec.interpolation == "nearest"
    if exact or spec.trim or spec.polarity == "any":
        return 1
    if image.mode not in ("RGB", "L", "CMYK") or "transparency" in image.info:
        return 1
    width, height = image.size[::-1] if turn >= _SIDEWAYS else image.size
    sides = height / spec.resized[0], width / spec.resized[1]
    spare = max(sides) if spec.resize == "longest" else min(sides)
    return next((factor for factor in (8, 4, 2) if spare >= factor * ENOUGH), 1)


def _scaled(image: Image, factor: int) -> Image:
    """Return the pixels of an image, a JPEG's scaled down while they are decoded.

    libjpeg then leaves out the fine details of each block, and the time that they cost.
    """
    if not isinstance(image, JpegImageFile):
        return image.reduce(factor) if factor > 1 else image
    if factor > 1:
        image.draft(None, (image.width // factor, image.height // factor))
    image.load()
    return image


def _orientation(image: Image) -> int:
    """Return how the camera was held, 1 to 8; damaged metadata is no reason to refuse a photo."""
    try:
        found = image.getexif().get(ExifTags.Base.Orientation, 1)
        return int(found) if found in _TURNS else 1
    except (SyntaxError, ValueError, TypeError, KeyError, ZeroDivisionError, struct.error):
        return 1
