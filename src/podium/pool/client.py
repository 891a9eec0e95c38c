"""A web worker's side: asks whichever model worker there is, again if that one ends."""

from __future__ import annotations

import logging
import os
import signal
import socket
import struct
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Final

from podium.errors import ModelError, Overloaded, TimedOut
from podium.messages import said
from podium.pool import STOPPING, wire

TRIES: Final = 3
"""How many model workers may end while they answer a request: it might be what ends them."""
SILENT_S: Final = 3.0
"""How long after a request's end a model worker may say nothing: then it hangs with the
interpreter's lock held, since it would otherwise have told that itself."""
LOOK_S: Final = 0.02
TICK_NS: Final = 100_000_000
"""Longer than any system's clock for the times of files stands still."""

log = logging.getLogger("podium")


class Pool:
    """The model workers whose sockets lie in a folder; each thread has connections of its own."""

    def __init__(self, folder: Path, timeout_s: float) -> None:
        self._folder = folder
        self._timeout_s = timeout_s
        self._own = threading.local()
        self._lock = threading.Lock()
        self._seen: tuple[int, tuple[str, ...]] = 0, ()
        self._asked: Counter[str] = Counter()

    def ask(self, question: wire.Asked) -> bytearray:
        """Return a model worker's reply; while one is started, wait for it.

        Raises:
            TimedOut: it takes longer than the question may.
            Overloaded: there is no model worker.
            ModelError: one model worker after the other ended while it answered.
        """
        body = wire.encoded(question)
        for _ in range(TRIES):
            path = self._reach(question.ends)
            try:
                return self._exchange(path, body)
            except ConnectionError:
                self._drop(path)
            finally:
                self._count(path, -1)
        raise ModelError(
            f"{TRIES} model workers ended while they answered this request; the log says how."
        )

    def _exchange(self, path: str, body: bytes) -> bytearray:
        connection = self._connections[path]
        try:
            wire.send(connection, body)
            return wire.receive(connection)
        except BlockingIOError as err:  # SO_RCVTIMEO, SO_SNDTIMEO
            _kill_peer(connection)
            self._drop(path)
            raise TimedOut(
                said("The answer takes longer than %(time)s s ([limits] timeout)",
                     time=f"{self._timeout_s:g}")
            ) from err  # fmt: skip

    def _reach(self, ends: float) -> str:
        """Be connected to the model worker of which this process asks least, once there is one."""
        while True:
            paths = self._listed()
            for gone in self._connections.keys() - set(paths):
                self._drop(gone)
            for path in sorted(paths, key=self._asked.__getitem__):
                if path in self._connections or self._connect(path):
                    self._count(path, 1)
                    return path
            if time.monotonic() > ends or (self._folder / STOPPING).exists():
                raise Overloaded(said("The model is being started; try again shortly"))
            time.sleep(LOOK_S)

    def _count(self, path: str, change: int) -> None:
        with self._lock:
            self._asked[path] += change

    def _listed(self) -> tuple[str, ...]:
        """Return the sockets in the folder, which is read anew when it has changed."""
        try:
            changed = self._folder.stat().st_mtime_ns
        except FileNotFoundError:
            return ()
        seen, paths = self._seen
        if changed != seen:
            paths = tuple(str(path) for path in self._folder.glob("*.sock"))
            # Another change in the same tick of the system's clock could not be told from this one.
            settled = time.time_ns() - changed > TICK_NS
            self._seen = (changed if settled else 0), paths
        return paths

    @property
    def _connections(self) -> dict[str, socket.socket]:
        """The connections of this thread, by the paths of their sockets."""
        found: dict[str, socket.socket] = self._own.__dict__.setdefault("connections", {})
        return found

    def _connect(self, path: str) -> bool:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(path)
        except (ConnectionRefusedError, FileNotFoundError):
            connection.close()
            Path(path).unlink(missing_ok=True)  # that of a worker that was killed
            return False
        patience = struct.pack("ll", int(self._timeout_s + SILENT_S), 0)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, patience)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, patience)
        self._connections[path] = connection
        return True

    def _drop(self, path: str) -> None:
        self._connections.pop(path).close()


def _kill_peer(connection: socket.socket) -> None:
    """Kill the model worker at the other end, which hangs."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    pid, _, _ = struct.unpack("3i", credentials)
    log.error("Model worker %d hangs and says nothing: it is killed and replaced", pid)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
