"""`podium worker`: takes one job after another, in a process of its own beside the web's.

Until the first job comes it imports no framework. With models in its memory and nothing to do for
a while, the process replaces itself by a fresh one.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from podium.datasets.place import Place
from podium.errors import Overloaded
from podium.folder import parse
from podium.jobs.guard import LEASE_S, Guard
from podium.jobs.job import Job
from podium.jobs.owner import dead_among, own_name
from podium.jobs.progress import JobProgress, Lost, Stopped
from podium.jobs.state import StateFolder, state_folder
from podium.jobs.store import JobStore
from podium.logs import log_to_stderr

if TYPE_CHECKING:
    from podium.app import App

POLL_S: Final = 0.5
IDLE_S: Final = 300.0
"""How long models are kept for another job."""
NICENESS: Final = 10
"""Single requests come first."""
ATTEMPTS: Final = 8
"""How many workers may die at the same place of a job."""

log = logging.getLogger("podium")


def run_worker(
    folder: Path,
    state: Path | None = None,
    database: str | None = None,
    key: str | None = None,
    supervised: bool = False,
) -> None:
    """Work on an application's jobs until told to stop, or until the server is gone.

    Raises:
        SpecError: podium.toml has mistakes.
        StateError: the state folder or the database cannot be used.
    """
    os.setpriority(os.PRIO_PROCESS, 0, max(NICENESS, os.getpriority(os.PRIO_PROCESS, 0)))
    log_to_stderr()
    keep_s = parse(folder.resolve()).spec.limits.dataset_keep
    place = state_folder(folder, state, database, key)
    store = place.store(keep_s)
    guard = Guard(store, place, own_name(), supervised)
    guard.start()
    Worker(folder, place, store, guard).run()
    guard.done()


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
        place = self._state.place(job.id)
        try:
            self._settle(job, **self._perform(job))
        except Stopped:
            self._give_back(job)
        except Lost:
            with suppress(Overloaded):
                self._clear_lost(job.id, place)

    def _perform(self, job: Job) -> dict[str, Any]:
        """Return what is to be told of a job in the end."""
        if job.attempts >= ATTEMPTS:
            return {"state": "failed", "error": _died(job)}
        # Imported here, since the frameworks come with it.
        from podium.jobs.task import Task, reason

        place = self._state.place(job.id)
        progress = JobProgress(self._store, self._guard, job)
        try:
            return Task(self._application(), job, place, progress).perform()
        except (Stopped, Lost):
            raise
        except Exception as err:  # whatever a maker's code raises; the worker goes on
            if self._is_lost(job):  # and its folder with it, which nobody need hear of
                raise Lost from err
            return {"state": "failed", "error": reason(err, place)}

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
        """Write how a job ended, however long the database is locked."""
        while True:
            try:
                kept = self._store.update(job.id, self._guard.owner, **fields)
            except Overloaded as err:
                log.warning("%s", err)
                if self._guard.stopping.wait(POLL_S):
                    raise Stopped from err
                continue
            if not kept:
                raise Lost
            log.info("Data set %s: %s", job.id, fields["state"])
            if fields["state"] == "done":
                place = self._state.place(job.id)
                place.forget_work()
                place.upload.unlink(missing_ok=True)
            return

    def _clear_lost(self, job_id: str, place: Place) -> None:
        """Remove what nobody needs any more of a job that was cancelled or removed."""
        job = self._store.get(job_id)
        if job is None:
            shutil.rmtree(place.folder, ignore_errors=True)
        elif job.state == "cancelled":
            place.forget_work()


def _died(job: Job) -> str:
    where = f" at row {job.step_done + 1:,}" if job.step == "scoring" else ""
    return (
        f"The worker has died {job.attempts} times while {job.step or 'beginning'}{where}: the "
        "memory was not enough, or a library crashed. The server's log may say more."
    )


def _content(folder: Path) -> object:
    """Return what changes with any file of an application."""
    files = sorted(path for path in folder.resolve().rglob("*") if path.is_file())
    told = [(path, path.stat()) for path in files if "__pycache__" not in path.parts]
    return [(path, stat.st_mtime_ns, stat.st_size) for path, stat in told]


def _begin_anew() -> None:
    """Replace this process by a fresh one of the same call, without the models."""
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606  no shell
