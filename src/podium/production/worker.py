"""Gunicorn's threaded worker with two habits that matter for small, quick models.

Workers share one listening socket, and whoever wakes first takes a new connection: often one takes
all of a client's while another core idles. So the workers tell each other how many connections
they have, and one with more than another leaves a new connection to it for a moment.

Handing a request to another thread and back costs more than a small model's answer: a wake-up each
way, and the threads pass the interpreter's lock to and fro at every system call. So a small JSON
request that has arrived whole, to an address that has been answering quickly, is answered in the
thread that saw it come. All else (new connections, slow clients, files, slow models) goes to the
pool as ever.

It leans on parts of Gunicorn that are not its public interface; pyproject.toml pins the version.
"""

from __future__ import annotations

import fcntl
import mmap
import re
import socket
import struct
import termios
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, NamedTuple

from gunicorn.config import Config
from gunicorn.workers import gthread
from gunicorn.workers.gthread import TConn, ThreadWorker

SMALL: Final = 8192
"""The longest request, in bytes with its head, that may be answered in the main thread."""
QUICK_S: Final = 0.003
"""What requests to an address may have taken for the next one to run in the main thread."""
PATIENCE: Final = 20
WAIT_S: Final = 0.0002
"""How often, and how long each time, a busy worker leaves a connection to one with fewer."""

STALLED_S: Final = 60
STALLED_ELSEWHERE_S: Final = 10
"""How long a data set, and any other body, may stand still before the thread that reads it has
something better to do."""
SILENT_S: Final = 0.5
"""How long a thread waits for what it can do without: the first byte of a new connection, for which
the main thread waits after that, and the rest of a body that nobody reads."""
CLOSING: Final = 4
"""How many threads close connections, which takes 2 s where a client goes on sending."""

_STALLED: Final = struct.pack("ll", STALLED_S, 0)
_STALLED_ELSEWHERE: Final = struct.pack("ll", STALLED_ELSEWHERE_S, 0)
_PATIENT: Final = struct.pack("ll", 0, 0)
_PEEK: Final = int(socket.MSG_PEEK | socket.MSG_DONTWAIT)  # joined here, since enums are slow
_HEAD: Final = re.compile(rb"POST (\S+) HTTP/1\.1\r\n")
_JSON: Final = re.compile(rb"\r\ncontent-type:[ \t]*application/json\b", re.IGNORECASE)
_LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,9})[ \t]*\r\n", re.IGNORECASE)


class Counts:
    """How many connections each worker has, in memory that all share since before the fork."""

    SLOTS: Final = 256
    NONE: Final = 0xFFFFFFFF

    def __init__(self) -> None:
        self._cells = memoryview(mmap.mmap(-1, 4 * self.SLOTS)).cast("I")
        for slot in range(self.SLOTS):
            self._cells[slot] = self.NONE

    def __setitem__(self, age: int, count: int) -> None:
        self._cells[age % self.SLOTS] = count

    def remove(self, age: int) -> None:
        """Forget the worker that was born as number `age`."""
        self._cells[age % self.SLOTS] = self.NONE

    def least(self) -> int:
        """Return the number of connections of the worker with the fewest."""
        return min(self._cells)


counts: Final = Counts()
"""Made where this module is first imported: in the arbiter, before the fork."""


class Pace:
    """How long requests to each address take: a mean that goes up fast and down slowly."""

    ADDRESSES: Final = 256

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}

    def is_quick(self, address: str) -> bool:
        """Whether requests to an address have been answered quickly; an unknown one has not."""
        return self._seconds.get(address, QUICK_S) < QUICK_S

    def note(self, address: str, seconds: float) -> None:
        """Remember how long a request took."""
        if len(self._seconds) >= self.ADDRESSES:
            self._seconds.clear()
        before = self._seconds.get(address, seconds)
        self._seconds[address] = before + (seconds - before) / (4 if seconds > before else 16)


class Worker(ThreadWorker):  # type: ignore[misc]
    """The web worker of `podium serve`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._pace = Pace()
        self._tls = self.cfg.is_ssl  # kept, since Gunicorn computes it
        self._left = 0
        self._closing = ThreadPoolExecutor(CLOSING, "close")

    def init_process(self) -> None:
        """Start in the new process."""
        _keep_settings(self.cfg)
        gthread.DEFAULT_WORKER_DATA_TIMEOUT = SILENT_S
        super().init_process()

    def run(self) -> None:
        """Serve until told to stop."""
        counts[self.age] = 0
        try:
            super().run()
        finally:
            counts.remove(self.age)

    def notify(self) -> None:
        """Tell the arbiter that the worker lives, and the others how many connections it has."""
        super().notify()
        counts[self.age] = self.nr_conns

    def accept(self, listener: socket.socket) -> None:
        """Take a new connection, unless another worker has fewer and takes it meanwhile."""
        counts[self.age] = self.nr_conns
        if self.nr_conns > counts.least() and self._left < PATIENCE:
            self._left += 1
            time.sleep(WAIT_S)
            return
        self._left = 0
        super().accept(listener)
        counts[self.age] = self.nr_conns

    def on_client_socket_readable(self, conn: TConn, client: socket.socket) -> None:
        """Answer a kept connection's request here, or hand it to the pool."""
        address = None if self._tls or conn.is_http2 else _small_request(conn.sock)
        if address is None or not self._pace.is_quick(address) or _unsent(conn.sock):
            super().on_client_socket_readable(conn, client)
            return
        kept = self.handle(conn)
        self.keepalived_conns.remove(conn)
        if kept is True and self.alive and not conn.parser.unreader.buf.getvalue():
            # As finish_request does, but the connection never left the poller.
            conn.set_timeout()
            self.keepalived_conns.append(conn)
            return
        self.poller.unregister(client)
        done: Future[Any] = Future()
        done.set_result(kept)
        self.finish_request(conn, done)

    def finish_request(self, conn: TConn, fs: Future[Any]) -> None:
        """Keep a connection, or close it: elsewhere, since all others wait for this thread."""
        if fs.cancelled() or fs.exception() or fs.result():
            super().finish_request(conn, fs)
            return
        self._closing.submit(self._close, conn)

    def _close(self, conn: TConn) -> None:
        conn.close(graceful=True)
        self.method_queue.defer(self._closed)

    def _closed(self) -> None:
        self.nr_conns -= 1

    def handle_request(self, req: Any, conn: TConn) -> Any:
        """Answer one request and note how long it took."""
        started = time.perf_counter()
        stalled = _STALLED if req.path.endswith("/datasets") else _STALLED_ELSEWHERE
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, stalled)
        joined = JoinedSocket(conn.sock)
        try:
            return super().handle_request(req, _Connection(joined, conn.client, conn.server))
        finally:
            joined.flush()
            if conn.sock.fileno() >= 0:
                conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _PATIENT)
            seconds = time.perf_counter() - started
            # In the pool, threads may have waited for one another most of the time.
            shared = (
                1 if threading.current_thread() is threading.main_thread() else self.cfg.threads
            )
            self._pace.note(req.uri, seconds / shared)


class _Connection(NamedTuple):
    """What Gunicorn's handle_request needs of a connection."""

    sock: JoinedSocket
    client: Any
    server: Any


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


def _keep_settings(cfg: Config) -> None:
    """Make Gunicorn's settings plain attributes, which change no more.

    It looks each up in a method, many times a request.
    """
    for name, setting in cfg.settings.items():
        if not hasattr(type(cfg), name):  # what is computed stays so
            vars(cfg)[name] = setting.get()


def _small_request(sock: socket.socket) -> str | None:
    """Return the address that a whole, small JSON request in a socket asks for."""
    try:
        data: bytes = sock.recv(SMALL, _PEEK)
    except OSError:
        return None
    head, end, body = data.partition(b"\r\n\r\n")
    asked = _HEAD.match(head)
    length = _LENGTH.search(head + b"\r\n")
    if not (end and asked and length and _JSON.search(head) and len(body) >= int(length[1])):
        return None
    return asked[1].decode("latin-1")


def _unsent(sock: socket.socket) -> int:
    """Return how many bytes the client has not taken yet: sending to it might have to wait."""
    unsent: int = struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, b"\0\0\0\0"))[0]
    return unsent
