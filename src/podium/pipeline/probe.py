"""Made-up inputs, to find out what a model's outputs mean and how fast it is."""

from __future__ import annotations

from typing import Final

import numpy as np
from PIL import Image as pil
from PIL.Image import Image

from podium.cells import Cell
from podium.pipeline.decode import Items
from podium.signature import Row, Signature
from podium.spec import Feature

ROWS: Final = 16
IMAGES: Final = 4
TEXTS: Final = (
    "It works well, and I would buy it again.",
    "no",
    "The meeting was moved from Tuesday to Thursday, since the room was taken; bring your figures.",
    "0 1 2 3 !?",
)


def probe_items(signature: Signature, seed: int = 0) -> Items:
    """Return items that the signature admits: random, and the same at every call with a seed.

    Every choice of a category is there, and the last item lacks everything that may be missing,
    so that a model which cannot do with one of them is found out when it is loaded.
    """
    rng = np.random.default_rng(seed)
    if signature.image is not None:
        return [_picture(rng, *signature.image.size) for _ in range(IMAGES)]
    if signature.text is not None:
        return [text[: signature.text.max_length] for text in TEXTS]
    rows = _rows(rng, signature)
    pairs = zip(signature.features, rows[0], strict=True)
    return [*rows, tuple(None if feature.optional else cell for feature, cell in pairs)]


def _picture(rng: np.random.Generator, height: int, width: int) -> Image:
    return pil.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8))


def _rows(rng: np.random.Generator, signature: Signature) -> list[Row]:
    count = max(ROWS - 1, *(len(feature.choices) for feature in signature.features))
    columns = [_cells(rng, feature, count) for feature in signature.features]
    return list(zip(*columns, strict=True))


def _cells(rng: np.random.Generator, feature: Feature, count: int) -> list[Cell]:
    if feature.kind == "category":
        choices = feature.choices
        return [choices[index % len(choices)] for index in rng.permutation(count)]
    return [_cell(rng, feature) for _ in range(count)]


def _cell(rng: np.random.Generator, feature: Feature) -> Cell:
    if feature.kind == "boolean":
        return bool(rng.integers(2))
    low, high = feature.range or (-2.0, 2.0)
    value = float(rng.uniform(low, high))
    return round(value) if feature.kind == "integer" else value
