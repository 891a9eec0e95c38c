"""Rows of features, held column by column, are the rows that a request holds."""

from __future__ import annotations

import numpy as np
import pytest

from podium.pipeline.columns import Columns
from podium.spec import Feature

FEATURES = (
    Feature(name="x"),
    Feature(name="n", kind="integer", optional=True),
    Feature(name="wet", kind="boolean"),
    Feature(name="wood", kind="category", choices=("oak", "pine"), optional=True),
)
ROWS = [(1.5, 3, True, "pine"), (-2.0, None, False, None), (0.0, -4, True, "oak")]
NAN = np.nan


@pytest.fixture
def columns() -> Columns:
    """Return three rows of every kind of feature."""
    held = ([1.5, -2, 0], [3, NAN, -4], [1, 0, 1], [1, NAN, 0])
    return Columns(FEATURES, [np.array(one, float) for one in held])


def test_rows_are_tuples_of_plain_values(columns: Columns) -> None:
    """Whole numbers, booleans, categories and gaps are what a request's values are."""
    assert list(columns) == ROWS
    assert [columns[index] for index in range(3)] == ROWS
    kinds = [type(cell) for row in columns for cell in row]
    none = type(None)
    assert kinds == [float, int, bool, str, float, none, bool, none, float, int, bool, str]


def test_some_rows_are_columns_again(columns: Columns) -> None:
    """A slice and an array of places take rows, in their order."""
    assert list(columns[1:]) == ROWS[1:]
    assert list(columns.taken(np.array([2, 0, 0]))) == [ROWS[2], ROWS[0], ROWS[0]]
    assert (len(columns), len(columns[3:])) == (3, 0)


def test_a_matrix_has_the_features_in_the_order_asked_for(columns: Columns) -> None:
    """An array has all of them, a matrix those that a model names."""
    whole = np.asarray(columns)
    assert whole.dtype == np.float64
    np.testing.assert_array_equal(whole[1], [-2, NAN, 0, NAN])
    some = columns.matrix([2, 0], np.float32)
    assert some.dtype == np.float32
    np.testing.assert_array_equal(some, [[1, 1.5], [0, -2], [1, 0]])
