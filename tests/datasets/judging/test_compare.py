"""Two models on the same rows: exact tests, and readings for everyone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats

from podium.datasets.findings import Comparison
from podium.datasets.judging.bootstrap import Table
from podium.datasets.judging.compare import _verdict
from podium.datasets.judging.judgement import some
from podium.datasets.judging.paired import holm, mcnemar, of_bounded, of_difference
from tests.support.judging import classes, labels_alone, sample, values, verdict

AB = ("a", "b")


def rights(folder: Path, *models: Any) -> tuple[Comparison, ...]:
    """Compare models that are right on some rows (1) and wrong on others (0)."""
    truth = np.zeros(len(models[0]), int)
    judged = [labels_alone(1 - np.array(one), truth) for one in models]
    return verdict(folder, judged, AB).comparisons


@pytest.mark.parametrize(("first", "second"), [(0, 1), (3, 9), (7, 7), (40, 25), (900, 1000),
                                               (250_000, 251_500)])  # fmt: skip
def test_mcnemars_test_is_the_binomial_one(first: int, second: int) -> None:
    """Two-sided, with 1/2, on the rows where one alone is right."""
    expected = scipy.stats.binomtest(first, first + second).pvalue
    assert mcnemar(first, second) == pytest.approx(expected, rel=1e-6)
    assert mcnemar(second, first) == mcnemar(first, second)


def test_without_rows_that_differ_nothing_is_told() -> None:
    """The p-value of no rows is 1."""
    assert mcnemar(0, 0) == 1.0


def test_holms_correction_goes_down_step_by_step() -> None:
    """The least is multiplied by all, the next by one fewer; none overtakes, none is above 1."""
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []


def test_the_interval_of_a_difference_is_never_a_point() -> None:
    """Bonett and Price add a row to each count; worked by hand for (5, 1) of 20."""
    low, high = of_difference(5, 1, 20)
    reach = 1.959964 * np.sqrt((6 / 22 + 2 / 22 - (4 / 22) ** 2) / 22)
    assert (low, high) == pytest.approx((4 / 22 - reach, 4 / 22 + reach), rel=1e-6)
    low, high = of_difference(0, 0, 20)
    assert low == -high
    assert high > 0.05


def test_models_that_differ_are_told_apart(tmp_path: Path) -> None:
    """On 20 rows the one alone is right, on 2 the other: chance would seldom bring that."""
    one = [1] * 20 + [0] * 2 + [1] * 78
    other = [0] * 20 + [1] * 2 + [1] * 78
    (found,) = rights(tmp_path, one, other)
    assert (found.first, found.second, found.metric, found.rows) == ("m0", "m1", "accuracy", 100)
    assert found.difference == pytest.approx(0.18)
    assert found.p_value == found.adjusted == pytest.approx(0.0001211, rel=1e-3)
    assert found.reading == (
        "On these 100 rows M0 is right more often than M1 (98.0% against 80.0%). Between equally "
        "good models chance alone would seldom bring as much (p < 0.001). On 22 rows only one of "
        "the two is right: M0 on 20, M1 on 2."
    )


def test_a_difference_by_chance_is_called_so(tmp_path: Path) -> None:
    """The reading says which is better, and that it means little."""
    (found,) = rights(tmp_path, [1] * 5 + [0] * 3 + [1] * 12, [0] * 5 + [1] * 3 + [1] * 12)
    assert found.reading == (
        "On these 20 rows M0 is right more often than M1 (85.0% against 75.0%). Chance alone often "
        "brings a difference like this (p = 0.73). On 8 rows only one of the two is right: M0 on "
        "5, M1 on 3."
    )


def test_too_few_rows_that_differ_are_said_to_be(tmp_path: Path) -> None:
    """Up to five, the test can never find a difference."""
    (found,) = rights(tmp_path, [1, 1, 1, 1, 1, 1], [1, 0, 0, 0, 0, 0])
    assert found.p_value == 0.0625
    assert found.reading.endswith(
        "On 5 rows only one of the two is right: M0 on 5, M1 on 0. So few could not tell which is "
        "better, however they fall."
    )


def test_too_few_rows_are_fewer_than_the_correction_asks_for(tmp_path: Path) -> None:
    """With three pairs seven rows are too few where six would do for one pair."""
    good, bad = [1] * 30, [0] * 7 + [1] * 23
    alone, _, _ = rights(tmp_path, good, bad, good)
    assert alone.p_value == pytest.approx(0.015625)
    assert alone.adjusted == pytest.approx(0.046875)
    assert "So few" not in alone.reading
    (tmp_path / "b").mkdir()
    fewer, *_ = rights(tmp_path / "b", good, [0] * 6 + [1] * 24, good)
    assert fewer.p_value == pytest.approx(0.03125)
    assert fewer.reading.endswith("So few could not tell which is better, however they fall.")


@pytest.mark.parametrize(("chance", "told"), [
    (0.0496, "Between equally good models chance alone would seldom bring as much (p = 0.0496)."),
    (0.0503, "Chance alone now and then brings a difference like this (p = 0.0503)."),
    (0.3, "Chance alone often brings a difference like this (p = 0.3)."),
])  # fmt: skip
def test_a_p_value_is_told_on_its_side_of_5_percent(chance: float, told: str) -> None:
    """0.0496 and 0.0503 are read differently, and so they are not both told as 0.05."""
    assert _verdict(chance, 1) == told


def test_values_that_differ_are_told_apart(tmp_path: Path) -> None:
    """Two errors that round to the same have more digits."""
    truth = np.zeros(40)
    first, second = np.full(40, 45.211), np.full(40, 45.178)
    (found,) = verdict(tmp_path, [values(first, truth), values(second, truth)]).comparisons
    assert "(off by 45.18 on average, against 45.21)" in found.reading


@pytest.mark.parametrize(("one", "other", "how"), [
    ([1, 1, 0], [1, 1, 0], "are right and wrong on the very same rows: 66.7% right."),
    ([1, 0, 1], [0, 1, 1], "are right equally often, though not on the same rows (1 each alone): "
                           "66.7% right."),
])  # fmt: skip
def test_equal_models_are_called_equal(
    tmp_path: Path, one: list[int], other: list[int], how: str
) -> None:
    """Neither is called better."""
    (found,) = rights(tmp_path, one, other)
    assert (found.difference, found.p_value) == (0.0, 1.0)
    told = f"On these 3 rows M0 and M1 {how} Nothing here tells which is better."
    assert found.reading == told


def test_many_models_are_compared_with_a_correction(tmp_path: Path) -> None:
    """Of three models there are three pairs, each corrected, and the reading says so."""
    good, bad = [1] * 30, [0] * 8 + [1] * 22
    found = rights(tmp_path, good, bad, good)
    assert [(one.first, one.second) for one in found] == [("m0", "m1"), ("m0", "m2"), ("m1", "m2")]
    p = 2 * 0.5**8
    assert [one.p_value for one in found] == pytest.approx([p, 1, p])
    assert [one.adjusted for one in found] == pytest.approx([3 * p, 1, 3 * p])
    assert "(p = 0.023, corrected for the 3 pairs compared)" in found[0].reading


def test_probabilities_are_compared_too(tmp_path: Path) -> None:
    """Where both tell probabilities, their Brier scores are compared on the same rows."""
    p, truth = sample(120)
    blurred = 0.5 * p + 0.5 / 3
    both = verdict(tmp_path, [classes(p, truth), classes(blurred, truth)], ("a", "b", "c"))
    _, found = both.comparisons
    assert (found.metric, found.test, found.unit) == (
        "brier", "paired randomisation test with a row added for each model", None
    )  # fmt: skip
    first, second = (one.metrics[4].value for one in both.models)
    assert (found.first_value, found.second_value) == (first, second)
    assert first is not None
    assert second is not None
    assert found.difference == pytest.approx(first - second)
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.difference < found.high
    assert found.reading.startswith("The probabilities of M")


def test_mistakes_that_few_rows_lack_are_reckoned_with(tmp_path: Path) -> None:
    """A tree that is certain, and right on all of 20 rows, is not called better for that.

    Signs of the rows alone would say p < 0.001: each row is a little better.
    """
    truth = np.arange(20) % 2
    certain, careful = np.eye(2)[truth], 0.9 * np.eye(2)[truth] + 0.05
    _, found = verdict(tmp_path, [classes(certain, truth), classes(careful, truth)], AB).comparisons
    assert found.first_value == 0.0
    assert found.second_value == pytest.approx(0.005)
    assert found.p_value is not None
    assert found.p_value > 0.4
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0 < found.high


def test_equally_good_models_are_seldom_told_apart() -> None:
    """Rare mistakes of a certain model balance a careful one's doubts: of 100 samples, few err."""
    random = np.random.default_rng(8)
    wrongly = 0
    for _ in range(100):
        table = Table(60, {"less": 3})
        groups = table.deal(60)
        table.add("less", groups, np.where(random.random(60) < 0.01, 2.0, 0.0) - 0.02)
        wrongly += table.chance("less", 2.0) < 0.05
    assert wrongly == 0


def test_probabilities_of_0_and_1_are_compared_as_labels_are() -> None:
    """With an added row each, the interval of Brier scores is twice that of the shares."""
    assert of_bounded(2.0 * (9 - 3), 4.0 * (9 + 3), 50, 2.0) == pytest.approx(
        tuple(2 * end for end in of_difference(9, 3, 50))
    )


def test_values_are_compared_by_how_far_they_are_off(tmp_path: Path) -> None:
    """The mean absolute errors of a regression are compared, and worded so."""
    random = np.random.default_rng(2)
    truth = random.normal(0, 5, 80)
    near, far = truth + random.normal(0, 1, 80), truth + random.normal(0, 3, 80)
    (found,) = verdict(tmp_path, [values(far, truth), values(near, truth)]).comparisons
    assert found.metric == "mae"
    assert found.p_value == pytest.approx(1 / 1001)
    assert found.difference == pytest.approx(
        np.abs(far - truth).mean() - np.abs(near - truth).mean()
    )
    assert found.reading == (
        "M1 is closer to the true values than M0 (off by 0.719 on average, against 2.73). Between "
        "equally good models chance alone would seldom bring as much (p < 0.001)."
    )


def test_only_rows_that_both_answered_are_compared(tmp_path: Path) -> None:
    """A row that one model failed on is left out of the pair, and of nothing else."""
    p, truth = sample(50)
    whole = classes(p, truth)
    half = some(classes(np.roll(p, 1, axis=1), truth), np.arange(0, 50, 2))
    found = verdict(tmp_path, [whole, half], ("a", "b", "c"))
    assert [one.judged for one in found.models] == [50, 25]
    assert [one.rows for one in found.comparisons] == [25, 25]
    assert found.comparisons[0].first_value == pytest.approx(whole.right[::2].mean())


def test_a_model_that_tells_labels_alone_is_compared_by_them(tmp_path: Path) -> None:
    """There is no comparison of log losses with it."""
    p, truth = sample(30)
    found = verdict(tmp_path, [classes(p, truth), labels_alone(truth, truth)], ("a", "b", "c"))
    assert [one.metric for one in found.comparisons] == ["accuracy"]
