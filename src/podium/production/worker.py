"""Gunicorn's threaded worker with two habits that matter for small, quick models.

Workers share one listening socket, and whoever wakes first takes a new connection: often one takes
all of a client's while another core idles. So the workers tell each other how many connections
they have, and one with more than another leaves a new connection to it for a moment.

Handing a request to another thread and back costs more than a small model's answer: a wake-up each
way, and the threads pass the interpreter's lock to and fro at every system call. So a small JSON
request that has arrived whole, to an address that has been answering quickly, is answered in the
thread that saw it come. All else (new connections, slow clients, files, slow models) goes to the
pool.

A thread for each request that may wait for a model, and some more, so that who cannot wait is told
so at once, and pages come meanwhile. A request that has not arrived whole has one of few other
threads, whose slowest clients give way when others wait; and who asks whether the server lives has
one that nobody else gets.

Model code may hang in that thread, or in one of the pool. A deputy goes on in the first one's place
when it does not come back for a while. A request that is given up is answered from outside of its
thread; then this worker takes no more, lets the others finish, and leaves.

It leans on parts of Gunicorn that are not its public interface; pyproject.toml pins the version.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import math
import os
import socket
import struct
import threading
import time
from collections import deque
from concurrent.futures import Future
from functools import partial
from selectors import EVENT_READ
from typing import Any, Final, NamedTuple

from gunicorn.workers import gthread
from gunicorn.workers.gthread import TConn, ThreadWorker

from podium import hung
from podium.production.arrival import (
    AWAITED,
    Arrival,
    Connection,
    arrival,
    can_tell,
    small_request,
    tell_when,
    unsent,
)
from podium.production.joined import JoinedSocket
from podium.production.kept import keep
from podium.production.recycling import EVERY_S, Marks, Memory, marks
from podium.production.sharing import Pace, Threads, counts
from podium.production.site import STALLED_ELSEWHERE_S, STALLED_S

ANSWERING: Final = "PODIUM_ANSWERING"
"""The environment variable of the workers that has the number of threads that answer."""
PATIENCE: Final = 20
WAIT_S: Final = 0.0002
"""How often, and how long each time, a busy worker leaves a connection to one with fewer."""

SILENT_S: Final = 0.5
"""How long a thread waits for what it can do without: the rest of a body that nobody reads."""
REST_S: Final = 1.0
"""How long the rest of a request is waited for before a thread goes to read it."""
DEPUTY_S: Final = 0.25
"""How long the main thread may be at one request before another goes on in its place."""
SENDING_S: Final = 1.0
"""How long an answer may take to be sent to a client whose request hangs."""
CLOSING: Final = 4
"""How many threads close connections, which takes 2 s where a client goes on sending."""

_STALLED: Final = struct.pack("ll", STALLED_S, 0)
_STALLED_ELSEWHERE: Final = struct.pack("ll", STALLED_ELSEWHERE_S, 0)
_NO_FILES: Final = (errno.EMFILE, errno.ENFILE)


class Worker(ThreadWorker):  # type: ignore[misc]
    """The web worker of `podium serve`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._pace = Pace()
        self._tls = self.cfg.is_ssl  # kept, since Gunicorn computes it
        self._left = 0
        self._closing = Threads(CLOSING, "close")
        self._receiving = Threads(self.cfg.threads, "receive")
        self._health = Threads(1, "health")
        self._parts: deque[Connection] = deque()
        self._slow: set[Connection] = set()
        self._loop = threading.Lock()
        self._inline: _Inline | None = None
        self._rounds = 0
        self._answering: dict[int, TConn] = {}
        self._hung = False

    def init_process(self) -> None:
        """Start in the new process."""
        keep(self.cfg)
        hung.send_by(self.answer_hung)
        gthread.DEFAULT_WORKER_DATA_TIMEOUT = SILENT_S
        super().init_process()

    def get_thread_pool(self) -> Threads:
        """Return the threads that answer."""
        threads = Threads(int(os.environ.get(ANSWERING, self.cfg.threads)), "answer")
        for one in (threads, self._receiving, self._health, self._closing):
            one.begin()
        return threads

    def run(self) -> None:
        """Serve until told to stop."""
        counts[self.age] = 0
        marks[self.age] = Marks.STANDS
        self._loop.acquire()
        threading.Thread(target=self._deputise, name="deputy", daemon=True).start()
        try:
            super().run()
        finally:
            self._leave()

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
        try:
            sock, client = listener.accept()
        except OSError as err:
            if err.errno in _NO_FILES:
                self._make_room()
                time.sleep(WAIT_S)
            elif err.errno not in (errno.EAGAIN, errno.ECONNABORTED):
                raise
            return
        self.nr_conns += 1
        counts[self.age] = self.nr_conns
        if self.nr_conns >= self.worker_connections:
            self._make_room()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _STALLED_ELSEWHERE)
        conn = Connection(self.cfg, sock, client, listener.getsockname())
        self._await(conn, self.pending_conns, self.cfg.keepalive)

    def set_accept_enabled(self, enabled: bool) -> None:
        """Take new connections or not; who stops takes those that have come, and no others."""
        super().set_accept_enabled(enabled)
        if enabled or self.alive:
            return
        for listener in self.sockets:
            before = -1
            while self.nr_conns != before and listener.fileno() >= 0:
                before, self._left = self.nr_conns, PATIENCE
                self.accept(listener)
            listener.close()

    def on_pending_socket_readable(self, conn: Connection, client: socket.socket) -> None:
        """Answer a new connection's request, or one of which a part was missing."""
        self.poller.unregister(client)
        (self._parts if conn.awaited else self.pending_conns).remove(conn)
        conn.data_ready = True
        self.enqueue_req(conn)

    def murder_pending(self) -> None:
        """Close connections that have sent nothing; who has sent a part is told what is missing."""
        super().murder_pending()
        while self._parts and self._parts[0].timeout < time.monotonic():
            conn = self._parts.popleft()
            self.poller.unregister(conn.sock)
            self.enqueue_req(conn)

    def enqueue_req(self, conn: Connection) -> None:
        """Give a request to a thread, or wait for the rest of it."""
        state, size = self._arrival(conn)
        handle, pool = self.handle, self._health if state is Arrival.HEALTH else self.tpool
        if state is Arrival.PART:
            if not conn.awaited and 0 < size <= AWAITED and can_tell(conn.sock):
                conn.awaited = True
                tell_when(conn.sock, size)
                self._await(conn, self._parts, REST_S)
                return
            handle, pool = self._receive, self._receiving
        if conn.awaited:
            conn.awaited = False
            tell_when(conn.sock, 1)
        done = pool.submit(handle, conn)
        done.add_done_callback(partial(self.method_queue.defer, self.finish_request, conn))

    def _arrival(self, conn: Connection) -> tuple[Arrival, int]:
        if self._tls or conn.is_http2 or (conn.parser and conn.parser.unreader.buf.getvalue()):
            return Arrival.PART, 0
        return arrival(conn.sock)

    def _await(self, conn: Connection, where: deque[Connection], seconds: float) -> None:
        conn.timeout = time.monotonic() + seconds
        where.append(conn)
        readable = partial(self.on_pending_socket_readable, conn)
        self.poller.register(conn.sock, EVENT_READ, readable)

    def _make_room(self) -> None:
        """Close the connection that has asked nothing for the longest time."""
        idle = self.pending_conns or self.keepalived_conns
        if idle:
            idle[0].timeout = 0.0
            self.murder_pending()
            self.murder_keepalived()

    def _cap_keepalive(self, deadline: float) -> None:
        super()._cap_keepalive(deadline)
        for conn in self.pending_conns:
            conn.timeout = min(conn.timeout, deadline)

    def _receive(self, conn: Connection) -> Any:
        """Answer a request that may arrive slowly."""
        conn.begin()
        self._slow.add(conn)
        try:
            return self.handle(conn)
        finally:
            self._slow.discard(conn)

    def _end_slow(self) -> None:
        """Read no more from clients that hold up others with a request that does not come."""
        if not self._receiving._work_queue.qsize():
            return
        for conn in list(self._slow):
            if conn.stalls(STALLED_ELSEWHERE_S):
                with contextlib.suppress(OSError):
                    conn.sock.shutdown(socket.SHUT_RD)

    def on_client_socket_readable(self, conn: TConn, client: socket.socket) -> None:
        """Answer a kept connection's request here, or hand it to the pool."""
        address = None if self._tls or conn.is_http2 else small_request(conn.sock)
        pool = self._inline or address is None or not self._pace.is_quick(address)
        if pool or unsent(conn.sock):
            super().on_client_socket_readable(conn, client)
            return
        inline = self._inline = _Inline(conn)
        self._loop.release()
        try:
            kept = self.handle(conn)
        finally:
            self._inline = None
            self._loop.acquire()
        if not inline.taken_over:
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

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Do what there is to do; what the deputy may have done meanwhile is left."""
        events, rounds = self.poller.select(timeout), self._rounds
        for key, _ in events:
            key.data(key.fileobj)
            if self._rounds != rounds:
                return

    def answer_hung(self, thread: int, response: bytes) -> None:
        """Answer the request of a thread that does not come back; then leave, and be replaced."""
        conn = self._answering.pop(thread, None)
        if conn is None:
            return
        self._hung, marks[self.age] = True, Marks.LEAVES
        with contextlib.suppress(OSError):
            conn.sock.settimeout(SENDING_S)
            conn.sock.sendall(response)
            conn.sock.shutdown(socket.SHUT_RDWR)  # so that the thread, should it come back, cannot
        self.method_queue.defer(self._closed)
        self.alive = False
        self.method_queue.defer(lambda: None)

    def _deputise(self) -> None:
        """Go on with all else while the main thread is long at one request; watch the memory."""
        memory, looked = Memory.of_environment(), time.monotonic()
        memory.outgrown()  # what it holds before the first request
        while True:
            time.sleep(DEPUTY_S)
            inline = self._inline
            if inline is not None and time.monotonic() - inline.began > DEPUTY_S:
                self._stand_in(inline)
            self._end_slow()
            if time.monotonic() - looked > EVERY_S:
                looked = time.monotonic()
                if memory.outgrown():
                    marks[self.age] = Marks.LEAVES

    def _stand_in(self, inline: _Inline) -> None:
        """Do the main thread's work until it comes back; leave if it was given up."""
        with self._loop:
            if self._inline is not inline:
                return
            inline.taken_over = True
            self.keepalived_conns.remove(inline.conn)
            self.poller.unregister(inline.conn.sock)
            grace = math.inf
            while self._inline is inline:
                self._rounds += 1
                self.notify()
                self.wait_for_and_dispatch_events(DEPUTY_S)
                self.murder_keepalived()
                self.murder_pending()
                now = time.monotonic()
                if not self.alive and grace == math.inf:
                    self.set_accept_enabled(False)
                    self._cap_keepalive(now + gthread.STOP_KEEPALIVE_LINGER)
                    grace = now + self.cfg.graceful_timeout
                if self._hung and (self.nr_conns <= 0 or now > grace):
                    self._leave()

    def _leave(self) -> None:
        """Be counted no more; with a thread that hangs, end at once, since it cannot be joined."""
        counts.remove(self.age)
        if self._hung:
            logging.shutdown()
            os._exit(0)

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

    def handle_request(self, req: Any, conn: Connection) -> Any:
        """Answer one request and note how long it took."""
        started = time.perf_counter()
        conn.in_body, conn.in_dataset = True, req.path.endswith("/datasets")
        if conn.in_dataset:
            conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _STALLED)
        joined = JoinedSocket(conn.sock)
        thread = threading.get_ident()
        self._answering[thread] = conn
        try:
            return super().handle_request(req, _Connection(joined, conn.client, conn.server))
        finally:
            joined.flush()
            conn.in_body = False
            if conn.in_dataset and conn.sock.fileno() >= 0:
                conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _STALLED_ELSEWHERE)
            seconds = time.perf_counter() - started
            # Threads may have waited for one another most of the time.
            self._pace.note(req.uri, seconds / max(1, len(self._answering)))
            self._answering.pop(thread, None)


class _Inline:
    """A request that the main thread answers itself, which keeps it from all else."""

    __slots__ = ("began", "conn", "taken_over")

    def __init__(self, conn: TConn) -> None:
        self.conn = conn
        self.began = time.monotonic()
        self.taken_over = False


class _Connection(NamedTuple):
    """What Gunicorn's handle_request needs of a connection."""

    sock: JoinedSocket
    client: Any
    server: Any
