"""Temperature scaling: one number makes a classifier as sure as it is right.

Log-probabilities, which equal logits but for a constant, are divided by a temperature (Guo et
al. 2017, "On Calibration of Modern Neural Networks"). Each pass is scaled before the mean is
taken (Laves et al. 2020, "Well-calibrated Model Uncertainty with Temperature Scaling for Dropout
Variational Inference"), so that the parts of the entropy still sum to the whole. The likeliest
label of a pass stays; that of a mean of passes may change.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np

from podium.pipeline.metrics import Floats, Labels, log_loss
from podium.pipeline.postprocess import softmax

LEAST: Final = 1e-6
"""What a probability of 0 counts as, if the model never told less.

A tree's vote of 0 means that none of a leaf's few rows had the label. A network's smallest
probabilities mean something: where there are smaller ones, 0 counts as the smallest.
"""
LOWEST: Final = 0.05
HIGHEST: Final = 100.0
"""Between which a temperature is sought."""
DOUBT: Final = 0.35
"""The standard deviation of a temperature's logarithm before a row is seen: between 0.5 and 2.

With 11 and 51 rows of the penguins' models and of simulated ones a wider one made the log loss of
other rows worse where the model had been right, and gained little where it had not.
"""
STEPS: Final = 25
PRECISE: Final = 1e-4
"""How precisely the logarithm of the temperature is found."""
MAX_VALUES: Final = 1 << 23
"""From how many probabilities the temperature is found, to bound the time."""

_GOLDEN: Final = (math.sqrt(5) - 1) / 2


def scaled(values: Floats, temperature: float, floor: float) -> Floats:
    """Return probabilities, along the last axis, at a temperature.

    Probabilities below `floor` count as `floor`.
    """
    return softmax(np.log(np.maximum(values, floor)) / temperature)


def find_floor(values: Floats) -> float:
    """Return what a probability of 0 counts as: the smallest told, and LEAST at most."""
    least = np.finfo(np.float64).tiny
    return float(max(least, min(LEAST, values[values > 0].min())))


def find_temperature(values: Floats, truth: Labels, floor: float) -> float:
    """Return the temperature at which the mean of the passes has the least log loss.

    `values` has shape (rows, passes, classes). Beforehand the temperature's logarithm is taken as
    normal around 0, with a standard deviation of DOUBT: the model stays as it is until rows say
    otherwise. Of a few rows that are all answered right, the loss alone would fall for ever with
    the temperature, and every answer become certain.
    """
    rows = max(1, MAX_VALUES // values[0].size)
    values, truth = values[:rows], truth[:rows]

    def loss(log_temperature: float) -> float:
        mean = scaled(values, math.exp(log_temperature), floor).mean(axis=1)
        return len(truth) * log_loss(mean, truth) + (log_temperature / DOUBT) ** 2 / 2

    grid = np.linspace(math.log(LOWEST), math.log(HIGHEST), STEPS).tolist()
    best = int(np.argmin([loss(point) for point in grid]))
    return math.exp(_least(loss, grid[max(best - 1, 0)], grid[min(best + 1, STEPS - 1)]))


def _least(function: Callable[[float], float], low: float, high: float) -> float:
    """Return where a function is least between `low` and `high`, by golden section."""
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_left, at_right = function(left), function(right)
    while high - low > PRECISE:
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - _GOLDEN * (high - low)
            at_left = function(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + _GOLDEN * (high - low)
            at_right = function(right)
    return (low + high) / 2
