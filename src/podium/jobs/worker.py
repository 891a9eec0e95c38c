"""`podium worker`: takes one job after another, in a process of its own beside the web's.

Until the first job comes it imports no framework. With models in its memory and nothing to do for
a while, the process replaces itself by a fresh one.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from podium.datasets.place import Step
from podium.errors import DatabaseFull, Overloaded
from podium.folder import parse
from podium.jobs.guard import LEASE_S, Guard
from podium.jobs.job import Job
from podium.jobs.owner import dead_among, own_name, process_of
from podium.jobs.progress import JobProgress, Lost, Stopped
from podium.jobs.state import StateFolder, state_folder
from podium.jobs.store import JobStore
from podium.jobs.supervised import crashed_before
from podium.jobs.sweep import clear_lost
from podium.logs import log_to_stderr
from podium.messages import Message, joined, said
from podium.signature import Signature

if TYPE_CHECKING:
    from podium.app import App

POLL_S: Final = 0.5
IDLE_S: Final = 300.0
"""How long models are kept for another job."""
NICENESS: Final = 10
"""Single requests come first."""
ATTEMPTS: Final = 8
"""How many workers may die at the same place of a job, killed by somebody or for want of memory."""
CRASH: Final = 3
"""One that crashes or hangs counts as so many, since the job itself is the likely cause."""

_DIED: Final[dict[Step | None, Message]] = {
    None: said("The worker has died again and again while beginning."),
    "reading": said("The worker has died again and again while reading."),
    "judging": said("The worker has died again and again while judging."),
    "writing": said("The worker has died again and again while writing."),
}

log = logging.getLogger("podium")


def run_worker(
    folder: Path,
    state: Path | None = None,
    database: str | None = None,
    key: str | None = None,
) -> None:
    """Work on an application's jobs until told to stop, or until the keeper is gone.

    Raises:
        SpecError: podium.toml has mistakes.
        StateError: the state folder or the database cannot be used.
    """
    os.setpriority(os.PRIO_PROCESS, 0, max(NICENESS, os.getpriority(os.PRIO_PROCESS, 0)))
    log_to_stderr()
    keep_s = parse(folder.resolve()).spec.dataset_keep
    place = state_folder(folder, state, database, key)
    store = place.store(keep_s)
    guard = Guard(store, place, own_name())
    guard.start()
    note_crash(store)
    Worker(folder, place, store, guard).run()
    guard.done()


def note_crash(store: JobStore) -> None:
    """Count what the worker before had as its victim, if it crashed; its keeper has told."""
    pid = crashed_before()
    with suppress(Overloaded):
        for owner in dead_among(store.owners()) if pid else ():
            if process_of(owner) == pid:
                store.note_crash(owner, CRASH - 1)  # one death is counted as it begins


class Worker:
    """Takes jobs and works on them, one at a time."""

    def __init__(self, folder: Path, state: StateFolder, store: JobStore, guard: Guard) -> None:
        self._folder, self._state, self._store, self._guard = folder, state, store, guard
        self._app: App | None = None
        self._loaded_from: object = None
        self._idle_since = time.monotonic()

    def run(self) -> None:
        """Work until told to stop."""
        while not self._guard.stopping.is_set():
            job = self._claim()
            if job is None:
                if self._app is not None and time.monotonic() - self._idle_since > IDLE_S:
                    _begin_anew()
                self._guard.stopping.wait(POLL_S)
                continue
            if self._app is not None and _content(self._folder) != self._loaded_from:
                self._give_back(job)
                _begin_anew()
            self._guard.hold(job.id)
            self._work_on(job)
            self._guard.hold(None)
            self._idle_since = time.monotonic()

    def _give_back(self, job: Job) -> None:
        """Let the job go on later; if the database is locked, when the lease is over."""
        with suppress(Overloaded):
            self._store.release(job.id, self._guard.owner, attempts=0)

    def _claim(self) -> Job | None:
        try:
            owners = self._store.owners()
            return self._store.claim(self._guard.owner, LEASE_S, dead_among(owners))
        except Overloaded as err:
            log.warning("%s", err)
            return None

    def _work_on(self, job: Job) -> None:
        try:
            self._settle(job, **self._perform(job))
        except Stopped:
            self._give_back(job)
        except Lost:
            with suppress(Overloaded):
                clear_lost(self._store, self._state, job.id)

    def _perform(self, job: Job) -> dict[str, Any]:
        """Return what is to be told of a job in the end."""
        if job.attempts >= ATTEMPTS:
            return {"state": "failed", "error": self._died(job)}
        # Imported here, since the frameworks come with it.
        from podium.jobs.task import Task, clean_up, reason

        place = self._state.place(job.id)
        progress = JobProgress(self._store, self._guard, job)
        try:
            progress.begin()
            return Task(self._application(), job, place, progress).perform()
        except (Stopped, Lost):
            raise
        except (Exception, SystemExit) as err:  # whatever a maker's code raises
            if self._is_lost(job):  # and its folder with it, which nobody need hear of
                raise Lost from err
            clean_up(err, place, progress.step)
            return {"state": "failed", "error": reason(err)}

    def _died(self, job: Job) -> Message:
        why = said("The memory was not enough, or a library crashed or hung. The server's log may "
                   "say more.")  # fmt: skip
        if job.step != "scoring":
            return joined([_DIED[job.step], why])
        # After a death the first chunk is a single step.
        last = job.step_done + _step_of(Signature.of(parse(self._folder.resolve())))
        where = said(
            "The worker has died again and again while scoring rows %(first)s to %(last)s.",
            first=f"{job.step_done + 1:,}", last=f"{min(last, job.rows or last):,}",
        )  # fmt: skip
        return joined([where, why])

    def _is_lost(self, job: Job) -> bool:
        try:
            return not self._store.renew(job.id, self._guard.owner, LEASE_S)
        except Overloaded:
            return False

    def _application(self) -> App:
        from podium.app import App

        if self._app is None:
            content = _content(self._folder)
            self._app, self._loaded_from = App(self._folder, patient=True), content
        return self._app

    def _settle(self, job: Job, **fields: Any) -> None:
        """Write how a job ended, however long the database is locked.

        Where the disk has no room even for that, what was scored gives way.
        """
        place = self._state.place(job.id)
        while True:
            try:
                kept = self._store.update(job.id, self._guard.owner, **fields)
            except Overloaded as err:
                log.warning("%s", err)
                if isinstance(err, DatabaseFull):
                    place.forget_work()
                if self._guard.stopping.wait(POLL_S):
                    raise Stopped from err
                continue
            if not kept:
                raise Lost
            log.info("Data set %s: %s", job.id[:8], fields["state"])  # whole, it would be a key
            if fields["state"] == "done":
                place.forget_all_but_results()
            return


def _step_of(signature: Signature) -> int:
    """Return the most rows in a step of scoring."""
    from podium.datasets.scoring import IMAGES, ROWS, TEXTS

    return TEXTS if signature.text else IMAGES if signature.image else ROWS


def _content(folder: Path) -> object:
    """Return what changes with any file of an application."""
    files = sorted(path for path in folder.resolve().rglob("*") if path.is_file())
    told = [(path, path.stat()) for path in files if "__pycache__" not in path.parts]
    return [(path, stat.st_mtime_ns, stat.st_size) for path, stat in told]


def _begin_anew() -> None:
    """Replace this process by a fresh one of the same call, without the models."""
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606  # nosec B606  # no shell
