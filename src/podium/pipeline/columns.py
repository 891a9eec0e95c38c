"""Many rows of features, held column by column: a file of them never becomes a tuple a row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from podium.cells import Cell
from podium.signature import Row
from podium.spec import Feature

Floats = NDArray[np.float64]


class Columns(Sequence[Row]):
    """Rows as a list of them, made only where somebody asks for one.

    `columns` holds an array of shape (rows,) for each feature, in their order: a category is the
    index of its value in `choices`, a boolean 0 or 1, a missing value NaN.
    """

    def __init__(self, features: Sequence[Feature], columns: Sequence[Floats]) -> None:
        self.features = tuple(features)
        self.columns = tuple(columns)

    def __len__(self) -> int:
        return len(self.columns[0])

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> Columns: ...
    def __getitem__(self, index: int | slice) -> Row | Columns:
        if isinstance(index, slice):
            return self.taken(index)
        return tuple(
            _cell(feature, float(column[index]))
            for feature, column in zip(self.features, self.columns, strict=True)
        )

    def __iter__(self) -> Iterator[Row]:
        cells = [
            [_cell(feature, value) for value in column.tolist()]
            for feature, column in zip(self.features, self.columns, strict=True)
        ]
        return iter(zip(*cells, strict=True))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Return the numbers as numpy asks for them, shape (rows, features)."""
        del copy  # it always is one
        return self.matrix(range(len(self.columns)), dtype)

    def matrix(self, order: Sequence[int], dtype: Any = None) -> NDArray[Any]:
        """Return the numbers of some features, shape (rows, features)."""
        made = np.empty((len(self), len(order)), dtype or np.float64)
        for place, index in enumerate(order):
            made[:, place] = self.columns[index]
        return made

    def taken(self, rows: slice | NDArray[Any]) -> Columns:
        """Return some of the rows."""
        return Columns(self.features, [column[rows] for column in self.columns])


def _cell(feature: Feature, value: float) -> Cell:
    if value != value:  # NaN alone is not itself
        return None
    if feature.kind == "category":
        return feature.choices[int(value)]
    if feature.kind == "boolean":
        return bool(value)
    return int(value) if feature.kind == "integer" else value
