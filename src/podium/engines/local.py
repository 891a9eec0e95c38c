"""Inference in this process, a bounded number of requests at once, each with its deadline."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Generic

from numpy.typing import NDArray

from podium.engines import R, T, Work
from podium.engines.watchdog import HUNG_S, LATE_S, Run, Watchdog
from podium.errors import ModelError, Overloaded, PodiumError, TimedOut
from podium.messages import said
from podium.metrics import INFER, QUEUE, STAGE_SECONDS, WAIT, WAITING
from podium.runtimes import Arrays, Model

TOGETHER: Final = 4
"""The most requests that are answered together."""


class _Place(Generic[T, R]):
    """A request's place in the queue; `turn` is released when it is answered, or may work.

    One that was already begun cannot be answered by others. It must be answered until `ends`.
    """

    def __init__(self, request: T, ends: float = math.inf, begun: bool = False) -> None:
        self.request = request
        self.ends = ends
        self.begun = begun
        self.came = time.monotonic()
        self.turn = threading.Lock()
        self.turn.acquire()
        self.results: list[R | Exception] = []

    def end(self, result: R | Exception) -> None:
        """Hand over what is answered, unless it is too late for that."""
        if not self.results:
            self.results.append(result)
            self.turn.release()


class LocalEngine:
    """Runs models in the calling thread.

    At most `slots` threads work at once: more would only share the same cores and evict one
    another's caches. A thread that gets to work takes the requests that wait along with its own:
    what a model does for several at once costs less than one after the other, and so does what
    stands around it. At most `queue` requests wait.

    A request is answered within `timeout_s`: then its model is stopped if its runtime can. A
    thread that does not come back even so is given up: `hung` is told which one, to answer its
    request, and others get its slot and those that it took along.
    """

    def __init__(self, slots: int = 1, queue: int = 64, timeout_s: float = 60.0) -> None:
        self.timeout_s = timeout_s
        self.hung: Callable[[int, TimedOut], None] = lambda _thread, _error: None
        self._limit = queue
        self._lock = threading.Lock()
        self._free = slots
        self._queue: deque[_Place[Any, Any]] = deque()
        self._runs: dict[int, Run] = {}
        self._watchdog = Watchdog(self, self._runs, self._lock)

    def work(self, request: T, do: Work[T, R], ends: float | None = None) -> R:
        """Return what `do` makes of a request, maybe together with some that wait.

        It is answered until `ends`, on the monotonic clock; left out, `timeout_s` from now.

        Raises:
            Overloaded: the queue is full, or there was no room in time.
            TimedOut: it takes too long.
            Exception: what `do` returns for this request.
        """
        ends = time.monotonic() + self.timeout_s if ends is None else ends
        place: _Place[T, R] = _Place(request, ends)
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
            run = self._runs.get(threading.get_ident())
            if run is not None:
                run.rests = True
        self._pass_on()
        place.turn.acquire()
        if run is not None:
            run.rests = False

    def left_s(self) -> float:
        """Return how long the request that this thread works on may still take."""
        run = self._runs.get(threading.get_ident())
        return run.ends - time.monotonic() if run else self.timeout_s

    def until(self, ends: float) -> None:
        """Work on what must be answered until then.

        Raises:
            TimedOut: that is over.
        """
        if time.monotonic() > ends:
            raise self._timed_out()
        run = self._runs.get(threading.get_ident())
        if run is not None and (run.ends != ends or run.stopped):
            with self._lock:
                run.ends, run.stopped = ends, 0.0

    def infer(
        self, model: Model, inputs: Arrays, seed: int | None = None
    ) -> dict[str, NDArray[Any]]:
        """Run the model; with a seed, what it draws hangs on that seed.

        Raises:
            ModelError: the framework fails.
            TimedOut: the request that this thread works on must end.
        """
        run = self._runs.get(threading.get_ident())
        if run is not None:
            if run.stopped:
                raise self._timed_out()
            run.model = model
        started = time.perf_counter()
        try:
            if seed is None:
                return model.predict(inputs)
            with model.drawing(seed):
                return model.predict(inputs)
        except PodiumError:
            raise
        except Exception as err:  # each framework has its own
            if run is not None and run.stopped:
                raise self._timed_out() from err
            raise ModelError(f"The model fails on this input: {err}") from err
        finally:
            if run is not None:  # not to get warm
                STAGE_SECONDS.observe(INFER, time.perf_counter() - started)

    def give_up(self, thread: int, run: Run) -> None:
        """Let others have the slot of a thread that does not come back, and its followers."""
        error = self._timed_out()
        with self._lock:
            if self._runs.get(thread) is not run:
                return
            del self._runs[thread]
            now = time.monotonic()
            leader, *others = run.places
            leader.results[:] = [error]
            for place in reversed(others):
                if place.results:
                    continue
                if place.ends < now:
                    place.end(error)
                else:
                    self._queue.appendleft(place)
        self._pass_on()
        self.hung(thread, error)

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
            QUEUE.set(WAITING, len(self._queue))
        if place.turn.acquire(timeout=_patience(place.ends)):
            return
        with self._lock:
            if place in self._queue:
                self._queue.remove(place)
                QUEUE.set(WAITING, len(self._queue))
                raise Overloaded(
                    said("No room for the model within %(time)s s", time=f"{self.timeout_s:g}")
                )
        # Somebody is at it, maybe with others first that may take longer than this one may.
        if place.turn.acquire(timeout=LATE_S + HUNG_S):
            return
        with self._lock:
            if not place.turn.acquire(blocking=False):
                place.results.append(self._timed_out())

    def _lead(self, place: _Place[T, R], do: Work[T, R]) -> None:
        """Answer a request and those that wait, then let the next one work."""
        with self._lock:
            places: list[_Place[T, R]] = [place]
            while self._queue and len(places) < TOGETHER and not self._queue[0].begun:
                places.append(self._queue.popleft())
                QUEUE.set(WAITING, len(self._queue))
        now = time.monotonic()
        for one in places:
            STAGE_SECONDS.observe(WAIT, now - one.came)
        thread = threading.get_ident()
        run = self._runs[thread] = Run(places, place.ends)
        self._watchdog.start()
        try:
            for number, result in do([one.request for one in places]):
                with self._lock:
                    if self._runs.get(thread) is not run:  # given up
                        return
                    places[number].end(result)
        finally:
            self._end(thread, run)

    def _end(self, thread: int, run: Run) -> None:
        """Leave the slot to the next one, unless the thread was given up."""
        with self._lock:
            if self._runs.get(thread) is not run:
                return
            del self._runs[thread]
            for one in run.places:
                if not one.results:
                    one.end(ModelError("The thread that answered was ended"))
        self._pass_on()

    def _pass_on(self) -> None:
        with self._lock:
            if self._queue:
                self._queue.popleft().turn.release()
                QUEUE.set(WAITING, len(self._queue))
            else:
                self._free += 1

    def _timed_out(self) -> TimedOut:
        return TimedOut(
            said("The answer takes longer than %(time)s s ([limits] timeout)",
                 time=f"{self.timeout_s:g}")
        )  # fmt: skip


def _patience(ends: float) -> float:
    """Return how long to wait for a lock: -1 without end."""
    return -1 if ends == math.inf else max(0.0, ends - time.monotonic())
