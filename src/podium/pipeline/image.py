"""RGB images become the array that a model takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image as pil
from PIL import ImageOps
from PIL.Image import Image, Resampling

from podium.pipeline.ink import light_on_dark, trim
from podium.spec import Image as ImageSpec

_RESAMPLING: Final = {
    "nearest": Resampling.NEAREST,
    "bilinear": Resampling.BILINEAR,
    "bicubic": Resampling.BICUBIC,
    "lanczos": Resampling.LANCZOS,
}


def prepare(images: Sequence[Image], spec: ImageSpec) -> NDArray[np.float32]:
    """Return images as the model takes them, shape (batch, C, H, W) or (batch, H, W, C)."""
    batch = np.stack([_pixels(image, spec) for image in images])
    values = batch.astype(np.float32) * np.float32(spec.scale)
    if spec.mean:
        values -= np.array(spec.mean, np.float32)
    if spec.std:
        values /= np.array(spec.std, np.float32)
    return np.ascontiguousarray(values.transpose(0, 3, 1, 2)) if spec.layout == "NCHW" else values


def _pixels(image: Image, spec: ImageSpec) -> NDArray[np.uint8]:
    """Return one image resized, shape (H, W, C)."""
    if spec.colour == "grey":
        image = _strokes(image.convert("L"), spec)
    pixels = np.asarray(_resize(image, spec))
    if spec.colour == "bgr":
        pixels = pixels[:, :, ::-1]
    return pixels if pixels.ndim == 3 else pixels[:, :, None]


def _strokes(image: Image, spec: ImageSpec) -> Image:
    if spec.polarity == "any":
        image = pil.fromarray(light_on_dark(np.asarray(image)))
    return pil.fromarray(trim(np.asarray(image))) if spec.trim else image


def _resize(image: Image, spec: ImageSpec) -> Image:
    height, width = spec.size
    resampling = _RESAMPLING[spec.interpolation]
    if spec.resize == "longest":
        return ImageOps.pad(image, (width, height), resampling)
    if spec.resize == "shortest":
        return _crop(_resize_shortest(image, spec, resampling), spec)
    return image.resize((width, height), resampling)


def _resize_shortest(image: Image, spec: ImageSpec, resampling: Resampling) -> Image:
    """Resize so that the centre crop keeps `spec.crop` of the shorter side.

    Sizes are cut to whole pixels as torchvision's Resize and timm's crop_pct do.
    """
    height, width = (int(side / spec.crop) for side in spec.size)
    if width * image.height >= height * image.width:  # the width decides
        height = max(height, int(width * image.height / image.width))
    else:
        width = max(width, int(height * image.width / image.height))
    return image.resize((width, height), resampling)


def _crop(image: Image, spec: ImageSpec) -> Image:
    height, width = spec.size
    left, top = round((image.width - width) / 2), round((image.height - height) / 2)
    return image.crop((left, top, left + width, top + height))
