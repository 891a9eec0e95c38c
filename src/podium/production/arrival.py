"""What of a request has arrived on a connection: looked at, nothing of it is taken.

A thread that reads from a slow client can do nothing else. So requests are told apart before a
thread has them: whole ones, those of which a part is missing, and those that ask whether the server
lives. Of a small one that is missing a part, the system tells when it is whole.
"""

from __future__ import annotations

import fcntl
import re
import socket
import struct
import termios
import time
from enum import Enum
from typing import Any, Final

from gunicorn import util
from gunicorn.workers.gthread import TConn

SMALL: Final = 8192
"""The longest request, in bytes with its head, that may be answered in the main thread."""
AWAITED: Final = 256_000
"""The longest request, in bytes, that the system is asked to collect: it takes as much anyway."""
LEFT: Final = 2**40
"""How many bytes that nobody wants are taken from a connection at most before it is closed: as many
as come. Gunicorn takes 64 kB and closes; who still sends then loses the answer, nginx, too."""

_PEEK: Final = int(socket.MSG_PEEK | socket.MSG_DONTWAIT)  # joined here, since enums are slow
_POST: Final = re.compile(rb"POST (\S+) HTTP/1\.1\r\n")
_HEALTH: Final = re.compile(rb"(?:GET|HEAD) \S*/(?:healthz|readyz|metrics)(?:\?\S*)? HTTP/1")
_JSON: Final = re.compile(rb"\r\ncontent-type:[ \t]*application/json\b", re.IGNORECASE)
_LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,9})[ \t]*\r\n", re.IGNORECASE)
_ASKED_FOR: Final = re.compile(rb"\r\n(?:transfer-encoding|expect):", re.IGNORECASE)
"""Headers of a body that comes in parts, or only when the server asks for it."""


class Arrival(Enum):
    """What there is of a request."""

    WHOLE = "whole"
    PART = "part"
    HEALTH = "health"


class Connection(TConn):  # type: ignore[misc]
    """A connection that knows for how long a thread has read from it, and whether one does now."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.began = 0.0
        self.waits = False
        self.in_body = False
        self.in_dataset = False
        self.awaited = False
        self._timeout: float | None = None

    def init(self) -> None:
        """Begin with HTTP; what its parser reads, it reads through this."""
        super().init()
        if not self.is_http2:
            self.parser.unreader.sock = self

    def close(self, graceful: bool = False) -> None:
        """Close it; gracefully, so that who still sends gets to read the answer."""
        if graceful:
            self.sock.setblocking(True)
            util.close_graceful(self.sock, max_drain=LEFT)
        else:
            super().close()

    def begin(self) -> None:
        """Read the next request."""
        self.began, self.in_body = time.monotonic(), False

    def recv(self, size: int) -> bytes:
        """Return what has come; nothing, as at the end, where a head stands still for too long."""
        self.waits = True
        if self.sock.gettimeout() != self._timeout:
            self.sock.settimeout(self._timeout)
        try:
            data: bytes = self.sock.recv(size)
        except BlockingIOError:
            if self.in_body:
                raise
            return b""
        finally:
            self.waits = False
        return data

    def stalls(self, seconds: float) -> bool:
        """Whether a thread has read for longer than that, and waits now; a data set may."""
        late = time.monotonic() > self.began + seconds
        return late and self.waits and not self.in_dataset

    def gettimeout(self) -> float | None:
        """Return how long a thread waits."""
        return self._timeout

    def settimeout(self, seconds: float | None) -> None:
        """Let a thread wait for so long, from when it reads: mostly nothing is left to read."""
        self._timeout = seconds


def small_request(sock: socket.socket) -> str | None:
    """Return the address that a whole, small JSON request in a socket asks for."""
    try:
        data: bytes = sock.recv(SMALL, _PEEK)
    except OSError:
        return None
    head, end, body = data.partition(b"\r\n\r\n")
    asked = _POST.match(head)
    length = _LENGTH.search(head + b"\r\n")
    if not (end and asked and length and _JSON.search(head) and len(body) >= int(length[1])):
        return None
    return asked[1].decode("latin-1")


def arrival(sock: socket.socket) -> tuple[Arrival, int]:
    """Return what there is of the next request, and its length; 0 where that is not known."""
    try:
        data: bytes = sock.recv(SMALL, _PEEK)
    except OSError:
        return Arrival.WHOLE, 0  # whoever reads it is told
    head, end, _ = data.partition(b"\r\n\r\n")
    if not data:
        return Arrival.WHOLE, 0  # the client has gone
    if not end or _ASKED_FOR.search(head):
        return Arrival.PART, 0
    if _HEALTH.match(head):
        return Arrival.HEALTH, 0
    length = _LENGTH.search(head + b"\r\n")
    size = len(head) + len(end) + (int(length[1]) if length else 0)
    whole = len(data) >= size or _count(sock, termios.FIONREAD) >= size
    return (Arrival.WHOLE if whole else Arrival.PART), size


def can_tell(sock: socket.socket) -> bool:
    """Whether the system can tell when so many bytes are there: of TCP alone."""
    return sock.family in (socket.AF_INET, socket.AF_INET6)


def tell_when(sock: socket.socket, size: int) -> None:
    """Let a TCP socket count as readable only when so many bytes are there, or its end is.

    Source: socket(7), SO_RCVLOWAT.
    """
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size)


def unsent(sock: socket.socket) -> int:
    """Return how many bytes the client has not taken yet: sending to it might have to wait."""
    return _count(sock, termios.TIOCOUTQ)


def _count(sock: socket.socket, what: int) -> int:
    count: int = struct.unpack("i", fcntl.ioctl(sock, what, b"\0\0\0\0"))[0]
    return count
