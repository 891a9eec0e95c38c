"""Inference in this process, a bounded number of requests at once."""

from __future__ import annotations

import threading
from queue import Empty, SimpleQueue
from typing import Any

from numpy.typing import NDArray

from podium.errors import ModelError, Overloaded, PodiumError
from podium.runtimes import Arrays, Model


class LocalEngine:
    """Runs models in the calling thread.

    At most `slots` requests are decoded and answered at once: more would only share the same
    cores and evict one another's caches. At most `queue` more wait, `timeout_s` at the longest.
    """

    def __init__(self, slots: int = 1, queue: int = 64, timeout_s: float = 60.0) -> None:
        self.timeout_s = timeout_s
        # A queue of tokens is a semaphore in C, at a tenth of the cost of threading's.
        self._slots: SimpleQueue[None] = SimpleQueue()
        for _ in range(slots):
            self._slots.put(None)
        self._waiting = threading.Semaphore(queue)

    def slot(self) -> LocalEngine:
        """Return the engine itself: `with engine.slot()` holds one of its slots."""
        return self

    def __enter__(self) -> None:
        """Take a slot.

        Raises:
            Overloaded: the queue is full, or no slot became free in time.
        """
        self._take_slot()

    def __exit__(self, *_: object) -> None:
        self._slots.put(None)

    def infer(self, model: Model, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Run the model.

        Raises:
            ModelError: the framework fails.
        """
        try:
            return model.predict(inputs)
        except PodiumError:
            raise
        except Exception as err:  # each framework has its own
            raise ModelError(f"The model fails on this input: {err}") from err

    def _take_slot(self) -> None:
        try:
            return self._slots.get_nowait()
        except Empty:
            pass
        if not self._waiting.acquire(blocking=False):
            raise Overloaded("Too many requests are waiting for the model; try again shortly")
        try:
            return self._slots.get(timeout=self.timeout_s)
        except Empty:
            raise Overloaded(f"No room for the model within {self.timeout_s:g} s") from None
        finally:
            self._waiting.release()
