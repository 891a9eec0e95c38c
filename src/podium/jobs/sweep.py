"""What is over is removed: jobs and answers after their time, folders without a job.

Files go before the row that names them: on a full disk the database takes no change until they are
gone. A row that is left without its files goes with the next sweep, or when told again.
"""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

from podium.errors import DatabaseFull
from podium.jobs.job import ENDED, ID, Job

if TYPE_CHECKING:
    from podium.jobs.state import StateFolder
    from podium.jobs.store import JobStore

ARRIVING_S: Final = 3600.0
"""How long nothing of an upload without a job must have changed: it may still arrive, from a slow
sender. That of a web worker that was killed lies for as long."""

log = logging.getLogger("podium")


def end(store: JobStore, state: StateFolder, job: Job) -> Job | None:
    """Cancel a job that has not ended, which is returned; remove one that has: None is left.

    Raises:
        WrongState: it has ended meanwhile.
        Overloaded: the database cannot be used now.
    """
    place = state.place(job.id)
    if job.state in ENDED:
        shutil.rmtree(place.folder, ignore_errors=True)
        store.remove(job.id)
        return None
    try:
        cancelled = store.cancel(job.id)
    except DatabaseFull:
        place.forget_all_but_results()
        cancelled = store.cancel(job.id)
    # Nobody can start it again. Whoever works on it does the same when it finds its lease lost.
    place.forget_all_but_results()
    return cancelled


def clear_lost(store: JobStore, state: StateFolder, job_id: str) -> None:
    """Remove what nobody needs any more of a job that was cancelled or removed."""
    job, place = store.get(job_id), state.place(job_id)
    if job is None:
        shutil.rmtree(place.folder, ignore_errors=True)
    elif job.state == "cancelled":
        place.forget_all_but_results()


def sweep(store: JobStore, state: StateFolder, now: float) -> None:
    """Remove jobs and answers whose time has come, and folders that belong to no job any more."""
    expired = store.expired(now)
    for job_id in expired:
        shutil.rmtree(state.place(job_id).folder, ignore_errors=True)
    if expired:
        log.info("Data sets whose time is over were removed: %s", len(store.remove_expired(now)))
    if over := store.answers.remove_expired(now):
        log.info("Kept answers whose time is over were removed: %s", over)
    if not state.datasets.is_dir():
        return
    # Listed before the jobs are asked for: a folder made meanwhile is not among them.
    folders = [path for path in state.datasets.iterdir() if ID.fullmatch(path.name)]
    known = store.ids() if folders else set()
    for folder in folders:
        if folder.name not in known and _is_over(folder, now, store.keep_s):
            log.warning("The folder of data set %s, which has no job, is removed", folder.name[:8])
            shutil.rmtree(folder, ignore_errors=True)


def _is_over(folder: Path, now: float, keep_s: float) -> bool:
    """Whether nothing of a folder has changed for long; for as long as a job's, if it had one."""
    try:
        changed = max(path.stat().st_mtime for path in (folder, *folder.rglob("*")))
        arriving = all(path.name == "upload" for path in folder.iterdir())
    except FileNotFoundError:  # it is being changed, or removed, right now
        return False
    return now - changed > (ARRIVING_S if arriving else max(ARRIVING_S, keep_s))
