"""Log loss, Brier score, calibration error and temperature are those of other libraries."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import brier_score_loss
from sklearn.metrics import log_loss as sklearns_log_loss
from torchmetrics.functional.classification import multiclass_calibration_error

from podium.pipeline.metrics import Quality, brier, ece, log_loss
from podium.pipeline.postprocess import softmax
from podium.pipeline.temperature import find_floor, find_temperature

Floats = NDArray[np.float64]


def labelled(rows: int, classes: int, sharpness: float = 2.0) -> tuple[Floats, NDArray[np.intp]]:
    """Return probabilities of a model that is too sure, and labels."""
    random = np.random.default_rng(rows + classes)
    logits = random.normal(0, 1.5, (rows, classes))
    shares = softmax(logits)
    labels = (random.random((rows, 1)) > shares.cumsum(axis=1)[:, :-1]).sum(axis=1)
    return softmax(sharpness * logits), labels


SHAPES = [(30, 2), (1000, 3), (5000, 10)]


@pytest.mark.parametrize(("rows", "classes"), SHAPES)
def test_log_loss_is_that_of_scikit_learn(rows: int, classes: int) -> None:
    """The log loss of the same probabilities agrees."""
    shares, truth = labelled(rows, classes)
    expected = sklearns_log_loss(truth, shares, labels=range(classes))
    assert log_loss(shares, truth) == pytest.approx(expected, rel=1e-12)


def test_log_loss_of_what_was_ruled_out_is_that_of_scikit_learn() -> None:
    """A probability of 0 for the truth costs what it costs there."""
    shares, truth = np.array([[1.0, 0.0], [0.5, 0.5]]), np.array([1, 0])
    assert log_loss(shares, truth) == pytest.approx(sklearns_log_loss(truth, shares), rel=1e-12)


@pytest.mark.parametrize(("rows", "classes"), SHAPES)
def test_brier_score_is_that_of_scikit_learn(rows: int, classes: int) -> None:
    """The Brier score of the same probabilities agrees, in its original form of 0 to 2."""
    shares, truth = labelled(rows, classes)
    expected = brier_score_loss(truth, shares, labels=range(classes), scale_by_half=False)
    assert brier(shares, truth) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("bins", [5, 15])
@pytest.mark.parametrize(("rows", "classes"), SHAPES)
def test_calibration_error_is_that_of_torchmetrics(rows: int, classes: int, bins: int) -> None:
    """The expected calibration error of the same probabilities agrees."""
    shares, truth = labelled(rows, classes)
    expected = multiclass_calibration_error(
        torch.tensor(shares), torch.tensor(truth), num_classes=classes, n_bins=bins, norm="l1"
    )
    assert ece(shares, truth, bins) == pytest.approx(float(expected), abs=1e-6)


def test_calibration_error_by_hand() -> None:
    """Two rows at 0.9 of which one is right, and one at 0.6: (0.8 + 0.4) / 3; 1 is in a bin."""
    shares = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6]])
    assert ece(shares, np.array([0, 1, 1])) == pytest.approx(1.2 / 3)
    assert ece(np.array([[1.0, 0.0]]), np.array([0])) == 0


def test_quality_is_all_three() -> None:
    """The three measures of the same rows come together."""
    shares, truth = labelled(100, 3)
    assert Quality.of(shares, truth) == Quality(
        log_loss(shares, truth), brier(shares, truth), ece(shares, truth)
    )


class Logits(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A fitted classifier whose logits are its inputs."""

    def fit(self, x: Any, y: Any) -> Logits:
        """Learn the classes alone."""
        self.classes_ = np.unique(y)
        self.n_features_in_ = x.shape[1]
        return self

    def decision_function(self, x: Any) -> Any:
        """Return the inputs."""
        return x

    def predict(self, x: Any) -> Any:
        """Return the index of the largest input."""
        return x.argmax(axis=1)


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 3.0])
def test_temperature_is_that_of_scikit_learn(sharpness: float) -> None:
    """Of many rows the temperature agrees with the one that scikit-learn fits to the logits."""
    shares, truth = labelled(20_000, 4, sharpness)
    theirs = CalibratedClassifierCV(
        FrozenEstimator(Logits().fit(np.log(shares), truth)), method="temperature", ensemble=False
    )
    theirs.fit(np.log(shares), truth)
    beta = theirs.calibrated_classifiers_[0].calibrators[0].beta_
    ours = find_temperature(shares[:, None, :], truth, find_floor(shares))
    assert ours == pytest.approx(1 / beta, rel=2e-3)
