"""Several passes of a model whose noise is an input, run as one vectorised batch."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from podium.errors import ModelError
from podium.runtimes import Arrays, Model, TensorSpec

MAX_ROWS: Final = 1 << 15
"""How many rows (items x passes) one call of the model gets, to keep memory flat."""

Predict = Callable[[Arrays], dict[str, NDArray[Any]]]


class Passes:
    """Runs a model `samples` times on every item, each time with noise of its own.

    The noise of an item depends on the seed and its row number alone, so that an answer is
    reproducible and does not depend on how items are batched.
    """

    def __init__(self, model: Model, noise: str, samples: int) -> None:
        self.samples = samples
        self.spec = _noise_input(model, noise)

    def run(
        self, predict: Predict, inputs: Arrays, seed: int, row: int | None = None
    ) -> dict[str, NDArray[Any]]:
        """Return the outputs, each of shape (batch, samples, ...).

        With `row`, every item gets the noise of that row: they differ by nothing else.
        """
        rows = len(next(iter(inputs.values())))
        step = max(1, MAX_ROWS // self.samples)
        parts = [
            self._run_chunk(predict, inputs, range(start, min(start + step, rows)), seed, row)
            for start in range(0, rows, step)
        ]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _run_chunk(
        self, predict: Predict, inputs: Arrays, rows: range, seed: int, same: int | None
    ) -> dict[str, NDArray[Any]]:
        feed = {name: np.repeat(array[rows.start : rows.stop], self.samples, axis=0)
                for name, array in inputs.items()}  # fmt: skip
        shape = tuple(size or 1 for size in self.spec.shape[1:])
        noise = [_noise(seed, row if same is None else same, self.samples, shape) for row in rows]
        feed[self.spec.name] = np.concatenate(noise).astype(self.spec.dtype, copy=False)
        outputs = predict(feed)
        return {name: array.reshape(len(rows), self.samples, *array.shape[1:])
                for name, array in outputs.items()}  # fmt: skip


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
