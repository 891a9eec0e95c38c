"""What of a request has arrived is seen without taking it."""

from __future__ import annotations

import socket

import pytest
from gunicorn.config import Config

from podium.production.arrival import Arrival, Connection, arrival

HEAD = b"POST /predict HTTP/1.1\r\nHost: x\r\n"
BODY = HEAD + b"Content-Length: 5\r\n\r\n"


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", (Arrival.WHOLE, 27)),
        (b"GET /lab/healthz HTTP/1.1\r\nHost: x\r\n\r\n", (Arrival.HEALTH, 0)),
        (b"GET /readyz?a=1 HTTP/1.1\r\nHost: x\r\n\r\n", (Arrival.HEALTH, 0)),
        (BODY + b"12345", (Arrival.WHOLE, len(BODY) + 5)),
        (BODY + b"1234", (Arrival.PART, len(BODY) + 5)),
        (HEAD + b"Content-Length: 60000\r\n\r\n" + b"x" * 60000, (Arrival.WHOLE, 60058)),
        (HEAD, (Arrival.PART, 0)),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", (Arrival.PART, 0)),
        (HEAD + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n", (Arrival.PART, 0)),
    ],
    ids=["whole", "health", "ready", "body", "part", "long", "head", "chunks", "asked for"],
)
def test_requests_are_told_apart(sent: bytes, found: tuple[Arrival, int]) -> None:
    """A whole request is told from a part of one and from who asks for the server's health."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(sent)
        assert arrival(ours) == found
        assert ours.recv(100_000) == sent


def test_client_that_has_gone_is_whole() -> None:
    """Nothing more will come: whoever reads it finds the end."""
    ours, theirs = socket.socketpair()
    with ours:
        theirs.close()
        assert arrival(ours) == (Arrival.WHOLE, 0)


def test_a_connection_is_told_how_long_it_waits_when_it_reads() -> None:
    """Whoever sets a time, and another one before anything is read, costs nothing."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        connection = Connection(Config(), ours, "", "")
        ours.setblocking(True)
        connection.settimeout(0.01)
        assert (connection.gettimeout(), ours.gettimeout()) == (0.01, None)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        assert ours.gettimeout() == 0.01
        connection.settimeout(None)
        theirs.sendall(b"a")
        assert (connection.recv(1), ours.gettimeout()) == (b"a", None)
