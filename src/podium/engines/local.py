"""Inference in this process, a bounded number of requests at once."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any, Final, Generic

from numpy.typing import NDArray

from podium.engines import R, T, Work
from podium.errors import ModelError, Overloaded, PodiumError
from podium.messages import said
from podium.runtimes import Arrays, Model

TOGETHER: Final = 4
"""The most requests that are answered together."""


class _Place(Generic[T, R]):
    """A request's place in the queue; `turn` is released when it is answered, or may work.

    One that was already begun cannot be answered by others.
    """

    def __init__(self, request: T, begun: bool = False) -> None:
        self.request = request
        self.begun = begun
        self.turn = threading.Lock()
        self.turn.acquire()
        self.results: list[R | Exception] = []

    def end(self, result: R | Exception) -> None:
        """Hand over what is answered."""
        self.results.append(result)
        self.turn.release()


class LocalEngine:
    """Runs models in the calling thread.

    At most `slots` threads work at once: more would only share the same cores and evict one
    another's caches. A thread that gets to work takes the requests that wait along with its own:
    what a model does for several at once costs less than one after the other, and so does what
    stands around it. At most `queue` requests wait, `timeout_s` at the longest.
    """

    def __init__(self, slots: int = 1, queue: int = 64, timeout_s: float = 60.0) -> None:
        self.timeout_s = timeout_s
        self._limit = queue
        self._lock = threading.Lock()
        self._free = slots
        self._queue: deque[_Place[Any, Any]] = deque()

    def work(self, request: T, do: Work[T, R]) -> R:
        """Return what `do` makes of a request, maybe together with some that wait.

        Raises:
            Overloaded: the queue is full, or there was no room in time.
            Exception: what `do` returns for this request.
        """
        place: _Place[T, R] = _Place(request)
        self._await_turn(place)
        if not place.results:
            self._lead(place, do)
        (result,) = place.results
        if isinstance(result, Exception):
            raise result
        return result

    def give_way(self) -> None:
        """Let those that wait work first; called between the parts of long work that holds a slot.

        Their number is bounded, and each gives way as well, so that the turn comes back.
        """
        place: _Place[None, None] = _Place(None, begun=True)
        with self._lock:
            if not self._queue:
                return
            self._queue.append(place)
        self._pass_on()
        place.turn.acquire()

    def infer(
        self, model: Model, inputs: Arrays, seed: int | None = None
    ) -> dict[str, NDArray[Any]]:
        """Run the model; with a seed, what it draws hangs on that seed.

        Raises:
            ModelError: the framework fails.
        """
        try:
            if seed is None:
                return model.predict(inputs)
            with model.drawing(seed):
                return model.predict(inputs)
        except PodiumError:
            raise
        except Exception as err:  # each framework has its own
            raise ModelError(f"The model fails on this input: {err}") from err

    def _await_turn(self, place: _Place[T, R]) -> None:
        with self._lock:
            if self._free:
                self._free -= 1
                return
            if len(self._queue) >= self._limit:
                raise Overloaded(
                    said("Too many requests are waiting for the model; try again shortly")
                )
            self._queue.append(place)
        if place.turn.acquire(timeout=self.timeout_s):
            return
        with self._lock:
            if place in self._queue:
                self._queue.remove(place)
                raise Overloaded(
                    said("No room for the model within %(time)s s", time=f"{self.timeout_s:g}")
                )
        place.turn.acquire()  # somebody is at it

    def _lead(self, place: _Place[T, R], do: Work[T, R]) -> None:
        """Answer a request and those that wait, then let the next one work."""
        with self._lock:
            others: list[_Place[T, R]] = []
            while self._queue and len(others) < TOGETHER - 1 and not self._queue[0].begun:
                others.append(self._queue.popleft())
        places = [place, *others]
        try:
            for number, result in do([one.request for one in places]):
                places[number].end(result)
        finally:
            for one in places:
                if not one.results:
                    one.end(ModelError("The thread that answered was ended"))
            self._pass_on()

    def _pass_on(self) -> None:
        with self._lock:
            if self._queue:
                self._queue.popleft().turn.release()
            else:
                self._free += 1
