"""The colours of an image file become 8-bit sRGB."""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image as pil
from PIL import ImageCms
from PIL.Image import Image

MAX_PROFILE: Final = 4_000_000
"""The largest colour profile that is looked at, in bytes; those of printers have about 2 MB."""

_SPACES: Final = {"RGB": "RGB", "L": "GRAY", "CMYK": "CMYK"}
"""The ICC's name of the colours that a profile is for, by Pillow's mode."""
_NEAR: Final = 2
"""A profile that moves no colour by more than these levels is sRGB, of which many kinds are."""


def to_srgb(image: Image) -> Image:
    """Return any Pillow image as 8-bit RGB over white, converted from its colour profile to sRGB.

    A profile that is damaged, or for other kinds of pixels, is ignored.
    """
    rgb = to_rgb(image)
    profile = image.info.get("icc_profile")
    if not isinstance(profile, bytes) or len(profile) > MAX_PROFILE:
        return rgb
    if image.mode == "CMYK":
        source = image
    else:
        grey = image.getbands()[0] in ("1", "L", "I", "F")
        source = rgb.getchannel("R") if grey else rgb
    transform = _transform(profile, source.mode)
    return rgb if transform is None else ImageCms.applyTransform(source, transform) or rgb


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


@lru_cache(maxsize=8)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Return what turns pixels of a profile into sRGB; None where there is nothing to do.

    As in browsers, the intent is perceptual: colours beyond sRGB are moved rather than cut,
    where the profile says how.
    """
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        if source.profile.xcolor_space.strip() != _SPACES[mode]:
            return None
        transform = ImageCms.buildTransform(
            source, ImageCms.createProfile("sRGB"), mode, "RGB", ImageCms.Intent.PERCEPTUAL,
            ImageCms.Flags.NOCACHE,  # its cache of the last pixel is not for several threads
        )  # fmt: skip
        return None if _changes_nothing(transform, mode) else transform
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        return None


def _changes_nothing(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Tell whether a transform leaves a sample of all colours as they are."""
    if mode == "CMYK":
        return False
    levels = np.arange(0, 256, 15, dtype=np.uint8)
    cube = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(-1, len(levels), 3)
    sample = pil.fromarray(cube).getchannel("R") if mode == "L" else pil.fromarray(cube)
    found = np.asarray(ImageCms.applyTransform(sample, transform))
    moved = found.astype(int) - np.asarray(sample.convert("RGB"))
    return bool(np.abs(moved).max() <= _NEAR)
