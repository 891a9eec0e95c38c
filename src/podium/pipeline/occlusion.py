"""A picture is covered patch by patch, and each time the model is asked again.

Occlusion sensitivity (Zeiler & Fergus 2014, "Visualizing and Understanding Convolutional
Networks", section 4.2), on the array that the model gets, so that it works for every model. A
patch is filled with the median of each channel: on a plain ground that is the ground, so that a
covered stroke is gone and covered ground changes nothing; in a photograph it is a middling colour
of the picture itself. A mean would leave a grey square on the ground of a digit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

FINEST: Final = 14
"""Places along the longer side of the finest grid."""
COARSEST: Final = 3
PATCH: Final = 0.2
"""The side of a patch over the longer side of the picture; more where places are further apart."""

Floats = NDArray[np.float64]
Pixels = NDArray[Any]
Ask = Callable[[Pixels], Floats]
"""Covered pictures, shape (batch, height, width, channels) -> one number each."""


class Grid(NamedTuple):
    """Places in a picture, each the centre of a square patch of `side` pixels."""

    height: int
    width: int
    rows: int
    columns: int
    side: float

    @classmethod
    def of(cls, height: int, width: int, places: int) -> Grid:
        """Return the grid with `places` along the longer side of a picture."""
        longer = max(height, width)
        rows, columns = (max(1, round(places * side / longer)) for side in (height, width))
        return cls(
            height, width, rows, columns, max(longer * PATCH, height / rows, width / columns)
        )

    @property
    def places(self) -> int:
        """How many places there are; they are counted row by row."""
        return self.rows * self.columns

    def patch(self, place: int) -> tuple[slice, slice]:
        """Return the rows and the columns of pixels that a patch covers; the border cuts it."""
        row, column = divmod(place, self.columns)
        return (
            self._span((row + 0.5) / self.rows, self.height),
            self._span((column + 0.5) / self.columns, self.width),
        )

    def _span(self, centre: float, length: int) -> slice:
        first, last = (centre * length + half * self.side for half in (-0.5, 0.5))
        start = max(0, min(length - 1, round(first)))
        return slice(start, max(start + 1, min(length, round(last))))


class Explored(NamedTuple):
    """What came of each place, shape (rows, columns), and how many of them were asked for.

    Values of places that were not asked for are NaN. `cut` is True when the budget allowed less
    than the finest grid.
    """

    values: Floats
    patches: int
    cut: bool


def explore(
    pixels: Pixels,
    ask: Ask,
    budget_s: float,
    batch: int,
    clock: Callable[[], float] = time.perf_counter,
) -> Explored | None:
    """Return the answers for a picture, shape (height, width, channels), patch by patch covered.

    One covered picture is timed, and the finest grid taken that then fits the budget. Should the
    machine become slower meanwhile, some places are left out. None when not even the coarsest grid
    fits. `clock` tells seconds.
    """
    if budget_s <= 0:
        return None
    grids = list(_grids(*pixels.shape[:2]))
    fill = np.median(pixels, axis=(0, 1)).astype(pixels.dtype)
    first = _covered(pixels, fill, grids[0], [0])
    began = clock()
    pace = _timed(ask, first, clock)
    if pace * grids[0].places > budget_s:  # the first time may have been slow for once
        pace = min(pace, _timed(ask, first, clock))
    left = budget_s - (clock() - began)
    grid = next((grid for grid in grids if pace * grid.places <= left), None)
    if grid is None:
        return None
    # In an order that leaves no part of the picture to the end, and is the same each time.
    places = np.random.default_rng(0).permutation(grid.places)
    values = np.full(grid.places, np.nan)
    for start in range(0, grid.places, batch):
        some = places[start : start + batch]
        values[some] = ask(_covered(pixels, fill, grid, some.tolist()))
        if clock() - began >= budget_s:
            break
    patches = int(np.count_nonzero(~np.isnan(values)))
    table = values.reshape(grid.rows, grid.columns)
    return Explored(table, patches, patches < grids[0].places)


def _timed(ask: Ask, pixels: Pixels, clock: Callable[[], float]) -> float:
    started = clock()
    ask(pixels)
    return clock() - started


def _grids(height: int, width: int) -> Iterator[Grid]:
    """Yield a picture's grids from the finest down; no place is smaller than a pixel."""
    finest = min(FINEST, max(height, width))
    for places in range(finest, min(COARSEST, finest) - 1, -1):
        yield Grid.of(height, width, places)


def _covered(pixels: Pixels, fill: Pixels, grid: Grid, places: Sequence[int]) -> Pixels:
    batch = np.repeat(pixels[None], len(places), axis=0)
    for picture, place in zip(batch, places, strict=True):
        picture[grid.patch(place)] = fill
    return batch
