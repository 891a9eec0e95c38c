"""Inference in this process, a bounded number at once."""

from __future__ import annotations

import threading
from typing import Any

from numpy.typing import NDArray

from podium.errors import ModelError, Overloaded, PodiumError
from podium.runtimes import Arrays, Model


class LocalEngine:
    """Runs models in the calling thread.

    At most `slots` inferences run at once: more would only share the same cores and evict one
    another's caches. At most `queue` more wait, `timeout_s` at the longest.
    """

    def __init__(self, slots: int = 1, queue: int = 64, timeout_s: float = 60.0) -> None:
        self.timeout_s = timeout_s
        self._running = threading.Semaphore(slots)
        self._waiting = threading.Semaphore(slots + queue)

    def infer(self, model: Model, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Run the model when a slot is free.

        Raises:
            Overloaded: the queue is full, or no slot became free in time.
            ModelError: the framework fails.
        """
        if not self._waiting.acquire(blocking=False):
            raise Overloaded("Too many requests are waiting for the model; try again shortly")
        try:
            if not self._running.acquire(timeout=self.timeout_s):
                raise Overloaded(f"No room for the model within {self.timeout_s:g} s")
            try:
                return model.predict(inputs)
            except PodiumError:
                raise
            except Exception as err:  # each framework has its own
                raise ModelError(f"The model fails on this input: {err}") from err
            finally:
                self._running.release()
        finally:
            self._waiting.release()
