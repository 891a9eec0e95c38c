"""How a model draws at random: found out from its answers when it is loaded.

The passes of one input may share a batch only if each draws on its own. So several calls get
several copies of the same rows, and what they answer is compared. If every answer is drawn on its
own, the order of all of them is chance: the ranks of their values, ties broken by lot, are then a
random permutation whatever the model computes. So these statistics of the ranks' normal scores
have the same distribution for every model:

- a one-way analysis of variance, in which the calls are the groups: the means of calls vary as
  much as the answers within them say. They vary more where a call's answers share a draw, such as
  weights drawn once a call; less where the answers of a call balance, as antithetic draws do.
- the same, in which the positions within a call are the groups.
- the correlation of answers at each distance within a call, which sees draws shared by a few
  neighbours, as when the model cuts a batch into smaller ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from statistics import NormalDist
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from podium.engines import Engine
from podium.errors import ModelError
from podium.pipeline.stochastic import (
    Calls,
    Draw,
    Infer,
    Outputs,
    Rows,
    Together,
    Way,
    count_rows,
    repeated,
    rows_at_once,
)
from podium.runtimes import Arrays, Model

CALLS: Final = 16
"""How many calls are compared."""

COPIES: Final = 64
"""How many copies of a row a call gets.

If a share of 1/16 of their variance is in common, it is seen every other time; 1/8 nearly always.
"""

FEW_COPIES: Final = 32
"""As many where a row costs much, as of a picture; every other time, 1/8 is then seen."""

SIGMAS: Final = 6.0
"""How far, in standard deviations, a statistic may be off: by chance one in 500 million is.

A model of one output takes at most 2,176 of them. What is told to be shared by mistake is
answered by separate calls, which are slower and as right.
"""

ELEMENTS: Final = 64
"""How many numbers of each output are looked at."""

ROUNDING: Final = 1e-6
"""Differences below this part of an output's largest number are rounding, not chance."""

Kind = Literal["none", "apart", "shared"]
Floats = NDArray[np.float64]


def find_way(model: Model, engine: Engine, inputs: Arrays, copies: int) -> Way:
    """Return the fastest way that makes passes of which each draws on its own.

    `inputs` are rows to try it with, the next where what is drawn changes nothing of the one
    before; `copies` (COPIES or FEW_COPIES) is how often each.

    Raises:
        ModelError: the model draws nothing at random.
    """

    def infer(feed: Arrays, seed: int | None) -> Outputs:
        return engine.infer(model, feed, seed)

    copies = min(copies, rows_at_once(inputs))
    rows = Rows(infer, seeds_work(infer, repeated(inputs, copies)))
    for row in range(count_rows(inputs)):
        one = {name: array[row : row + 1] for name, array in inputs.items()}
        found = kind_of(rows, one, copies)
        if found == "apart":
            return rows
        if found == "shared":
            return _find_together(model, engine, one, copies) or Calls(infer, rows.reproducible)
    raise ModelError(
        "samples asks for passes that differ, and this model draws nothing at random: the same "
        "input gets the same answer. Remove samples, or name the input that takes the noise "
        "(noise = ...). If dropout was lost in an export, export the model in training mode, "
        "or with its noise as an input."
    )


def _find_together(model: Model, engine: Engine, inputs: Arrays, copies: int) -> Together | None:
    if copies == 1 or model.together(copies) is None:
        return None

    @lru_cache(maxsize=32)
    def making(passes: int) -> Model:
        made = model.together(passes)
        assert made is not None
        return made

    def infer(feed: Arrays, seed: int | None) -> Outputs:
        return engine.infer(making(copies), feed, seed)

    try:
        way = Together(making, engine.infer, seeds_work(infer, inputs))
        return way if kind_of(way, inputs, copies) == "apart" else None
    except ModelError:  # an operation of the model that the framework cannot make so
        return None


def seeds_work(infer: Infer, inputs: Arrays) -> bool:
    """Return whether equal seeds draw the same, and others something else."""
    first, again, other = (infer(inputs, seed) for seed in (1, 1, 2))
    return alike(first, again) and not alike(first, other)


def alike(one: Outputs, other: Outputs) -> bool:
    """Return whether outputs are the same but for rounding."""
    if any(one[name].shape != other[name].shape for name in one):
        return False
    pairs = (_levels(np.stack([one[name], other[name]])) for name in one)
    return all((np.ptp(pair, axis=0) <= 1).all() for pair in pairs)


def kind_of(way: Way, row: Arrays, copies: int) -> Kind:
    """Return how a way draws `copies` passes of a row: "none" when its calls do not differ."""
    calls = [
        way.run(row, Draw(range(1), range(call * copies, (call + 1) * copies), seed=0))
        for call in range(CALLS)
    ]
    elements = [_elements([call[name] for call in calls], copies) for name in calls[0]]
    return kind_of_values(np.concatenate(elements, axis=-1))


def kind_of_values(values: Floats) -> Kind:
    """Return how values of shape (calls, copies, elements) are drawn.

    Copies are of the same row; elements are numbers of its answer that differ between calls.
    """
    if values.shape[-1] == 0:
        return "none"
    if values.shape[1] == 1:
        return "shared"
    scores = _scores(values)
    statistics = [between(scores), between(scores.swapaxes(0, 1)), *neighbours(scores)]
    return "apart" if np.abs(statistics).max() < SIGMAS else "shared"


def _elements(calls: Sequence[NDArray[Any]], copies: int) -> Floats:
    """Return the numbers of one output that differ between calls, shape (calls, copies, n)."""
    if any(array.shape[:2] != (1, copies) for array in calls):
        raise ModelError(f"The model answered {calls[0].shape}; expected (1, {copies}, ...)")
    stack = np.stack(calls).reshape(len(calls), copies, -1)
    width = stack.shape[-1]
    chosen = np.unique(np.linspace(0, width - 1, min(width, ELEMENTS)).astype(int))
    levels = _levels(stack[..., chosen])
    return levels[..., (np.ptp(levels, axis=0) > 1).any(axis=0)]


def _levels(values: NDArray[Any]) -> Floats:
    """Return values as numbers of which those that differ by at most 1 are the same."""
    if values.dtype.kind != "f":
        codes = np.unique(values, return_inverse=True)[1]
        return np.asarray(2.0 * codes, np.float64).reshape(values.shape)
    finite = np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    step = ROUNDING * np.abs(finite).max(initial=0.0) or 1.0
    return np.asarray(finite / step, np.float64)


def _scores(values: Floats) -> Floats:
    """Return the normal score of each value's rank among all of its element.

    Lots decide between equal values.
    """
    flat = np.round(values).reshape(-1, values.shape[-1])
    lots = np.random.default_rng(0).random(flat.shape)
    order = np.lexsort((lots, flat), axis=0)
    return _normal(len(flat))[np.argsort(order, axis=0)].reshape(values.shape)


@lru_cache(maxsize=8)
def _normal(count: int) -> Floats:
    """Return the quantiles that cut a standard normal into parts of equal probability."""
    normal = NormalDist()
    return np.array([normal.inv_cdf((rank + 0.5) / count) for rank in range(count)])


def between(groups: Floats) -> Floats:
    """Return how far the means of groups (axis 0) are from what their members (axis 1) tell.

    The ratio of the variances between and within groups has an F distribution; by E. Paulson,
    "An Approximate Normalization of the Analysis of Variance Distribution" (Annals of
    Mathematical Statistics 13, 1942), what is returned is close to a standard normal.
    """
    count, size = groups.shape[:2]
    freedom, rest = count - 1, count * (size - 1)
    means = groups.mean(axis=1)
    within = ((groups - means[:, None]) ** 2).sum(axis=(0, 1)) / rest
    ratio = np.cbrt(size * means.var(axis=0, ddof=1) / np.maximum(within, np.finfo(float).tiny))
    one, other = 2 / (9 * freedom), 2 / (9 * rest)
    apart = (1 - other) * ratio - (1 - one)
    return np.asarray(apart / np.sqrt(other * ratio**2 + one), np.float64)


def neighbours(values: Floats) -> list[Floats]:
    """Return the correlation at each distance within a call, in standard deviations."""
    calls, copies = values.shape[:2]
    scaled = values / values.std(axis=(0, 1))
    return [
        (scaled[:, away:] * scaled[:, :-away]).sum(axis=(0, 1)) / np.sqrt(calls * (copies - away))
        for away in range(1, copies // 2 + 1)
    ]
