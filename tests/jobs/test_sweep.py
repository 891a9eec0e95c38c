"""What is over is removed."""

from __future__ import annotations

import os
import time
from pathlib import Path

from podium.jobs.state import state_folder
from podium.jobs.store import new_id
from podium.jobs.sweep import sweep
from tests.support.jobs import send


def test_sweep(tmp_path: Path) -> None:
    """Jobs go with their folders when their time has come; folders without a job after an hour."""
    state = state_folder(tmp_path / "app", tmp_path / "state")
    store = state.store(100)
    now = time.time()
    over = send(state, store, b"x", state="done", removed_at=now - 1)
    kept = send(state, store, b"x", state="done", removed_at=now + 99)
    running = send(state, store, b"x", state="running")
    arriving, orphan = state.place(new_id()), state.place(new_id())
    for place in (arriving, orphan):
        place.folder.mkdir()
        place.upload.touch()
    for path in (orphan.upload, orphan.folder, state.place(running.id).folder, arriving.folder):
        os.utime(path, (now - 4000, now - 4000))
    (state.datasets / "notes").mkdir()
    sweep(store, state, now)
    assert store.ids() == {kept.id, running.id}
    folders = {path.name for path in state.datasets.iterdir()}
    assert folders == {kept.id, running.id, arriving.folder.name, "notes"}
    assert over.id not in folders
    store.close()
