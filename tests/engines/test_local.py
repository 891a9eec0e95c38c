"""Work in this process: so many at once, some together, so many waiting, so long."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event, Lock, get_ident
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from podium.engines import local
from podium.engines.local import TOGETHER, LocalEngine
from podium.errors import ModelError, Overloaded, TimedOut
from podium.runtimes import Arrays
from tests.pipeline.test_preprocess import Inputs

ROWS = {"X": np.zeros((1, 1))}


class Desk:
    """Answers numbers with their doubles when it is let go; tells who came together."""

    def __init__(self) -> None:
        self.go = Event()
        self.lock = Lock()
        self.running = 0
        self.most = 0
        self.parties: list[list[int]] = []

    def __call__(self, numbers: Sequence[int]) -> Iterator[tuple[int, int | Exception]]:
        """Wait, and double; a negative number is wrong."""
        with self.lock:
            self.parties.append(list(numbers))
            self.running += 1
            self.most = max(self.most, self.running)
        assert self.go.wait(10)
        with self.lock:
            self.running -= 1
        for place, n in enumerate(numbers):
            yield place, ValueError(f"{n} is negative") if n < 0 else 2 * n


def await_(condition: Any) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


@contextmanager
def working(engine: LocalEngine, desk: Desk, numbers: Sequence[int]) -> Iterator[list[Future[int]]]:
    """Yield the tasks of threads that have come one after the other, and wait or work."""
    with ThreadPoolExecutor(len(numbers)) as pool:
        tasks = []
        for count, number in enumerate(numbers, 1):
            tasks.append(pool.submit(engine.work, number, desk))
            await_(lambda count=count: len(engine._queue) + desk.running == count)
        try:
            yield tasks
        finally:
            desk.go.set()


def test_answer_is_the_models() -> None:
    """An inference answers with what the model does; what it raises is told as its failure."""
    engine = LocalEngine()

    class Echo(Inputs):
        def predict(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
            return dict(inputs)

    class Failing(Inputs):
        def predict(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
            raise KeyError(next(iter(inputs)))

    assert engine.infer(Echo(), ROWS)["X"] is ROWS["X"]
    with pytest.raises(ModelError, match="The model fails on this input: 'X'"):
        engine.infer(Failing(), ROWS)


@pytest.mark.parametrize("slots", [1, 3])
def test_so_many_work_at_once(slots: int) -> None:
    """As many threads work at once as there are slots; all requests are answered, each its own."""
    desk, engine = Desk(), LocalEngine(slots, queue=40, timeout_s=5)
    with ThreadPoolExecutor(30) as pool:
        tasks = [pool.submit(engine.work, number, desk) for number in range(30)]
        await_(lambda: desk.running == slots)
        desk.go.set()
        assert [task.result(10) for task in tasks] == [2 * number for number in range(30)]
    assert desk.most == slots
    assert sorted(number for party in desk.parties for number in party) == list(range(30))
    assert max(map(len, desk.parties)) <= TOGETHER
    assert engine._free == slots


def test_those_that_wait_are_answered_together_in_their_order() -> None:
    """Who works takes along who waits, up to a number, first come first served."""
    desk, engine = Desk(), LocalEngine(1, queue=20)
    with working(engine, desk, range(8)) as tasks:
        assert desk.parties == [[0]]
        desk.go.set()
        assert [task.result(10) for task in tasks] == [0, 2, 4, 6, 8, 10, 12, 14]
    assert desk.parties == [[0], [1, 2, 3, 4], [5, 6, 7]]


def test_one_that_fails_fails_alone() -> None:
    """An exception among the results is raised for its own request."""
    desk, engine = Desk(), LocalEngine(1, queue=20)
    with working(engine, desk, [1, 2, -3, 4]) as tasks:
        desk.go.set()
        assert [tasks[index].result(10) for index in (0, 1, 3)] == [2, 4, 8]
        with pytest.raises(ValueError, match="-3 is negative"):
            tasks[2].result(10)
    assert desk.parties == [[1], [2, -3, 4]]


def test_a_thread_that_breaks_leaves_its_slot_and_the_others() -> None:
    """When the work breaks off, those not answered yet are told, and the next ones answered."""
    engine, waiting = LocalEngine(1, queue=20), Desk()

    def broken(numbers: Sequence[int]) -> Iterator[tuple[int, int | Exception]]:
        yield 1, -numbers[1]
        raise KeyboardInterrupt

    with working(engine, waiting, [1]) as (first,), ThreadPoolExecutor(6) as pool:
        tasks = []
        for count in range(1, 7):
            tasks.append(pool.submit(engine.work, count, broken if count == 1 else waiting))
            await_(lambda count=count: len(engine._queue) == count)
        waiting.go.set()
        assert first.result(10) == 2
        with pytest.raises(KeyboardInterrupt):
            tasks[0].result(10)
        assert tasks[1].result(10) == -2
        for task in tasks[2:TOGETHER]:
            with pytest.raises(ModelError, match="The thread that answered was ended"):
                task.result(10)
        assert [task.result(10) for task in tasks[TOGETHER:]] == [10, 12]
    assert engine._free == 1


def test_full_queue_is_refused_at_once() -> None:
    """With a slot and a queue of 2, the fourth request is told to try again, at once."""
    desk, engine = Desk(), LocalEngine(1, queue=2, timeout_s=30)
    with working(engine, desk, [1, 2, 3]) as tasks:
        started = time.monotonic()
        with pytest.raises(Overloaded) as caught:
            engine.work(4, desk)
        assert time.monotonic() - started < 1
        assert str(caught.value) == (
            "Too many requests are waiting for the model; try again shortly"
        )
        assert caught.value.retry_after == 1
        desk.go.set()
        assert [task.result(10) for task in tasks] == [2, 4, 6]
    assert engine.work(4, desk) == 8


def test_waiting_ends_in_time() -> None:
    """A request that gets no slot in time is told so, and leaves its place to others."""
    desk, engine = Desk(), LocalEngine(1, queue=1, timeout_s=0.05)
    with working(engine, desk, [1]) as (task,):
        for _ in range(3):
            with pytest.raises(Overloaded, match=r"^No room for the model within 0\.05 s$"):
                engine.work(2, desk)
        desk.go.set()
        assert task.result(10) == 2
    assert engine.work(2, desk) == 4
    assert desk.parties == [[1], [2]]


def test_long_work_gives_way_between_its_parts() -> None:
    """Those that wait are answered between two parts, each once; the rest comes after."""
    engine, done = LocalEngine(1, queue=20), []
    begun, go = Event(), Event()

    def long(numbers: Sequence[str]) -> Iterator[tuple[int, str | Exception]]:
        for part in range(3):
            done.append(f"{numbers[0]}{part}")
            begun.set()
            assert go.wait(5)
            engine.give_way()
        yield 0, numbers[0]

    def short(numbers: Sequence[str]) -> Iterator[tuple[int, str | Exception]]:
        done.extend(numbers)
        yield from enumerate(numbers)

    with ThreadPoolExecutor(4) as pool:
        tasks = [pool.submit(engine.work, "a", long)]
        assert begun.wait(5)
        for count, (name, work) in enumerate([("b", short), ("c", short)], 1):
            tasks.append(pool.submit(engine.work, name, work))
            await_(lambda count=count: len(engine._queue) == count)
        go.set()
        assert [task.result(10) for task in tasks] == ["a", "b", "c"]
    assert done == ["a0", "b", "c", "a1", "a2"]
    assert engine._free == 1


def test_two_that_take_long_take_turns() -> None:
    """Long work that gives way is not answered by others, and comes back in its turn."""
    engine, done = LocalEngine(1, queue=20), []
    begun, go = Event(), Event()

    def long(numbers: Sequence[str]) -> Iterator[tuple[int, str | Exception]]:
        for place, number in enumerate(numbers):
            for part in range(3):
                done.append(f"{number}{part}")
                begun.set()
                assert go.wait(5)
                engine.give_way()
            yield place, number

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(engine.work, "a", long)
        assert begun.wait(5)
        second = pool.submit(engine.work, "b", long)
        await_(lambda: len(engine._queue) == 1)
        go.set()
        assert (first.result(10), second.result(10)) == ("a", "b")
    assert done == ["a0", "b0", "a1", "b1", "a2", "b2"]
    assert engine._free == 1


def test_who_is_taken_along_waits_for_the_answer() -> None:
    """A request whose answer is being made when its time runs out still gets it."""
    desk, engine = Desk(), LocalEngine(1, queue=5, timeout_s=1.0)
    gate = Event()

    def slow(numbers: Sequence[int]) -> Iterator[tuple[int, int | Exception]]:
        gate.set()
        time.sleep(1.3)
        yield from enumerate(numbers)

    with ThreadPoolExecutor(2) as pool, working(engine, desk, [1]):
        tasks = [pool.submit(engine.work, 2, slow)]
        await_(lambda: len(engine._queue) == 1)
        tasks.append(pool.submit(engine.work, 3, slow))
        await_(lambda: len(engine._queue) == 2)
        desk.go.set()
        assert gate.wait(5)
        assert [task.result(10) for task in tasks] == [2, 3]


def test_who_is_taken_along_is_told_in_time_that_it_is_late(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A request does not wait for the end of another, which may take longer than it may itself."""
    monkeypatch.setattr(local, "HUNG_S", 0.1)
    desk, engine, goes_on = Desk(), LocalEngine(1, queue=5), Event()

    def slow(numbers: Sequence[int]) -> Iterator[tuple[int, int | Exception]]:
        assert goes_on.wait(10)
        yield from enumerate(numbers)

    with ThreadPoolExecutor(2) as pool, working(engine, desk, [1]):
        leader = pool.submit(engine.work, 2, slow)
        await_(lambda: len(engine._queue) == 1)
        follower = pool.submit(engine.work, 3, slow, time.monotonic() + 0.5)
        await_(lambda: len(engine._queue) == 2)
        desk.go.set()
        with pytest.raises(TimedOut):
            follower.result(5)
        assert not leader.done()
        goes_on.set()
        assert leader.result(10) == 2
    assert (engine._free, engine._runs) == (1, {})


class Slow(Inputs):
    """A model that takes its time until it is told to stop; it may not listen."""

    def __init__(self, listens: bool) -> None:
        super().__init__()
        self.listens = listens
        self.told = Event()

    def predict(self, inputs: Arrays) -> dict[str, NDArray[Any]]:  # noqa: ARG002
        """Wait."""
        assert self.told.wait(20)
        raise RuntimeError("told to stop")

    def stop(self, thread: int) -> None:  # noqa: ARG002
        """End, if it listens."""
        if self.listens:
            self.told.set()


def test_a_model_is_stopped_when_the_time_is_over() -> None:
    """A runtime that can end its run does, and the request is told that it took too long."""
    engine, model = LocalEngine(1, timeout_s=0.1), Slow(listens=True)

    def infer(numbers: Sequence[int]) -> Iterator[tuple[int, int | Exception]]:
        for place, number in enumerate(numbers):
            try:
                engine.infer(model, ROWS)
            except TimedOut as err:
                yield place, err
            else:
                yield place, number

    with pytest.raises(TimedOut) as caught:
        engine.work(1, infer)
    assert str(caught.value) == "The answer takes longer than 0.1 s ([limits] timeout)"
    assert (engine._free, engine._runs) == (1, {})


def test_a_thread_that_hangs_is_given_up_and_its_followers_are_answered() -> None:
    """Its slot goes to others, as do those that it took along; who hangs is told once."""
    engine, desk = LocalEngine(1, queue=5, timeout_s=60), Desk()
    told: list[tuple[int, TimedOut]] = []
    engine.hung = lambda thread, error: told.append((thread, error))
    comes_back, threads = Event(), []

    def hangs(numbers: Sequence[int]) -> Iterator[tuple[int, int | Exception]]:
        threads.append(get_ident())
        assert comes_back.wait(20)
        yield from enumerate(numbers)

    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(engine.work, 1, desk)
        await_(lambda: desk.running == 1)
        hung = pool.submit(engine.work, 2, hangs, time.monotonic() + 0.1)
        await_(lambda: len(engine._queue) == 1)
        follower = pool.submit(engine.work, 3, desk)
        await_(lambda: len(engine._queue) == 2)
        desk.go.set()
        assert first.result(10) == 2
        assert follower.result(10) == 6
        assert not hung.done()
        assert [(thread, str(error)) for thread, error in told] == [
            (threads[0], "The answer takes longer than 60 s ([limits] timeout)")
        ]
        assert engine._free == 1
        comes_back.set()
        with pytest.raises(TimedOut):
            hung.result(10)
    assert (engine._free, engine._runs) == (1, {})
    assert engine.work(4, desk) == 8


def test_what_is_late_is_not_begun() -> None:
    """Work on a request whose time is over ends before it begins."""
    engine = LocalEngine(1)
    engine.until(time.monotonic() + 5)
    with pytest.raises(TimedOut):
        engine.until(time.monotonic() - 0.01)
