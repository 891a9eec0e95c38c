"""More requests than can be answered, more connections than ask, and clients that send slowly."""

from __future__ import annotations

import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from tests.support.client import JSON, assert_problem, exchange
from tests.support.faults import SLOW, write_faults
from tests.support.front import fronted, served_at, site_of
from tests.support.load import asking_slowly, load
from tests.support.server import running
from tests.support.waiting import until

QUEUE = 4
LIMITS = f'timeout = "20 s"\nconcurrency = 1\nqueue = {QUEUE}'
CLIENTS = 40
IDLE, ACTIVE = 1000, 200
MB = 1_000_000
FULL = f"podium_queue_length {QUEUE}.0"
EMPTY = "podium_queue_length 0.0"


@pytest.mark.parametrize("engine", ["local", "gunicorn"])
def test_what_is_too_much_is_refused_and_all_else_goes_on(engine: str, tmp_path: Path) -> None:
    """With a full queue a request is told when to come again; health and pages answer meanwhile.

    Memory stays what it is, and once it is over, requests are answered as ever.
    """
    app = write_faults(tmp_path / "app", LIMITS, f'engine = "{engine}"')
    with running(tmp_path, "serve", str(app)) as server:
        client = server.client
        with asking_slowly(client.port, SLOW, CLIENTS) as outcome:
            until(lambda: FULL in client.get("/metrics").text)
            before = server.resident_bytes()
            refused = client.predict({"x": SLOW})
            while refused.status == 200:
                refused = client.predict({"x": SLOW})
            told = "Too many requests are waiting for the model; try again shortly"
            assert_problem(refused, 503, "Try again later", [], told)
            assert refused.headers["Retry-After"] == "1"
            for path in ("/healthz", "/readyz", "/metrics", "/models") * 10:
                assert client.get(path).status == 200
            assert server.resident_bytes() - before < 50 * MB
        statuses = outcome.result(60).statuses
        assert (set(statuses), outcome.result().wrong) == ({200, 503}, [])
        until(lambda: EMPTY in client.get("/metrics").text)
        for number in range(-10, 0):
            assert client.predict({"x": number}).predictions[0]["value"] == 2 * number + 1


def test_many_connections_that_ask_nothing_hold_up_nobody(tmp_path: Path) -> None:
    """Beside a thousand kept and a thousand new connections, others are answered; those go on."""
    app = write_faults(tmp_path / "app")
    with running(tmp_path, "serve", str(app)) as server, many_files(), ExitStack() as stack:
        kept = [stack.enter_context(closing(server.client.connect())) for _ in range(IDLE)]
        for connection in kept:
            assert exchange(connection, "GET", "/healthz", None, {}).status == 200
        new = [stack.enter_context(connected(server.client.port)) for _ in range(IDLE)]
        numbers = iter([-float(number) for number in range(10 * ACTIVE)])
        told = load(server.client.port, numbers, ACTIVE)
        assert (told.statuses, told.wrong, told.broken) == ({200: 10 * ACTIVE}, [], 0)
        for connection in kept[:: IDLE // 10]:
            assert exchange(connection, "GET", "/healthz", None, {}).status == 200
        new[0].sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert new[0].recv(12) == b"HTTP/1.1 200"


@contextmanager
def many_files() -> Iterator[None]:
    """Let this process have as many connections as it may."""
    before, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 8192), most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (before, most))


def connected(port: int) -> socket.socket:
    """Return a connection over which nothing was sent."""
    return socket.create_connection(("127.0.0.1", port), timeout=20)


HEAD = f"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: {JSON}\r\n"
SLOW_SENDERS = {
    "half a head": HEAD,
    "a small body": f"{HEAD}Content-Length: 100\r\n\r\n{{",
    "a large body": f"{HEAD}Content-Length: 10000000\r\n\r\n{{",
    "chunks": f"{HEAD}Transfer-Encoding: chunked\r\n\r\n5\r\n{{",
}


@pytest.mark.parametrize("begun", SLOW_SENDERS.values(), ids=SLOW_SENDERS)
def test_clients_that_send_slowly_hold_up_nobody(begun: str, tmp_path: Path) -> None:
    """However many have begun a request that does not come, whole requests are answered."""
    app = write_faults(tmp_path / "app")
    with running(tmp_path, "serve", str(app)) as server, ExitStack() as stack:
        assert_unmoved_by_slow(server.client.port, begun, stack)
        assert server.client.get("/").status == 200


def test_clients_that_send_slowly_to_nginx_hold_up_nobody(folder: Path) -> None:
    """Nginx reads a request to its end before a server is asked."""
    site = site_of(write_faults(folder / "app"), folder / "site")
    with served_at(folder / "app", folder) as server, fronted(site, server), ExitStack() as stack:
        for begun in SLOW_SENDERS.values():
            assert_unmoved_by_slow(site.http_port, begun, stack)


def assert_unmoved_by_slow(port: int, begun: str, stack: ExitStack) -> None:
    """Check that requests are answered while a hundred others have begun."""
    for _ in range(100):
        stack.enter_context(connected(port)).sendall(begun.encode())
    told = load(port, iter([-float(number) for number in range(200)]), 4)
    assert (told.statuses, told.wrong, told.broken) == ({200: 200}, [], 0)
