"""Sets, intervals and their coverage are those of MAPIE on the same arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from mapie.classification import SplitConformalClassifier
from mapie.conformity_scores import ResidualNormalisedScore
from mapie.metrics.classification import (
    classification_coverage_score,
    classification_mean_width_score,
)
from mapie.metrics.regression import regression_coverage_score, regression_mean_width_score
from mapie.regression import SplitConformalRegressor
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from podium.pipeline.conformal import Fit, nonconformity, prediction_intervals, prediction_sets
from podium.pipeline.postprocess import Scores, softmax

Floats = NDArray[np.float64]

SEED = 7
SIZES = [40, 57, 100, 199, 463]
LEVELS = [0.5, 0.75, 0.9, 0.95]


class Classifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Says what stands in an array, row by row; X is the rows' numbers."""

    def __init__(self, shares: Floats | None = None) -> None:
        self.shares = shares
        self.classes_ = np.arange(0 if shares is None else shares.shape[1])
        self.is_fitted = True

    def predict_proba(self, x: Any) -> Floats:
        """Return the probabilities of the rows."""
        assert self.shares is not None
        return np.asarray(self.shares[np.asarray(x)[:, 0].astype(int)])

    def predict(self, x: Any) -> Any:
        """Return the likeliest label of the rows."""
        return self.predict_proba(x).argmax(axis=1)


class Regressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Says what stands in an array, row by row; X is the rows' numbers."""

    def __init__(self, values: Floats | None = None) -> None:
        self.values = values
        self.is_fitted = True

    def fit(self, *_: Any) -> Regressor:
        """Learn nothing."""
        return self

    def predict(self, x: Any) -> Floats:
        """Return the values of the rows."""
        assert self.values is not None
        return np.asarray(self.values[np.asarray(x)[:, 0].astype(int)])


def labelled(rows: int, classes: int = 5) -> tuple[Floats, NDArray[np.intp]]:
    """Return probabilities of a model that is too sure, and labels."""
    random = np.random.default_rng(rows)
    logits = random.normal(0, 1.5, (rows, classes))
    shares = softmax(logits)
    labels = (random.random((rows, 1)) > shares.cumsum(axis=1)[:, :-1]).sum(axis=1)
    return softmax(1.7 * logits), labels


def measured(rows: int) -> tuple[Floats, Floats, Floats]:
    """Return passes of shape (rows, 10), their standard deviations, and values."""
    random = np.random.default_rng(rows)
    std = random.uniform(0.1, 3, rows)
    passes = random.normal(0, 4, (rows, 1)) + std[:, None] * random.normal(0, 1, (rows, 10))
    return passes, passes.std(axis=1), passes.mean(axis=1) + std * random.normal(0, 1, rows)


def numbered(rows: range) -> NDArray[np.int_]:
    """Return X of rows: their numbers."""
    return np.array(rows)[:, None]


@pytest.mark.parametrize("method", ["lac", "aps"])
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("rows", SIZES)
def test_sets(rows: int, level: float, method: Any) -> None:
    """Quantile, every set, the coverage and the mean size agree.

    MAPIE draws a number for each row twice, from the same seed: for its score and for its set. It
    counts the likelier part of a label's probability, here it is the less likely one.
    """
    shares, labels = labelled(2 * rows)
    keys = 1 - np.tile(np.random.RandomState(SEED).uniform(size=rows), 2)
    calibrating, asked = range(rows), range(rows, 2 * rows)
    theirs = SplitConformalClassifier(
        Classifier(shares), confidence_level=level, conformity_score=method, prefit=True,
        random_state=SEED,
    )  # fmt: skip
    theirs.conformalize(numbered(calibrating), labels[:rows])
    told = theirs.predict_set(
        numbered(asked), conformity_score_params={"include_last_label": "randomized"}
    )
    their_sets = told[1][:, :, 0]

    found = nonconformity(shares[:rows], method, keys[:rows])[np.arange(rows), labels[:rows]]
    np.testing.assert_allclose(found, np.ravel(theirs.conformity_scores), atol=1e-12)
    fit = Fit(method, None, None, rows, tuple(np.sort(found).tolist()))
    scores = Scores(shares[rows:, None, :], False)
    sets = prediction_sets(fit, scores, keys[rows:], level)
    assert sets is not None
    ours = np.zeros_like(their_sets)
    for row, chosen in zip(ours, sets, strict=True):
        row[chosen] = True
    np.testing.assert_array_equal(ours, their_sets)

    held = np.mean([label in row for label, row in zip(labels[rows:], sets, strict=True)])
    assert held == pytest.approx(classification_coverage_score(labels[rows:], told[1])[0])
    size = np.mean([len(row) for row in sets])
    assert size == pytest.approx(classification_mean_width_score(told[1])[0])


@pytest.mark.parametrize("method", ["absolute", "normalised"])
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("rows", SIZES)
def test_intervals(rows: int, level: float, method: Any) -> None:
    """Every end, the coverage and the mean width agree."""
    passes, std, truth = measured(2 * rows)
    mean, floor = passes.mean(axis=1), float(np.quantile(std, 0.2))
    scale = np.maximum(std, floor) if method == "normalised" else np.ones(2 * rows)
    score = ResidualNormalisedScore(Regressor(scale), prefit=True, sym=True)
    theirs = SplitConformalRegressor(
        Regressor(mean), confidence_level=level, prefit=True,
        conformity_score=score if method == "normalised" else "absolute",
    )  # fmt: skip
    theirs.conformalize(numbered(range(rows)), truth[:rows])
    told = theirs.predict_interval(numbered(range(rows, 2 * rows)))[1]

    found = np.sort(np.abs(truth - mean)[:rows] / scale[:rows])
    fit = Fit(method, None, floor, rows, tuple(found.tolist()))
    ours = prediction_intervals(fit, Scores(passes[rows:], True), level)
    assert ours is not None
    np.testing.assert_allclose(ours, told[:, :, 0], rtol=1e-9)
    held = np.mean((ours[:, 0] <= truth[rows:]) & (truth[rows:] <= ours[:, 1]))
    assert held == pytest.approx(regression_coverage_score(truth[rows:], told)[0])
    width = np.mean(ours[:, 1] - ours[:, 0])
    assert width == pytest.approx(regression_mean_width_score(told)[0])
