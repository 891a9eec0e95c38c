"""Inference in this process: so many at once, so many waiting, so long."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from podium.engines.local import LocalEngine
from podium.errors import ModelError, Overloaded
from podium.runtimes import Arrays
from tests.pipeline.test_preprocess import Inputs

ROWS = {"X": np.zeros((1, 1))}


def infer(engine: LocalEngine, model: Inputs, rows: Arrays) -> dict[str, NDArray[Any]]:
    """Answer one request as the web does: in a slot."""
    with engine.slot():
        return engine.infer(model, rows)


class Slow(Inputs):
    """A model that answers when it is let go, and counts how many run at once."""

    def __init__(self) -> None:
        super().__init__()
        self.go = Event()
        self.lock = Lock()
        self.running = 0
        self.most = 0

    def predict(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Wait, and answer with the inputs."""
        with self.lock:
            self.running += 1
            self.most = max(self.most, self.running)
        self.go.wait(10)
        time.sleep(0.01)
        with self.lock:
            self.running -= 1
        return dict(inputs)


def _started(model: Slow, count: int) -> None:
    deadline = time.monotonic() + 5
    while model.running < count:
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_answer_is_the_models() -> None:
    """An inference answers with what the model does."""
    model = Slow()
    model.go.set()
    assert LocalEngine().infer(model, ROWS)["X"] is ROWS["X"]


@pytest.mark.parametrize("slots", [1, 3])
def test_so_many_run_at_once(slots: int) -> None:
    """As many inferences as there are slots run at once, and all are answered."""
    model, engine = Slow(), LocalEngine(slots, queue=20, timeout_s=5)
    with ThreadPoolExecutor(12) as pool:
        tasks = [pool.submit(infer, engine, model, ROWS) for _ in range(12)]
        _started(model, slots)
        model.go.set()
        assert len([task.result(10) for task in tasks]) == 12
    assert model.most == slots


def test_full_queue_is_refused_at_once() -> None:
    """With a slot and a queue of 2, the fourth request is told to try again, at once."""
    model, engine = Slow(), LocalEngine(1, queue=2, timeout_s=30)
    with ThreadPoolExecutor(3) as pool:
        tasks = [pool.submit(infer, engine, model, ROWS) for _ in range(3)]
        _started(model, 1)
        deadline = time.monotonic() + 5
        while engine._waiting._value and time.monotonic() < deadline:
            time.sleep(0.002)
        started = time.monotonic()
        with pytest.raises(Overloaded) as caught:
            infer(engine, model, ROWS)
        assert time.monotonic() - started < 1
        assert str(caught.value) == (
            "Too many requests are waiting for the model; try again shortly"
        )
        assert caught.value.retry_after == 1
        model.go.set()
        assert len([task.result(10) for task in tasks]) == 3
    assert infer(engine, model, ROWS)


def test_waiting_ends_in_time() -> None:
    """A request that gets no slot in time is told so, and leaves its place to others."""
    model, engine = Slow(), LocalEngine(1, queue=1, timeout_s=0.05)
    with ThreadPoolExecutor(1) as pool:
        task = pool.submit(infer, engine, model, ROWS)
        _started(model, 1)
        for _ in range(3):
            with pytest.raises(Overloaded, match=r"^No room for the model within 0\.05 s$"):
                infer(engine, model, ROWS)
        model.go.set()
        task.result(10)
    assert infer(engine, model, ROWS)


def test_failing_model_frees_its_slot() -> None:
    """A model that raises leaves its slot and its place in the queue to others."""
    engine = LocalEngine(1, queue=0, timeout_s=5)

    class Failing(Inputs):
        def predict(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
            raise KeyError(next(iter(inputs)))

    for _ in range(3):
        with pytest.raises(ModelError, match="The model fails on this input: 'X'"):
            infer(engine, Failing(), ROWS)
    model = Slow()
    model.go.set()
    assert infer(engine, model, ROWS)
