"""Sets and intervals hold the truth as often as they say, over many splits of real data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB

from podium.pipeline.conformal import fit, prediction_intervals, prediction_sets
from podium.pipeline.postprocess import Scores

Floats = NDArray[np.float64]

SPLITS = 200


class Rows:
    """Rows that a model was not trained on: what it says of them, and the truth."""

    def __init__(self, x: Floats, y: NDArray[Any], training: int) -> None:
        self.order = np.random.default_rng(0).permutation(len(y))
        self.known, self.rest = self.order[:training], self.order[training:]
        self.x, self.y = x, y
        self.truth = y[self.rest]
        self.keys = np.random.default_rng(1).random(len(self.truth))

    def answered(self, model: Any, sampled: bool, answer: Callable[[Any], Floats]) -> Rows:
        """Train a model and keep what it says of the other rows, passes at axis 1."""
        model.fit(self.x[self.known], self.y[self.known])
        self.scores = Scores(answer(self.x[self.rest]), sampled)
        return self

    def part(self, rows: NDArray[np.intp]) -> Scores:
        """Return what the model says of some rows."""
        return self.scores._replace(values=self.scores.values[rows])


@pytest.fixture(scope="module")
def classified() -> dict[str, Rows]:
    """Return what two classifiers say of two real data sets, too sure and sure enough."""
    cells, diagnosis = load_breast_cancer(return_X_y=True)
    two = Rows(cells[:, [1, 9]], diagnosis, 169)
    regression = LogisticRegression()
    digits, numbers = load_digits(return_X_y=True)
    ten = Rows(digits, numbers, 500)
    bayes = GaussianNB()
    return {
        "cells": two.answered(regression, False, lambda x: regression.predict_proba(x)[:, None]),
        "digits": ten.answered(bayes, False, lambda x: bayes.predict_proba(x)[:, None]),
    }


@pytest.fixture(scope="module")
def measured() -> Rows:
    """Return what the trees of a forest say of a real regression data set."""
    patients, progress = load_diabetes(return_X_y=True)
    forest = RandomForestRegressor(30, min_samples_leaf=5, random_state=0)

    def votes(x: Floats) -> Floats:
        return np.stack([tree.predict(x) for tree in forest.estimators_], axis=1)

    return Rows(patients, progress, 142).answered(forest, True, votes)


@pytest.mark.parametrize(("name", "calibrating"), [("cells", 200), ("digits", 600)])
@pytest.mark.parametrize("method", ["lac", "aps"])
@pytest.mark.parametrize("level", [0.8, 0.9])
def test_coverage_of_sets(
    classified: dict[str, Rows], name: str, calibrating: int, method: Any, level: float
) -> None:
    """Over 200 random splits the mean coverage is within one percentage point of the level.

    The models are right in 70% to 90% of the rows. One split's coverage has a standard deviation
    of at most 5 percentage points, the mean of 200 of 0.35.
    """
    rows = classified[name]
    mean = rows.scores.values.mean(axis=1)
    assert 0.7 < (mean.argmax(axis=1) == rows.truth).mean() < 0.9
    coverages = []
    for seed in range(SPLITS):
        order = np.random.default_rng(seed).permutation(len(rows.truth))
        known, new = order[:calibrating], order[calibrating:]
        learned = fit(rows.part(known), rows.truth[known], method, rows.keys[known], seed)
        own = learned.scaled(rows.part(new))
        sets = prediction_sets(learned, own, rows.keys[new], level)
        assert sets is not None
        held = [label in one for label, one in zip(rows.truth[new], sets, strict=True)]
        coverages.append(np.mean(held))
    assert np.std(coverages) < 0.05
    assert np.mean(coverages) == pytest.approx(level, abs=0.01)


@pytest.mark.parametrize("method", ["absolute", "normalised"])
@pytest.mark.parametrize("level", [0.8, 0.9])
def test_coverage_of_intervals(measured: Rows, method: Any, level: float) -> None:
    """Over 200 random splits the mean coverage is within one percentage point of the level."""
    coverages = []
    for seed in range(SPLITS):
        order = np.random.default_rng(seed).permutation(len(measured.truth))
        known, new = order[:200], order[200:]
        learned = fit(
            measured.part(known), measured.truth[known], method, measured.keys[known], seed
        )
        found = prediction_intervals(learned, measured.part(new), level)
        assert found is not None
        truth = measured.truth[new]
        coverages.append(np.mean((found[:, 0] <= truth) & (truth <= found[:, 1])))
    assert np.std(coverages) < 0.06
    assert np.mean(coverages) == pytest.approx(level, abs=0.01)
