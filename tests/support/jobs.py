"""Jobs for tests, an application for them, and the process that works on them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from podium.datasets.wishes import Wishes
from podium.jobs.job import ENDED, Job
from podium.jobs.state import StateFolder
from podium.jobs.store import JobStore, new_id
from tests.support.waiting import until

ROOT = Path(__file__).parents[2]


def new_job(application: str, **fields: Any) -> Job:
    """Return a job whose file has been received."""
    now = time.time()
    told: dict[str, Any] = {
        "id": new_id(),
        "name": "data.csv",
        "state": "received",
        "wishes": Wishes(),
        "start": True,
        "created": now,
        "updated": now,
    }
    return Job(application=application, **told | fields)


def send(folder: StateFolder, store: JobStore, data: bytes, **fields: Any) -> Job:
    """Add a job with its file, and return it."""
    job = new_job(folder.application, **fields)
    place = folder.place(job.id)
    place.folder.mkdir(parents=True)
    place.upload.write_bytes(data)
    store.add(job)
    return job


def found(store: JobStore, job: Job) -> Job:
    """Return a job as it is now."""
    now = store.get(job.id)
    assert now is not None
    return now


def ended(store: JobStore, job: Job) -> Job:
    """Wait until a job has ended, and return it."""
    until(lambda: found(store, job).state in ENDED)
    return found(store, job)


def write_slow_sums(folder: Path) -> Path:
    """Write a regression of texts in Python: value = the CRC-32 of the UTF-8, after PACE_S."""
    folder.mkdir(parents=True)
    (folder / "sums.py").write_text(
        "import os, time, zlib\n\ndef crc32(texts):\n"
        "    if len(texts) > 9:  # no probe\n"
        "        time.sleep(float(os.environ.get('PACE_S', '0')))\n"
        "    return [zlib.crc32(t.encode()) for t in texts]\n"
    )
    (folder / "podium.toml").write_text(
        'title = "Sums"\n[task]\nkind = "regression"\n[text]\n'
        '[[models]]\nname = "crc"\npython = "sums:crc32"\n'
    )
    return folder


@contextmanager
def worker(
    folder: Path,
    state: Path,
    module: str = "podium",
    blocks: str = "unlimited",
    **environment: str,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a worker of an application, kept alive by nobody; it is killed if it still runs.

    No file may be larger than `blocks` of 1024 bytes.
    """
    limited = ["bash", "-c", f'ulimit -f {blocks}; exec "$@"', "-"]
    with (state.parent / "worker.log").open("ab") as log:
        process = subprocess.Popen(  # noqa: S603  the arguments are a list, not a shell's text
            [
                *limited,
                sys.executable,
                "-m",
                module,
                "worker",
                str(folder),
                "--state",
                str(state),
                "--supervised",
            ],
            stdin=subprocess.PIPE,
            stderr=log,
            env={**os.environ, **environment},
            cwd=ROOT,
        )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()
