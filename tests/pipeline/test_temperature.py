"""The temperature of a classifier, against scipy's minimum and numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.stats import norm

from podium.pipeline import temperature
from podium.pipeline.postprocess import softmax
from podium.pipeline.temperature import (
    HIGHEST,
    LEAST,
    LOWEST,
    find_floor,
    find_temperature,
    scaled,
)
from podium.pipeline.uncertainty import entropy

Floats = NDArray[np.float64]
FLOOR = 1e-30


def drawn(
    sharpness: float, rows: int = 4000, passes: int = 1, seed: int = 0
) -> tuple[Floats, NDArray[np.intp]]:
    """Return probabilities of shape (rows, passes, 4) and labels.

    The labels are drawn from probabilities whose logits are multiplied by `sharpness` in what is
    returned, and shaken in each pass.
    """
    random = np.random.default_rng(seed)
    logits = random.normal(0, 1.5, (rows, 1, 4))
    shares = softmax(logits)[:, 0]
    labels = (random.random((rows, 1)) > shares.cumsum(axis=1)).sum(axis=1)
    shaken = logits + (random.normal(0, 1, (rows, passes, 4)) if passes > 1 else 0)
    return softmax(sharpness * shaken), labels


@pytest.mark.parametrize("sharpness", [0.25, 1.0, 4.0])
def test_temperature_undoes_what_made_a_model_too_sure(sharpness: float) -> None:
    """Logits that are a number of times too large have that number as their temperature."""
    values, labels = drawn(sharpness)
    assert find_temperature(values, labels, FLOOR) == pytest.approx(sharpness, rel=0.08)


@pytest.mark.parametrize(("rows", "passes"), [(40, 1), (1000, 1), (60, 5), (1000, 5)])
def test_temperature_is_where_scipy_finds_the_least_loss(rows: int, passes: int) -> None:
    """The loss is that of the mean of the scaled passes, and of a factor far from 1 beforehand."""
    values, labels = drawn(3.0, rows, passes)

    def loss(log_temperature: float) -> float:
        powers = values ** math.exp(-log_temperature)
        mean = (powers / powers.sum(axis=2, keepdims=True)).mean(axis=1)
        beforehand = norm.logpdf(log_temperature, 0, 0.35)
        return float(-np.log(mean[np.arange(rows), labels]).sum() - beforehand)

    found = minimize_scalar(
        loss, bounds=(math.log(0.5), math.log(15)), method="bounded", options={"xatol": 1e-6}
    )
    assert math.log(find_temperature(values, labels, FLOOR)) == pytest.approx(found.x, abs=2e-4)


def test_a_few_rows_that_are_all_right_make_nobody_certain() -> None:
    """Rows that are all answered right make a model surer by a little, and no more."""
    values = np.full((18, 1, 2), [0.8, 0.2])
    found = find_temperature(values, np.zeros(18, np.intp), FLOOR)
    assert 0.3 < found < 1
    assert 0.8 < scaled(values, found, FLOOR)[0, 0, 0] < 0.98


def test_no_row_leaves_a_model_as_it_is() -> None:
    """Rows that say nothing of the temperature leave it at 1."""
    values = np.full((18, 1, 2), 0.5)
    assert find_temperature(values, np.zeros(18, np.intp), FLOOR) == pytest.approx(1, abs=1e-4)


def test_a_temperature_has_bounds() -> None:
    """Of a model that knows nothing the highest temperature is told, and none beyond."""
    values = np.full((20_000, 1, 2), [1 - 1e-9, 1e-9])
    labels = np.arange(20_000) % 2
    assert find_temperature(values, labels, FLOOR) == pytest.approx(HIGHEST, rel=1e-3)
    assert LOWEST < 1 < HIGHEST


def test_many_values_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """The temperature comes from as many rows as MAX_VALUES has room for."""
    values, labels = drawn(2.0, 500)
    monkeypatch.setattr(temperature, "MAX_VALUES", 100 * 4)
    assert find_temperature(values, labels, FLOOR) == find_temperature(
        values[:100], labels[:100], FLOOR
    )


def test_temperature_one_changes_nothing() -> None:
    """At the temperature 1 probabilities above the floor stay."""
    values, _ = drawn(3.0, 50, 3)
    np.testing.assert_allclose(scaled(values, 1.0, 1e-300), values, rtol=1e-9, atol=0)


def test_temperature_by_hand() -> None:
    """At the temperature 2 probabilities become their roots, made to sum to 1."""
    np.testing.assert_allclose(
        scaled(np.array([[[0.64, 0.36]]]), 2.0, 1e-9), [[[0.8 / 1.4, 0.6 / 1.4]]], rtol=1e-12
    )


def test_a_vote_of_zero_counts_as_the_floor() -> None:
    """Trees vote 0 and 1: scaled they are the floor's power apart, and finite."""
    found = scaled(np.array([[[1.0, 0.0]]]), 2.0, 1e-6)
    np.testing.assert_allclose(found, [[[1 / 1.001, 0.001 / 1.001]]], rtol=1e-9)


@pytest.mark.parametrize(
    ("values", "floor"),
    [([[1.0, 0.0]], LEAST), ([[0.75, 0.25], [1.0, 0.0]], LEAST), ([[1.0, 1e-20]], 1e-20),
     ([[1.0, 5e-324]], np.finfo(np.float64).tiny)],
)  # fmt: skip
def test_floor_is_the_smallest_probability_that_a_model_told(
    values: list[list[float]], floor: float
) -> None:
    """Where a model tells none below LEAST, as of trees, that is the floor; subnormals are none."""
    assert find_floor(np.array(values)) == floor


def test_the_likeliest_label_of_a_pass_stays() -> None:
    """No temperature changes the order of a pass's labels above the floor."""
    values, _ = drawn(3.0, 200, 5)
    for level in (LOWEST, 0.5, 3.0, HIGHEST):
        np.testing.assert_array_equal(
            scaled(values, level, 1e-300).argmax(axis=2), values.argmax(axis=2)
        )


def test_parts_of_the_entropy_still_sum_to_the_whole() -> None:
    """Passes are scaled before their mean: total - mean entropy of the passes is never below 0."""
    values, _ = drawn(3.0, 200, 20)
    cooler = scaled(values, 2.5, FLOOR)
    epistemic = entropy(cooler.mean(axis=1)) - entropy(cooler).mean(axis=1)
    assert epistemic.min() >= 0
    assert epistemic.max() > 0.01
