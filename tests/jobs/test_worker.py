"""The worker: what becomes of a job, whatever happens to it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from podium.datasets.wishes import Wishes
from podium.errors import DatabaseFull
from podium.jobs.guard import HUNG, Guard
from podium.jobs.job import Job
from podium.jobs.progress import JobProgress
from podium.jobs.state import StateFolder, state_folder
from podium.jobs.store import JobStore
from podium.jobs.worker import Worker
from tests.support.jobs import ended, found, send, worker, write_slow_sums
from tests.support.waiting import until

DATA = b"text\none\ntwo\n"
BASIS = {"basis.json"}
LONG = b"text\n" + b"".join(b"line %d\n" % row for row in range(20_000))


class Site(NamedTuple):
    """An application with its state."""

    app: Path
    state: StateFolder
    store: JobStore

    @property
    def folder(self) -> Path:
        """The state folder as it is given."""
        return self.state.path.parent

    def results(self, job: Job) -> str:
        """Return a job's results as CSV."""
        return self.state.place(job.id).results("csv").read_text()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Return a new application of the sums."""
    app = write_slow_sums(tmp_path / "app")
    state = state_folder(app, tmp_path / "state")
    store = state.store(1000)
    yield Site(app, state, store)
    store.close()


def test_way_of_a_job(site: Site) -> None:
    """A data set is taken in, waits for its start, and is done; then only the results are left.

    A bad one before it fails with the reason, and what the maker mends is seen by the next job.
    """
    bad = send(site.state, site.store, b"a,b\n1,2\n")
    job = send(site.state, site.store, DATA, start=False)
    with worker(site.app, site.folder) as process:
        failed = ended(site.store, bad)
        assert failed.state == "failed"
        assert "text" in (failed.error or "")
        assert str(site.folder) not in (failed.error or "")
        until(lambda: {path.name for path in site.state.place(bad.id).folder.iterdir()} <= BASIS)
        site.store.start(bad.id, Wishes())
        until(lambda: found(site.store, bad).state == "failed")
        assert "Send it again" in (found(site.store, bad).error or "")
        until(lambda: found(site.store, job).state == "ready")
        ready = found(site.store, job)
        assert (ready.rows, ready.rows_done, ready.staged and ready.staged.rows) == (2, 0, 2)
        site.store.start(job.id, Wishes(models=("crc",)))
        done = ended(site.store, job)
        assert (done.state, done.rows, done.rows_done, done.rows_failed) == ("done", 2, 2, 0)
        assert [line.split(",")[:2] for line in site.results(job).splitlines()] == [
            ["text", "podium_value"], ["one", "2053932785.0"], ["two", "298486374.0"],
        ]  # fmt: skip
        until(lambda: not site.state.place(job.id).upload.exists())
        left = {path.name for path in site.state.place(job.id).folder.iterdir()}
        assert left == {"basis.json", "findings.json", "results.csv", "results.parquet"}
        (site.app / "sums.py").write_text("def crc32(texts):\n    return [7.0 for t in texts]\n")
        changed = send(site.state, site.store, DATA)
        assert ended(site.store, changed).state == "done"
        assert site.results(changed).splitlines()[1].startswith("one,7.0,")
        assert process.poll() is None


def test_full_disk_fails_and_can_be_started_again(site: Site) -> None:
    """A job that the disk has no room for says so, leaves no parts, and goes on when started."""
    job = send(site.state, site.store, LONG)
    for blocks in (200, 400):
        with worker(site.app, site.folder, blocks=str(blocks)):
            assert_no_room(site, job, {200: "reading", 400: "scoring"}[blocks])
    for name in ("csv", "parquet"):
        (site.state.place(job.id).folder / f"results.{name}.part").symlink_to("/dev/full")
        with worker(site.app, site.folder):
            assert_no_room(site, job, {"csv": "judging", "parquet": "writing"}[name])
    other = send(site.state, site.store, LONG)
    with worker(site.app, site.folder):
        assert (ended(site.store, job).state, ended(site.store, other).state) == ("done", "done")
    assert site.results(job) == site.results(other)


def assert_no_room(site: Site, job: Job, step: str) -> None:
    """Check that a job failed in a step since the disk was full, and start it again."""
    failed = ended(site.store, job)
    assert (failed.state, failed.step, failed.error) == (
        "failed",
        step,
        "The server's disk is full. Once it has room, start this data set again.",
    )
    left = [path.name for path in site.state.place(job.id).folder.iterdir()]
    assert [name for name in left if ".part" in name or ".tmp" in name] == []
    assert ("upload" in left, "work.duckdb" in left) == (True, step != "reading")
    site.store.start(job.id, job.wishes)


def test_cancelled_job_ends_and_the_next_one_begins(site: Site) -> None:
    """A running job that is cancelled, or removed, makes room for the next within a chunk."""
    slow, gone = (send(site.state, site.store, LONG) for _ in range(2))
    with worker(site.app, site.folder, "tests.support.paced", PACE_S="0.1"):
        until(lambda: found(site.store, slow).rows_done > 0)
        site.store.cancel(slow.id)
        until(lambda: found(site.store, gone).rows_done > 0)
        site.store.remove(gone.id)
        last = send(site.state, site.store, DATA)
        assert ended(site.store, last).state == "done"
    assert found(site.store, slow).state == "cancelled"
    assert {path.name for path in site.state.place(slow.id).folder.iterdir()} == BASIS
    assert not site.state.place(gone.id).folder.exists()


@pytest.mark.parametrize("pace_s", ["0.05", "30"])
def test_worker_that_is_told_to_end_gives_its_job_back(site: Site, pace_s: str) -> None:
    """SIGTERM ends the worker soon, in the middle of a model's call too; nothing is lost."""
    job = send(site.state, site.store, LONG)
    with worker(site.app, site.folder, "tests.support.paced", PACE_S=pace_s) as process:
        until(lambda: found(site.store, job).step == "scoring")
        process.terminate()
        assert process.wait(10) == 0
    assert (site.store.owners(), found(site.store, job).state) == (set(), "running")


def test_file_that_another_process_holds_is_waited_for(site: Site) -> None:
    """While a process without a lease still has the job's file open, the job does not fail."""
    job = send(site.state, site.store, DATA)
    code = "import duckdb, sys; con = duckdb.connect(sys.argv[1]); print(flush=True); input()"
    holder = subprocess.Popen(  # noqa: S603  the interpreter that runs this test
        [sys.executable, "-c", code, str(site.state.place(job.id).work)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert holder.stdout is not None
    holder.stdout.readline()
    with worker(site.app, site.folder):
        until(lambda: bool(site.store.owners()))
        time.sleep(1)
        assert found(site.store, job).state == "received"
        holder.kill()
        holder.communicate()
        assert ended(site.store, job).state == "done"


def test_job_that_kills_its_workers_fails_in_the_end(site: Site) -> None:
    """A job that workers die of, at the same place, fails with that reason; the next is done."""
    (site.app / "sums.py").write_text(
        "import os\n\ndef crc32(texts):\n"
        "    if 'line 5000' in texts:\n        os.abort()\n    return [0.0 for t in texts]\n"
    )
    bad, good = send(site.state, site.store, LONG), send(site.state, site.store, DATA)
    site.store.claim("dead", -1)
    site.store.update(bad.id, "dead", step="scoring", step_done=4864, attempts=6)
    deaths = 0
    while found(site.store, bad).state != "failed":
        with worker(site.app, site.folder, "tests.support.paced") as process:
            until(lambda: found(site.store, bad).state == "failed" or process.poll() is not None)
            deaths += process.poll() == -signal.SIGABRT
    assert deaths == 2
    told = found(site.store, bad)
    assert (told.error or "").startswith(
        "The worker has died again and again while scoring rows 4,865 to 5,120. "
    )
    with worker(site.app, site.folder):
        assert ended(site.store, good).state == "done"


HANG = "import time\n\ndef crc32(texts):\n    while len(texts) > 9:\n        time.sleep(1)\n    return [7.0 for t in texts]\n"  # noqa: E501


@contextmanager
def kept_alive(site: Site) -> Iterator[subprocess.Popen[bytes]]:
    """Run `podium worker`, which keeps a worker alive; it is told to end."""
    command = [sys.executable, "-m", "podium", "worker", str(site.app), "--state", str(site.folder)]
    with (site.folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stderr=log)  # noqa: S603  a list, not a shell's text
    try:
        yield process
    finally:
        process.terminate()
        assert process.wait(10) == 0


def test_hanging_model_is_left_when_its_job_is_cancelled(site: Site) -> None:
    """A model that never returns holds nobody up once its data set is cancelled."""
    (site.app / "sums.py").write_text(HANG)
    hanging, good = send(site.state, site.store, LONG), send(site.state, site.store, DATA)
    with kept_alive(site):
        until(lambda: found(site.store, hanging).step == "scoring")
        site.store.cancel(hanging.id)
        assert ended(site.store, good).state == "done"
        place = site.state.place(hanging.id)
        assert {path.name for path in place.folder.iterdir()} == BASIS


def test_job_that_hangs_ends_its_worker(site: Site) -> None:
    """A model that says nothing for as long as is allowed ends the worker, with its job's mark."""
    (site.app / "sums.py").write_text(HANG)
    job = send(site.state, site.store, LONG)
    with worker(site.app, site.folder, "tests.support.paced", HUNG_S="1") as process:
        assert process.wait(60) == HUNG
    assert (found(site.store, job).attempts, len(site.store.owners())) == (1, 1)


def test_job_that_crashes_its_workers_fails_soon(site: Site) -> None:
    """Three crashes at the same place are enough, and its keeper starts the next worker."""
    (site.app / "sums.py").write_text(
        "import os\n\ndef crc32(texts):\n"
        "    if len(texts) > 9:\n        open('deaths', 'a').write('x')\n        os.abort()\n"
        "    return [0.0 for t in texts]\n"
    )
    bad, good = send(site.state, site.store, LONG), send(site.state, site.store, DATA)
    with contextlib.chdir(site.folder), kept_alive(site):
        told = ended(site.store, bad)
        assert ended(site.store, good).state == "done"
    assert (site.folder / "deaths").read_text() == "xxx"
    assert "again while scoring rows 1 to 256. " in (told.error or "")


def test_model_that_exits_fails_its_job(site: Site) -> None:
    """What ends the program in a maker's code ends the job alone."""
    (site.app / "sums.py").write_text(
        "import sys\n\ndef crc32(texts):\n    if len(texts) > 9:\n        sys.exit(3)\n"
        "    return [0.0 for t in texts]\n"
    )
    job = send(site.state, site.store, LONG)
    with worker(site.app, site.folder) as process:
        assert "(SystemExit)" in (ended(site.store, job).error or "")
        assert process.poll() is None


def test_results_are_settled_on_a_full_disk(site: Site) -> None:
    """Where the database takes no change for want of room, what was scored gives way."""
    job = send(site.state, site.store, DATA)
    place = site.state.place(job.id)
    place.work.touch()
    guard = Guard(site.store, site.state, "me")
    claimed = site.store.claim("me", 60)
    assert claimed is not None
    update, full = site.store.update, DatabaseFull("full")

    def full_while_work(*told: Any, **fields: Any) -> bool:
        if place.work.exists():
            raise full
        return update(*told, **fields)

    site.store.update = full_while_work  # type: ignore[method-assign]
    Worker(site.app, site.state, site.store, guard)._settle(claimed, state="failed", error="full")
    assert found(site.store, job).state == "failed"
    assert place.upload.exists()


def test_last_rows_are_told_before_the_next_step(site: Site) -> None:
    """However soon after the step before, that all rows are scored is told."""
    job = send(site.state, site.store, DATA)
    site.store.claim("me", 60)
    progress = JobProgress(site.store, Guard(site.store, site.state, "me"), job)
    for done in (0, 40, 50):
        progress("scoring", done, 50)
    progress("judging", 0, 1)
    assert (found(site.store, job).rows_done, found(site.store, job).step) == (50, "judging")


def test_idle_worker_is_light_and_nice(site: Site) -> None:
    """Until a job comes the worker imports no framework, and lets others go first."""
    with worker(site.app, site.folder, PYTHONVERBOSE="") as process:
        maps = Path(f"/proc/{process.pid}/maps")
        until(lambda: "sqlite3" in maps.read_text())
        time.sleep(1)
        loaded = maps.read_text()
        assert os.getpriority(os.PRIO_PROCESS, process.pid) == 10
    assert [one for one in ("onnxruntime", "duckdb", "numpy") if f"/{one}" in loaded] == []
