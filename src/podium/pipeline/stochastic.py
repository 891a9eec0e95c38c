"""Several passes of a model that draws something at random, each with randomness of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
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
    a row for each pass at once.
    """

    reproducible: bool
    multiplies: bool

    def run(self, inputs: Arrays, draw: Draw) -> Outputs:
        """Return the outputs for a batch, each of shape (rows, passes, ...)."""


class Passes:
    """Runs a model `samples` times on every item; `rest` is called between its calls."""

    def __init__(self, way: Way, samples: int, rest: Callable[[], None] = lambda: None) -> None:
        self.way = way
        self.samples = samples
        self._rest = rest

    def run(self, inputs: Arrays, seed: int, row: int | None = None) -> Outputs:
        """Return the outputs, each of shape (batch, samples, ...).

        With `row`, every item gets the noise of that row: they differ by nothing else.
        """
        return self.some(inputs, range(self.samples), seed, row)

    def some(self, inputs: Arrays, passes: range, seed: int, row: int | None = None) -> Outputs:
        """Return the outputs of some of the passes."""
        count = len(next(iter(inputs.values())))
        limit = max(1, min(MAX_ROWS, MAX_VALUES // max(1, _values(inputs) // max(1, count))))
        along = min(len(passes), limit) if self.way.multiplies else len(passes)
        step = max(1, limit // along) if self.way.multiplies else limit
        parts = [
            self._joined(inputs, Draw(range(start, min(start + step, count)), passes, seed, row),
                         along)
            for start in range(0, count, step)
        ]  # fmt: skip
        return _concatenated(parts, axis=0)

    def _joined(self, inputs: Arrays, draw: Draw, along: int) -> Outputs:
        """Return all passes of a few rows, at most `along` passes a call."""
        rows = draw.rows
        feed = {name: array[rows.start : rows.stop] for name, array in inputs.items()}
        parts = []
        for passes in _cut(draw.passes, along):
            if rows.start or passes.start != draw.passes.start:
                self._rest()
            parts.append(self.way.run(feed, Draw(rows, passes, draw.seed, draw.same_row)))
        return _concatenated(parts, axis=1)


class NoiseInput:
    """A model whose noise is an input: drawn here, from the seed and an item's row number alone.

    So an answer is reproducible and does not depend on how items are batched.
    """

    reproducible = True
    multiplies = True

    def __init__(self, model: Model, noise: str, samples: int, infer: Infer) -> None:
        self.spec = _noise_input(model, noise)
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


def repeated(inputs: Arrays, count: int) -> Outputs:
    """Return the arrays with each row `count` times, one after the other."""
    return {name: np.repeat(array, count, axis=0) for name, array in inputs.items()}


def unfolded(outputs: Outputs, rows: int, passes: int) -> Outputs:
    """Return arrays of shape (rows * passes, ...) as (rows, passes, ...)."""
    return {name: array.reshape(rows, passes, *array.shape[1:]) for name, array in outputs.items()}


def _cut(passes: range, length: int) -> Iterator[range]:
    for start in range(passes.start, passes.stop, length):
        yield range(start, min(start + length, passes.stop))


def _values(inputs: Arrays) -> int:
    return sum(array.size for array in inputs.values())


def _concatenated(parts: list[Outputs], axis: int) -> Outputs:
    if len(parts) == 1:
        return parts[0]
    return {name: np.concatenate([part[name] for part in parts], axis) for name in parts[0]}


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
