"""Intervals: as other libraries have them, the same whenever they are made."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from podium.datasets.judging.bootstrap import (
    LEAST,
    MAX_GROUPS,
    REPLICATES,
    Bootstrap,
    Sums,
    Table,
    hull,
    of_mean,
    of_share,
)
from podium.datasets.judging.metrics import add_mean, mean
from tests.support.judging import Floats, bootstrap, classes, sample, values


def of_numbers(numbers: Floats) -> tuple[Table, Bootstrap]:
    """Return the bootstrap of a mean."""
    table = Table(len(numbers), {"x": 2})
    add_mean(table, "x", table.deal(len(numbers)), numbers)
    return table, Bootstrap(table, lambda sums: {"mean": mean(sums["x"])})


@pytest.mark.parametrize("method", ["BCa", "percentile"])
def test_the_intervals_of_a_mean_are_those_of_scipy(method: str) -> None:
    """Both ends agree within what 1,000 replicates scatter."""
    numbers = np.random.default_rng(0).exponential(1, 60)
    _, found = of_numbers(numbers)
    own = found.bounds("mean") if method == "BCa" else found.percentile("mean")
    expected = scipy.stats.bootstrap((numbers,), np.mean, method=method, n_resamples=20_000,
                                     rng=np.random.default_rng(1)).confidence_interval  # fmt: skip
    error = numbers.std() / np.sqrt(60)
    assert own == pytest.approx(tuple(expected), abs=0.25 * error)


def test_bias_and_skewness_are_corrected_as_in_scipy() -> None:
    """The ends for a standard deviation are nearer to SciPy's than each correction moves them."""
    numbers = np.random.default_rng(0).exponential(1, 60)
    table = Table(60, {"x": 3})
    groups = table.deal(60)
    for place in range(3):
        table.add("x", groups, numbers**place, place)

    def deviation(sums: Sums) -> dict[str, Floats]:
        count, total, squares = np.moveaxis(sums["x"], -1, 0)
        return {"std": np.sqrt(squares / count - (total / count) ** 2)}

    found = Bootstrap(table, deviation)
    expected = scipy.stats.bootstrap((numbers,), np.std, method="BCa", n_resamples=20_000,
                                     rng=np.random.default_rng(1)).confidence_interval  # fmt: skip
    error = found.drawn["std"].std()
    assert found.bounds("std") == pytest.approx(tuple(expected), abs=0.2 * error)


def test_a_replicate_is_the_metric_of_rows_that_were_drawn() -> None:
    """Each replicate's sums are those of as many rows, with repeats."""
    table, _ = of_numbers(np.array([1.0, 100.0, 10_000.0] * 4))
    sums = np.concatenate([part["x"] for part in table.replicates()])
    assert sums.shape == (REPLICATES, 2)
    assert set(sums[:, 1]) == {12.0}
    drawn = [[int(total) // 100**place % 100 for place in range(3)] for total in sums[:, 0]]
    assert {sum(one) for one in drawn} == {12}
    assert np.mean(drawn, axis=0) == pytest.approx([4, 4, 4], abs=0.2)


def test_replicates_are_exact_whatever_adds_them_up() -> None:
    """Sums of rounded numbers are the same in any order, so that no processor changes a bit."""
    numbers = np.random.default_rng(0).lognormal(0, 3, 500)
    table, found = of_numbers(numbers)
    rounded = np.round(numbers * 2.0 ** (38 - np.frexp(numbers.max())[1]))
    weights = np.bincount(np.random.default_rng(6).integers(500, size=(100, 500))[0], minlength=500)
    exact = sum(int(one) * int(weight) for one, weight in zip(rounded, weights, strict=True))
    step = 2.0 ** (np.frexp(numbers.max())[1] - 38)
    assert next(table.replicates())["x"][0, 0] == exact * step
    assert found.drawn["mean"][0] == exact * step / 500


def test_the_same_rows_make_the_same_interval() -> None:
    """Nothing is drawn that a seed does not decide."""
    p, truth = sample(200)
    first, second = (bootstrap(classes(p, truth), 3)[1] for _ in range(2))
    same = [np.array_equal(first.drawn[name], second.drawn[name], equal_nan=True)
            for name in first.drawn]  # fmt: skip
    assert same == [True] * len(same)
    assert first.bounds("log_loss") == second.bounds("log_loss")


def test_many_rows_in_groups_have_the_interval_of_the_rows() -> None:
    """Groups made by chance scatter as rows do: the interval is as wide as that of the normal."""
    numbers = np.random.default_rng(3).exponential(1, 60_000)
    table, found = of_numbers(numbers)
    assert table.groups == MAX_GROUPS
    low, high = found.bounds("mean") or (0.0, 0.0)
    assert found.value["mean"] == pytest.approx(numbers.mean(), rel=1e-12)
    assert high - low == pytest.approx(2 * 1.96 * numbers.std() / np.sqrt(60_000), rel=0.1)


def test_few_rows_have_no_interval() -> None:
    """Of fewer than ten rows none is drawn; of ten there is one."""
    numbers = np.arange(LEAST, dtype=np.float64)
    assert of_numbers(numbers[:-1])[1].bounds("mean") is None
    assert of_numbers(numbers)[1].bounds("mean") is not None


def test_equal_rows_have_no_interval() -> None:
    """An interval without width would say that nothing can change."""
    _, found = of_numbers(np.full(50, 0.3))
    assert (found.bounds("mean"), found.percentile("mean")) == (None, None)


def test_a_metric_without_rows_has_neither_value_nor_interval() -> None:
    """What no row tells is NaN all the way."""
    _, found = bootstrap(values(np.arange(20.0), np.arange(20.0) + 1), 0)
    assert np.isnan(found.value["width"])
    assert found.bounds("width") is None


@pytest.mark.parametrize(("hits", "rows"), [(0, 5), (3, 7), (50, 52), (52, 52), (1, 1)])
def test_a_share_has_the_score_interval_of_scipy(hits: int, rows: int) -> None:
    """Wilson's, at 95%."""
    expected = scipy.stats.binomtest(hits, rows).proportion_ci(method="wilson")
    assert of_share(hits, rows) == pytest.approx(tuple(expected), abs=1e-9)
    assert of_share(0, 0) is None


def test_a_mean_of_shares_adds_their_doubts_in_squares() -> None:
    """Two independent shares, each 0.1 from its lower end: their mean is 0.1 / sqrt(2) from its."""
    low, high = of_mean(np.array([0.5, 0.9]), np.array([[0.4, 0.7], [0.8, 1.0]]))
    assert low == pytest.approx(0.7 - 0.1 / np.sqrt(2))
    assert high == pytest.approx(0.7 + np.hypot(0.2, 0.1) / 2)


def test_the_hull_holds_all_that_is_known() -> None:
    """An interval that is not known changes nothing."""
    assert hull(None, (0.2, 0.5), (0.3, 0.9)) == (0.2, 0.9)
    assert hull(None) is None


def test_a_difference_is_tested_by_random_signs() -> None:
    """The p-value is that of scipy's permutation test, within the scatter of 1,000 draws."""
    numbers = np.random.default_rng(0).normal(0.3, 1, 40)
    expected = scipy.stats.permutation_test(
        (numbers,), np.mean, permutation_type="samples", n_resamples=20_000,
        rng=np.random.default_rng(1)).pvalue  # fmt: skip
    table, _ = of_numbers(numbers)
    assert table.chance("x") == pytest.approx(expected, abs=0.03)
    assert 0.02 < expected < 0.5


def test_models_that_never_differ_are_no_surprise() -> None:
    """Of differences that are all 0 the p-value is 1."""
    assert of_numbers(np.zeros(20))[0].chance("x") == 1.0


def test_sums_of_nothing_are_kept_apart() -> None:
    """What is not known counts neither in a sum nor among the rows."""
    sums: Sums = of_numbers(np.array([1.0, np.nan, 3.0]))[0].total()
    assert sums["x"].tolist() == [4.0, 2.0]
