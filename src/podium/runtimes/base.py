"""What every runtime gives: a Model, made by a module with a `load` function."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]
"""Arrays by the name of a model's input or output; the first axis is the batch."""


class TensorSpec(NamedTuple):
    """One input or output of a model. A None in `shape` may have any length."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int | None, ...]


@dataclass(frozen=True)
class Source:
    """What a runtime loads: a file and what podium.toml says of it."""

    file: Path
    threads: int = 1


class Model(Protocol):
    """A loaded model: arrays in, arrays out, batch first; safe to call from many threads.

    An output named "votes", of shape (batch, members, ...), holds what the members of an
    ensemble say one by one; their mean is the answer.
    """

    @property
    def platform(self) -> str:
        """The format's name, such as "onnx"."""

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """What `predict` takes."""

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """What `predict` returns."""

    @property
    def task(self) -> Literal["classification", "regression"] | None:
        """What the file says it predicts; None when it does not say."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes the file names, in the order of its scores; () when it names none."""

    @property
    def features(self) -> tuple[str, ...]:
        """The feature names the file holds, in the order of its columns; () when none."""

    def predict(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Return the outputs for a batch."""
