"""What a server counts: in memory that all its processes share since before the fork.

Each process counts in a block of its own, so that none waits for another. A block outlives its
process, and who takes it next goes on counting in it: whatever ends a worker, no counter falls.
Whose block it is shows a file lock, which the system lets go with the process.

Which cells there are does not hang on the application. Labels have a fixed set of values, or are
numbers: of models, and of classes, as the application lists them.

prometheus_client has a mode for several processes, with a file for each that ever was; it takes
five to eight times as long for each number, and a full disk ends a process that writes one.
"""

from __future__ import annotations

import mmap
import os
import tempfile
import threading
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from http import HTTPStatus
from itertools import product
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from podium.prediction import Answer

OTHER: Final = "other"
PATHS: Final = (
    "/", "/predict", "/calls", "/datasets", "/datasets/", "/answers/", "/models", "/models/",
    "/files/", "/thumbnails/", "/static/", "/docs", "/openapi.json", "/healthz", "/readyz",
    "/metrics", "/login", "/logout", OTHER,
)  # fmt: skip
"""The addresses told apart; all that begin with one that ends in a slash are one."""
METHODS: Final = ("GET", "POST", "DELETE", OTHER)
CODES: Final = (*(str(status.value) for status in HTTPStatus), OTHER)
STAGES: Final = ("wait", "decode", "infer")
SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
                  10.0, 30.0, 60.0)  # fmt: skip
ITEMS: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0)
MODELS: Final = 32
CLASSES: Final = 101
"""The first hundred classes of a model; all others are one."""
BLOCKS: Final = 256
"""So many processes may count at once, in 17 MB of which only what is used takes room."""
_NUMBER: Final = 8

Labels = tuple[str | int, ...]
Values = Sequence[float]


class Meter:
    """Numbers of one kind in a block, told apart by labels.

    A label's values are named, or so many numbers; the last one stands for all that are not known.
    """

    kind: Literal["counter", "gauge", "histogram"] = "counter"
    width = 1
    """Cells for each combination of labels."""

    def __init__(self, name: str, told: str, **labels: Sequence[str] | int) -> None:
        self.name = name
        self.told = told
        self.labels = tuple(labels)
        values: list[Sequence[str | int]] = [
            range(one) if isinstance(one, int) else one for one in labels.values()
        ]
        self._values = values
        self._combinations: list[Labels] = list(product(*values))
        self._places: dict[Labels, int] = {}

    def settle(self, start: int) -> int:
        """Take cells from `start` on; return the first cell behind them."""
        for number, labels in enumerate(self._combinations):
            self._places[labels] = start + number * self.width
        return start + len(self._combinations) * self.width

    def place(self, *labels: str | int) -> int:
        """Return where the numbers for some labels begin."""
        found = self._places.get(labels)
        if found is None:
            pairs = zip(labels, self._values, strict=True)
            found = self._places[tuple(_known(one, values) for one, values in pairs)]
        return found

    def read(self, block: Values) -> Iterator[tuple[Labels, Values]]:
        """Yield the labels that something was counted for, with their cells."""
        for labels in self._combinations:
            start = self._places[labels]
            cells = block[start : start + self.width]
            if any(cells):
                yield labels, cells


def _known(value: str | int, values: Sequence[str | int]) -> str | int:
    """Return a label's value, or the one that stands for all that are not known."""
    return value if value in values else values[-1]


class Counter(Meter):
    """Counts what happens."""

    def add(self, places: Iterable[int]) -> None:
        """Count one at each place."""
        with _lock:
            for place in places:
                _cells[place] += 1.0


class Gauge(Meter):
    """What is the case now."""

    kind = "gauge"

    def add(self, place: int, count: float) -> None:
        """Let it be so many more."""
        with _lock:
            _cells[place] += count

    def set(self, place: int, value: float) -> None:
        """Let it be so many."""
        _cells[place] = value


class Histogram(Meter):
    """Counts values by the bounds that they are up to, and sums them.

    The cells are the counts for each bound, of what is beyond, and the sum.
    """

    kind = "histogram"

    def __init__(
        self, name: str, told: str, bounds: tuple[float, ...], **labels: Sequence[str] | int
    ) -> None:
        super().__init__(name, told, **labels)
        self.bounds = bounds
        self.width = len(bounds) + 2
        self._sum = len(bounds) + 1

    def observe(self, place: int, value: float) -> None:
        """Count a value."""
        bucket = place + bisect_left(self.bounds, value)
        with _lock:
            _cells[bucket] += 1.0
            _cells[place + self._sum] += value


REQUESTS: Final = Counter(
    "podium_requests", "Requests answered.", method=METHODS, path=PATHS, code=CODES
)
REQUEST_SECONDS: Final = Histogram(
    "podium_request_seconds", "Time to answer a request, until its body begins.", SECONDS,
    path=PATHS,
)  # fmt: skip
STAGE_SECONDS: Final = Histogram(
    "podium_stage_seconds", "Time of the stages of a prediction.", SECONDS, stage=STAGES
)
BATCH_SIZE: Final = Histogram("podium_batch_size", "Items that a model was given at once.", ITEMS)
PREDICTIONS: Final = Counter(
    "podium_predictions", "Predictions for single requests, by class.", model=MODELS, label=CLASSES
)
LOAD_SECONDS: Final = Gauge(
    "podium_model_load_seconds", "Time to load a model, in the slowest process.", model=MODELS
)
INFLIGHT: Final = Gauge("podium_inflight", "Requests that are being answered.")
QUEUE: Final = Gauge("podium_queue_length", "Requests that wait for the model.")
PROCESS: Final = Gauge("podium_process", "Whose block it is.", fact=("pid", "models"))
METERS: Final = (
    PROCESS, INFLIGHT, QUEUE, LOAD_SECONDS, REQUESTS, REQUEST_SECONDS, STAGE_SECONDS, BATCH_SIZE,
    PREDICTIONS,
)  # fmt: skip


def _settled() -> int:
    end = 0
    for meter in METERS:
        end = meter.settle(end)
    return end


SIZE: Final = _settled()
"""Cells of a block."""
WAIT, DECODE, INFER = (STAGE_SECONDS.place(stage) for stage in STAGES)
WHOLE: Final = BATCH_SIZE.place()
INSIDE: Final = INFLIGHT.place()
WAITING: Final = QUEUE.place()


class Read(NamedTuple):
    """A block with its number, and whether its process lives."""

    number: int
    lives: bool
    cells: Values


class Board:
    """The blocks of a server's processes; made before the fork."""

    def __init__(self, blocks: int = BLOCKS) -> None:
        self._blocks = blocks
        self._cells = memoryview(mmap.mmap(-1, blocks * SIZE * _NUMBER)).cast("d")
        self._taken = mmap.mmap(-1, blocks)
        # Never written to; which byte of it is locked shows which block is somebody's.
        self._locks, name = tempfile.mkstemp()
        os.unlink(name)  # noqa: PTH108  it is there as long as the server runs
        self._mine = (0, -1)

    def take(self, models: bool = False) -> memoryview[Any] | None:
        """Return a block for this process, as long as it lives; None if all are somebody's."""
        for number in range(self._blocks):
            if self._lock(number):
                self._mine = os.getpid(), number
                self._taken[number] = 1
                cells = self._block(number)
                cells[INSIDE] = cells[WAITING] = 0.0
                for index in range(MODELS):
                    cells[LOAD_SECONDS.place(index)] = 0.0
                cells[PROCESS.place("pid")] = os.getpid()
                cells[PROCESS.place("models")] = models
                return cells
        return None

    def read(self) -> Iterator[Read]:
        """Yield each block that was ever used."""
        for number in range(self._blocks):
            if self._taken[number]:
                yield Read(number, self._lives(number), self._block(number).tolist())

    def _block(self, number: int) -> memoryview[Any]:
        return self._cells[number * SIZE : (number + 1) * SIZE]

    def _lives(self, number: int) -> bool:
        if self._mine == (os.getpid(), number):
            return True
        free = self._lock(number)
        if free:
            self._unlock(number)
        return not free

    def _lock(self, number: int) -> bool:
        import fcntl

        try:
            fcntl.lockf(self._locks, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number)
        except OSError:
            return False
        return True

    def _unlock(self, number: int) -> None:
        import fcntl

        fcntl.lockf(self._locks, fcntl.LOCK_UN, 1, number)


_lock = threading.Lock()
_cells = memoryview(bytearray(SIZE * _NUMBER)).cast("d")
"""Where this process counts: a block of its own, or what is read by nobody else."""
_board: Board | None = None


def share() -> None:
    """Let all processes that are forked from now on count together."""
    global _board
    _board = Board()


def join(models: bool = False) -> None:
    """Count together with the server's other processes, from now on; `models` says for whom."""
    global _cells
    _cells = (_board and _board.take(models)) or _cells


def blocks() -> list[Read]:
    """Return what the server's processes have counted; only this one's where they do not share."""
    return list(_board.read()) if _board else [Read(0, True, _cells.tolist())]


def came() -> None:
    """Count a request that is being answered from now on."""
    INFLIGHT.add(INSIDE, 1.0)


def answered(method: str, path: str, code: str, seconds: float) -> None:
    """Count a request that was answered: all its numbers at once, since each turn costs."""
    request, latency = REQUESTS.place(method, path, code), REQUEST_SECONDS.place(path)
    bucket, total = latency + bisect_left(SECONDS, seconds), latency + len(SECONDS) + 1
    with _lock:
        _cells[INSIDE] -= 1.0
        _cells[request] += 1.0
        _cells[bucket] += 1.0
        _cells[total] += seconds


class Tally:
    """Counts an application's predictions by model and class."""

    def __init__(self, models: Sequence[str], labels: Sequence[str]) -> None:
        self._places = {
            name: {label: PREDICTIONS.place(model, number)
                   for number, label in enumerate(labels or ("",))}
            for model, name in enumerate(models)
        }  # fmt: skip

    def count(self, answer: Answer) -> None:
        """Count an answer's predictions; those of a regression have no class."""
        places = self._places[answer.model]
        PREDICTIONS.add(places[getattr(one, "label", "")] for one in answer.predictions)
