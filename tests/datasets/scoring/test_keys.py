"""Numbers by which equal rows are found."""

from __future__ import annotations

import numpy as np

from podium.datasets.scoring.keys import NONE, keys_of
from podium.datasets.scoring.rows import Chunk
from podium.pipeline.columns import Columns
from podium.spec import Feature

FEATURES = (Feature(name="x"), Feature(name="y"))


def chunk(x: list[float], y: list[float], truth: list[float] | None) -> Chunk:
    """Return rows of two features that can all be read."""
    columns = Columns(FEATURES, [np.array(x), np.array(y)])
    known = None if truth is None else np.array(truth)
    return Chunk(0, len(x), np.arange(len(x)), columns, known)


def test_rows_are_equal_by_features_and_answer() -> None:
    """The same values have the same key; another value, place or answer has another one."""
    a, b, swapped, other, answer = keys_of(
        chunk([1, 1, 2, 1, 1], [2, 2, 1, 3, 2], [0, 0, 0, 0, 1])
    ).tolist()
    assert a == b
    assert len({a, swapped, other, answer}) == 4


def test_missing_values_zeros_and_single_precision_are_alike() -> None:
    """However NaN, 0 or 39.1 came to be; large whole numbers are told apart all the same."""
    one = keys_of(chunk([np.nan, 0.0, 39.1, 2.0**30], [1] * 4, [0] * 4))
    other = keys_of(chunk([-np.nan, -0.0, float(np.float32(39.1)), 2.0**30 + 1], [1] * 4, [0] * 4))
    assert (one == other).tolist() == [True, True, True, False]


def test_what_is_not_compared_has_no_key() -> None:
    """Rows without an item or an answer, and a data set without answers."""
    rows = Chunk(0, 3, np.array([0, 2]), ["a", "b"], np.array([1.0, 0.0, np.nan]))
    assert (keys_of(rows) == NONE).tolist() == [False, True, True]
    assert (keys_of(chunk([1], [2], None)) == NONE).all()


def test_texts_are_equal_as_they_stand() -> None:
    """The same text with the same answer, whichever process asks."""
    rows = Chunk(0, 3, np.arange(3), ["good", "good", "Good"], np.zeros(3))
    a, b, c = keys_of(rows).tolist()
    assert a == b != c
    assert a == 6544335872519862253
