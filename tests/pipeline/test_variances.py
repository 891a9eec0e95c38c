"""A regression that also tells a variance, and what becomes of it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from msgspec import UNSET
from numpy.typing import NDArray
from scipy.stats import norm

from podium.errors import InvalidInput, ModelError
from podium.options import Options
from podium.pipeline.postprocess import Scores, custom_scores, find_value
from podium.pipeline.uncertainty import value_predictions
from podium.prediction import ValueUncertainty

RNG = np.random.default_rng(0)
VALUES = RNG.normal(size=16)
VARIANCES = RNG.uniform(0.1, 2, 16)
OUTPUTS = {
    "variance": VARIANCES,
    "var": VARIANCES,
    "std": np.sqrt(VARIANCES),
    "stddev": np.sqrt(VARIANCES),
    "sigma": np.sqrt(VARIANCES),
    "log_variance": np.log(VARIANCES),
    "log_var": np.log(VARIANCES),
    "logvar": np.log(VARIANCES),
}


def told(outputs: dict[str, NDArray[Any]], passes: int | None = None) -> Scores:
    """Return the scores of outputs that are also the probe batch."""
    return find_value(outputs, passes).scores(outputs, passes)


def certainty(level: float = 0.9, include: str = "", **scores: Any) -> ValueUncertainty:
    """Return what is known of one item."""
    arrays: dict[str, Any] = {name: np.array([part], np.float64) if isinstance(part, list) else part
              for name, part in scores.items()}  # fmt: skip
    options = Options(confidence_level=level, include=frozenset(include.split()))
    return value_predictions(Scores(**arrays), None, options, [[]])[0].uncertainty


@pytest.mark.parametrize("name", OUTPUTS)
@pytest.mark.parametrize("shape", [(16,), (16, 1)])
def test_output_beside_the_value(name: str, shape: tuple[int, ...]) -> None:
    """Its name says whether it is a variance, a root or a logarithm; the order does not matter."""
    spread, value = OUTPUTS[name].reshape(shape), VALUES.reshape(shape)
    for outputs in ({"y": value, name: spread}, {name.upper(): spread, "y": value}):
        found = told(outputs)
        np.testing.assert_array_equal(found.values, VALUES[:, None])
        assert found.variances is not None
        np.testing.assert_allclose(found.variances, VARIANCES[:, None])
        assert (found.sampled, found.epistemic) == (False, None)


def test_variances_of_passes() -> None:
    """Each pass of a stochastic model tells its own variance."""
    values, spread = RNG.normal(size=(4, 7, 1)), RNG.uniform(0.1, 1, (4, 7, 1))
    found = told({"y": values, "std": spread}, passes=7)
    assert found.variances is not None
    np.testing.assert_allclose(found.variances, spread[:, :, 0] ** 2)


def test_epistemic_variance_beside_the_value() -> None:
    """A model may tell the variance of what it has not learned, beside that of the noise."""
    found = told({"epistemic_variance": VARIANCES, "y": VALUES})
    assert found.epistemic is not None
    np.testing.assert_array_equal(found.epistemic, VARIANCES[:, None])
    assert found.variances is None


@pytest.mark.parametrize("other", ["variances", "scale", "y_std"])
def test_other_names_tell_no_variance(other: str) -> None:
    """Only the exact names count: another output is passed over."""
    assert told({"y": VALUES, other: VARIANCES}).variances is None


def test_variance_that_is_the_value_itself() -> None:
    """A model that answers nothing but a variance predicts one."""
    found = told({"variance": VARIANCES})
    np.testing.assert_array_equal(found.values[:, 0], VARIANCES)
    assert found.variances is None


def test_logarithm_by_the_name_of_a_variance() -> None:
    """What is below 0 on the probe batch is no variance; the message says how to call it."""
    with pytest.raises(ModelError) as caught:
        find_value({"y": VALUES, "var": np.log(VARIANCES)}, None)
    assert str(caught.value) == (
        "The output 'var' is below 0 for a probe batch, as no variance is. Call it log_variance if "
        "it is the logarithm of one, or by another name if it is none."
    )


@pytest.mark.parametrize(
    ("name", "wrong"), [("var", -0.1), ("std", -0.1), ("var", np.nan), ("logvar", 1000.0)]
)
def test_variance_that_cannot_be(name: str, wrong: float) -> None:
    """An item whose variance is negative or not finite is told by its number."""
    head = find_value({"y": VALUES, name: OUTPUTS[name]}, None)
    spread = OUTPUTS[name].copy()
    spread[3] = wrong
    with pytest.raises(InvalidInput) as caught:
        head.scores({"y": VALUES, name: spread}, None)
    assert [tuple(error) for error in caught.value.errors] == [
        ("inputs[3]", "the model tells no variance for these values")
    ]


def test_postprocess_may_tell_variances() -> None:
    """The maker's own postprocess returns a dict of the value and its variances."""
    found = custom_scores(
        lambda outputs: {"value": outputs["y"], "variance": outputs["v"]},
        {"y": VALUES, "v": VARIANCES}, None,
    )  # fmt: skip
    np.testing.assert_array_equal(found.values, VALUES[:, None])
    assert found.variances is not None
    np.testing.assert_array_equal(found.variances, VARIANCES[:, None])


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ({"val": VALUES}, "[pipeline] postprocess returned 'val'; expected 'value', and maybe "
                          "'variance' and 'epistemic_variance'"),
        ({"value": VALUES, "std": VALUES},
         "[pipeline] postprocess returned 'value', 'std'; expected 'value', and maybe 'variance' "
         "and 'epistemic_variance'"),
        ({"value": VALUES, "variance": VARIANCES[:3]},
         "The variances have the shape (3,), the values (16, 1)"),
    ],
)  # fmt: skip
def test_postprocess_that_tells_something_else(made: dict[str, Any], message: str) -> None:
    """Other keys, and variances of other items, are told."""
    with pytest.raises(ModelError) as caught:
        custom_scores(lambda _: made, {"y": VALUES}, None)
    assert str(caught.value) == message


def test_one_answer_with_its_noise() -> None:
    """A single value's noise is the whole of what is known: std is its root, nothing is sampled."""
    found = certainty(values=[2.0], sampled=False, variances=[0.25])
    reach = norm.ppf(0.95) * 0.5
    interval: Any = pytest.approx((2 - reach, 2 + reach))
    assert found == ValueUncertainty(
        aleatoric=0.25, epistemic=None, std=0.5,
        interval=interval, interval_level=0.9,
        samples=None, sample_values=UNSET,
    )  # fmt: skip


def test_passes_with_their_noise() -> None:
    """The parts add up as the law of total variance says, against a mixture that is drawn."""
    values, variances = [1.0, 2.0, 6.0], [0.5, 1.0, 3.0]
    found = certainty(0.5, "samples", values=values, sampled=True, variances=variances)
    assert (found.samples, found.sample_values) == (3, values)
    assert found.aleatoric == pytest.approx(1.5)
    assert found.epistemic == pytest.approx(np.var(values))
    assert found.std == pytest.approx(math.sqrt(1.5 + np.var(values)))
    assert found.std is not None
    count = 200_000
    which = RNG.integers(0, 3, count)
    drawn = RNG.normal(np.array(values)[which], np.sqrt(variances)[which])
    fourth = np.mean((drawn - drawn.mean()) ** 4)
    error = math.sqrt((fourth - drawn.var() ** 2) / count)
    assert found.std**2 == pytest.approx(drawn.var(), abs=5 * error)
    assert found.interval == pytest.approx(norm.interval(0.5, 3, found.std))


def test_passes_without_noise_have_their_own_interval() -> None:
    """Where no variance is told, the interval is that of the passes."""
    found = certainty(0.5, values=[1.0, 2.0, 3.0, 4.0, 10.0], sampled=True)
    assert found.interval == (2.0, 4.0)
    assert found.aleatoric is None


def test_told_epistemic_variance_of_one_answer() -> None:
    """What a single model tells of its own ignorance is the epistemic part."""
    found = certainty(values=[1.0], sampled=False, epistemic=[0.09], variances=[0.16])
    assert (found.aleatoric, found.epistemic) == (0.16, 0.09)
    assert found.std == pytest.approx(0.5)


@pytest.mark.parametrize("level", [1e-9, 1 - 1e-15, math.nextafter(1, 0)])
def test_extreme_levels(level: float) -> None:
    """An interval of nearly nothing and one of nearly all are finite."""
    found = certainty(level, values=[1.0], sampled=False, variances=[1.0])
    assert found.interval is not None
    low, high = found.interval
    assert math.isfinite(high - low)
    assert low <= 1 <= high
