"""`podium serve` keeps a worker of its data sets alive, and takes it along when it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from podium.jobs.job import Job
from podium.jobs.state import StateFolder, state_folder
from tests.support.jobs import ended, found, send, write_slow_sums
from tests.support.server import Server, running
from tests.support.waiting import until

DATA = b"text\n" + b"".join(b"line %d\n" % row for row in range(20_000))


def lives(pid: int) -> bool:
    """Whether a process runs."""
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def worker_of(server: Server) -> int:
    """Return the worker's process id, once there is one."""
    until(lambda: server.job_workers)
    (pid,) = server.job_workers
    return pid


def results(state: StateFolder, job: Job) -> bytes:
    """Return a job's results."""
    return state.place(job.id).results("csv").read_bytes()


def test_worker_and_server_are_killed(tmp_path: Path) -> None:
    """A job survives the death of its worker and of the server: the results are the same."""
    app = write_slow_sums(tmp_path / "app")
    state = state_folder(app, tmp_path / "state")
    store = state.store(1000)
    os.environ["PACE_S"] = "0.03"
    try:
        with running(tmp_path, "serve", str(app)) as server:
            undisturbed, job = (send(state, store, DATA) for _ in range(2))
            assert ended(store, undisturbed).state == "done"
            until(lambda: found(store, job).rows_done > 0)
            os.kill(worker_of(server), signal.SIGKILL)
            reached = found(store, job).rows_done
            until(lambda: found(store, job).rows_done > reached)
            assert server.client.get("/healthz").status == 200
            worker, web = worker_of(server), server.workers
            server.process.kill()
            server.process.wait()
            until(lambda: not any(map(lives, (worker, *web))))
        assert found(store, job).state == "running"
        with running(tmp_path, "serve", str(app)) as server:
            assert ended(store, job).state == "done"
            assert results(state, job) == results(state, undisturbed)
            worker = worker_of(server)
        assert not lives(worker)
    finally:
        del os.environ["PACE_S"]
        store.close()


def test_reload_starts_the_worker_anew(tmp_path: Path) -> None:
    """SIGHUP gives the server other workers, of both kinds, and it goes on answering."""
    app = write_slow_sums(tmp_path / "app")
    with running(tmp_path, "serve", str(app)) as server:
        worker, web = worker_of(server), server.workers
        server.process.send_signal(signal.SIGHUP)
        until(lambda: server.job_workers and not server.job_workers & {worker})
        until(lambda: server.workers and not server.workers & web)
        assert server.client.get("/healthz").status == 200


def test_wrong_database_ends_in_words(tmp_path: Path) -> None:
    """`podium worker` with a database that is away says which, without the password."""
    app = write_slow_sums(tmp_path / "app")
    done = subprocess.run(  # noqa: S603  the arguments are a list, not a shell's text
        [sys.executable, "-m", "podium", "worker", str(app), "--state", str(tmp_path / "s")],
        env={**os.environ, "PODIUM_DATABASE": "postgresql://ann:hush@127.0.0.1:1/jobs"},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "podium: The database of jobs, postgresql://127.0.0.1:1/jobs, cannot" in done.stderr
    assert "hush" not in done.stderr
