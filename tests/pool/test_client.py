"""A web worker's side of the pool: model workers come and go while it asks."""

from __future__ import annotations

import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from podium.errors import ModelError, Overloaded, TimedOut
from podium.pool import STOPPING, client, wire
from podium.pool.client import TRIES, Pool
from tests.support.waiting import until

Behaviour = Callable[[socket.socket], None]


class Stand:
    """Model workers that do as they are told, by their names; they are threads here."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[str] = []
        self._stack = ExitStack()

    def open(self, name: str, behave: Behaviour | None = None) -> None:
        """Stand where web workers find it, for one connection, or for none: dead already."""
        listener = self._stack.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(str(self.folder / f"{name}.sock"))
        listener.listen()

        def serve() -> None:
            if behave is not None:
                connection, _ = listener.accept()
            # Whoever comes from now on is refused, as by a process that was killed: first of what
            # such a one has, the system closes this.
            listener.close()
            if behave is not None:
                with connection, suppress(OSError):
                    self.asked.append(name)
                    behave(connection)

        threading.Thread(target=serve, daemon=True).start()

    def pool(self, timeout_s: float = 10.0) -> Pool:
        """Return the asking side."""
        return self._stack.enter_context(asking(self.folder, timeout_s))

    def close(self) -> None:
        """End them all."""
        self._stack.close()


class Asking(Pool):
    """A pool whose threads' connections can be closed from outside."""

    def __init__(self, folder: Path, timeout_s: float) -> None:
        super().__init__(folder, timeout_s)
        self.made: list[socket.socket] = []

    def _connect(self, path: str) -> bool:
        connected = super()._connect(path)
        if connected:
            self.made.append(self._connections[path])
        return connected


@contextmanager
def asking(folder: Path, timeout_s: float) -> Iterator[Pool]:
    """Yield the asking side of the pool in a folder."""
    pool = Asking(folder, timeout_s)
    yield pool
    for connection in pool.made:
        connection.close()


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    """A folder for the sockets of model workers."""
    made = Stand(tmp_path)
    yield made
    made.close()


def answer(connection: socket.socket) -> None:
    """Answer one question."""
    wire.receive(connection)
    wire.send(connection, b"answered")


def end_at_once(_connection: socket.socket) -> None:
    """End before a question is read."""


def end_within(connection: socket.socket) -> None:
    """End in the midst of an answer."""
    wire.receive(connection)
    connection.sendall(struct.pack(">Q", 100) + b"half")


def end_without(connection: socket.socket) -> None:
    """End while the answer is made."""
    wire.receive(connection)


def shout(connection: socket.socket) -> None:
    """Announce more than any answer has."""
    wire.receive(connection)
    connection.sendall(struct.pack(">Q", 1 << 60))


def say_nothing(connection: socket.socket) -> None:
    """Hang until the other side gives up."""
    wire.receive(connection)
    connection.recv(1)


def question(seconds: float = 10.0) -> wire.Query:
    """Return a question that may take so long."""
    return wire.Query(time.monotonic() + seconds)


@pytest.mark.parametrize("end", [end_at_once, end_within, end_without, shout])
def test_what_one_did_not_answer_is_asked_of_the_next(stand: Stand, end: Behaviour) -> None:
    """However the connection of a model worker breaks, another one answers."""
    stand.open("1", end)
    stand.open("2", answer)
    pool = stand.pool()
    pool._asked.update({str(stand.folder / "2.sock"): 1})  # so that the first is asked first
    assert pool.ask(question()) == b"answered"
    assert stand.asked == ["1", "2"]


def test_one_that_ends_between_two_questions_is_not_asked_again(stand: Stand) -> None:
    """A kept connection whose other side has gone costs no answer, and its socket is removed."""
    stand.open("1", answer)
    pool = stand.pool()
    assert pool.ask(question()) == b"answered"
    stand.open("2", answer)
    pool._asked.update({str(stand.folder / "2.sock"): 1})
    assert pool.ask(question()) == b"answered"
    assert stand.asked == ["1", "2"]
    assert [one.name for one in stand.folder.glob("*.sock")] == ["2.sock"]


def test_a_question_waits_while_a_model_worker_is_started(stand: Stand) -> None:
    """Who asks while none stands is answered by the one that comes."""
    pool = stand.pool()
    with ThreadPoolExecutor(1) as threads:
        asked = threads.submit(pool.ask, question())
        with pytest.raises(TimeoutError):
            asked.result(0.1)
        stand.open("1", answer)
        assert asked.result(10) == b"answered"


def test_refused_connections_are_no_tries(stand: Stand) -> None:
    """Sockets that killed model workers have left behind are passed over, however many."""
    for name in range(3 * TRIES):
        stand.open(f"dead{name}")
    stand.open("lives", answer)
    pool = stand.pool()
    pool._asked.update({str(stand.folder / "lives.sock"): 1})
    assert pool.ask(question()) == b"answered"
    assert [one.name for one in stand.folder.glob("*.sock")] == ["lives.sock"]


def test_a_question_that_ends_them_all_is_asked_no_more(stand: Stand) -> None:
    """After some model workers have ended over it, it fails, and the others are left in peace."""
    for name in range(TRIES + 1):
        stand.open(str(name), end_without)
    with pytest.raises(ModelError) as caught:
        stand.pool().ask(question())
    assert str(caught.value) == (
        f"{TRIES} model workers ended while they answered this request; the log says how."
    )
    assert len(stand.asked) == TRIES


@pytest.mark.parametrize("why", ["late", "stopping"])
def test_who_finds_no_model_worker_in_time_may_come_again(stand: Stand, why: str) -> None:
    """When its time is over, or the whole server stops: Overloaded, with when to try again."""
    if why == "stopping":
        (stand.folder / STOPPING).touch()
    with pytest.raises(Overloaded) as caught:
        stand.pool().ask(question(0.05 if why == "late" else 10.0))
    assert str(caught.value) == "The model is being started; try again shortly"
    assert caught.value.retry_after == 1


def test_one_that_says_nothing_is_killed(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    """Past the deadline and some patience, its process is killed and the request told."""
    killed: list[int] = []
    monkeypatch.setattr(os, "kill", lambda pid, _signal: killed.append(pid))
    monkeypatch.setattr(client, "SILENT_S", 1)
    stand.open("1", say_nothing)
    with pytest.raises(TimedOut) as caught:
        stand.pool(0.25).ask(question(0.25))
    assert str(caught.value) == "The answer takes longer than 0.25 s ([limits] timeout)"
    assert killed == [os.getpid()]


def test_one_that_comes_in_the_same_tick_is_found(stand: Stand) -> None:
    """A folder's time may be the same before and after a change."""
    pool = stand.pool()
    assert pool._listed() == ()
    before = stand.folder.stat()
    stand.open("1", answer)
    os.utime(stand.folder, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert pool.ask(question(5.0)) == b"answered"


def test_the_least_busy_is_asked(stand: Stand) -> None:
    """Of two model workers, the one of which this process asks less gets the next question."""
    go = threading.Event()

    def wait(connection: socket.socket) -> None:
        go.wait(10)
        answer(connection)

    stand.open("1", wait)
    stand.open("2", wait)
    pool = stand.pool()
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(pool.ask, question())
        until(lambda: len(stand.asked) == 1, 10)
        second = threads.submit(pool.ask, question())
        until(lambda: len(stand.asked) == 2, 10)
        go.set()
        assert first.result(10) == b"answered"
        assert second.result(10) == b"answered"
    assert sorted(stand.asked) == ["1", "2"]
