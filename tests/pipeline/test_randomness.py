"""How a model draws at random is found out from its answers alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from podium.engines.local import LocalEngine
from podium.errors import ModelError
from podium.pipeline import stochastic
from podium.pipeline.randomness import (
    CALLS,
    COPIES,
    FEW_COPIES,
    SIGMAS,
    alike,
    between,
    find_way,
    kind_of_values,
    neighbours,
)
from podium.pipeline.stochastic import Calls, Draw, Rows, Together
from podium.runtimes import Arrays, Model

Floats = NDArray[Any]
Source = Callable[[np.random.Generator, int], Floats]
"""Draws something for each row of a batch."""


@dataclass(kw_only=True)
class Chance(Model):
    """A model that answers with its input plus what it draws; seeds work if it is `seeded`.

    `several` draws for passes made at once, of shape (passes, rows).
    """

    draw: Source
    seeded: bool = True
    several: Callable[[np.random.Generator, int, int], Floats] | None = None
    passes: int = 0
    platform: str = "chance"
    generator: list[np.random.Generator] = field(default_factory=lambda: [np.random.default_rng(7)])
    calls: list[int] = field(default_factory=list)

    def predict(self, inputs: Arrays) -> dict[str, Floats]:
        """Return the sum of each row and its draw."""
        x, generator = inputs["X"], self.generator[0]
        self.calls.append(len(x))
        if self.several is not None and self.passes:
            return {"y": x[:, :1] + self.several(generator, self.passes, len(x)).T}
        return {"y": _plus(x[:, 0], self.draw(generator, len(x)))}

    @contextmanager
    def drawing(self, seed: int) -> Iterator[None]:
        """Draw what hangs on `seed`, if seeds work here."""
        if self.seeded:
            self.generator[0] = np.random.default_rng(seed)
        yield

    def together(self, passes: int) -> Model | None:
        """Return a model that makes all passes at once, if there is a way."""
        return None if self.several is None else replace(self, passes=passes)


def _plus(x: Floats, drawn: Floats) -> Floats:
    return drawn if drawn.dtype.kind in "UO" else x + drawn


def by_row(generator: np.random.Generator, rows: int) -> Floats:
    """Draw for each row."""
    return generator.normal(size=rows)


def by_call(generator: np.random.Generator, rows: int) -> Floats:
    """Draw once for all rows."""
    return np.repeat(generator.normal(size=1), rows)


def in_chunks(size: int) -> Source:
    """Draw once for every `size` rows, as a graph of fixed batch size does."""
    return lambda generator, rows: np.repeat(generator.normal(size=rows // size + 1), size)[:rows]


APART: dict[str, Source] = {
    "normal": by_row,
    "heavy tails": lambda generator, rows: generator.standard_cauchy(rows),
    "coins": lambda generator, rows: generator.integers(2, size=rows).astype(float),
    "rare": lambda generator, rows: (generator.random(rows) < 0.01).astype(float),
    "labels": lambda generator, rows: generator.choice(["a", "b", "c"], rows),
    "gaps": lambda generator, rows: np.where(generator.random(rows) < 0.3, np.nan, 1.0),
    "small beside its size": lambda generator, rows: 1e4 + generator.normal(size=rows),
}

SHARED: dict[str, Source] = {
    "by call": by_call,
    "coins by call": lambda generator, rows: np.repeat(1.0 * generator.integers(2, size=1), rows),
    "partly by call": lambda g, rows: by_row(g, rows) + 0.6 * by_call(g, rows),
    "two at a time": in_chunks(2),
    "seven at a time": in_chunks(7),
    "pairs that balance": lambda g, rows: (
        np.repeat(g.normal(size=rows // 2), 2) * np.tile([1, -1], rows // 2)
    ),
    "halves that balance": lambda g, rows: (
        np.repeat(g.normal(size=rows // COPIES), COPIES)
        * np.tile(np.repeat([1, -1], COPIES // 2), rows // COPIES)
    ),
    "calls that balance": lambda g, rows: (lambda z: z - z.mean())(g.normal(size=rows)),
    "by position": lambda g, rows: np.random.default_rng(0).normal(size=rows) + by_row(g, rows),
}


def rows(count: int = 2) -> dict[str, Floats]:
    """Return a few rows to try a model with."""
    return {"X": np.arange(3.0 * count).reshape(count, 3)}


@pytest.mark.parametrize("seeded", [True, False])
@pytest.mark.parametrize("name", APART)
def test_passes_that_draw_on_their_own_share_a_batch(name: str, seeded: bool) -> None:
    """Whatever the distribution: what is drawn for each row is drawn in one batch."""
    model = Chance(draw=APART[name], seeded=seeded)
    way = find_way(model, LocalEngine(), rows(), COPIES)
    assert (type(way), way.reproducible) == (Rows, seeded)
    assert model.calls == [2 * COPIES] * 3 + [COPIES] * CALLS


@pytest.mark.parametrize("seeded", [True, False])
@pytest.mark.parametrize("name", SHARED)
def test_passes_that_share_a_draw_are_called_apart(name: str, seeded: bool) -> None:
    """Rows of a call that share something, or balance one another, never share a batch."""
    way = find_way(Chance(draw=SHARED[name], seeded=seeded), LocalEngine(), rows(), COPIES)
    assert (type(way), way.reproducible) == (Calls, seeded)


@pytest.mark.parametrize(("copies", "share"), [(COPIES, 1 / 8), (FEW_COPIES, 1 / 4)])
def test_a_small_common_share_is_seen(copies: int, share: float) -> None:
    """Of 100 models whose rows share so much of their variance, nine in ten are found out."""
    rng, shape = np.random.default_rng(0), (100, CALLS, copies, 1)
    common = np.sqrt(share) * rng.normal(size=(100, CALLS, 1, 1))
    values = 1e6 * (common + np.sqrt(1 - share) * rng.normal(size=shape))
    kinds = [kind_of_values(one) for one in values]
    assert kinds.count("apart") <= 10


def test_chance_alone_is_not_told_to_be_shared() -> None:
    """Of 20,000 numbers drawn on their own none is held to be shared, by far."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(CALLS, COPIES, 20_000))
    found = np.abs(np.concatenate([between(values), *neighbours(values[..., :500])]))
    assert 3.5 < found.max() < SIGMAS - 0.8
    assert np.mean(found**2) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.03, 0.05, 0.1])
@pytest.mark.parametrize("copies", [5, FEW_COPIES, COPIES])
def test_distance_of_groups_is_that_of_the_f_test(copies: int, share: float) -> None:
    """The standard deviations stand for the F test's probability as scipy tells it, within 6%."""
    rng = np.random.default_rng(copies)
    values = rng.normal(size=(CALLS, copies, 1)) + np.sqrt(share) * rng.normal(size=(CALLS, 1, 1))
    p = stats.f_oneway(*values[:, :, 0]).pvalue
    assert between(values)[0] == pytest.approx(stats.norm.isf(p), rel=0.06)


@pytest.mark.parametrize("seeded", [True, False])
@pytest.mark.parametrize("jitter", [0.0, 1e-8])
def test_a_model_without_chance_is_refused(seeded: bool, jitter: float) -> None:
    """Where the same input gets the same answer but for rounding, samples is a mistake."""
    model = Chance(draw=lambda g, n: 1 + jitter * by_row(g, n), seeded=seeded)
    with pytest.raises(ModelError) as caught:
        find_way(model, LocalEngine(), rows(), COPIES)
    assert str(caught.value) == (
        "samples asks for passes that differ, and this model draws nothing at random: the same "
        "input gets the same answer. Remove samples, or name the input that takes the noise "
        "(noise = ...). If dropout was lost in an export, export the model in training mode, "
        "or with its noise as an input."
    )


def test_a_model_that_seeds_itself_is_refused() -> None:
    """What draws the same in every call has no passes that differ."""
    model = Chance(draw=lambda _, rows: by_row(np.random.default_rng(0), rows))
    with pytest.raises(ModelError, match="draws nothing at random"):
        find_way(model, LocalEngine(), rows(), COPIES)


def test_seeds_that_change_nothing_are_not_used() -> None:
    """A model that takes the same seed whatever it is told is asked without seeds."""
    model = Chance(draw=by_row)

    @contextmanager
    def same(_: int) -> Iterator[None]:
        generator, model.generator[0] = model.generator[0], np.random.default_rng(0)
        yield
        model.generator[0] = generator

    model.drawing = same  # type: ignore[method-assign, assignment]
    way = find_way(model, LocalEngine(), rows(), COPIES)
    assert (type(way), way.reproducible) == (Rows, False)


def drawn_apart(generator: np.random.Generator, passes: int, rows: int) -> Floats:
    """Draw for each pass, for all rows the same."""
    return np.repeat(generator.normal(size=(passes, 1)), rows, axis=1)


def drawn_once(generator: np.random.Generator, passes: int, rows: int) -> Floats:
    """Draw once for all passes, as what the framework does not know of does."""
    return np.repeat(generator.normal(size=(1, rows)), passes, axis=0)


def failing(_: np.random.Generator, passes: int, rows: int) -> Floats:
    """Fail, as an operation does that cannot be made for several passes."""
    raise RuntimeError(f"no {passes} passes of {rows} rows")


@pytest.mark.parametrize("seeded", [True, False])
@pytest.mark.parametrize(
    ("several", "expected"),
    [
        (drawn_apart, Together),
        (drawn_once, Calls),
        (failing, Calls),
        (lambda g, passes, rows: drawn_apart(g, passes, rows)[1:], Calls),
    ],
)
def test_a_framework_that_makes_passes_together_is_tried(
    several: Any, expected: type, seeded: bool
) -> None:
    """Where rows share a draw, passes are made together if each then draws on its own."""
    model = Chance(draw=by_call, several=several, seeded=seeded)
    way = find_way(model, LocalEngine(), rows(), COPIES)
    assert (type(way), way.reproducible) == (expected, seeded)


def test_passes_made_together_are_those_of_the_framework() -> None:
    """The model is asked once for all passes, with a seed for them."""
    model = Chance(draw=by_call, several=drawn_apart)
    way = find_way(model, LocalEngine(), rows(), COPIES)
    model.calls.clear()
    found = way.run(rows(), Draw(range(2), range(3, 8), seed=5))["y"]
    expected = np.random.default_rng(stochastic.derived(5, 0, 3)).normal(size=5)
    np.testing.assert_array_equal(found, rows()["X"][:, :1] + expected)
    assert model.calls == [2]


@pytest.mark.parametrize(("limit", "expected"), [(30, Rows), (3, Calls)])
def test_large_rows_are_tried_as_many_as_fit(
    limit: int, expected: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No more copies are tried than a call may have; where it may have one, there is no choice."""
    monkeypatch.setattr(stochastic, "MAX_VALUES", limit)
    model = Chance(draw=by_row)
    assert type(find_way(model, LocalEngine(), rows(1), FEW_COPIES)) is expected
    assert set(model.calls) == {limit // 3}


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ([1.0, 1e-9], [1.0 + 1e-7, 2e-9], True),
        ([1.0, 0.0], [1.0, 1e-5], False),
        ([np.nan, 1.0], [np.nan, 1.0], True),
        ([np.nan, 1.0], [2.0, 1.0], False),
        ([1, 2], [1, 2], True),
        ([1, 2], [1, 3], False),
        (["a", "b"], ["a", "b"], True),
        (["a", "b"], ["b", "a"], False),
        ([0.0], [0.0], True),
    ],
)
def test_outputs_are_alike_but_for_rounding(one: Any, other: Any, expected: bool) -> None:
    """Numbers may differ by a millionth of the largest, labels not at all."""
    assert alike({"y": np.array(one)}, {"y": np.array(other)}) is expected
