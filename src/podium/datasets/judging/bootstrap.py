"""How far a number that judges a model could be off: the bootstrap, and Wilson's interval.

A metric is a function of sums over rows. Rows drawn with replacement are rows with whole weights,
so that all replicates of all sums are one product of matrices, and the same draws serve every
model and metric (a paired bootstrap). Of many rows, groups made by chance are drawn instead: they
are independent and alike as the rows are, so that the spread is the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import NDArray

from podium.pipeline.conformal import wilson

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Sums = Mapping[str, Floats]
"""Sums over rows by name, each of shape (..., width of that name)."""
Metrics = Callable[[Sums], Mapping[str, Floats]]
"""Makes metrics of shape (...) of sums; NaN where one is not defined."""
Bounds = tuple[float, float]

REPLICATES: Final = 1000
LEVEL: Final = 0.95
LEAST: Final = 10
"""Of fewer rows no interval is drawn: it would promise what it cannot keep."""
MAX_GROUPS: Final = 10_000
_LEAST_GROUPS: Final = 200
_MAX_CELLS: Final = 2_000_000
_SEED: Final = 6
_AT_ONCE: Final = 100
_BITS: Final = 38
"""Sums of whole weights times numbers of so many bits are exact in double precision, in whatever
order they are added: 10,000 weights add up to less than 2^14, and 14 + 38 < 53."""
_NORMAL: Final = NormalDist()
Z: Final = _NORMAL.inv_cdf((1 + LEVEL) / 2)


class Table:
    """Sums over the rows of each of some groups, by name; with few rows each one is a group."""

    def __init__(self, rows: int, widths: Mapping[str, int]) -> None:
        cells = _MAX_CELLS // max(1, sum(widths.values()))
        self.rows = rows
        self.groups = min(rows, MAX_GROUPS, max(cells, _LEAST_GROUPS))
        self._sums = {name: np.zeros((self.groups, width)) for name, width in widths.items()}
        self._dealt = 0

    def deal(self, count: int) -> Ints:
        """Return the groups of the next `count` rows."""
        first, self._dealt = self._dealt, self._dealt + count
        if self.groups == self.rows:
            return np.arange(first, first + count)
        return np.random.default_rng((_SEED, first)).integers(self.groups, size=count)

    def add(self, name: str, groups: Ints, amounts: Floats | float, places: Ints | int = 0) -> None:
        """Add an amount for each row to the sums of its group, at a place in their width."""
        sums = self._sums[name]
        flat = groups * sums.shape[1] + places
        weights = np.broadcast_to(np.asarray(amounts, np.float64), groups.shape)
        sums += np.bincount(flat, weights, sums.size).reshape(sums.shape)

    def total(self) -> dict[str, Floats]:
        """Return the sums over all rows."""
        return {name: sums.sum(axis=0) for name, sums in self._sums.items()}

    def without_each(self) -> dict[str, Floats]:
        """Return the sums without each group in turn (the jackknife), by group."""
        return {name: sums.sum(axis=0) - sums for name, sums in self._sums.items()}

    def replicates(self) -> Iterator[dict[str, Floats]]:
        """Yield the sums of REPLICATES draws of as many groups, some of the draws at a time."""
        names = list(self._sums)
        stops = np.cumsum([self._sums[name].shape[1] for name in names])[:-1]
        table = _exact(np.hstack([self._sums[name] for name in names]))
        drawn = np.random.default_rng(_SEED)
        first = np.arange(_AT_ONCE)[:, None] * self.groups
        for _ in range(REPLICATES // _AT_ONCE):
            picked = first + drawn.integers(self.groups, size=(_AT_ONCE, self.groups))
            weights = np.bincount(picked.ravel(), minlength=picked.size).reshape(picked.shape)
            products = np.split(weights.astype(np.float64) @ table, stops, axis=1)
            yield dict(zip(names, products, strict=True))

    def chance(self, name: str, most: float = 0.0) -> float:
        """Return the two-sided p-value of a paired randomisation test (Fisher 1935; Noreen 1989).

        The sums are of differences between two models. If these are equally good, either sign is as
        likely: so often, of REPLICATES times and the rows as they are, random signs make the total
        as large. With `most`, the most that one row can tell, such a row is added for each model:
        rows that were drawn know nothing of rare mistakes that were not (docs/metrics.md).
        """
        added = np.full((2 if most else 0, 1), most)
        differences = _exact(np.vstack([self._sums[name][:, :1], added]))
        total = np.abs(differences[: self.groups].sum())
        drawn = np.random.default_rng(_SEED)
        as_large = 0
        for _ in range(REPLICATES // _AT_ONCE):
            signs = 2.0 * drawn.integers(2, size=(_AT_ONCE, len(differences))) - 1.0
            as_large += int((np.abs(signs @ differences) >= total).sum())
        return (as_large + 1) / (REPLICATES + 1)


class Bootstrap:
    """Some metrics over all rows (`value`), and in each replicate (`drawn`)."""

    def __init__(self, table: Table, metrics: Metrics) -> None:
        self._groups = table.groups
        with np.errstate(divide="ignore", invalid="ignore"):
            self.value = {name: float(one) for name, one in metrics(table.total()).items()}
            self._without = metrics(table.without_each())
            parts = [metrics(sums) for sums in table.replicates()]
        self.drawn = {name: np.concatenate([part[name] for part in parts]) for name in self.value}

    def bounds(self, name: str) -> Bounds | None:
        """Return the BCa interval (Efron 1987; DiCiccio & Efron 1996).

        None for too few rows, and where the rows do not differ: an interval of no width would
        say that nothing can change.
        """
        drawn = _told(self.drawn[name])
        if not self._varies(name, drawn):
            return None
        value = self.value[name]
        below = float((drawn < value).mean() + (drawn == value).mean() / 2)
        least = 0.5 / len(drawn)
        bias = _NORMAL.inv_cdf(min(max(below, least), 1 - least))
        skew = _acceleration(_told(self._without[name]))
        ends = (bias + (bias + z) / (1 - skew * (bias + z)) for z in (-Z, Z))
        low, high = np.quantile(drawn, [_NORMAL.cdf(end) for end in ends])
        return float(low), float(high)

    def percentile(self, name: str) -> Bounds | None:
        """Return the percentile interval, which suits differences; None as for `bounds`.

        A difference has long tails to both sides, and what BCa makes of their skewness in few rows
        is too narrow (docs/metrics.md).
        """
        drawn = _told(self.drawn[name])
        if not self._varies(name, drawn):
            return None
        return middle(drawn)

    def _varies(self, name: str, drawn: Floats) -> bool:
        if math.isnan(self.value[name]) or self._groups < LEAST or len(drawn) < REPLICATES / 2:
            return False
        return bool(np.ptp(drawn) > 1e-9 * max(abs(self.value[name]), np.abs(drawn).max()))


def of_share(hits: float, rows: float) -> Bounds | None:
    """Return Wilson's interval of a proportion; None without rows."""
    return wilson(hits, rows, LEVEL) if rows else None


def of_mean(values: Floats, bounds: Floats) -> Bounds:
    """Return the interval of a mean of independent estimates; `bounds` of shape (values, 2).

    The distances to their own bounds add up in squares (Newcombe 1998; MOVER, Donner & Zou 2012).
    """
    reach = np.sqrt(((bounds - values[:, None]) ** 2).sum(axis=0)) / len(values)
    mean = float(values.mean())
    return mean - float(reach[0]), mean + float(reach[1])


def middle(drawn: Floats) -> Bounds:
    """Return the ends of the middle LEVEL of some numbers."""
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def hull(*bounds: Bounds | None) -> Bounds | None:
    """Return the least interval that holds those that are known."""
    known = [one for one in bounds if one is not None]
    if not known:
        return None
    return min(low for low, _ in known), max(high for _, high in known)


def _acceleration(without: Floats) -> float:
    """Return the jackknife's estimate of how the spread grows with the value (Efron 1987)."""
    pulls = without.mean() - without
    pulls /= np.abs(pulls).max(initial=0.0) or 1.0
    squares = float((pulls**2).sum())
    return float((pulls**3).sum()) / (6 * squares**1.5) if squares > 0 else 0.0


def _told(values: Floats) -> Floats:
    return values[~np.isnan(values)]


def _exact(table: Floats) -> Floats:
    """Return a table whose columns are rounded so that weighted sums of them are exact."""
    most = np.abs(table).max(axis=0, initial=0.0)
    step = np.exp2(np.frexp(most)[1].astype(np.float64) - _BITS)
    return np.asarray(np.round(table / step) * step)
