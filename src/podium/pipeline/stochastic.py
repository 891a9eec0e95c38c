"""Several passes of a model that draws something at random, each with randomness of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from podium.errors import ModelError
from podium.runtimes import Arrays, Model, TensorSpec

MAX_ROWS: Final = 1 << 15
"""How many rows (items x passes) one call of the model gets, to keep memory flat."""

MAX_VALUES: Final = 1 << 22
"""How many numbers the rows of one call have together: 16 MiB in single precision."""

Outputs = dict[str, NDArray[Any]]
Infer = Callable[[Arrays, int | None], Outputs]
"""Runs the model on a batch; with a seed, what it draws hangs on that seed alone."""


@dataclass(frozen=True)
class Draw:
    """The passes that a call is to make of some rows of a request.

    What is drawn hangs on the request's `seed`; with `same_row`, every row draws what that row
    draws.
    """

    rows: range
    passes: range
    seed: int
    same_row: int | None = None


class Way(Protocol):
    """How the passes of one model are made to differ.

    `reproducible` says whether a seed decides what is drawn, `multiplies` whether the model gets
    a row for each pass at once, else it is called for each pass; `by_row` whether what a row
    draws hangs on its number alone, else also on what else is in the call.
    """

    reproducible: bool
    multiplies: bool
    by_row: bool

    def run(self, inputs: Arrays, draw: Draw) -> Outputs:
        """Return the outputs for a batch, each of shape (rows, passes, ...)."""


class Passes:
    """Runs a model `samples` times on every item."""

    def __init__(self, way: Way, samples: int) -> None:
        self.way = way
        self.samples = samples

    def run(self, inputs: Arrays, seed: int, row: int | None = None) -> Outputs:
        """Return the outputs, each of shape (batch, samples, ...).

        With `row`, every item draws what that row draws: they differ by nothing else.
        """
        return self.some(inputs, Draw(range(count_rows(inputs)), range(self.samples), seed, row))

    def some(self, inputs: Arrays, draw: Draw, rest: Callable[[], None] = lambda: None) -> Outputs:
        """Return the outputs of some of the passes; `rest` is called between the model's calls."""
        limit = rows_at_once(inputs)
        along = min(len(draw.passes), limit) if self.way.multiplies else 1
        alone = draw.same_row is not None and not self.way.by_row
        parts: list[Outputs] = []
        for rows in _cut(range(len(draw.rows)), 1 if alone else max(1, limit // along)):
            feed = {name: array[rows.start : rows.stop] for name, array in inputs.items()}
            made: list[Outputs] = []
            for passes in _cut(draw.passes, along):
                if parts or made:
                    rest()
                own = draw.rows[rows.start : rows.stop]
                made.append(self.way.run(feed, replace(draw, rows=own, passes=passes)))
            parts.append(joined(made, axis=1))
        return joined(parts, axis=0)


class NoiseInput:
    """A model whose noise is an input: drawn here, from the seed and an item's row number alone.

    So an answer is reproducible and does not depend on how items are batched.
    """

    multiplies = True
    by_row = True

    def __init__(self, model: Model, noise: str, samples: int, infer: Infer) -> None:
        self.spec = _noise_input(model, noise)
        self.reproducible = True
        self._samples = samples
        self._infer = infer

    def run(self, inputs: Arrays, draw: Draw) -> Outputs:
        """Return the outputs of one batch of all rows and passes."""
        count = len(draw.passes)
        shape = tuple(size or 1 for size in self.spec.shape[1:])
        part = slice(draw.passes.start, draw.passes.stop)
        noise = [_noise(draw.seed, row if draw.same_row is None else draw.same_row,
                        self._samples, shape)[part] for row in draw.rows]  # fmt: skip
        feed = repeated(inputs, count)
        feed[self.spec.name] = np.concatenate(noise).astype(self.spec.dtype, copy=False)
        return unfolded(self._infer(feed, None), len(draw.rows), count)


@dataclass
class Rows:
    """Each row once for every pass, all in one batch: for a model that draws anew for each row."""

    infer: Infer
    reproducible: bool
    multiplies = True
    by_row = False

    def run(self, inputs: Arrays, draw: Draw) -> Outputs:
        """Return the outputs of one batch of all rows and passes."""
        count = len(draw.passes)
        seed = _batch_seed(draw) if self.reproducible else None
        return unfolded(self.infer(repeated(inputs, count), seed), len(draw.rows), count)


@dataclass
class Together:
    """The framework makes all passes of a batch at once, each with a draw of its own.

    `infer` runs the model that `making` returns for a number of passes.
    """

    making: Callable[[int], Model]
    infer: Callable[[Model, Arrays, int | None], Outputs]
    reproducible: bool
    multiplies = True
    by_row = False

    def run(self, inputs: Arrays, draw: Draw) -> Outputs:
        """Return the outputs of one call of all rows and passes."""
        seed = _batch_seed(draw) if self.reproducible else None
        return self.infer(self.making(len(draw.passes)), inputs, seed)


@dataclass
class Calls:
    """One call for each pass: right whatever the model draws, and for how many rows."""

    infer: Infer
    reproducible: bool
    multiplies = False
    by_row = False

    def run(self, inputs: Arrays, draw: Draw) -> Outputs:
        """Return the outputs of a call for each pass."""
        made = [
            self.infer(inputs, derived(draw.seed, number) if self.reproducible else None)
            for number in draw.passes
        ]
        return {name: np.stack([one[name] for one in made], axis=1) for name in made[0]}


def repeated(inputs: Arrays, count: int) -> Outputs:
    """Return the arrays with each row `count` times, one after the other."""
    return {name: np.repeat(array, count, axis=0) for name, array in inputs.items()}


def unfolded(outputs: Outputs, rows: int, passes: int) -> Outputs:
    """Return arrays of shape (rows * passes, ...) as (rows, passes, ...)."""
    return {name: array.reshape(rows, passes, *array.shape[1:]) for name, array in outputs.items()}


def rows_at_once(inputs: Arrays) -> int:
    """Return how many such rows one call may get."""
    values = sum(array.size for array in inputs.values()) // max(1, count_rows(inputs))
    return max(1, min(MAX_ROWS, MAX_VALUES // max(1, values)))


def count_rows(inputs: Arrays) -> int:
    """Return the length of the batch."""
    return len(next(iter(inputs.values())))


def joined(parts: Sequence[Outputs], axis: int) -> Outputs:
    """Return the outputs of several calls as those of one, along the axis of rows or passes."""
    if len(parts) == 1:
        return parts[0]
    return {name: np.concatenate([part[name] for part in parts], axis) for name in parts[0]}


def derived(seed: int, *numbers: int) -> int:
    """Return a seed of 32 bits, which every framework takes, for a part of what `seed` decides."""
    return int(np.random.SeedSequence([seed, *numbers]).generate_state(1)[0])


def _batch_seed(draw: Draw) -> int:
    row = draw.rows.start if draw.same_row is None else draw.same_row
    return derived(draw.seed, row, draw.passes.start)


def _cut(whole: range, length: int) -> Iterator[range]:
    for start in range(whole.start, whole.stop, length):
        yield range(start, min(start + length, whole.stop))


def _noise_input(model: Model, noise: str) -> TensorSpec:
    for spec in model.inputs:
        if spec.name == noise and spec.dtype.kind == "f" and None not in spec.shape[1:]:
            return spec
    inputs = ", ".join(f"{spec.name} {list(spec.shape)}" for spec in model.inputs)
    raise ModelError(f"noise = {noise!r} is no float input of fixed width. Inputs: {inputs}")


@lru_cache(maxsize=1024)
def _noise(seed: int, row: int, samples: int, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return standard normal noise, shape (samples, *shape), drawn from (seed, row)."""
    generator = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, row])))
    noise = generator.standard_normal((samples, *shape), np.float32)
    noise.flags.writeable = False  # cached, and shared by threads
    return noise
