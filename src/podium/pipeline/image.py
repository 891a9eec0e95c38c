"""RGB images become the array that a model takes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image as pil
from PIL.Image import Image, Resampling

from podium.pipeline.ink import light_on_dark, trim
from podium.pipeline.photo import MAX_PIXELS, extent
from podium.spec import Image as ImageSpec

_RESAMPLING: Final = {
    "nearest": Resampling.NEAREST,
    "box": Resampling.BOX,
    "bilinear": Resampling.BILINEAR,
    "hamming": Resampling.HAMMING,
    "bicubic": Resampling.BICUBIC,
    "lanczos": Resampling.LANCZOS,
}
_LONG: Final = 16
"""How long a strip is kept, in heights of its own, that would fill the memory when resized."""


def prepare(images: Sequence[Image], spec: ImageSpec) -> NDArray[np.float32]:
    """Return images as the model takes them, shape (batch, C, H, W) or (batch, H, W, C)."""
    height, width = spec.size
    first = spec.layout == "NCHW"
    shape = (spec.channels, height, width) if first else (height, width, spec.channels)
    batch = np.empty((len(images), *shape), np.float32)
    for values, image in zip(batch, images, strict=True):
        pixels = _pixels(image, spec)
        if first:
            for channel, plane in enumerate(values):
                plane[:] = pixels[:, :, channel]
                _normalise(plane, spec, channel)
        else:
            # Rows of all channels, since numpy is slow where the last axis is short.
            rows = values.reshape(height, -1)
            rows[:] = pixels.reshape(height, -1)
            _normalise(rows, spec)
    return batch


def _normalise(values: NDArray[np.float32], spec: ImageSpec, channel: int | None = None) -> None:
    """Scale, shift and divide the values of one channel, or rows of all channels, in place."""

    def of(numbers: tuple[float, ...]) -> NDArray[np.float32]:
        levels = np.array(numbers, np.float32)
        if channel is None:
            return np.resize(levels, values.shape[1])
        return levels[channel % len(levels)]  # type: ignore[no-any-return]

    if spec.scale != 1:
        values *= np.float32(spec.scale)
    if spec.mean:
        values -= of(spec.mean)
    if spec.std:
        values /= of(spec.std)


def _pixels(image: Image, spec: ImageSpec) -> NDArray[np.uint8]:
    """Return one image resized and cut to size, shape (H, W, C)."""
    if spec.colour == "grey":
        image = _strokes(image.convert("L"), spec)
    pixels = np.asarray(_cut(_resize(image, spec), spec))
    if spec.colour == "bgr":
        pixels = pixels[:, :, ::-1]
    return pixels if pixels.ndim == 3 else pixels[:, :, None]


def _strokes(image: Image, spec: ImageSpec) -> Image:
    if spec.polarity == "any":
        image = pil.fromarray(light_on_dark(np.asarray(image)))
    return pil.fromarray(trim(np.asarray(image))) if spec.trim else image


def _resize(image: Image, spec: ImageSpec) -> Image:
    """Return an image squeezed to `spec.resized`, or in its own proportions over or within it."""
    height, width = spec.resized
    if spec.resize == "shortest":
        image = _shortened(image, width, height)
        width, height = _covering(_sides(image), width, height)
    elif spec.resize == "longest":
        width, height = _within(_sides(image), width, height)
    return image.resize((width, height), _RESAMPLING[spec.interpolation], extent(image))


def _sides(image: Image) -> tuple[float, float]:
    """Return the width and height of the picture in an image, see `extent`."""
    left, top, right, bottom = extent(image)
    return right - left, bottom - top


def _covering(sides: tuple[float, float], width: int, height: int) -> tuple[int, int]:
    """Return the least width and height of an image's proportions that cover a size.

    The longer side is cut to whole pixels, as torchvision's Resize does.
    """
    wide, high = sides
    if width * high >= height * wide:  # the width decides
        return width, max(height, int(width * high / wide))
    return max(width, int(height * wide / high)), height


def _within(sides: tuple[float, float], width: int, height: int) -> tuple[int, int]:
    """Return the greatest width and height of an image's proportions that fit into a size.

    The shorter side is rounded, as Pillow's ImageOps.contain does.
    """
    wide, high = sides
    if wide * height >= high * width:  # the width decides
        return width, max(1, round(high / wide * width))
    return max(1, round(wide / high * height)), height


def _shortened(image: Image, width: int, height: int) -> Image:
    """Cut the ends off a strip that would become enormous if it were to cover a size."""
    if math.prod(_covering(image.size, width, height)) <= MAX_PIXELS:
        return image
    longest = _LONG * min(image.size)
    left, top = (max(0, side - longest) // 2 for side in image.size)
    middle = image.crop((left, top, image.width - left, image.height - top))
    middle.info = {}  # the extent was that of the whole
    return middle


def _cut(image: Image, spec: ImageSpec) -> Image:
    """Return the part of a resized image that the model takes, padded where there is none."""
    height, width = spec.size
    if image.size == (width, height):
        return image
    left, top = (_margin(have - want, spec.place)
                 for have, want in zip(image.size, (width, height), strict=True))  # fmt: skip
    if not any(spec.fill):  # Pillow's crop pads with black
        return image.crop((left, top, left + width, top + height))
    fill = spec.fill[::-1] if spec.colour == "bgr" else spec.fill
    ground = pil.new(image.mode, (width, height), fill * (len(image.getbands()) // len(fill)))
    ground.paste(image, (-left, -top))
    return ground


def _margin(spare: int, place: str) -> int:
    """Return where the cut begins of a side that has `spare` pixels more, or less than 0 of them.

    torchvision's center_crop rounds half a pixel to even where it cuts and pads one pixel less
    in front; transformers' center_crop rounds down in both; Pillow's ImageOps to even.
    """
    if place == "corner":
        return 0
    if place == "transformers":
        return spare // 2
    return math.ceil(spare / 2) if place == "torchvision" and spare < 0 else round(spare / 2)
