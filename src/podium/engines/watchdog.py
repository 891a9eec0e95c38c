"""Who looks whether requests are answered in time, while their threads run in native code."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final
from weakref import ref

from podium.cpus import works_alone

if TYPE_CHECKING:
    from podium.engines.local import LocalEngine
    from podium.runtimes import Model

LOOK_S: Final = 0.25
LATE_S: Final = 0.25
"""How long after its end a request is stopped: one of many items ends itself between them, and then
tells how far it came."""
HUNG_S: Final = 1.0
"""How long after that its thread may take to come back."""


class Run:
    """What one thread works on: requests in their places, until when, and with which model.

    `stopped` is when its model was told to stop, 0 before; one that `rests` leaves its slot to
    others.
    """

    __slots__ = ("ends", "model", "places", "rests", "stopped")

    def __init__(self, places: Sequence[Any], ends: float) -> None:
        self.places = places
        self.ends = ends
        self.model: Model | None = None
        self.rests = False
        self.stopped = 0.0


class Watchdog:
    """Stops the runs of an engine that are late, and gives up those that do not end then.

    It looks now and then, in a thread that begins with the first run: setting an alarm for each
    request would cost more than a small model's answer.
    """

    def __init__(self, engine: LocalEngine, runs: dict[int, Run], lock: threading.Lock) -> None:
        self._engine = ref(engine)
        self._runs = runs
        self._lock = lock
        self._started = False

    def start(self) -> None:
        """Begin to look, if it has not begun yet and there may be threads."""
        if not self._started and not works_alone():
            self._started = True
            threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def _watch(self) -> None:
        while (engine := self._engine()) is not None:
            for thread, run in list(self._runs.items()):
                if not run.rests and time.monotonic() > run.ends + LATE_S:
                    self._end(engine, thread, run)
            del engine
            time.sleep(LOOK_S)

    def _end(self, engine: LocalEngine, thread: int, run: Run) -> None:
        now = time.monotonic()
        with self._lock:
            if self._runs.get(thread) is not run or now <= run.ends + LATE_S:
                return
            run.stopped = run.stopped or now
            if run.model is not None:
                run.model.stop(thread)
            hung = now > run.stopped + HUNG_S
        if hung:
            engine.give_up(thread, run)
