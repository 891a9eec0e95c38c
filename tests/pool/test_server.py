"""A model worker's side of the pool: whoever asks, it goes on for the others."""

from __future__ import annotations

import socket
import struct
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from podium.app import App
from podium.errors import ModelError, Overloaded, PodiumError
from podium.options import Options
from podium.pool import STOPPING, wire
from podium.pool.server import ModelServer
from tests.support.faults import SLOW, write_faults
from tests.support.waiting import until


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> App:
    """An application with a model that is slow when asked to be; one request waits at most."""
    made = App(write_faults(tmp_path_factory.mktemp("pool") / "app", "concurrency = 1\nqueue = 1"))
    assert [error for _, error in made.load_all()] == [None, None]
    return made


@pytest.fixture
def server(app: App, tmp_path: Path) -> ModelServer:
    """A model worker at work, in this process."""
    return started(app, tmp_path)


def started(app: App | PodiumError, folder: Path) -> ModelServer:
    """Return a model worker that takes connections; its thread ends with this process."""
    made = ModelServer(app, folder)
    made.start()
    return made


def connect(server: ModelServer) -> socket.socket:
    """Return a connection to a model worker."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(10)
    connection.connect(str(server._path))
    return connection


def asks(x: float, seconds: float = 10.0) -> wire.Ask:
    """Return the question for the answer to one number."""
    return wire.Ask(time.monotonic() + seconds, Options(), "json", rows=[(x,)])


def exchange(connection: socket.socket, question: wire.Asked) -> bytearray:
    """Ask, and return the reply's bytes."""
    wire.send(connection, question)
    return wire.receive(connection)


def error(body: bytearray) -> PodiumError:
    """Return the error that a reply tells."""
    reply = wire.replied(body)
    assert isinstance(reply, wire.Wrong)
    return wire.error_of(reply)


def assert_works(server: ModelServer) -> None:
    """Check that one more connection is answered."""
    with connect(server) as connection:
        assert b'"value":-5.0' in exchange(connection, asks(-3.0))


@pytest.mark.parametrize(
    ("sent", "logged"),
    [(b"", 0), (b"\0\0", 0), (struct.pack(">Q", 100) + b"half", 0),
     (struct.pack(">Q", 1 << 60), 0), (struct.pack(">Q", 5) + b"hello", 1),
     (struct.pack(">Q", 0), 1)],
    ids=["nothing", "half a length", "half a message", "too large", "no question", "empty"],
)  # fmt: skip
def test_a_stranger_is_sent_away(
    server: ModelServer, sent: bytes, logged: int, caplog: pytest.LogCaptureFixture
) -> None:
    """A connection on which no question comes is closed, and others are answered."""
    with connect(server) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""
    assert_works(server)
    until(lambda: not server._connections, 10)
    assert len([one for one in caplog.records if "no question" in one.msg]) == logged


def test_who_leaves_before_the_answer_harms_nobody(server: ModelServer) -> None:
    """A web worker that has ended is not answered; the next one is."""
    with connect(server) as connection:
        wire.send(connection, asks(SLOW))
    assert_works(server)


def test_a_full_queue_is_told_with_when_to_come_again(server: ModelServer) -> None:
    """One is answered, one waits, and the third is told at once that there is no room."""
    connections = [connect(server) for _ in range(3)]
    with ThreadPoolExecutor(2) as pool:
        tasks: list[Future[bytearray]] = []
        for connection in connections[:2]:
            tasks.append(pool.submit(exchange, connection, asks(SLOW)))
            until(partial(_holds, server, len(tasks)), 10)
        found = error(exchange(connections[2], asks(-1.0)))
        assert isinstance(found, Overloaded)
        assert (str(found), found.retry_after) == (
            "Too many requests are waiting for the model; try again shortly", 1
        )  # fmt: skip
        assert [b'"value":1.75' in task.result(10) for task in tasks] == [True, True]
    for connection in connections:
        connection.close()


def _holds(server: ModelServer, count: int) -> bool:
    """Whether so many requests are being answered, or wait."""
    engine = server._app._engine  # type: ignore[union-attr]
    return len(engine._runs) + len(engine._queue) == count


def test_an_application_that_cannot_be_loaded_is_told(tmp_path: Path) -> None:
    """Whatever is asked, what keeps it from being loaded is the reply."""
    server = started(ModelError("It cannot be"), tmp_path)
    with connect(server) as connection:
        found = error(exchange(connection, wire.Query(time.monotonic() + 1)))
        assert (type(found), str(found)) == (ModelError, "It cannot be")


def test_what_was_asked_is_answered_when_it_leaves(server: ModelServer) -> None:
    """It can be found no more, finishes what has come, and ends then."""
    with connect(server) as connection:
        wire.send(connection, asks(SLOW))
        until(lambda: server._app._engine._runs, 10)  # type: ignore[union-attr]
        closing = threading.Thread(target=server.close, args=(10.0,))
        closing.start()
        assert b'"value":1.75' in wire.receive(connection)
        assert connection.recv(1) == b""
        closing.join(10)
    assert not server._path.exists()


def test_it_can_be_asked_until_web_workers_leave(server: ModelServer) -> None:
    """While the whole server stops, it answers for as long as somebody is connected."""
    (server._folder / STOPPING).touch()
    with connect(server) as connection:
        until(lambda: server._connections, 10)
        closing = threading.Thread(target=server.close, args=(10.0,))
        closing.start()
        assert b'"value":-5.0' in exchange(connection, asks(-3.0))
        assert closing.is_alive()
    closing.join(10)
    assert not server._path.exists()
