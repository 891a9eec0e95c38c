"""One process is kept alive, without threads."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from podium.jobs.state import StateFolder
from podium.production import keeper as module
from podium.production.keeper import Keeper, worker_call
from tests.support.waiting import until

CODE = "import sys; sys.stdin.read()"


@contextmanager
def kept(code: str = CODE) -> Iterator[Keeper]:
    """Return a keeper of a Python process; it is stopped in the end."""
    keeper = Keeper([sys.executable, "-c", code], dict(os.environ))
    try:
        yield keeper
    finally:
        keeper.stop()
        keeper.wait()
        keeper.let_go()


def looked(keeper: Keeper) -> int:
    """Look after a process until it runs; return its id."""
    until(lambda: keeper.look() or keeper.pid is not None)  # type: ignore[func-returns-value]
    assert keeper.pid is not None
    return keeper.pid


def test_process_that_dies_is_started_again() -> None:
    """A process that was killed is followed by another."""
    with kept() as keeper:
        first = looked(keeper)
        os.kill(first, signal.SIGKILL)
        until(lambda: keeper.pid is None)
        assert looked(keeper) != first


def test_one_that_keeps_dying_is_given_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait before the next start doubles up to a limit; after a steady life there is none."""
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    with kept("") as keeper:
        waits = []
        for _ in range(7):
            keeper._started = now
            keeper._forget(now)
            waits.append(keeper._next - now)
        assert waits == [0.5, 1, 2, 4, 5, 5, 5]
        keeper._started = now - 60
        keeper._forget(now)
        assert (keeper._next, keeper._wait) == (now, 0.25)


def test_stopped_process_is_not_started_again() -> None:
    """After the stop the process has ended and stays away."""
    with kept() as keeper:
        looked(keeper)
        keeper.stop()
        keeper.wait()
        keeper.look()
        assert keeper.pid is None


def test_process_that_ignores_the_stop_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not end when it is told to is killed after a while."""
    monkeypatch.setattr(module, "STOP_S", 0.1)
    code = (
        "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(99)"
    )
    with kept(code) as keeper:
        pid = looked(keeper)
        time.sleep(0.3)
        keeper.stop()
        keeper.wait()
        assert not Path(f"/proc/{pid}").exists()


def test_process_reads_the_end_of_its_input_when_the_server_lets_go() -> None:
    """When the last end of the pipe is closed the process can tell that the server is gone."""
    with kept() as keeper:
        looked(keeper)
        keeper.let_go()
        until(lambda: keeper.pid is None)


def test_call_of_the_worker_hides_the_database(tmp_path: Path) -> None:
    """The worker's arguments name the folder and the state; a password is not among them."""
    state = StateFolder(tmp_path / "state/penguins-1", "postgresql://ann:hush@host/jobs")
    command, environment = worker_call(Path("/app"), state)
    assert command[1:] == [
        "-m", "podium", "worker", "/app", "--supervised",
        "--state", str(tmp_path / "state"), "--key", "penguins-1",
    ]  # fmt: skip
    assert environment["PODIUM_DATABASE"] == "postgresql://ann:hush@host/jobs"
