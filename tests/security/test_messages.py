"""Broken and two-faced HTTP, before a server alone and before nginx with a server behind it."""

from __future__ import annotations

import re
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.security.conftest import Serve
from tests.security.messages import HIDDEN, ODD, SMUGGLED, get, post
from tests.security.unharmed import unharmed
from tests.support.apps import write_notes
from tests.support.client import raw
from tests.support.front import fronted, served_at, site_of
from tests.support.waiting import until

PLACES = ("bare", "nginx")
OLD = "HTTP/0.9"
"""A request without a head, of which nginx answers the body alone."""


class Front(NamedTuple):
    """A port, the log of the server behind it, and whether it is the server's own."""

    port: int
    log: Path
    bare: bool


@pytest.fixture(scope="module")
def behind_nginx() -> Iterator[Front]:
    """A server of texts behind a real nginx."""
    with tempfile.TemporaryDirectory(prefix="podium-") as made:
        folder = Path(made)
        app = write_notes(folder / "app")
        site = site_of(app, folder / "x" / "site")
        with served_at(app, folder, "--proxies", "1") as server, fronted(site, server):
            yield Front(site.http_port, folder / "server.log", bare=False)


@pytest.fixture(params=PLACES)
def front(request: pytest.FixtureRequest, serve: Serve) -> Front:
    """A server alone, and one behind nginx."""
    if request.param == "nginx":
        found: Front = request.getfixturevalue("behind_nginx")
        return found
    server = serve("notes")
    return Front(server.client.port, server.log, bare=True)


def answers(port: int, request: bytes, half_close: bool = False) -> tuple[list[int], bytes]:
    """Return the statuses of all answers to bytes, and all that was received."""
    received = raw(port, request, half_close=half_close)
    return [int(one) for one in re.findall(rb"HTTP/1\.[01] (\d{3}) ", received)], received


@pytest.mark.parametrize("name", SMUGGLED)
def test_no_request_is_smuggled(name: str, front: Front) -> None:
    """Where two servers could disagree where a request ends, it is refused, and the connection."""
    logged = front.log.stat().st_size
    # Nginx takes who closes its half of the connection for a client that is gone.
    statuses, received = answers(front.port, SMUGGLED[name], half_close=front.bare)
    assert statuses == [400], received[:300]
    assert b"/smuggled" not in front.log.read_bytes()[logged:]


@pytest.mark.parametrize("name", sorted(ODD.keys() - {OLD}))
def test_odd_requests_are_refused(name: str, front: Front) -> None:
    """What is no request, or leads nowhere, gets one 4xx, and tells nothing of what runs here."""
    logged = front.log.stat().st_size
    statuses, received = answers(front.port, ODD[name])
    assert len(statuses) == 1, received[:300]
    assert statuses[0] in (400, 404, 405, 414, 431), received[:300]
    for secret in (b"Traceback", b"site-packages", b"root:", b"nginx/", b"Python"):
        assert secret not in received
    assert b"Traceback" not in front.log.read_bytes()[logged:]


def test_no_head_no_answer(serve: Serve) -> None:
    """A request of HTTP/0.9 is none."""
    assert answers(serve("notes").client.port, ODD[OLD])[0] == [400]


def test_hidden_request_is_one_where_it_stands_alone(front: Front) -> None:
    """What the attacks above hide would be answered, and logged, were it taken for a request."""
    whole = HIDDEN.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    assert answers(front.port, whole)[0] == [404]
    until(lambda: b"/smuggled" in front.log.read_bytes())


def test_slow_heads_hold_up_nobody(serve: Serve) -> None:
    """Connections that send a byte of their head and wait keep no thread: others are answered."""
    server = serve("notes")
    with unharmed(server):
        slow = [socket.create_connection(("127.0.0.1", server.client.port), 20) for _ in range(60)]
        for one in slow:
            one.sendall(b"P")
        told = [server.client.get("/healthz").status for _ in range(5)]
        for one in slow:
            one.close()
        assert told == [200] * 5


def test_slow_bodies_hold_up_no_look(front: Front) -> None:
    """Bodies that never end leave /healthz answering."""
    slow = [socket.create_connection(("127.0.0.1", front.port), 20) for _ in range(3)]
    for one in slow:
        one.sendall(post("Content-Length: 50", body=b'{"inp'))
    told = [answers(front.port, get())[0] for _ in range(3)]
    for one in slow:
        one.close()
    assert told == [[200]] * 3


def test_chunks_without_a_length(front: Front) -> None:
    """A body in chunks is read up to the limit, and refused one byte above it."""
    text = b'{"inputs": [{"text": "a"}]}'
    for size, status in ((100_000, 200), (100_001, 413)):
        body = text + b" " * (size - len(text))
        chunks = b"".join(
            b"%x\r\n%s\r\n" % (len(part), part)
            for part in (body[start : start + 7000] for start in range(0, size, 7000))
        )
        request = post(
            "Transfer-Encoding: chunked", "Connection: close", body=chunks + b"0\r\n\r\n"
        )
        assert answers(front.port, request)[0] == [status]
