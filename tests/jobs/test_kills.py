"""Killed at any moment, a job goes on, and its results are those of an undisturbed run."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from podium.jobs.job import Job
from podium.jobs.state import StateFolder, state_folder
from podium.jobs.store import JobStore
from tests.support.jobs import ended, found, send, worker, write_slow_sums
from tests.support.waiting import WAIT_S

ROWS = 51_200
PACE_S = 0.03
"""How long the model takes for 256 rows: 6 s for all."""


class Bench(NamedTuple):
    """An application with its state, the data, and the results of an undisturbed run."""

    app: Path
    state: StateFolder
    store: JobStore
    data: bytes
    results: tuple[bytes, ...]


def results(state: StateFolder, job: Job) -> tuple[bytes, ...]:
    """Return all that a job leaves."""
    place = state.place(job.id)
    files = (place.results("csv"), place.results("parquet"), place.findings)
    return tuple(file.read_bytes() for file in files)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Return what the tests share; the undisturbed run has long chunks and no pauses."""
    folder = tmp_path_factory.mktemp("kills")
    app = write_slow_sums(folder / "app")
    state = state_folder(app, folder / "state")
    store = state.store(1000)
    data = ("text,id\n" + "".join(f"line {row},{row}\n" for row in range(ROWS))).encode()
    job = send(state, store, data)
    with worker(app, state.path.parent):
        assert ended(store, job).state == "done"
    undisturbed = results(state, job)
    assert undisturbed[0].count(b"\n") == ROWS + 1
    yield Bench(app, state, store, data, undisturbed)
    store.close()


def until(
    bench: Bench, job: Job, process: subprocess.Popen[bytes], told: Callable[[Job], bool]
) -> None:
    """Wait until something is so of a job, while its worker lives."""
    deadline = time.monotonic() + WAIT_S
    while not told(now := found(bench.store, job)):
        assert process.poll() is None, "the worker has ended on its own"
        assert now.state != "done", "the kill came too late"
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.005)


def test_twenty_kills_at_random_moments(bench: Bench) -> None:
    """Of a job whose worker is killed 20 times no row is lost, and none is there twice."""
    rng = random.Random(6)  # noqa: S311  chooses moments
    job = send(bench.state, bench.store, bench.data)
    reached = [0]
    for number in range(20):
        with worker(bench.app, bench.state.path.parent, "tests.support.paced",
                    PACE_S=str(PACE_S)) as process:  # fmt: skip
            if number % 4:  # else it may die before it has begun
                until(bench, job, process, lambda now: now.rows_done > reached[-1])
            time.sleep(rng.uniform(0, 0.2) if number % 4 else rng.uniform(0.2, 1))
            assert process.poll() is None
        now = found(bench.store, job)
        assert now.state in ("received", "running")
        assert now.rows_done >= reached[-1]
        reached.append(now.rows_done)
    assert ROWS > len(set(reached)) >= 15
    with worker(bench.app, bench.state.path.parent):
        assert ended(bench.store, job).rows_done == ROWS
    assert results(bench.state, job) == bench.results


def test_kills_before_and_after_scoring(bench: Bench, tmp_path: Path) -> None:
    """A kill while the file is read, judged or written costs nothing but time."""
    rng = random.Random(7)  # noqa: S311  chooses moments
    job = send(bench.state, bench.store, bench.data)
    told = tmp_path / "step"
    for step in ("reading", "reading", "judging", "writing", "writing"):
        told.write_text("")
        with worker(bench.app, bench.state.path.parent, "tests.support.paced",
                    STEP_FILE=str(told)) as process:  # fmt: skip
            until(bench, job, process, partial(_tells, told, step))
            time.sleep(rng.uniform(0, 0.15))
        assert found(bench.store, job).state in ("received", "running")
    with worker(bench.app, bench.state.path.parent):
        assert ended(bench.store, job).state == "done"
    assert results(bench.state, job) == bench.results


def _tells(file: Path, step: str, _job: Job) -> bool:
    """Whether the worker has told that it does a step."""
    return file.read_text() == step
