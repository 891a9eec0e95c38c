"""Curves that judge probabilities, against other implementations and by hand."""

from __future__ import annotations

import numpy as np
import pytest

from podium.datasets.judging.curves import precision_recall, rejection, reliability, roc
from podium.pipeline.metrics import ece


def drawn(ties: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return scores that tell positives somewhat, with or without equal ones."""
    rng = np.random.default_rng(3)
    positive = rng.random(400) < 0.3
    scores = rng.normal(size=400) + positive
    return (np.round(scores, 1) if ties else scores), positive


@pytest.mark.parametrize("ties", [False, True])
def test_roc_agrees_with_scikit_learn(ties: bool) -> None:
    """The points and the area are those of scikit-learn, equal scores among them."""
    metrics = pytest.importorskip("sklearn.metrics")
    scores, positive = drawn(ties)
    found = roc(scores, positive)
    x, y, _ = metrics.roc_curve(positive, scores, drop_intermediate=False)
    np.testing.assert_allclose(found.x, x)
    np.testing.assert_allclose(found.y, y)
    assert found.area == pytest.approx(metrics.roc_auc_score(positive, scores))


@pytest.mark.parametrize("ties", [False, True])
def test_precision_and_recall_agree_with_scikit_learn(ties: bool) -> None:
    """Points and average precision are those of scikit-learn, up to the first recall of 1."""
    metrics = pytest.importorskip("sklearn.metrics")
    scores, positive = drawn(ties)
    found = precision_recall(scores, positive)
    precision, recall, _ = metrics.precision_recall_curve(positive, scores)
    stop = len(found.x)
    np.testing.assert_allclose(found.x[1:], recall[::-1][1:stop])
    np.testing.assert_allclose(found.y[1:], precision[::-1][1:stop])
    assert (found.x == 1).sum() == 1
    assert (found.x[0], found.y[0]) == (0, found.y[1])
    assert found.area == pytest.approx(metrics.average_precision_score(positive, scores))


def test_the_least_certain_are_rejected_first() -> None:
    """Twenty answers, the ten least certain wrong: accuracy rises from a half to one."""
    uncertainty = np.arange(20.0)[::-1]
    found = rejection(uncertainty, uncertainty < 10)
    np.testing.assert_allclose(found.x, np.arange(11) / 20)
    np.testing.assert_allclose(found.y, [10 / (20 - k) for k in range(11)])


def test_equally_certain_answers_count_as_their_mean() -> None:
    """Where all are equally certain, no order of the rows makes the line rise or fall."""
    right = np.arange(40) < 30
    for order in (right, right[::-1]):
        found = rejection(np.zeros(40), order)
        np.testing.assert_allclose(found.y, 0.75)
        assert (found.x[0], found.x[-1]) == (0, 0.75)


def test_few_answers_are_judged_as_a_whole() -> None:
    """With fewer answers than tell an accuracy there is one point: nothing is rejected."""
    found = rejection(np.arange(4.0), np.array([True, True, True, False]))
    assert (found.x.tolist(), found.y.tolist()) == ([0], [0.75])


def test_reliability_has_the_bins_of_the_calibration_error() -> None:
    """The distance of the bins from the diagonal, by their rows, is the ECE."""
    rng = np.random.default_rng(5)
    p = rng.dirichlet((2, 1, 1), 300)
    truth = rng.integers(0, 3, 300)
    found = reliability(p.max(axis=1), p.argmax(axis=1) == truth)
    gaps = np.nan_to_num(np.abs(found.right - found.probability)) @ found.rows / 300
    assert found.rows.sum() == 300
    assert np.isnan(found.right[found.rows == 0]).all()
    assert gaps == pytest.approx(ece(p, truth))


def test_certain_answers_lie_in_the_last_bin() -> None:
    """A probability of 1 belongs to the last bin, not beyond it."""
    found = reliability(np.ones(3), np.array([True, True, False]))
    assert found.rows.tolist() == [0] * 14 + [3]
    assert found.right[-1] == pytest.approx(2 / 3)
