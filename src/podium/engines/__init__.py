"""Where inference runs: siblings of one shape."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TypeVar

from numpy.typing import NDArray

from podium.runtimes import Arrays, Model

T = TypeVar("T")
R = TypeVar("R")

Work = Callable[[Sequence[T]], Iterable[tuple[int, R | Exception]]]
"""Requests -> each one's number, and what is answered to it or went wrong, as it comes."""


class Engine(Protocol):
    """Runs models; the only seam between an application and where its models live."""

    timeout_s: float
    """How long a request may take, with its waiting."""

    def work(self, request: T, do: Work[T, R]) -> R:
        """Return what `do` makes of a request, when there is room, maybe together with others.

        Raises Overloaded when there is no room, TimedOut when it takes too long, or what `do`
        returns for this request.
        """

    def left_s(self) -> float:
        """Return how long the request that this thread works on may still take."""

    def until(self, ends: float) -> None:
        """Work on what must be answered until then; raises TimedOut when that is over."""

    def give_way(self) -> None:
        """Let requests that wait work first, between the parts of a long one."""

    def infer(
        self, model: Model, inputs: Arrays, seed: int | None = None
    ) -> dict[str, NDArray[Any]]:
        """Return the model's outputs; with a seed, what it draws hangs on that seed.

        Raises ModelError when the framework fails.
        """
