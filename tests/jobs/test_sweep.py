"""What is over is removed."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from podium.errors import DatabaseFull
from podium.jobs.state import StateFolder, state_folder
from podium.jobs.store import JobStore, new_id
from podium.jobs.sweep import end, sweep
from tests.support.jobs import send


def test_sweep(tmp_path: Path) -> None:
    """Jobs go with their folders when their time has come; uploads without a job after an hour.

    What was worked on lies for as long as it would with its job.
    """
    state = state_folder(tmp_path / "app", tmp_path / "state")
    store = state.store(5000)
    now = time.time()
    over = send(state, store, b"x", state="done", removed_at=now - 1)
    kept = send(state, store, b"x", state="done", removed_at=now + 99)
    running = send(state, store, b"x", state="running")
    arriving, orphan, worked, old = (state.place(new_id()) for _ in range(4))
    for place in (arriving, orphan, worked, old):
        place.folder.mkdir()
        place.upload.touch()
    for place in (worked, old):
        place.work.touch()
    aged = (orphan.upload, worked.work, worked.upload, state.place(running.id).folder)
    for path in (*aged, orphan.folder, worked.folder, arriving.folder):
        os.utime(path, (now - 4000, now - 4000))
    for path in (old.work, old.upload, old.folder):
        os.utime(path, (now - 6000, now - 6000))
    (state.datasets / "notes").mkdir()
    sweep(store, state, now)
    assert store.ids() == {kept.id, running.id}
    folders = {path.name for path in state.datasets.iterdir()}
    assert folders == {kept.id, running.id, arriving.folder.name, worked.folder.name, "notes"}
    assert over.id not in folders
    store.close()


class FullStore:
    """A store that takes no change while there are files of data sets."""

    def __init__(self, store: JobStore, state: StateFolder) -> None:
        self._store, self._state = store, state

    def __getattr__(self, name: str) -> Any:
        if name in ("cancel", "remove", "remove_expired") and [*self._state.datasets.glob("*/up*")]:
            raise DatabaseFull("full")
        return getattr(self._store, name)


@pytest.mark.parametrize("how", ["running", "done", "expired"])
def test_full_disk_is_freed(tmp_path: Path, how: str) -> None:
    """What is cancelled, removed or over makes room before the database takes the change."""
    state = state_folder(tmp_path / "app", tmp_path / "state")
    store = state.store(100)
    now = time.time()
    fields = {"state": "running"} if how == "running" else {"state": "done", "removed_at": now - 1}
    job = send(state, store, b"x", **fields)
    full: Any = FullStore(store, state)
    if how == "expired":
        sweep(full, state, now)
    else:
        left = end(full, state, job)
        assert (left and left.state) == {"running": "cancelled", "done": None}[how]
    found = store.get(job.id)
    assert (found and found.state) == ("cancelled" if how == "running" else None)
    assert state.place(job.id).folder.exists() == (how == "running")
    assert not state.place(job.id).upload.exists()
    store.close()


def test_cancelled_job_leaves_no_files(tmp_path: Path) -> None:
    """A job that is cancelled while it waits leaves neither its upload nor what was read."""
    state = state_folder(tmp_path / "app", tmp_path / "state")
    store = state.store(100)
    job = send(state, store, b"x", state="queued")
    state.place(job.id).work.touch()
    cancelled = end(store, state, job)
    assert cancelled is not None
    assert (cancelled.state, list(state.place(job.id).folder.iterdir())) == ("cancelled", [])
    store.close()
