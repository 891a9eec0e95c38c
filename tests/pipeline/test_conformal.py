"""Split conformal prediction: quantiles, sets and intervals by hand, and what is too few."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binomtest

from podium.errors import CalibrationError
from podium.pipeline import conformal
from podium.pipeline.conformal import (
    Coverage,
    Fit,
    check_method,
    check_rows,
    cross_validate,
    default_method,
    fit,
    labelled_rows_needed,
    nonconformity,
    prediction_intervals,
    prediction_sets,
    rows_needed,
    rows_to_cross_validate,
    wilson,
)
from podium.pipeline.metrics import Quality
from podium.pipeline.postprocess import Scores, softmax

Floats = NDArray[np.float64]


def learned(scores: list[float], method: Any = "lac", floor: float | None = None) -> Fit:
    """Return a fit with these nonconformity scores."""
    return Fit(method, None, floor, len(scores), tuple(sorted(scores)))


def classes(values: Any) -> Scores:
    """Return one answer an item, of shape (batch, classes)."""
    return Scores(np.array(values, np.float64)[:, None, :], sampled=False)


def ends(fitted: Fit, scores: Scores, level: float) -> Floats:
    """Return the ends of the intervals that there are."""
    found = prediction_intervals(fitted, scores, level)
    assert found is not None
    return found


def drawn(rows: int, seed: int = 0, passes: int = 1) -> tuple[Scores, NDArray[np.intp], Floats]:
    """Return probabilities, labels drawn from them, and a random number of each row."""
    random = np.random.default_rng(seed)
    values = softmax(random.normal(0, 1.5, (rows, passes, 3)))
    mean = values.mean(axis=1)
    labels = (random.random((rows, 1)) > mean.cumsum(axis=1)[:, :-1]).sum(axis=1)
    return Scores(values, sampled=passes > 1), labels, random.random(rows)


def values_drawn(rows: int, seed: int = 0) -> tuple[Scores, Floats, Floats]:
    """Return passes of a regressor that differ as much as it errs, the truth, random numbers."""
    random = np.random.default_rng(seed)
    centre, std = random.normal(0, 5, rows), random.uniform(0.1, 3, rows)
    passes = centre[:, None] + std[:, None] * random.normal(0, 1, (rows, 20))
    return (
        Scores(passes, sampled=True),
        centre + std * random.normal(0, 1, rows),
        random.random(rows),
    )


@pytest.mark.parametrize(
    ("level", "rows"), [(0.5, 1), (0.8, 4), (0.9, 9), (0.95, 19), (0.99, 99), (0.999, 999)]
)
def test_rows_that_a_level_needs(level: float, rows: int) -> None:
    """The rank ceil((n + 1) * level) is one of n from n = level / (1 - level) on."""
    assert rows_needed(level) == rows
    assert learned([0.5] * rows).quantile(level) == 0.5
    assert learned([0.5] * (rows - 1)).quantile(level) is None


@pytest.mark.parametrize("rows", [9, 10, 19, 99, 100, 999])
@pytest.mark.parametrize("percent", [7, 10, 50, 55, 90])
def test_the_quantile_has_the_rank_of_the_next_row(rows: int, percent: int) -> None:
    """Of the scores 1 to n the quantile is ceil((n + 1) * level), whatever binary rounding does."""
    found = learned([float(one) for one in range(1, rows + 1)]).quantile(percent / 100)
    assert found == -(-(rows + 1) * percent // 100)


def test_many_scores_are_thinned_to_the_safe_side(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of more scores than MAX_SCORES some are kept; a quantile is never below the true one."""
    monkeypatch.setattr(conformal, "MAX_SCORES", 100)
    scores, truth, keys = drawn(2014)
    whole = fit(scores, truth, "lac", keys)
    assert (whole.rows, len(whole.scores)) == (1007, 100)
    monkeypatch.undo()
    true = fit(scores, truth, "lac", keys)
    assert (true.rows, len(true.scores)) == (1007, 1007)
    for level in np.linspace(0.005, 0.995, 199).round(3).tolist():
        found, exact = whole.quantile(level), true.quantile(level)
        assert found is not None
        assert exact is not None
        assert exact <= found <= true.scores[min(1006, true.scores.index(exact) + 11)]
    assert whole.quantile(0.9999) is None


def test_lac_by_hand() -> None:
    """A label is in the set when 1 - its probability is at most the quantile."""
    fitted = learned([0.05, 0.1, 0.2, 0.3, 0.4, 0.45, 0.5, 0.6, 0.7])
    scores = classes([[0.25, 0.45, 0.3], [0.1, 0.1, 0.8], [0.2, 0.4, 0.4], [0.25, 0.5, 0.25]])
    found = prediction_sets(fitted, scores, np.empty(0), 0.9)
    assert found is not None
    assert [row.tolist() for row in found] == [[1, 2], [2], [1, 2], [1]]
    assert [row.tolist() for row in prediction_sets(fitted, scores, np.empty(0), 0.3) or []] == [
        [], [2], [], []
    ]  # fmt: skip


def test_aps_by_hand() -> None:
    """The nonconformity of a label is all that is likelier and a random part of its own."""
    shares = np.array([[0.2, 0.5, 0.3], [0.2, 0.5, 0.3]])
    np.testing.assert_allclose(
        nonconformity(shares, "aps", np.array([0.0, 0.5])),
        [[0.8, 0.0, 0.5], [0.9, 0.25, 0.65]], rtol=1e-12,
    )  # fmt: skip
    fitted = learned([0.1, 0.6, 0.7], "aps")
    found = prediction_sets(fitted, classes(shares), np.array([0.0, 0.5]), 0.7)
    assert [row.tolist() for row in found or []] == [[1, 2], [1, 2]]
    found = prediction_sets(fitted, classes(shares), np.array([0.0, 0.5]), 0.2)
    assert [row.tolist() for row in found or []] == [[1], []]


def test_absolute_by_hand() -> None:
    """An interval reaches the quantile to both sides."""
    fitted = learned([1.0, 2.0, 3.0], "absolute")
    scores = Scores(np.array([[10.0, 14.0], [0.0, 0.0]]), sampled=True)
    np.testing.assert_allclose(ends(fitted, scores, 0.5), [[10, 14], [-2, 2]])


def test_normalised_by_hand() -> None:
    """An interval reaches the quantile in standard deviations, of which the floor is the least."""
    fitted = learned([1.0, 2.0, 3.0], "normalised", floor=0.5)
    scores = Scores(np.array([[10.0, 14.0], [0.0, 0.0]]), sampled=True)
    np.testing.assert_allclose(ends(fitted, scores, 0.5), [[8, 16], [-1, 1]])


def test_normalised_counts_all_that_a_model_tells_of_its_error() -> None:
    """The variance is that of the passes, of the noise in the data and of what was not learned."""
    fitted = learned([1.0], "normalised", floor=0.01)
    told = np.array([[2.0, 4.0]])
    scores = Scores(np.array([[10.0, 14.0]]), True, variances=told, epistemic=3 * told)
    np.testing.assert_allclose(ends(fitted, scores, 0.5), [[8, 16]])


def test_a_level_beyond_the_rows() -> None:
    """Too few rows for a level have neither sets nor intervals."""
    assert prediction_sets(learned([0.5] * 8), classes([[0.5, 0.5]]), np.empty(0), 0.9) is None
    scores = Scores(np.zeros((1, 1)), False)
    assert prediction_intervals(learned([0.5] * 8, "absolute"), scores, 0.9) is None


def test_temperature_and_quantile_come_from_disjoint_halves() -> None:
    """One half's labels change the temperature alone, the other's the scores alone."""
    scores, truth, keys = drawn(40)
    order = np.random.default_rng(5).permutation(40)
    first, second = order[:20], order[20:]
    whole = fit(scores, truth, "lac", keys, seed=5)
    assert whole.temperature is not None
    assert whole.floor is not None
    other = truth.copy()
    other[first] = (truth[first] + 1) % 3
    assert fit(scores, other, "lac", keys, seed=5).temperature != whole.temperature
    other = truth.copy()
    other[second] = (truth[second] + 1) % 3
    moved = fit(scores, other, "lac", keys, seed=5)
    assert (moved.temperature, moved.rows) == (whole.temperature, 20)
    assert moved.scores != whole.scores
    mean = whole.scaled(scores).values[:, 0]
    np.testing.assert_array_equal(whole.scores, np.sort(1 - mean[second, truth[second]]))


def test_absolute_learns_from_all_rows() -> None:
    """Absolute residuals have nothing else to learn: no row is spent on it."""
    scores, truth, keys = values_drawn(30)
    whole = fit(scores, truth, "absolute", keys)
    residuals = np.sort(np.abs(truth - scores.values.mean(axis=1)))
    assert whole == Fit("absolute", None, None, 30, tuple(residuals.tolist()))


def test_normalised_learns_its_floor_from_the_other_half() -> None:
    """The floor is a tenth of the mean standard deviation of the rows that give no score."""
    scores, truth, keys = values_drawn(30)
    half = np.random.default_rng(0).permutation(30)[:15]
    found = fit(scores, truth, "normalised", keys)
    assert (found.temperature, found.rows) == (None, 15)
    assert found.floor == pytest.approx(0.1 * scores.values[half].std(axis=1).mean())


def test_passes_that_never_differ_do_no_harm() -> None:
    """With no standard deviation anywhere normalised residuals are absolute ones."""
    scores = Scores(np.zeros((20, 5)), sampled=True)
    found = fit(scores, np.arange(20.0), "normalised", np.zeros(20))
    assert found.floor == 1.0
    assert found.scores == tuple(np.sort(np.random.default_rng(0).permutation(20)[10:]).tolist())


def test_the_same_seed_teaches_the_same() -> None:
    """A fit hangs on its rows and the seed alone."""
    scores, truth, keys = drawn(100)
    assert fit(scores, truth, "aps", keys, seed=1) == fit(scores, truth, "aps", keys, seed=1)
    assert fit(scores, truth, "aps", keys, seed=1) != fit(scores, truth, "aps", keys, seed=2)


@pytest.mark.parametrize(
    ("level", "method", "alone", "rows"),
    [(0.9, "lac", 17, 22), (0.9, "normalised", 17, 22), (0.9, "absolute", 9, 12),
     (0.99, "aps", 197, 247), (0.5, "absolute", 1, 5)],
)  # fmt: skip
def test_labelled_rows_that_are_needed(level: float, method: Any, alone: int, rows: int) -> None:
    """So many rows do for the halves of four folds of five, fewer for a half of all."""
    assert labelled_rows_needed(level, method) == alone
    assert rows_to_cross_validate(level, method) == rows
    truth: NDArray[Any]
    random = np.random.default_rng(0)
    if method in ("lac", "aps"):
        scores, truth, keys = drawn(rows)
    else:
        scores, truth = Scores(random.random((rows, 3)), True), random.random(rows)
        keys = random.random(rows)
    check_rows(rows, level, method)
    assert cross_validate(scores, truth, method, level, keys).rows == rows
    told = (
        f"There are {rows - 1} labelled rows; to cross-validate a confidence level of {level} "
        f"takes {rows} at least ({alone} for the level alone). Add labelled rows, or ask for a "
        "lower level."
    )
    with pytest.raises(CalibrationError, match=f"^{re.escape(told)}$"):
        cross_validate(conformal._take(scores, np.arange(rows - 1)), truth[1:], method, level, keys)


def test_two_rows_at_least_are_fitted() -> None:
    """A single row cannot be halved."""
    scores, truth, keys = drawn(1)
    with pytest.raises(CalibrationError, match=r"^There is 1 labelled row; expected at least 2$"):
        fit(scores, truth, "lac", keys)


CLASSES = Scores(np.full((2, 1, 2), 0.5), False)
VOTES = Scores(np.full((2, 3, 2), 0.5), True, graded=False)
LABELS = Scores(np.full((2, 1, 2), 0.5), False, graded=False)
VALUES = Scores(np.zeros((2, 1)), False)
PASSES = Scores(np.zeros((2, 3)), True)
NOISY = Scores(np.zeros((2, 1)), False, variances=np.ones((2, 1)))
LEARNED = Scores(np.zeros((2, 1)), False, epistemic=np.ones((2, 1)))


@pytest.mark.parametrize(
    ("scores", "method"),
    [(CLASSES, "lac"), (VOTES, "lac"), (VALUES, "absolute"), (PASSES, "normalised"),
     (NOISY, "normalised"), (LEARNED, "normalised")],
)  # fmt: skip
def test_default_method(scores: Scores, method: str) -> None:
    """A classifier gets the smallest sets, a regressor intervals that follow its doubt if told."""
    assert default_method(scores) == method


@pytest.mark.parametrize(
    ("scores", "method", "message"),
    [
        (CLASSES, "absolute", "The method 'absolute' is not for a classification. "
                              "Expected: lac or aps"),
        (VALUES, "lac", "The method 'lac' is not for a regression. "
                        "Expected: absolute or normalised"),
        (VALUES, "normalised", "The method 'normalised' needs a model that tells how sure it is, "
                               "by passes, votes or a variance. Use 'absolute'."),
        (LABELS, "aps", "The model tells a label and no probability, so that there is nothing to "
                        "calibrate. Serve one that tells probabilities, such as with "
                        "predict_proba."),
    ],
)  # fmt: skip
def test_a_method_that_does_not_fit(scores: Scores, method: Any, message: str) -> None:
    """What cannot be calibrated, or not so, is told with the way out."""
    with pytest.raises(CalibrationError) as caught:
        check_method(scores, method)
    assert str(caught.value) == message


@pytest.mark.parametrize(("successes", "trials"), [(0, 5), (5, 5), (45, 50), (171, 190)])
def test_wilson_is_scipys(successes: int, trials: int) -> None:
    """The interval of a share is scipy's."""
    found = binomtest(successes, trials).proportion_ci(0.95, "wilson")
    assert wilson(successes, trials) == pytest.approx((found.low, found.high), abs=1e-12)


@pytest.mark.parametrize("method", ["lac", "aps"])
def test_coverage_of_sets_by_cross_validation(method: Any) -> None:
    """Each row is judged by a fit to the other folds; the mean size and quality come along."""
    scores, truth, keys = drawn(203, passes=3)
    told = cross_validate(scores, truth, method, 0.8, keys, folds=4, seed=3)
    held, sizes = [], []
    order = np.random.default_rng(3).permutation(203)
    for part in np.array_split(order, 4):
        rest = np.sort(np.setdiff1d(order, part))
        one = fit(scores._replace(values=scores.values[rest]), truth[rest], method, keys[rest], 3)
        own = one.scaled(scores._replace(values=scores.values[part]))
        sets = prediction_sets(one, own, keys[part], 0.8)
        assert sets is not None
        held += [label in row for label, row in zip(truth[part], sets, strict=True)]
        sizes += [len(row) for row in sets]
    share = sum(held) / 203
    assert told.size == pytest.approx(np.mean(sizes))
    assert told == Coverage(
        0.8, 4, 203, share, *wilson(sum(held), 203), told.size, sizes.count(0) / 203, told.before,
        told.after,
    )  # fmt: skip
    assert told.before == Quality.of(scores.values.mean(axis=1), truth)
    assert told.after is not None
    assert told.after != told.before
    assert told.low < share < told.high


def test_temperature_mends_a_model_that_is_too_sure() -> None:
    """Where all logits are three times too large, all measures are better after than before."""
    scores, truth, keys = drawn(600)
    sure = scores._replace(values=softmax(3 * np.log(scores.values)))
    told = cross_validate(sure, truth, "lac", 0.9, keys)
    assert told.before is not None
    assert told.after is not None
    assert told.after.log_loss < 0.7 * told.before.log_loss
    assert told.after.brier < told.before.brier
    assert told.after.ece < 0.5 * told.before.ece


@pytest.mark.parametrize("method", ["absolute", "normalised"])
def test_coverage_of_intervals_by_cross_validation(method: Any) -> None:
    """The mean width is in the value's unit; there are no probabilities to be judged."""
    scores, truth, keys = values_drawn(600)
    told = cross_validate(scores, truth, method, 0.9, keys)
    assert (told.before, told.after, told.folds, told.rows) == (None, None, 5, 600)
    assert told.low < 0.9 < told.high
    doubled = cross_validate(
        scores._replace(values=2 * scores.values), 2 * truth, method, 0.9, keys
    )
    assert doubled.size == pytest.approx(2 * told.size)
    assert doubled.coverage == told.coverage


def test_normalised_intervals_are_narrower_where_the_model_knows_its_doubt() -> None:
    """Where errors grow with the passes' spread, intervals that follow it are narrower in all."""
    scores, truth, keys = values_drawn(600)
    flat = cross_validate(scores, truth, "absolute", 0.9, keys)
    assert cross_validate(scores, truth, "normalised", 0.9, keys).size < 0.9 * flat.size
