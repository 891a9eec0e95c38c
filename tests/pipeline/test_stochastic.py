"""Noise hangs on the seed and the row number alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from podium.errors import ModelError
from podium.pipeline import stochastic
from podium.pipeline.stochastic import NoiseInput, Passes
from podium.runtimes import Arrays, Model, TensorSpec

FLOAT = np.dtype(np.float32)


@dataclass(kw_only=True)
class Echo(Model):
    """A model that answers with its inputs, and remembers how many rows it got."""

    inputs: tuple[TensorSpec, ...] = (
        TensorSpec("X", FLOAT, (None, 2)),
        TensorSpec("eps", FLOAT, (None, 3)),
    )
    platform: str = "echo"
    calls: list[int] = field(default_factory=list)

    def predict(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Return the inputs."""
        self.calls.append(len(inputs["X"]))
        return {"X": inputs["X"], "noise": inputs["eps"]}


def passes_of(model: Echo, samples: int) -> Passes:
    """Return the passes of a model with a noise input."""
    way = NoiseInput(model, "eps", samples, lambda feed, _seed: model.predict(feed))
    return Passes(way, samples)


def run(rows: int, seed: int = 0, samples: int = 4) -> dict[str, NDArray[Any]]:
    """Return what a model gets for some rows."""
    model = Echo()
    x = np.arange(rows * 2, dtype=np.float32).reshape(rows, 2)
    return passes_of(model, samples).run({"X": x}, seed)


def test_each_item_gets_passes_with_noise_of_their_own() -> None:
    """An item's input is the same in each pass; its noise is that of (seed, row)."""
    found = run(3, seed=5)
    assert (found["X"].shape, found["noise"].shape) == ((3, 4, 2), (3, 4, 3))
    np.testing.assert_array_equal(found["X"], np.repeat([[[0, 1]], [[2, 3]], [[4, 5]]], 4, axis=1))
    for row in range(3):
        generator = np.random.Generator(np.random.Philox(np.random.SeedSequence([5, row])))
        expected = generator.standard_normal((4, 3), np.float32)
        np.testing.assert_array_equal(found["noise"][row], expected)


def test_noise_differs_between_rows_passes_and_seeds() -> None:
    """No two rows, passes or seeds share their noise."""
    noise = np.concatenate([run(50, seed)["noise"].reshape(-1, 3) for seed in range(3)])
    assert len(np.unique(noise, axis=0)) == 3 * 50 * 4


def test_noise_is_standard_normal() -> None:
    """Noise has mean 0 and variance 1."""
    noise = run(500, samples=20)["noise"]
    assert abs(noise.mean()) < 0.03
    assert abs(noise.std() - 1) < 0.03


def test_noise_does_not_depend_on_the_number_of_rows() -> None:
    """The first rows of a large batch get what they get alone."""
    np.testing.assert_array_equal(run(20)["noise"][:3], run(3)["noise"])


@pytest.mark.parametrize("limit", [4, 100])
def test_all_items_get_the_noise_of_one_row(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a row, every item of every chunk draws what that row draws in a batch of its own."""
    whole = run(5, seed=1)["noise"]
    monkeypatch.setattr(stochastic, "MAX_ROWS", limit)
    x = np.zeros((3, 2), np.float32)
    model = Echo()
    found = passes_of(model, 4).run({"X": x}, 1, row=4)
    np.testing.assert_array_equal(found["noise"], np.stack([whole[4]] * 3))


@pytest.mark.parametrize("limit", [1, 4, 7, 8, 100])
def test_noise_does_not_depend_on_chunks(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many rows one call takes, each row has its own noise, and calls stay small."""
    whole = run(9)
    monkeypatch.setattr(stochastic, "MAX_ROWS", limit)
    model = Echo()
    x = np.arange(18, dtype=np.float32).reshape(9, 2)
    found = passes_of(model, 4).run({"X": x}, 0)
    for name, expected in whole.items():
        np.testing.assert_array_equal(found[name], expected)
    assert max(model.calls) <= max(limit, 4)
    assert sum(model.calls) == 9 * 4


def test_one_call_takes_as_many_rows_as_fit() -> None:
    """32,768 rows of items and passes go into one call, and the next item into another."""
    model = Echo()
    x = np.zeros((330, 2), np.float32)
    passes_of(model, 100).run({"X": x}, 0)
    assert model.calls == [32_700, 300]


def test_noise_has_the_shape_and_type_of_its_input() -> None:
    """Noise of two axes and of another float type is drawn as the model takes it."""
    eps = TensorSpec("eps", np.dtype(np.float64), (None, 2, 5))
    model = Echo(inputs=(TensorSpec("X", FLOAT, (None, 2)), eps))
    found = passes_of(model, 4).run({"X": np.zeros((3, 2), np.float32)}, 0)
    assert (found["noise"].shape, found["noise"].dtype.name) == ((3, 4, 2, 5), "float64")


@pytest.mark.parametrize(
    "spec",
    [
        TensorSpec("other", FLOAT, (None, 3)),
        TensorSpec("eps", np.dtype(np.int64), (None, 3)),
        TensorSpec("eps", FLOAT, (None, None)),
    ],
)
def test_noise_input_must_be_floats_of_fixed_width(spec: TensorSpec) -> None:
    """An input that can take no noise is refused, with the inputs there are."""
    model = Echo(inputs=(spec,))
    with pytest.raises(ModelError) as caught:
        passes_of(model, 4)
    assert str(caught.value) == (
        f"noise = 'eps' is no float input of fixed width. Inputs: {spec.name} {list(spec.shape)}"
    )
