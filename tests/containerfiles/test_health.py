"""A container's health check asks the server, and tells what keeps it from being ready."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from podium.container.health import trouble

READY = b"HTTP/1.1 200 OK\r\n\r\n{}"
LOADING = b'HTTP/1.1 503 Service Unavailable\r\n\r\n{"status":"loading"}'


@contextmanager
def server(listener: socket.socket, answer: bytes) -> Iterator[list[bytes]]:
    """Answer one request; yield what was asked."""
    asked: list[bytes] = []

    def serve() -> None:
        client, _ = listener.accept()
        with client:
            asked.append(client.recv(1000))
            client.sendall(answer)

    thread = threading.Thread(target=serve)
    with listener:
        listener.listen()
        thread.start()
        yield asked
        thread.join(10)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (READY, ""),
        (LOADING, '/a/readyz: HTTP/1.1 503 Service Unavailable {"status":"loading"}'),
        (b"", "/a/readyz:"),
    ],
    ids=["ready", "loading", "silent"],
)
def test_server_behind_a_socket(answer: bytes, told: str, tmp_path: Path) -> None:
    """Ready is who answers 200."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "a.sock"))
    with server(listener, answer) as asked:
        assert trouble("/a/readyz", "birds.example.org", str(tmp_path / "a.sock")) == told
    assert asked == [b"GET /a/readyz HTTP/1.0\r\nHost: birds.example.org\r\n\r\n"]


@pytest.mark.parametrize(("answer", "code"), [(READY, 0), (LOADING, 1)])
def test_server_at_a_port(answer: bytes, code: int) -> None:
    """The command ends with 0 or 1, as an engine takes it."""
    listener = socket.create_server(("127.0.0.1", 0))
    command = [sys.executable, "-m", "podium.container.health", "/readyz", "localhost"]
    environment = {**os.environ, "PORT": str(listener.getsockname()[1])}
    with server(listener, answer):
        done = subprocess.run(command, env=environment, capture_output=True, text=True)  # noqa: S603
    told = '/readyz: HTTP/1.1 503 Service Unavailable {"status":"loading"}\n' if code else ""
    assert (done.returncode, done.stderr) == (code, told)


def test_nobody_is_there(tmp_path: Path) -> None:
    """A server that has not begun is not ready."""
    assert trouble("/readyz", "x", str(tmp_path / "a.sock")) == (
        "The server does not answer: [Errno 2] No such file or directory"
    )


def test_it_loads_nothing_that_takes_time() -> None:
    """An engine runs it every few seconds."""
    code = "import sys, podium.container.health; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)  # noqa: S603
    own = {name for name in done.stdout.split() if name.startswith("podium")}
    assert own == {"podium", "podium.container", "podium.container.health"}
    assert not {"http.client", "urllib.request", "email", "msgspec"} & set(done.stdout.split())
