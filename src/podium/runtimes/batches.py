"""A model of fixed batch size is run as often as a batch needs it, the last time padded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from podium.runtimes.base import Arrays

Outputs = dict[str, NDArray[Any]]


def in_batches(run: Callable[[Arrays], Outputs], inputs: Arrays, size: int | None) -> Outputs:
    """Return the outputs for all rows of `inputs` from runs of `size` rows; None takes any."""
    rows = len(next(iter(inputs.values())))
    if size is None:
        return _with_batch(run(inputs), rows)
    parts = [
        _padded(run, {name: array[start : start + size] for name, array in inputs.items()}, size)
        for start in range(0, rows, size)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _padded(run: Callable[[Arrays], Outputs], part: Arrays, size: int) -> Outputs:
    rows = len(next(iter(part.values())))
    if rows < size:
        part = {name: np.concatenate([array, np.repeat(array[-1:], size - rows, axis=0)])
                for name, array in part.items()}  # fmt: skip
    return {name: array[:rows] for name, array in _with_batch(run(part), size).items()}


def _with_batch(outputs: Outputs, rows: int) -> Outputs:
    """Put back the axis of the batch, which a squeeze in a model drops for a single row."""
    return {name: array[None] if rows == 1 and array.shape[:1] != (1,) else array
            for name, array in outputs.items()}  # fmt: skip
