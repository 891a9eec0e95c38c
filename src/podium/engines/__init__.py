"""Where inference runs: siblings of one shape."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Protocol

from numpy.typing import NDArray

from podium.runtimes import Arrays, Model


class Engine(Protocol):
    """Runs models; the only seam between an application and where its models live."""

    def slot(self) -> AbstractContextManager[object]:
        """Return the room to work on one request; entering raises Overloaded when there is none."""

    def infer(self, model: Model, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Return the model's outputs; raise ModelError when the framework fails."""
