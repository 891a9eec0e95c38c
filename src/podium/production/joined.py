"""A response leaves in one piece."""

from __future__ import annotations

import socket
from typing import Any


class JoinedSocket:
    """A socket that sends a response's head together with the beginning of its body.

    Gunicorn sends them apart: twice the system calls, and twice the packets for the client.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._held = b""

    def sendall(self, data: bytes) -> None:
        """Hold a head back; send all else."""
        if not self._held and data.startswith(b"HTTP/1.") and data.endswith(b"\r\n\r\n"):
            self._held = data
        else:
            held, self._held = self._held, b""
            self._sock.sendall(held + data)

    def flush(self) -> None:
        """Send what is held back: the head of a response without a body."""
        held, self._held = self._held, b""
        if held:
            self._sock.sendall(held)

    def __getattr__(self, name: str) -> Any:
        self.flush()
        return getattr(self._sock, name)
