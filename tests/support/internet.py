"""An internet of one server on this machine: names lead to public addresses, and those to it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from podium.web import fetched

PUBLIC = "93.184.215.14"

Answers = dict[str, Iterable[bytes]]
"""By path, what is sent in response; between two pieces the server waits."""


class Internet:
    """What hosts are called, what they answer, and what they were asked.

    `names` has for each host the addresses that each look-up finds, the last ones for ever.
    """

    def __init__(self, listener: socket.socket, wait_s: float) -> None:
        self.names: dict[str, list[list[str]]] = {}
        self.answers: Answers = {}
        self.looked_up: list[str] = []
        self.connected: list[tuple[str, int]] = []
        self.requests: list[str] = []
        self.wrap: Any = lambda connection: connection
        self._listener = listener
        self.wait_s = wait_s

    def look_up(self, host: str, port: int, **_kind: int) -> list[tuple[Any, ...]]:
        """Stand in for `socket.getaddrinfo`."""
        self.looked_up.append(host)
        found = self.names.get(host)
        if found is None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        addresses = found.pop(0) if len(found) > 1 else found[0]
        return [(0, 0, 6, "", (address, port)) for address in addresses]

    def connect(self, place: tuple[str, int], timeout: float) -> socket.socket:
        """Stand in for `socket.create_connection`."""
        self.connected.append(place)
        return socket.create_connection(self._listener.getsockname(), timeout)

    def serve(self) -> None:
        """Answer one connection after the other."""
        while True:
            try:
                connection, _address = self._listener.accept()
            except OSError:
                return
            try:
                with self.wrap(connection) as wrapped:
                    self._answer(wrapped)
            except OSError:
                continue  # the client has heard enough

    def _answer(self, connection: socket.socket) -> None:
        request = b""
        while not request.endswith(b"\r\n\r\n"):
            request += connection.recv(4096) or b"\r\n\r\n"
        self.requests.append(request.decode())
        path = request.split(b" ")[1].decode()
        for number, piece in enumerate(self.answers[path]):
            time.sleep(self.wait_s if number else 0)
            connection.sendall(piece)


@contextmanager
def internet(monkeypatch: pytest.MonkeyPatch, wait_s: float = 0.05) -> Iterator[Internet]:
    """Have pictures be fetched from such an internet."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        made = Internet(listener, wait_s)
        stand_in = SimpleNamespace(
            getaddrinfo=made.look_up, create_connection=made.connect,
            gaierror=socket.gaierror, SOCK_STREAM=socket.SOCK_STREAM,
        )  # fmt: skip
        monkeypatch.setattr(fetched, "socket", stand_in)
        thread = threading.Thread(target=made.serve, daemon=True)
        thread.start()
        yield made
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def response(body: bytes, head: str = "", status: str = "200 OK") -> bytes:
    """Return a whole HTTP response."""
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{head}\r\n".encode() + body


def moved(location: str) -> bytes:
    """Return a response that points to another address."""
    return response(b"", f"Location: {location}\r\n", "302 Found")
