"""What a server's processes count, each in a block of its own."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from podium import metrics
from podium.metrics import (
    BATCH_SIZE,
    CLASSES,
    INFLIGHT,
    INSIDE,
    MODELS,
    PREDICTIONS,
    REQUEST_SECONDS,
    REQUESTS,
    SECONDS,
    SIZE,
    WHOLE,
    Tally,
    answered,
    blocks,
    came,
)
from podium.prediction import (
    ClassAnswer,
    ClassPrediction,
    ClassUncertainty,
    ValueAnswer,
    ValuePrediction,
    ValueUncertainty,
)


@pytest.fixture(autouse=True)
def _empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "_cells", memoryview(bytearray(8 * SIZE)).cast("d"))


def counted(meter: metrics.Meter) -> dict[metrics.Labels, list[float]]:
    """Return what this process has counted, by labels."""
    (block,) = blocks()
    return {labels: list(cells) for labels, cells in meter.read(block.cells)}


def test_a_request_is_counted_once_answered() -> None:
    """By method, address and status; its time falls into a bucket and a sum."""
    came()
    assert counted(INFLIGHT) == {(): [1.0]}
    answered("POST", "/predict", "200", 0.004)
    assert counted(INFLIGHT) == {}
    assert counted(REQUESTS) == {("POST", "/predict", "200"): [1.0]}
    buckets = [float(bound == 0.005) for bound in SECONDS]
    assert counted(REQUEST_SECONDS) == {("/predict",): [*buckets, 0.0, 0.004]}


def test_no_label_is_chosen_by_a_client() -> None:
    """What is not known is counted as other, whatever it says."""
    came()
    answered("BREW", "/predict", "299", 1000.0)
    assert counted(REQUESTS) == {("other", "/predict", "other"): [1.0]}
    assert REQUESTS.place("GET", "/secret", "200") == REQUESTS.place("GET", "other", "200")


def test_a_bound_belongs_to_its_bucket() -> None:
    """As Prometheus has it: le is less or equal; what is beyond the last bound has a bucket."""
    for size in (1, 2, 3, 5000):
        BATCH_SIZE.observe(WHOLE, size)
    assert counted(BATCH_SIZE) == {(): [1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 5006]}


def test_predictions_are_counted_by_model_and_class() -> None:
    """The classes behind the hundredth are one; a regression has none."""
    labels = tuple(f"c{number}" for number in range(250))
    of_class = [ClassPrediction(label=label, probability=1.0, probabilities={},
                                uncertainty=ClassUncertainty(), warnings=[])
                for label in ("c0", "c99", "c100", "c249", "c0")]  # fmt: skip
    Tally(("a", "b"), labels).count(ClassAnswer("b", "v", of_class))
    assert counted(PREDICTIONS) == {(1, 0): [2], (1, 99): [1], (1, CLASSES - 1): [2]}
    value = ValuePrediction(value=1.0, unit="", uncertainty=ValueUncertainty(), warnings=[])
    Tally(("a", "b"), ()).count(ValueAnswer("a", "v", [value, value]))
    assert counted(PREDICTIONS)[0, 0] == [2]


def test_more_models_than_are_told_apart() -> None:
    """The last number stands for all beyond."""
    assert PREDICTIONS.place(MODELS + 5, 3) == PREDICTIONS.place(MODELS - 1, 3)


@pytest.fixture
def _hasty() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("_hasty")
def test_threads_lose_no_count() -> None:
    """Four threads that count the same at once are all counted."""

    def count() -> None:
        for _ in range(3000):
            came()
            answered("GET", "/", "200", 0.25)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counted(REQUESTS) == {("GET", "/", "200"): [12000]}
    assert counted(REQUEST_SECONDS)[("/",)][-1] == 3000
    assert counted(INFLIGHT) == {}


PROCESSES = """
import os, signal, time
from podium import metrics
from podium.metrics import INFLIGHT, INSIDE, REQUESTS, blocks

metrics.share()
place = REQUESTS.place("GET", "/", "200")

def start(count):
    told, tell = os.pipe()
    pid = os.fork()
    if not pid:
        metrics.join()
        REQUESTS.add([place] * count)
        INFLIGHT.add(INSIDE, 1.0)
        os.write(tell, b".")
        signal.pause()
    os.read(told, 1)
    return pid

def look():
    print([(one.number, one.lives, one.cells[place], one.cells[INSIDE]) for one in blocks()])

first, second = start(1), start(10)
look()
os.kill(first, signal.SIGKILL)
os.waitpid(first, 0)
look()
third = start(100)
look()
for pid in (second, third):
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
look()
"""


def test_a_block_outlives_its_process() -> None:
    """A killed process is seen at once; the next one counts on in its block, at work on nothing."""
    done = subprocess.run(  # noqa: S603  the interpreter that runs this test
        [sys.executable, "-c", PROCESSES], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines() == [
        "[(0, True, 1.0, 1.0), (1, True, 10.0, 1.0)]",
        "[(0, False, 1.0, 1.0), (1, True, 10.0, 1.0)]",
        "[(0, True, 101.0, 1.0), (1, True, 10.0, 1.0)]",
        "[(0, False, 101.0, 1.0), (1, False, 10.0, 1.0)]",
    ]


def test_without_a_block_a_process_counts_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where all are somebody's, nothing fails; those of the others are as they were."""
    board = metrics.Board()
    monkeypatch.setattr(board, "_lock", lambda _number: False)
    monkeypatch.setattr(metrics, "_board", board)
    metrics.join()
    INFLIGHT.add(INSIDE, 1.0)
    assert list(board.read()) == []
