"""A number for each row, by which equal ones are found, however they are written."""

from __future__ import annotations

import hashlib
from typing import Final

import numpy as np
from numpy.typing import NDArray

from podium.datasets.scoring.rows import Chunk
from podium.pipeline.columns import Columns

Keys = NDArray[np.uint64]

NONE: Final = 0
"""The key of a row that is not compared: it has no answer, or cannot be read."""
_MISSING: Final = 0x7FF8 << 48


def keys_of(chunk: Chunk) -> Keys:
    """Return a number for each row: the same for the same values and the same true answer.

    Values count as the reading understands them: numbers, not digits, and labels and choices by
    their place. Different rows share one of 2^64 numbers only by a chance that is negligible.
    """
    keys = np.full(chunk.stop - chunk.start, NONE, np.uint64)
    if chunk.truth is None or not len(chunk.places):
        return keys
    found = _mixed(np.zeros(len(chunk.places), np.uint64), chunk.truth[chunk.places])
    if isinstance(chunk.items, Columns):
        for column in chunk.items.columns:
            found = _mixed(found, column)
    else:
        found = _scattered(found ^ np.array([_of_text(text) for text in chunk.items], np.uint64))
    known = ~np.isnan(chunk.truth[chunk.places])
    keys[chunk.places[known]] = np.maximum(found[known], np.uint64(1))
    return keys


def _mixed(keys: Keys, values: NDArray[np.float64]) -> Keys:
    """Return keys to which a column of values is added."""
    # A file in single precision holds the very numbers that another one writes as 39.1.
    single = values.astype(np.float32).astype(np.float64)
    alike = np.where(np.floor(values) == values, values, single) + 0.0  # -0.0 is 0.0
    bits = np.where(np.isnan(alike), np.uint64(_MISSING), alike.view(np.uint64))
    return _scattered(keys * np.uint64(0x9E3779B97F4A7C15) + bits)


def _scattered(keys: Keys) -> Keys:
    """Return numbers of which each bit hangs on all bits (splitmix64, Steele et al. 2014)."""
    keys = (keys ^ (keys >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    keys = (keys ^ (keys >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return keys ^ (keys >> np.uint64(31))


def _of_text(text: str) -> int:
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8)
    return int.from_bytes(digest.digest(), "little")
