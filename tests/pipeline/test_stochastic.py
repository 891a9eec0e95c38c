"""How passes are made: noise by seed and row number, rows in one batch, one call a pass."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from podium.errors import ModelError
from podium.pipeline import stochastic
from podium.pipeline.stochastic import Calls, Draw, NoiseInput, Passes, Rows, derived
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


@dataclass
class Draws:
    """What a model is given: it answers a row with itself and one draw a call and one a row."""

    calls: list[tuple[int, int | None]] = field(default_factory=list)

    def __call__(self, feed: Arrays, seed: int | None) -> dict[str, NDArray[Any]]:
        """Return the rows, what is drawn for the call and what is drawn for each row."""
        count = len(feed["X"])
        self.calls.append((count, seed))
        rng = np.random.default_rng(seed)
        call = np.full(count, rng.normal())
        return {"X": feed["X"], "call": call, "row": rng.normal(size=count)}


def column(count: int) -> dict[str, NDArray[Any]]:
    """Return rows with their numbers."""
    return {"X": np.arange(float(count))[:, None]}


def test_rows_are_repeated_for_all_passes_in_one_call() -> None:
    """Each item has its passes, all from one call, seeded by seed, first row and first pass."""
    draws = Draws()
    found = Passes(Rows(draws, reproducible=True), 5).run(column(3), 8)
    assert draws.calls == [(15, derived(8, 0, 0))]
    np.testing.assert_array_equal(found["X"][:, :, 0], np.repeat([[0], [1], [2]], 5, axis=1))
    assert len(np.unique(found["row"])) == 15


def test_calls_are_made_for_each_pass() -> None:
    """Each pass is a call for all rows, seeded by seed and pass: they share what a call draws."""
    draws = Draws()
    found = Passes(Calls(draws, reproducible=True), 5).run(column(3), 8)
    assert draws.calls == [(3, derived(8, number)) for number in range(5)]
    assert found["X"].shape == (3, 5, 1)
    np.testing.assert_array_equal(found["call"], np.stack([found["call"][0]] * 3))
    assert len(np.unique(found["call"])) == 5
    assert len(np.unique(found["row"])) == 15


@pytest.mark.parametrize("kind", [Rows, Calls])
def test_seeds_are_kept_from_models_that_do_without(kind: type[Rows | Calls]) -> None:
    """A model that keeps a random state of its own is never given a seed."""
    draws = Draws()
    Passes(kind(draws, reproducible=False), 3).run(column(2), 8)
    assert {seed for _, seed in draws.calls} == {None}


@pytest.mark.parametrize(
    ("kind", "limit", "expected"),
    [
        (Rows, 6, [6, 2, 6, 2, 6, 2]),
        (Rows, 16, [16, 8]),
        (Calls, 2, [2] * 8 + [1] * 8),
        (Calls, 3, [3] * 8),
    ],
)
def test_calls_stay_small_and_rest_in_between(
    kind: type[Rows | Calls], limit: int, expected: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No call gets more rows than fit, others work in between, and no seed comes twice."""
    monkeypatch.setattr(stochastic, "MAX_ROWS", limit)
    draws, rests = Draws(), []
    passes = Passes(kind(draws, reproducible=True), 8)
    draw = Draw(range(3), range(8), seed=1)
    found = passes.some(column(3), draw, lambda: rests.append(len(draws.calls)))
    assert [count for count, _ in draws.calls] == expected
    assert rests == list(range(1, len(expected)))
    np.testing.assert_array_equal(found["X"][:, :, 0], np.repeat([[0], [1], [2]], 8, axis=1))
    seeds = [seed for _, seed in draws.calls]
    assert len(set(seeds)) == (8 if kind is Calls else len(expected))


@pytest.mark.parametrize("kind", [Rows, Calls])
def test_every_item_may_draw_what_one_row_draws(kind: type[Rows | Calls]) -> None:
    """With a row, every item gets what that row gets in a request that it begins."""
    passes = Passes(kind(Draws(), reproducible=True), 4)
    first = {"X": np.array([[2.0]])}
    alone = passes.some(first, Draw(range(2, 3), range(4), seed=1))
    found = passes.run(column(3), 1, row=2)
    np.testing.assert_array_equal(found["row"], np.stack([alone["row"][0]] * 3))


def test_parts_of_the_passes_are_those_of_all() -> None:
    """One call a pass draws the same in parts as at once."""
    passes = Passes(Calls(Draws(), reproducible=True), 6)
    whole = passes.run(column(2), 3)["row"]
    parts = [passes.some(column(2), Draw(range(2), part, 3))["row"]
             for part in (range(2), range(2, 6))]  # fmt: skip
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), whole)


def test_derived_seeds_fit_every_framework_and_differ() -> None:
    """Seeds of parts are whole numbers of 32 bits, the same each time, and rarely come twice."""
    seeds = [derived(seed, row, part) for seed in (0, 1, 10**18 - 1)
             for row in range(20) for part in range(20)]  # fmt: skip
    assert min(seeds) >= 0
    assert max(seeds) < 2**32
    assert len(set(seeds)) == len(seeds) == 1200
    assert derived(3, 4, 5) == int(np.random.SeedSequence([3, 4, 5]).generate_state(1)[0])
