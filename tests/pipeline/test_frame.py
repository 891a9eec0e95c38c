"""Which part of a picture a model sees, after resizing, cutting and padding."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

from podium.pipeline.frame import seen
from podium.pipeline.image import prepare
from podium.spec import Image as ImageSpec


@pytest.mark.parametrize(
    ("size", "options", "box"),
    [
        ((640, 480), {}, (0, 0, 1, 1)),
        ((3, 2), {}, (0, 0, 1, 1)),
        ((640, 480), {"resize": "shortest"}, (1 / 8, 0, 7 / 8, 1)),
        ((480, 640), {"resize": "shortest"}, (0, 1 / 8, 1, 7 / 8)),
        ((4800, 6400), {"resize": "shortest"}, (0, 1 / 8, 1, 7 / 8)),
        ((100, 100), {"resize": "shortest", "crop": 0.5}, (0.25, 0.25, 0.75, 0.75)),
        ((640, 480), {"resize": "longest"}, (0, -1 / 6, 1, 7 / 6)),
        ((480, 640), {"resize": "longest"}, (-1 / 6, 0, 7 / 6, 1)),
        ((6400, 64), {"resize": "longest"}, (0, -55.5, 1, 56.5)),  # two pixels high
        ((640, 480), {"resize": "shortest", "place": "corner"}, (0, 0, 0.75, 1)),
        ((640, 480), {"resize": "exact", "resize_size": 256}, (1 / 16, 1 / 16, 15 / 16, 15 / 16)),
    ],
)
def test_box(size: tuple[int, int], options: dict[str, Any], box: tuple[float, ...]) -> None:
    """The box is what of the picture is in the array, beyond its sides where that is padded."""
    found = seen(size, ImageSpec(size=(224, 224), **options))
    span = [max(1, box[2] - box[0]), max(1, box[3] - box[1])] * 2
    assert [have / one for have, one in zip(found, span, strict=True)] == pytest.approx(
        [want / one for want, one in zip(box, span, strict=True)], abs=0.006
    )


@pytest.mark.parametrize(
    "options",
    [
        {"colour": "grey", "mean": (0.5,), "std": (0.2,), "fill": (9,)},
        {"colour": "bgr", "mean": (1, 2, 3), "layout": "NHWC", "scale": -2.0, "fill": (1, 2, 3)},
        {"colour": "grey", "polarity": "any", "interpolation": "lanczos"},
    ],
)
def test_only_the_geometry_counts(options: dict[str, Any]) -> None:
    """Colour, values, layout and resampling do not move the box."""
    shape: dict[str, Any] = {"size": (32, 64), "resize": "longest"}
    plain = seen((300, 400), ImageSpec(**shape))
    assert seen((300, 400), ImageSpec(**shape, **options)) == plain


@pytest.mark.parametrize("size", [(300, 200), (200, 300)])
def test_the_box_finds_a_spot(size: tuple[int, int]) -> None:
    """A white spot of the picture is found in the array at its place in the box."""
    spec = ImageSpec(size=(40, 60), resize="shortest", crop=0.8, layout="NHWC")
    picture = Image.new("RGB", size)
    x, y = round(size[0] * 0.6), round(size[1] * 0.4)
    picture.paste("white", (x - 5, y - 5, x + 5, y + 5))
    values = prepare([picture], spec)[0, :, :, 0]
    row, column = (np.average(np.arange(n) + 0.5, weights=values.sum(axis=axis)) / n
                   for axis, n in ((1, 40), (0, 60)))  # fmt: skip
    left, top, right, bottom = seen(size, spec)
    assert left + column * (right - left) == pytest.approx(0.6, abs=0.01)
    assert top + row * (bottom - top) == pytest.approx(0.4, abs=0.01)
