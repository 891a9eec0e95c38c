"""What goes on beside the work on a job: leases, signals, the server's end, sweeping, hangs."""

from __future__ import annotations

import logging
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Final

from podium.errors import PodiumError
from podium.jobs.state import StateFolder
from podium.jobs.store import JobStore
from podium.jobs.supervised import beat
from podium.jobs.sweep import clear_lost, sweep

LEASE_S: Final = 30.0
RENEW_S: Final = 3.0
SWEEP_S: Final = 60.0
GRACE_S: Final = 0.7
"""How long the chunk under way may still take when the process is told to end."""
LOOK_S: Final = 0.5
LEAVE_S: Final = 5.0
"""How long the chunk under way may still take when the job is lost: cancelled, or removed."""
HUNG_S: Final = 3600.0
"""A model that says nothing for so long never will: it gets a portion of one chunk at a time."""
HUNG: Final = 70
"""The exit status of a worker that hung; whoever keeps it alive counts that as a crash."""

log = logging.getLogger("podium")


class Guard:
    """A thread that watches over a worker. `stopping` is set when it is to end.

    A chunk may keep the main thread for long, in which it handles no signal; so this thread hears
    of signals through a pipe, and ends the process if the main thread does not. So it does where a
    lost job is not left, or a job hangs. (A model that keeps the interpreter's lock stops this
    thread too: then it is the keeper that hears no heartbeat.)
    """

    def __init__(self, store: JobStore, state: StateFolder, owner: str) -> None:
        self._store, self._state, self.owner = store, state, owner
        self._heard: list[int] = []
        self._lock = threading.Lock()
        self._held: str | None = None
        self._renewed = 0.0
        self._moved = 0.0
        self._lost_since: float | None = None
        self._swept = 0.0
        self._done = threading.Event()
        self.stopping = threading.Event()

    @property
    def lost(self) -> bool:
        """Whether the job that is held is another's, or nobody's."""
        return self._lost_since is not None

    def start(self) -> None:
        """Begin to watch; called in the main thread."""
        heard, told = os.pipe()
        os.set_blocking(told, False)
        signal.set_wakeup_fd(told)
        for one in (signal.SIGTERM, signal.SIGINT):
            signal.signal(one, lambda *_: None)
        # The keeper writes nothing to a worker's standard input: what can be read is its end.
        self._heard = [sys.stdin.fileno(), heard]
        beat()  # at once: a worker whose first job ends it has come to its work all the same
        threading.Thread(target=self._watch, name="guard", daemon=True).start()

    def hold(self, job_id: str | None) -> None:
        """Renew the lease of this job from now on, or of none."""
        with self._lock:
            self._held, self._lost_since = job_id, None
            self._renewed = self._moved = time.monotonic()

    def moved(self) -> None:
        """Tell that the work on the job goes on."""
        self._moved = time.monotonic()

    def done(self) -> None:
        """Tell that the main thread has given back what it held, and ends."""
        self._done.set()

    def _watch(self) -> None:
        while not self._told_to_stop():
            beat()
            self._try(self._renew)
            self._end_if_hung()
            self._try(self._sweep)
        self.stopping.set()
        if not self._done.wait(GRACE_S):
            self._try(self._give_back)
        os._exit(0)  # unloading the frameworks would take longer than all else

    def _told_to_stop(self) -> bool:
        """Wait for a while; return whether a signal came, or the server is gone."""
        readable, _, _ = select.select(self._heard, [], [], LOOK_S)
        return bool(readable)

    def _renew(self) -> None:
        with self._lock:
            held, due = self._held, time.monotonic() - self._renewed >= RENEW_S
        if held is None or not due:
            return
        kept = self._store.renew(held, self.owner, LEASE_S)
        with self._lock:
            if self._held == held:
                self._renewed = time.monotonic()
                if not kept and self._lost_since is None:
                    self._lost_since = time.monotonic()

    def _end_if_hung(self) -> None:
        """End the process if its main thread is not to be had back; another one is started."""
        with self._lock:
            held, lost_since, moved = self._held, self._lost_since, self._moved
        now = time.monotonic()
        if held is None:
            return
        if lost_since is not None and now - lost_since > LEAVE_S:
            log.warning("Data set %s was cancelled, and its model goes on: the worker ends and is "
                        "started again", held[:8])  # fmt: skip
            self._try(lambda: clear_lost(self._store, self._state, held))
            os._exit(HUNG)
        if now - moved > HUNG_S:
            log.error("Data set %s has hung for %.0f s: the worker ends and is started again",
                      held[:8], now - moved)  # fmt: skip
            os._exit(HUNG)

    def _sweep(self) -> None:
        if time.monotonic() - self._swept >= SWEEP_S:
            self._swept = time.monotonic()
            sweep(self._store, self._state, time.time())

    def _give_back(self) -> None:
        with self._lock:
            if self._held is not None:
                self._store.release(self._held, self.owner, attempts=0)

    @staticmethod
    def _try(step: Callable[[], None]) -> None:
        """Do one step; a database that is away, or a full disk, may be well the next time."""
        try:
            step()
        except (PodiumError, OSError) as err:
            log.warning("%s", err)
