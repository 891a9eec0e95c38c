"""Which part of a picture a model sees."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final

import numpy as np
from msgspec import structs
from numpy.typing import NDArray
from PIL import Image as pil

from podium.pipeline.image import prepare
from podium.prediction import Box
from podium.spec import Image as ImageSpec

_MARKED: Final = 512
"""The mean side of the marked picture: fine enough for thousandths, and quick to prepare."""


@lru_cache(maxsize=256)
def seen(size: tuple[int, int], spec: ImageSpec) -> Box:
    """Return the box of a picture of (width, height) that the model sees, in shares of its sides.

    It reaches beyond 0 and 1 where the model sees padding. A picture whose colours tell the place
    goes through `prepare`, so that the rules of resizing and cutting stand there alone. What
    `trim` finds depends on the picture itself and is not in it.
    """
    plain = structs.replace(
        spec, colour="rgb", scale=1.0, mean=(), std=(), fill=(), layout="NHWC",
        interpolation="box", polarity="as_is", trim=False,
    )  # fmt: skip
    found = prepare([pil.fromarray(_marked(*size))], plain)[0]
    inside = found[:, :, 2] > 254
    rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    part = found[np.ix_(rows, columns)]
    left, right = _ends(columns, part[:, :, 0].mean(axis=0), found.shape[1])
    top, bottom = _ends(rows, part[:, :, 1].mean(axis=1), found.shape[0])
    return left, top, right, bottom


def _marked(width: int, height: int) -> NDArray[np.uint8]:
    """Return a picture of these proportions: red grows to the right, green down, blue is full."""
    scale = _MARKED / math.sqrt(width * height)
    across, down = (_ramp(max(1, round(side * scale))) for side in (width, height))
    marked = np.full((len(down), len(across), 3), 255, np.uint8)
    marked[:, :, 0], marked[:, :, 1] = across, down[:, None]
    return marked


def _ramp(pixels: int) -> NDArray[np.float64]:
    return np.rint(np.linspace(0, 255, 2 * pixels + 1)[1::2])


def _ends(places: NDArray[np.intp], marks: NDArray[np.float32], length: int) -> tuple[float, float]:
    """Return where an axis of `length` pixels begins and ends, from the marks at some of them."""
    if len(places) > 1:
        slope, start = np.polyfit(places, marks, 1)
    else:  # the whole side is in one pixel
        slope, start = 255.0, 127.5 - 255.0 * places[0]
    return tuple(round(float(start + slope * at) / 255, 3) for at in (-0.5, length - 0.5))  # type: ignore[return-value]
