"""The web worker shares connections, answers quick requests at once, and blocks for no client."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from podium.production.arrival import small_request
from podium.production.joined import JoinedSocket
from podium.production.sharing import Counts, Pace
from podium.production.worker import SILENT_S
from tests.support.apps import write_weights
from tests.support.server import Server, running

BODY = json.dumps({"inputs": [{"length": 2.5, "count": 3, "wet": True, "material": "pine"}]})
HEAD = (
    "POST /lab/weights/predict{query} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    "Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
)
REQUEST = (HEAD.format(query="", length=len(BODY)) + BODY).encode()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A regression with two workers."""
    folder = tmp_path_factory.mktemp("worker")
    app = write_weights(folder / "app")
    toml = (app / "podium.toml").read_text()
    slow = '[[models]]\nname = "slow"\nfile = "models/slow.onnx"\n'
    tight = "concurrency = 1\nqueue = 0\n"
    assert slow in toml
    assert tight in toml
    (app / "podium.toml").write_text(toml.replace(slow, "").replace(tight, ""))
    with running(folder, "serve", str(app), base="/lab/weights", workers=2) as running_server:
        yield running_server


def connect(server: Server) -> socket.socket:
    """Return a connection of one's own."""
    return socket.create_connection(("127.0.0.1", server.client.port), timeout=10)


def read_answers(connection: socket.socket, count: int) -> list[dict[str, Any]]:
    """Return the JSON bodies of the next `count` answers."""
    stream = connection.makefile("rb")
    answers = []
    for _ in range(count):
        assert stream.readline() == b"HTTP/1.1 200 OK\r\n"
        length = 0
        while (line := stream.readline()) != b"\r\n":
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        answers.append(json.loads(stream.read(length)))
    return answers


def numbered(number: int) -> bytes:
    """Return a request whose answer is told apart by its value."""
    values = {"length": 0.0, "count": number, "wet": False, "material": "oak"}
    body = json.dumps({"inputs": [values]})
    return (HEAD.format(query="", length=len(body)) + body).encode()


def test_who_sends_all_of_what_is_refused_reads_why(server: Server) -> None:
    """A proxy sends a body to its end before it reads; a connection closed early would be a 502."""
    size = 60_000_000
    with connect(server) as connection:
        connection.sendall(HEAD.format(query="", length=size).encode())
        connection.sendall(b" " * size)
        assert connection.makefile("rb").readline() == b"HTTP/1.1 413 Request Entity Too Large\r\n"


def test_every_request_of_a_kept_connection_gets_its_own_answer(server: Server) -> None:
    """Two hundred requests on one connection, from the pool and at once, keep their order."""
    with connect(server) as connection:
        for number in range(200):
            connection.sendall(numbered(number))
            (answer,) = read_answers(connection, 1)
            assert answer["predictions"][0]["value"] == pytest.approx(10 * number)


def test_requests_sent_together_are_answered_in_their_order(server: Server) -> None:
    """Pipelined requests are all answered, the first first."""
    with connect(server) as connection:
        for _ in range(5):  # so that the address counts as quick
            connection.sendall(REQUEST)
            read_answers(connection, 1)
        connection.sendall(b"".join(numbered(number) for number in range(20)))
        values = [a["predictions"][0]["value"] for a in read_answers(connection, 20)]
        assert values == pytest.approx([10.0 * number for number in range(20)])


def test_a_request_in_two_halves_is_answered(server: Server) -> None:
    """A request whose body comes late holds up nobody and is answered when it is whole."""
    with connect(server) as slow, connect(server) as quick:
        for connection in (slow, quick):
            connection.sendall(REQUEST)
            read_answers(connection, 1)
        slow.sendall(REQUEST[:-10])
        started = time.monotonic()
        quick.sendall(REQUEST)
        read_answers(quick, 1)
        assert time.monotonic() - started < 2
        slow.sendall(REQUEST[-10:])
        assert read_answers(slow, 1)[0]["predictions"][0]["value"] == pytest.approx(1132.5)


def test_a_client_that_never_reads_holds_up_nobody(server: Server) -> None:
    """Others are answered while clients send requests and take no answers."""
    deaf = []
    for _ in range(2):
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", server.client.port))
        connection.setblocking(False)
        deaf.append(connection)
        for _ in range(3000):
            try:
                connection.send(REQUEST)
            except BlockingIOError:
                break
    with connect(server) as other:
        for number in range(20):
            other.sendall(numbered(number))
            assert read_answers(other, 1)[0]["predictions"][0]["value"] == pytest.approx(
                10 * number
            )
    for connection in deaf:
        connection.close()


def test_connections_are_shared_between_workers(server: Server) -> None:
    """Of sixteen kept connections no worker ever has more than twelve."""
    for _ in range(4):  # once it may be so by chance
        shares = shares_of_sixteen(server)
        assert sum(shares) == 16
        assert max(shares) <= 12


def shares_of_sixteen(server: Server) -> list[int]:
    """Return how many of sixteen connections, made at once, each worker has."""
    before = settled(server)
    connections = [connect(server) for _ in range(16)]
    for connection in connections:
        connection.sendall(REQUEST)
    for connection in connections:
        read_answers(connection, 1)
    after = settled(server)
    for connection in connections:
        connection.close()
    return [now - then for then, now in zip(before, after, strict=True)]


def settled(server: Server) -> list[int]:
    """Return each worker's open sockets once closed connections are gone."""
    found: list[int] = []
    for _ in range(50):
        before, found = found, [sockets_of(pid) for pid in sorted(server.workers)]
        if before == found:
            return found
        time.sleep(0.2)
    raise AssertionError(f"connections come and go: {found}")


def sockets_of(pid: int) -> int:
    """Return how many sockets a process has open."""
    count = 0
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            count += str(file.readlink()).startswith("socket:")
    return count


def test_an_idle_worker_has_the_least() -> None:
    """Counts tell the fewest connections; a worker that ended does not count."""
    counts = Counts()
    counts[1], counts[2] = 5, 3
    assert counts.least() == 3
    counts.remove(2)
    assert counts.least() == 5
    counts[1 + Counts.SLOTS] = 4
    assert counts.least() == 4


def test_an_address_is_quick_once_it_has_answered_quickly() -> None:
    """Unknown addresses and slow ones are not quick; one hiccup does not make an address slow."""
    pace = Pace()
    assert not pace.is_quick("/a")
    pace.note("/a", 0.0005)
    assert pace.is_quick("/a")
    pace.note("/a", 0.006)
    assert pace.is_quick("/a")
    pace.note("/a", 5.0)
    assert not pace.is_quick("/a")
    for _ in range(200):
        pace.note("/a", 0.0005)
    assert pace.is_quick("/a")


def test_addresses_are_forgotten_before_they_are_too_many() -> None:
    """However many addresses are asked for, what is remembered stays small."""
    pace = Pace()
    for number in range(10_000):
        pace.note(f"/{number}", 0.001)
    assert len(pace._seconds) <= Pace.ADDRESSES


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        (REQUEST, "/lab/weights/predict"),
        (REQUEST.replace(b"/predict", b"/predict?model=slow"), "/lab/weights/predict?model=slow"),
        (REQUEST[:-1], None),
        (REQUEST.replace(b"application/json", b"text/plain"), None),
        (REQUEST.replace(b"POST", b"GET"), None),
        (REQUEST.replace(b"HTTP/1.1", b"HTTP/1.0"), None),
        (REQUEST.replace(b"Content-Length", b"X-Length"), None),
        (b"", None),
    ],
    ids=["whole", "query", "cut", "text", "get", "old", "no length", "nothing"],
)
def test_only_a_whole_small_json_post_is_answered_at_once(sent: bytes, found: str | None) -> None:
    """What is answered in the main thread has arrived whole, and nothing of it is taken."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(sent)
        assert small_request(ours) == found
        if sent:
            assert ours.recv(100_000) == sent


def test_head_and_body_leave_together() -> None:
    """A held head goes out with the body, or alone when there is none."""
    sent: list[bytes] = []
    joined = JoinedSocket(SimpleNamespace(sendall=sent.append, fileno=lambda: 7))  # type: ignore[arg-type]
    joined.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    joined.sendall(b"body")
    joined.sendall(b"more")
    assert sent == [b"HTTP/1.1 200 OK\r\n\r\nbody", b"more"]
    joined.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
    assert joined.fileno() == 7
    joined.flush()
    assert sent[2:] == [b"HTTP/1.1 204 No Content\r\n\r\n"]


def test_refused_bodies_hold_up_nobody(server: Server) -> None:
    """Others are answered at once though clients never send the bodies that were refused."""
    refused = [connect(server) for _ in range(12)]
    for connection in refused:
        connection.sendall(HEAD.replace("json", "weird").format(query="", length=1000).encode())
    for connection in refused:
        assert connection.recv(1000).startswith(b"HTTP/1.1 415 ")
    time.sleep(2 * SILENT_S)  # the worker gives them up
    started = time.monotonic()
    for _ in range(4):
        with connect(server) as other:
            other.sendall(REQUEST)
            read_answers(other, 1)
    assert time.monotonic() - started < 1.5  # closing one of them takes 2 s
    for connection in refused:
        connection.close()
