"""The bytes of an image file become an upright RGB image."""

from __future__ import annotations

import struct
import warnings
from io import BytesIO
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, ImageOps, UnidentifiedImageError
from PIL import Image as pil
from PIL.Image import Image

from podium.spec import Image as ImageSpec

FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP")
MAX_PIXELS: Final = 64_000_000
"""The largest image that is decoded; its header is enough to refuse a larger one."""
MAX_REQUEST_PIXELS: Final = 2 * MAX_PIXELS
"""How many pixels the images of one request may have together, for the server's memory."""

pil.MAX_IMAGE_PIXELS = None  # MAX_PIXELS is checked here, as an error and not a warning
warnings.filterwarnings("ignore", module=r"PIL\.")  # of odd metadata, for every request


def open_image(body: bytes, spec: ImageSpec | None = None) -> Image:
    """Return the first frame of an image file: upright, 8-bit RGB, over white.

    Raises:
        ValueError: it is no image of a known format, is damaged, or too large.
    """
    return decode(peek(body), spec)


def peek(body: bytes) -> Image:
    """Return an image file of which only the header is read.

    Raises:
        ValueError: it is no image of a known format, or too large.
    """
    if not body:
        raise ValueError("is empty (0 bytes); expected an image file")
    try:
        image = pil.open(BytesIO(body), formats=FORMATS)
    except UnidentifiedImageError as err:
        raise ValueError(f"is not an image file of a known format: {', '.join(FORMATS)}") from err
    except Exception as err:  # Pillow passes on whatever a damaged file causes
        raise ValueError(f"cannot be read as an image; it may be damaged: {err}") from err
    if image.width * image.height > MAX_PIXELS:
        found = f"has {image.width} x {image.height} pixels"
        raise ValueError(f"{found}; at most {MAX_PIXELS // 10**6} megapixels are read")
    return image


def decode(image: Image, spec: ImageSpec | None = None) -> Image:
    """Return the pixels of an image that was peeked at: upright, 8-bit RGB, over white.

    `spec` is what the pixels are for.

    Raises:
        ValueError: the file is damaged.
    """
    try:
        image.load()
        return to_rgb(_upright(image))
    except Exception as err:  # likewise
        raise ValueError(f"cannot be read as an image; it may be damaged: {err}") from err


def to_rgb(image: Image) -> Image:
    """Return any Pillow image as 8-bit RGB: deep grey scaled down, transparency over white."""
    if image.mode.startswith("I") or image.mode == "F":
        image = _from_deep_grey(image)
    if image.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        ground = pil.new("RGB", image.size, "white")
        ground.paste(image, mask=image.getchannel("A"))
        return ground
    return image if image.mode == "RGB" else image.convert("RGB")


def _upright(image: Image) -> Image:
    """Turn a photo as its camera was held; damaged metadata is no reason to refuse it."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
        return image if orientation == 1 else ImageOps.exif_transpose(image)
    except (SyntaxError, ValueError, TypeError, KeyError, ZeroDivisionError, struct.error):
        return image


def _from_deep_grey(image: Image) -> Image:
    """Scale 16-bit grey to 8 bits; Pillow's own conversion would clip it."""
    values: NDArray[Any] = np.asarray(image)
    if image.mode == "F":
        top = max(1.0, float(np.nanmax(values, initial=0)))
        grey = pil.fromarray(np.nan_to_num(values * (255 / top)).clip(0, 255).astype(np.uint8))
    else:
        grey = pil.fromarray((values.clip(0, 65535) >> 8).astype(np.uint8))
    clear = image.info.get("transparency")
    if clear is None:
        return grey
    alpha = pil.fromarray(np.where(values == clear, 0, 255).astype(np.uint8))
    return pil.merge("LA", (grey, alpha))
