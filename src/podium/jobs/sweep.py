"""What is over is removed: jobs after their time, folders without a job."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from podium.jobs.job import ID
from podium.jobs.state import StateFolder
from podium.jobs.store import JobStore

ORPHANED_S: Final = 3600.0
"""How long nothing of a folder without a job must have changed: an upload may still arrive."""


def sweep(store: JobStore, state: StateFolder, now: float) -> None:
    """Remove the jobs whose time has come, and folders that belong to no job any more."""
    for job_id in store.remove_expired(now):
        shutil.rmtree(state.place(job_id).folder, ignore_errors=True)
    if not state.datasets.is_dir():
        return
    # Listed before the jobs are asked for: a folder made meanwhile is not among them.
    folders = [path for path in state.datasets.iterdir() if ID.fullmatch(path.name)]
    known = store.ids() if folders else set()
    for folder in folders:
        if folder.name not in known and now - _changed(folder) > ORPHANED_S:
            shutil.rmtree(folder, ignore_errors=True)


def _changed(folder: Path) -> float:
    """Return when anything in a folder was last changed, in seconds since 1970."""
    try:
        return max(path.stat().st_mtime for path in (folder, *folder.rglob("*")))
    except FileNotFoundError:  # it is being changed, or removed, right now
        return float("inf")
