"""Curves that judge probabilities: ROC, precision-recall, rejection, reliability."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from podium.pipeline.metrics import BINS, bins_of

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_LEAST: Final = 10
"""Of fewer answers an accuracy says nothing."""
_SHARE: Final = 0.02


class Curve(NamedTuple):
    """The points of a curve and what sums it up: the area under it."""

    x: Floats
    y: Floats
    area: float


class Bins(NamedTuple):
    """Answers by their probability, shape (bins,): NaN where a bin has none.

    `low` is where a bin begins, `probability` the mean, `right` the share of right answers.
    """

    low: Floats
    probability: Floats
    right: Floats
    rows: NDArray[np.intp]


def roc(scores: Floats, positive: Bools) -> Curve:
    """Return the true positive rate by the false positive rate; equal scores are one point.

    The area is that under straight lines between the points, as in scikit-learn.
    """
    right, wrong = _counts(scores, positive)
    x, y = _from_zero(wrong / wrong[-1]), _from_zero(right / right[-1])
    return Curve(x, y, float(np.trapezoid(y, x)))


def precision_recall(scores: Floats, positive: Bools) -> Curve:
    """Return the precision by the recall, and the average precision.

    That is the sum of the precisions, each times the recall that it adds, as in scikit-learn:
    lines between the points would promise too much (Davis and Goadrich 2006).
    """
    right, wrong = _counts(scores, positive)
    found = int(np.searchsorted(right, right[-1])) + 1  # all are: what follows tells no more
    right, wrong = right[:found], wrong[:found]
    recall, precision = right / right[-1], right / (right + wrong)
    area = float(np.diff(recall, prepend=0.0) @ precision)
    return Curve(_from_zero(recall), np.concatenate([precision[:1], precision]), area)


def rejection(uncertainty: Floats, right: Bools) -> Curve:
    """Return the accuracy of the rest by the share of answers rejected, the least certain first.

    Answers of equal uncertainty count as their mean, whichever goes first. It ends where too few
    are left to tell.
    """
    _, place, counts = np.unique(uncertainty, return_inverse=True, return_counts=True)
    mean = np.bincount(place, right) / counts
    kept = np.arange(1, len(right) + 1)
    accuracy = np.cumsum(mean[np.sort(place)]) / kept
    least = min(len(right), max(_LEAST, int(_SHARE * len(right)))) - 1
    x, y = (1 - kept / len(right))[least:][::-1], accuracy[least:][::-1]
    return Curve(x, y, float(np.trapezoid(y, x)))


def reliability(probability: Floats, right: Bools) -> Bins:
    """Return answers in bins of equal width, those of the expected calibration error."""
    place = bins_of(probability)
    rows = np.bincount(place, minlength=BINS)
    with np.errstate(invalid="ignore"):
        mean, share = (np.bincount(place, one, BINS) / rows for one in (probability, right))
    return Bins(np.arange(BINS) / BINS, mean, share, rows)


def _counts(scores: Floats, positive: Bools) -> tuple[Floats, Floats]:
    """Return how many positives and negatives reach each score, from the highest down."""
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)
    right = np.cumsum(positive[order])[last].astype(np.float64)
    return right, last + 1 - right


def _from_zero(values: Floats) -> Floats:
    return np.concatenate([[0.0], values])
