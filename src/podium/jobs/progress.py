"""What a worker tells of a job while it works on it."""

from __future__ import annotations

import logging
import time
from typing import Any, Final, get_args

from podium.datasets.place import Step
from podium.errors import Overloaded
from podium.jobs.guard import Guard
from podium.jobs.job import Job
from podium.jobs.store import JobStore

TELL_S: Final = 0.25
"""How often progress is written."""
_STEPS: Final = get_args(Step)

log = logging.getLogger("podium")


class Lost(Exception):
    """The job was cancelled or removed, or another worker has it."""


class Stopped(Exception):
    """The worker is to end; the job goes on later."""


class JobProgress:
    """Writes a job's progress; what it raises ends the work on it, which may go on later."""

    def __init__(self, store: JobStore, guard: Guard, job: Job) -> None:
        self._store, self._guard, self._job = store, guard, job
        self._reached = _place(job.step, job.step_done)
        self.step: Step | None = None
        self._told = 0.0

    def __call__(self, step: Step, done: int, total: int) -> None:
        """Tell how far a step is.

        Raises:
            Lost: the job is lost.
            Stopped: the worker is to end.
        """
        self.check()
        now = time.monotonic()
        if step == self.step and done < total and now - self._told < TELL_S:
            return
        self.step, self._told = step, now
        # A worker that dies leaves this mark; the place is the furthest that any has come to.
        if _place(step, done) > self._reached:
            fields: dict[str, Any] = {"step": step, "step_done": done, "attempts": 1}
        else:
            fields = {"attempts": self._job.attempts + 1}
        if step == "scoring":
            fields |= {"rows": total, "rows_done": done}
        self.tell(**fields)

    def begin(self) -> None:
        """Leave a mark for the case that the worker dies before it comes to the first step.

        Raises:
            Lost: the job is lost.
        """
        self.tell(attempts=self._job.attempts + 1)

    def begin_anew(self) -> None:
        """Forget how far the job was."""
        self._reached = _place(None, 0)

    def tell(self, **fields: Any) -> None:
        """Write fields of the job; if the database is locked, later ones will do.

        Raises:
            Lost: the job is lost.
        """
        try:
            kept = self._store.update(self._job.id, self._guard.owner, **fields)
        except Overloaded as err:
            log.warning("%s", err)
            return
        if not kept:
            raise Lost

    def wait(self, seconds: float) -> None:
        """Wait for a while.

        Raises:
            Lost: the job is lost.
            Stopped: the worker is to end.
        """
        self._guard.stopping.wait(seconds)
        self.check()

    def check(self) -> None:
        """Go on only if this worker has the job, and is to go on.

        Raises:
            Lost: the job is lost.
            Stopped: the worker is to end.
        """
        self._guard.moved()
        if self._guard.stopping.is_set():
            raise Stopped
        if self._guard.lost:
            raise Lost


def _place(step: Step | None, done: int) -> tuple[int, int]:
    """Return how far a job is, as what can be compared."""
    return (_STEPS.index(step) if step else -1, done)
