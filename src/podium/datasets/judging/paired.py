"""Statistics of two models on the same rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from podium.datasets.judging.bootstrap import Bounds, Z

_TERMS: Final = 40
"""Of a binomial distribution all that counts lies within so many standard deviations."""


def mcnemar(first: int, second: int) -> float:
    """Return the exact two-sided p-value (McNemar 1947; exact: binomial with 1/2).

    `first` and `second` are how many rows only the one and only the other is right on.
    """
    rows, least = first + second, min(first, second)
    if rows == 0:
        return 1.0
    lowest = max(0, least - int(_TERMS * math.sqrt(rows)))
    log = math.lgamma(rows + 1) - math.lgamma(least + 1) - math.lgamma(rows - least + 1)
    number = np.arange(least, lowest, -1, dtype=np.float64)
    # Each term is the one above it times k / (n - k + 1).
    below = np.cumsum(np.log(number) - np.log(rows - number + 1))
    tail = 1.0 + float(np.exp(below).sum())
    return min(1.0, 2 * math.exp(log - rows * math.log(2)) * tail)


def holm(values: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number (Holm 1979), in their order."""
    order = sorted(range(len(values)), key=lambda index: values[index])
    corrected, least = [0.0] * len(values), 0.0
    for rank, index in enumerate(order):
        least = max(least, min(1.0, (len(values) - rank) * values[index]))
        corrected[index] = least
    return corrected


def of_difference(first: int, second: int, rows: int) -> Bounds:
    """Return the interval of a difference of two paired shares (Bonett & Price 2012).

    It is Wald's with a row added to each of the two counts: where the models differ on few rows or
    none, drawing the rows anew would find too little, or nothing.
    """
    return of_bounded(first - second, first + second, rows, 1.0)


def of_bounded(total: float, squares: float, rows: int, most: float) -> Bounds:
    """Return the interval of a mean of differences, none of which is beyond `most`.

    `total` and `squares` are the sums of them and of their squares. It is Wald's, with a row added
    on either side that differs as much as one can: what Bonett & Price (2012) do with shares.
    """
    mean = total / (rows + 2)
    reach = Z * math.sqrt(((squares + 2 * most**2) / (rows + 2) - mean**2) / (rows + 2))
    return max(-most, mean - reach), min(most, mean + reach)
