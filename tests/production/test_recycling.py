"""Who has outgrown its memory is replaced, once another stands in its place."""

from __future__ import annotations

import mmap
import signal
from types import SimpleNamespace
from typing import Any

import pytest

from podium.production import recycling
from podium.production.recycling import VARIABLE, Marks, Memory, Turnover, resident_bytes


class Arbiter:
    """Gunicorn's arbiter, as far as workers are replaced."""

    def __init__(self, marks: Marks) -> None:
        self.num_workers = 2
        self.worker_age = 2
        self.marks = marks
        self.WORKERS: dict[int, Any] = {
            101: SimpleNamespace(age=1),
            102: SimpleNamespace(age=2),
        }

    def spawn_worker(self) -> None:
        """Add a worker, which does not stand yet."""
        self.worker_age += 1
        self.WORKERS[100 + self.worker_age] = SimpleNamespace(age=self.worker_age)


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """What signals are sent to whom."""
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr("os.kill", lambda pid, sign: sent.append((pid, sign)))
    return sent


def test_a_worker_leaves_when_another_stands(
    killed: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One more worker is started for who is marked, and told to leave when that one stands."""
    marks = Marks()
    monkeypatch.setattr(recycling, "marks", marks)
    arbiter, turnover = Arbiter(marks), Turnover()
    turnover.look(arbiter)
    assert (list(arbiter.WORKERS), arbiter.num_workers, killed) == ([101, 102], 2, [])
    marks[1] = Marks.LEAVES
    for _ in range(3):  # until it stands, nothing more is done
        turnover.look(arbiter)
    assert (list(arbiter.WORKERS), arbiter.num_workers, killed) == ([101, 102, 103], 3, [])
    marks[3] = Marks.STANDS
    turnover.look(arbiter)
    assert killed == [(101, signal.SIGTERM)]
    del arbiter.WORKERS[101]
    turnover.look(arbiter)
    assert (arbiter.num_workers, len(killed)) == (2, 1)


def test_memory_counts_from_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process outgrows its limit when it holds more; without one it never does."""
    held = 100
    monkeypatch.setattr(recycling, "resident_bytes", lambda: held)
    memory, unlimited = Memory(1000), Memory(0)
    assert not memory.outgrown()
    held = 1001
    assert memory.outgrown()
    assert not unlimited.outgrown()


def test_a_limit_near_the_beginning_has_no_effect(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A process that needs nearly all of it when it begins would be replaced for ever."""
    held = 950_000_000
    monkeypatch.setattr(recycling, "resident_bytes", lambda: held)
    monkeypatch.setenv(VARIABLE, "1000000000")
    memory = Memory.of_environment()
    assert not memory.outgrown()
    held = 2_000_000_000
    assert not memory.outgrown()
    assert [record.getMessage() for record in caplog.records] == [
        "A worker holds 950 MB when it begins: too near [limits] memory = 1000 MB, which therefore "
        "has no effect. Raise it."
    ]


def test_resident_memory_is_that_of_this_process() -> None:
    """It grows with what the process holds."""
    before = resident_bytes()
    with mmap.mmap(-1, 50_000_000) as held:  # not what the process had, and has no more use for
        held.write(b"x" * len(held))
        assert resident_bytes() - before > 40_000_000
