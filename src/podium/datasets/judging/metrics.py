"""Metrics as functions of sums over rows; docs/metrics.md has their definitions.

Such sums are kept of a model's answers: means as a pair of (sum, count), and what belongs to a
label or to a bin of probability in its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from podium.datasets.judging.bootstrap import (
    LEVEL,
    REPLICATES,
    Bootstrap,
    Bounds,
    Sums,
    Table,
    middle,
)
from podium.datasets.judging.judgement import ClassJudgement, Judgement, ValueJudgement
from podium.pipeline.metrics import BINS, bins_of, losses

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

_MEANS: Final = ("loss", "certain", "brier", "covered", "set_size", "empty")
_OF_BINS: Final = ("gaps", "doubt")
_OF_LABELS: Final = ("right", "answered", "true")
_VALUE_MEANS: Final = ("square", "distance", "covered", "width")
_SEED: Final = 7


def widths(labels: int) -> dict[str, int]:
    """Return the sums that are kept of a model, with the width of each; no labels: regression."""
    if not labels:
        return {**dict.fromkeys(_VALUE_MEANS, 2), "centred": 3}
    return {**dict.fromkeys(_MEANS, 2), **dict.fromkeys(_OF_BINS, BINS),
            **dict.fromkeys(_OF_LABELS, labels)}  # fmt: skip


def add(table: Table, prefix: str, groups: Ints, judged: Judgement, centre: float = 0.0) -> None:
    """Add the sums of some rows, which belong to these groups, under names with a prefix.

    True values are taken from `centre` on, so that their variance keeps its digits.
    """
    if isinstance(judged, ClassJudgement):
        _add_classes(table, prefix, groups, judged)
    else:
        _add_values(table, prefix, groups, judged, centre)


def add_mean(table: Table, name: str, groups: Ints, values: Floats | None) -> None:
    """Add numbers to a mean's sum and count; what is not known (NaN) counts for neither."""
    if values is None:
        return
    known = ~np.isnan(values)
    table.add(name, groups[known], values[known])
    table.add(name, groups[known], 1.0, 1)


def of_classes(sums: Sums) -> dict[str, Floats]:
    """Return what is drawn anew of a classification, each of shape (...)."""
    recall = sums["right"] / sums["true"]
    return {
        "balanced_accuracy": _mean_of_known(recall),
        "f1_macro": _mean_of_known(f1(sums)),
        "log_loss": mean(sums["loss"]),
        "brier": mean(sums["brier"]),
        "ece": np.abs(sums["gaps"]).sum(axis=-1) / sums["loss"][..., 1],
        "set_size": mean(sums["set_size"]),
    }


def of_values(sums: Sums) -> dict[str, Floats]:
    """Return what is drawn anew of a regression, each of shape (...)."""
    total, squares, count = np.moveaxis(sums["centred"], -1, 0)
    around = squares - total**2 / count
    # What rounding leaves of equal values is no variance.
    around = np.where(around > 1e-12 * squares, around, np.nan)
    return {
        "r2": 1 - sums["square"][..., 0] / around,
        "rmse": np.sqrt(mean(sums["square"])),
        "mae": mean(sums["distance"]),
        "width": mean(sums["width"]),
    }


def mean(sums: Floats) -> Floats:
    """Return means of (sum, count) pairs; NaN of none."""
    return np.asarray(sums[..., 0] / sums[..., 1], np.float64)


def f1(sums: Mapping[str, Floats]) -> Floats:
    """Return each label's F1; NaN of one that is neither the truth nor the answer of any row."""
    return 2 * sums["right"] / (sums["answered"] + sums["true"])


def by_chance(sums: Sums) -> tuple[float, float]:
    """Return the mean and the 95th percentile of the ECE that chance alone would bring here.

    A model whose probabilities are just right is right in a bin as often as they say, give or take
    the binomial variance of the bin's rows; its normal approximation is drawn from.
    """
    drawn = np.random.default_rng(_SEED).normal(size=(REPLICATES, BINS))
    found = (np.abs(drawn) * np.sqrt(sums["doubt"])).sum(axis=1) / sums["loss"][1]
    return float(found.mean()), float(np.quantile(found, LEVEL))


def ece_bounds(found: Bootstrap, name: str, chance: float) -> Bounds | None:
    """Return an interval for the ECE, of which chance brings up to `chance` in 95 of 100 cases.

    Drawing anew adds scatter to the bins, so that the ECE of a replicate is greater by the bias
    that the ECE itself has. It is taken off the upper end once, off the lower end twice, and what
    chance could have brought alone begins at 0. docs/metrics.md says how often it holds.
    """
    if found.bounds(name) is None:
        return None
    value, drawn = found.value[name], found.drawn[name]
    bias = max(0.0, float(drawn.mean()) - value)
    low, high = middle(drawn)
    least = 0.0 if value <= chance else max(0.0, low - 2 * bias)
    return min(least, value), max(high - bias, value)


def _add_classes(table: Table, prefix: str, groups: Ints, judged: ClassJudgement) -> None:
    right = judged.right
    table.add(f"{prefix}right", groups[right], 1.0, judged.truth[right])
    table.add(f"{prefix}answered", groups, 1.0, judged.label)
    table.add(f"{prefix}true", groups, 1.0, judged.truth)
    if judged.probability is not None and judged.truth_probability is not None:
        add_mean(table, f"{prefix}loss", groups, losses(judged.truth_probability))
        bins, sure = bins_of(judged.probability), judged.probability
        ruled_out = judged.truth_probability < np.finfo(np.float64).eps
        certain = (sure > 1 - np.finfo(np.float64).eps) | ruled_out
        add_mean(table, f"{prefix}certain", groups, np.where(np.isnan(sure), np.nan, certain))
        table.add(f"{prefix}gaps", groups, right - sure, bins)
        table.add(f"{prefix}doubt", groups, sure * np.maximum(1 - sure, 0.0), bins)
    add_mean(table, f"{prefix}brier", groups,
             None if judged.brier is None else np.maximum(judged.brier, 0.0))  # fmt: skip
    add_mean(table, f"{prefix}covered", groups, judged.covered)
    sizes = judged.set_size
    add_mean(table, f"{prefix}set_size", groups, sizes)
    add_mean(table, f"{prefix}empty", groups,
             None if sizes is None else np.where(np.isnan(sizes), np.nan, sizes == 0))  # fmt: skip


def _add_values(
    table: Table, prefix: str, groups: Ints, judged: ValueJudgement, centre: float
) -> None:
    off = judged.value - judged.truth
    add_mean(table, f"{prefix}square", groups, off**2)
    add_mean(table, f"{prefix}distance", groups, np.abs(off))
    truth = judged.truth - centre
    for place, amounts in enumerate((truth, truth**2, np.ones_like(truth))):
        table.add(f"{prefix}centred", groups, amounts, place)
    if judged.lower is not None and judged.upper is not None:
        inside = (judged.lower <= judged.truth) & (judged.truth <= judged.upper)
        known = ~np.isnan(judged.lower + judged.upper)
        add_mean(table, f"{prefix}covered", groups, np.where(known, inside, np.nan))
        add_mean(table, f"{prefix}width", groups, judged.upper - judged.lower)


def _mean_of_known(values: Floats) -> Floats:
    known = ~np.isnan(values)
    return np.asarray(np.where(known, values, 0.0).sum(axis=-1) / known.sum(axis=-1), np.float64)
