"""Podium's own supervisor keeps programs alive, and outlives nobody's trust."""

from __future__ import annotations

import json
import os
import signal
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from podium.errors import ServeError
from podium.jobs.owner import dead_among, name_of
from podium.operate import supervisor as module
from podium.operate.processes import end_session, memory_of, session_of
from podium.operate.supervised import Supervised
from podium.operate.supervisor import Kept, Minder, turn_over
from podium.operate.units import Unit
from tests.operate.sites import supervisor_of
from tests.support.waiting import until

SLEEP = "import time; time.sleep(600)"


@pytest.fixture
def site() -> Iterator[Path]:
    """Return a folder with a short path, as sockets need it."""
    with tempfile.TemporaryDirectory(prefix="podium-") as folder:
        yield Path(folder)


@pytest.fixture
def units(site: Path) -> Iterator[Supervised]:
    """Return units under a supervisor; all has ended in the end."""
    units = Supervised(site)
    yield units
    units.close()


def unit(name: str = "a", code: str = SLEEP, front: bool = False, grace_s: float = 10) -> Unit:
    """Return a Python program as a unit."""
    return Unit(
        name=name, command=(sys.executable, "-c", code), environment=dict(os.environ),
        front=front, grace_s=grace_s,
    )  # fmt: skip


def pid_of(units: Supervised, name: str = "a") -> int:
    """Return the main process of a unit, once it runs."""
    until(lambda: units.states()[name].pid)
    pid = units.states()[name].pid
    assert pid is not None
    return pid


def log_of(site: Path, name: str = "supervisor") -> str:
    """Return what stands in a log."""
    return (site / "logs" / f"{name}.log").read_text()


def lives(name: str) -> bool:
    """Whether a process lives."""
    return not dead_among([name])


def test_unit_is_started_with_its_log_and_stopped_by_order(site: Path, units: Supervised) -> None:
    """A started unit runs and writes to its log; a stopped one ends and is not started again."""
    units.start(unit(code=f"print('here', flush=True); {SLEEP}"))
    name = name_of(pid_of(units))
    until(lambda: "here" in log_of(site, "a"))
    with pytest.raises(ServeError, match="a runs already"):
        units.start(unit())
    units.stop("a")
    until(lambda: not units.states())
    assert not lives(name)
    assert "a was ended by SIGTERM" in log_of(site)


def test_orders_are_the_users_own(site: Path, units: Supervised) -> None:
    """Nobody else can open the socket, nor read the units' environment."""
    units.start(unit())
    run = site / "run"
    assert [stat.S_IMODE((run / name).stat().st_mode) for name in
            ("supervisor.sock", "units.json")] == [0o600, 0o600]  # fmt: skip


def test_unit_that_dies_is_started_again(units: Supervised) -> None:
    """A killed unit is followed by another process; what ended it is told."""
    units.start(unit())
    first = pid_of(units)
    os.kill(first, signal.SIGKILL)
    until(lambda: units.states()["a"].pid not in (None, first))
    state = units.states()["a"]
    assert (state.ended, state.told) == (1, "was ended by SIGKILL")


def test_pauses_grow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A unit that keeps ending is started after longer and longer; after a steady life at once."""
    now = 1000.0
    monkeypatch.setattr(time, "time", lambda: now)
    monkeypatch.setattr(time, "monotonic", lambda: now)
    minder = Minder(Kept(unit()), tmp_path / "a.log")

    def pause(lived: float) -> float:
        minder.kept.since = now - lived
        minder.start_later()
        assert minder.due is not None
        return minder.due - now

    assert [pause(1) for _ in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert [pause(60), pause(1)] == [0, 0.5]


def test_program_that_is_not_there_is_told(units: Supervised) -> None:
    """What cannot be started is told, and tried again."""
    units.start(Unit(name="a", command=("/nowhere/nginx",)))
    state = units.states()["a"]
    assert (state.pid, state.ended) == (None, 1)
    assert "No such file or directory: '/nowhere/nginx'" in state.told
    units.stop("a")
    assert units.states() == {}


def test_processes_of_a_killed_unit_end_with_it(units: Supervised) -> None:
    """Workers whose main process was killed are ended before the next start: they hold its port."""
    units.start(unit(code=f"import os; os.fork(); {SLEEP}"))
    pid = pid_of(units)
    until(lambda: len(session_of(pid)) == 2)
    workers = [name_of(one) for one in session_of(pid) if one != pid]
    os.kill(pid, signal.SIGKILL)
    until(lambda: not any(map(lives, workers)))
    until(lambda: units.states()["a"].pid not in (None, pid))


def test_unit_that_does_not_end_is_killed(site: Path, units: Supervised) -> None:
    """After its grace it is killed, with all its processes, and told."""
    stubborn = f"import os, signal; signal.signal(15, signal.SIG_IGN); os.fork(); {SLEEP}"
    units.start(unit(code=f"{stubborn}", grace_s=0.1))
    pid = pid_of(units)
    until(lambda: len(session_of(pid)) == 2)
    units.stop("a")
    until(lambda: not units.states())
    until(lambda: not session_of(pid))
    assert "a has not ended within 0 s: it is killed" in log_of(site)


def test_all_ends_in_order(site: Path, units: Supervised) -> None:
    """What takes requests in ends before what answers them, whichever was started first."""
    slow = f"import signal as s; s.signal(15, lambda *_: (time.sleep(.3), exit())); {SLEEP}"
    for one in (unit("nginx", slow, front=True), unit("a"), unit("b")):
        units.start(one)
    supervisor = name_of(supervisor_of(site))
    until(lambda: all(state.pid for state in units.states().values()))
    units.close()
    until(lambda: not lives(supervisor))
    told = [json.loads(line)["event"] for line in log_of(site).splitlines()]
    ended = [event.split()[0] for event in told if "ended by" in event or "exit status" in event]
    assert (ended[0], sorted(ended[1:])) == ("nginx", ["a", "b"])
    assert list((site / "run").glob("*.sock")) == []
    assert not (site / "run/units.json").exists()


def test_killed_supervisor_is_followed_by_one_that_goes_on(site: Path, units: Supervised) -> None:
    """Units outlive a killed supervisor; the next one takes them over, and restarts what died."""
    for name in ("a", "b"):
        units.start(unit(name))
    first = {name: pid_of(units, name) for name in ("a", "b")}
    os.kill(supervisor_of(site), signal.SIGKILL)
    until(lambda: not units.lives)
    assert {name: state.pid for name, state in units.states().items()} == first
    os.kill(first["b"], signal.SIGKILL)
    until(lambda: set(units.states()) == {"a"})
    units.signal("a", 0)
    assert units.states()["a"].pid == first["a"]
    assert pid_of(units, "b") != first["b"]
    units.stop("a")
    until(lambda: "a" not in units.states())
    assert not Path(f"/proc/{first['a']}/exe").exists()


def test_strangers_process_is_left_alone(site: Path, units: Supervised) -> None:
    """A number that another process has by now is not taken for the unit's."""
    units.start(unit())
    stranger = Supervised(site / "x")
    stranger.start(unit("stranger"))
    pid = pid_of(stranger, "stranger")
    name = name_of(pid)
    host, number, started = name.rsplit("/", 2)
    end_session(f"{host}/{number}/{int(started) - 1}", signal.SIGKILL)
    assert lives(name)
    minder = Minder(Kept(unit(), process=f"{host}/{number}/{int(started) - 1}"), site / "a.log")
    assert not minder.adopt()
    stranger.close()


def test_supervisor_survives_its_terminal(site: Path, units: Supervised) -> None:
    """It leads a session of its own, and a terminal's end does not reach it."""
    units.start(unit())
    pid = supervisor_of(site)
    assert os.getsid(pid) == pid
    os.kill(pid, signal.SIGHUP)
    assert units.lives


def test_supervisor_that_is_told_to_end_ends_all(site: Path, units: Supervised) -> None:
    """SIGTERM, as a system sends it that shuts down, is taken as the order to stop all."""
    units.start(unit())
    unit_process = name_of(pid_of(units))
    os.kill(supervisor_of(site), signal.SIGTERM)
    until(lambda: not units.lives)
    assert not lives(unit_process)


def test_long_log_begins_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long log is kept once under another name; its writer goes on at the beginning."""
    monkeypatch.setattr(module, "LOG_BYTES", 10)
    file = tmp_path / "a.log"
    with file.open("a") as writer:
        for line in ("the first lines\n", "later\n"):
            print(line, end="", file=writer, flush=True)
            turn_over(file)
    assert (file.read_text(), (tmp_path / "a.log.1").read_text()) == (
        "later\n",
        "the first lines\n",
    )


def test_memory_is_that_of_all_processes(units: Supervised) -> None:
    """The memory of a unit is told for its whole session."""
    units.start(unit())
    pid = pid_of(units)
    until(lambda: memory_of(pid) > 1_000_000)


def test_disk_that_is_full_ends_no_supervisor(site: Path, units: Supervised) -> None:
    """Where what runs cannot be noted, it is looked after all the same."""
    (site / "run").mkdir()
    (site / "run" / "units.part").mkdir()  # nothing can be written to it
    units.start(unit())
    first = pid_of(units)
    os.kill(first, signal.SIGKILL)
    until(lambda: units.states()["a"].ended == 1 and pid_of(units) != first)
    assert "what runs cannot be noted" in log_of(site)
    assert not (site / "run" / "units.json").exists()
