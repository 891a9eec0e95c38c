"""How good probabilities are: log loss, Brier score and expected calibration error."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.intp]
"""The index of each row's true label."""

BINS: Final = 15
"""How many equal bins the calibration error has, as in Guo et al. 2017."""


class Quality(Struct, frozen=True):
    """How good the probabilities of some labelled rows are; of each, less is better."""

    log_loss: float
    brier: float
    ece: float

    @classmethod
    def of(cls, probabilities: Floats, truth: Labels) -> Quality:
        """Return the quality of probabilities of shape (rows, classes)."""
        return cls(log_loss(probabilities, truth), brier(probabilities, truth),
                   ece(probabilities, truth))  # fmt: skip


def log_loss(probabilities: Floats, truth: Labels) -> float:
    """Return the mean of `losses`, in nats."""
    return float(losses(_of_truth(probabilities, truth)).mean())


def losses(told: Floats) -> Floats:
    """Return -log of the true labels' probabilities, in nats.

    A probability of 0 counts as the least that double precision tells from 1 - p, as in
    scikit-learn, so that the loss is finite: 36.
    """
    return -np.log(np.maximum(told, np.finfo(np.float64).eps))


def brier(probabilities: Floats, truth: Labels) -> float:
    """Return the squared distance to the truth, summed over the labels: 0 to 2 (Brier 1950)."""
    truths = np.zeros_like(probabilities)
    truths[np.arange(len(truth)), truth] = 1
    return float(((probabilities - truths) ** 2).sum(axis=1).mean())


def ece(probabilities: Floats, truth: Labels, bins: int = BINS) -> float:
    """Return the expected calibration error of the likeliest label (Naeini et al. 2015).

    Rows fall into bins of equal width by the probability of their likeliest label; the error is
    the mean over the rows of how far their bin's accuracy is from its mean probability.
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    gaps = np.bincount(bins_of(confidence, bins), right - confidence, bins)
    return float(np.abs(gaps).sum() / len(truth))


def bins_of(confidence: Floats, bins: int = BINS) -> Labels:
    """Return the bin of each probability, of some of equal width; the last one has 1 in it too."""
    return np.minimum((confidence * bins).astype(np.intp), bins - 1)


def _of_truth(probabilities: NDArray[Any], truth: Labels) -> Floats:
    return np.asarray(probabilities[np.arange(len(truth)), truth], np.float64)
