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
from podium.jobs.supervised import CRASHED, HEARTBEAT
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
    """The wait before the next start doubles up to a limit; after a steady life there is none.

    The limit is higher for one that never comes to its work: its database may be damaged.
    """
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    with kept("") as keeper:

        def wait_after(seconds: float, begun: bool) -> float:
            keeper._start(now)
            assert keeper._process is not None
            keeper._process.wait()
            keeper._started, keeper._begun = now - seconds, begun
            keeper._forget(now)
            return keeper._next - now

        assert [wait_after(0, True) for _ in range(6)] == [0.5, 1, 2, 4, 5, 5]
        assert (wait_after(60, True), keeper._wait) == (0, 0.25)
        assert [wait_after(0, False) for _ in range(9)] == [0.5, 1, 2, 4, 8, 16, 32, 60, 60]


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


TELLING = f"import os; os.write(int(os.environ[{HEARTBEAT!r}]), b'.'); "


def test_silent_process_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """One whose heart stops is killed, and the next one is told; one that beats lives on."""
    beating = f"{TELLING} print(os.environ.get({CRASHED!r}), flush=True); "
    with kept(beating + "import time; time.sleep(99)") as keeper:
        first = looked(keeper)
        until(lambda: keeper.look() or keeper._begun)  # type: ignore[func-returns-value]
        assert keeper.pid == first
        monkeypatch.setattr(module, "SILENT_S", 0.1)
        time.sleep(0.2)
        until(lambda: keeper.look() or keeper.pid not in (None, first))  # type: ignore[func-returns-value]
        environment = Path(f"/proc/{keeper.pid}/environ")
        # It is empty for the moment in which the process becomes another program.
        until(lambda: f"{CRASHED}={first}".encode() in environment.read_bytes().split(b"\0"))


@pytest.mark.parametrize(
    ("end", "crashed"),
    [
        ("os.abort()", True), ("os._exit(0)", True), ("os.kill(os.getpid(), 11)", True),
        ("os.kill(os.getpid(), 9)", False), ("os.kill(os.getpid(), 15)", False),
    ],
)  # fmt: skip
def test_crash_is_told_to_the_next_process(end: str, crashed: bool) -> None:
    """A crash is told from an end that came from outside, or for want of memory."""
    with kept(TELLING + end) as keeper:
        pid = looked(keeper)
        until(lambda: keeper.look() or keeper.pid is None)  # type: ignore[func-returns-value]
        keeper.look()
        assert keeper._crashed == ({CRASHED: str(pid)} if crashed else {})
        assert keeper.failed is None


def test_process_that_cannot_begin_is_told_by_its_status() -> None:
    """The exit status of one that ends before its first heartbeat is there for who keeps it."""
    with kept("raise SystemExit(3)") as keeper:
        looked(keeper)
        until(lambda: keeper.look() or keeper.failed is not None)  # type: ignore[func-returns-value]
        assert keeper.failed == 3


def test_last_beat_of_a_process_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that dies while it is looked after, having come to its work, has not failed to begin."""

    def pid(keeper: Keeper) -> None:
        assert keeper._process is not None
        keeper._process.wait()

    monkeypatch.setattr(Keeper, "pid", property(pid))
    with kept(f"{TELLING} os.abort()") as keeper:
        keeper._start(time.monotonic())
        keeper.look()
        assert (keeper._process, keeper._worked, keeper.failed) == (None, True, None)
