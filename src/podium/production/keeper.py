"""A process that a server keeps beside it: the worker of its data sets."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from podium.jobs.supervised import CRASHED, HEARTBEAT

if TYPE_CHECKING:
    from podium.jobs.state import StateFolder

FIRST_S: Final = 1.0
"""The web workers start first."""
PATIENCE_S: Final = 0.25
LONGEST_S: Final = 5.0
UNABLE_S: Final = 60.0
"""How long to wait, at the longest, before another start of one that did not come to its work."""
STEADY_S: Final = 10.0
"""One that has lived as long is started again at once."""
STOP_S: Final = 3.0
SILENT_S: Final = 300.0
"""After so long without a heartbeat it hangs: in native code that keeps the interpreter's lock, or
in a pattern that backtracks without end. A shorter call, such as of a large sort, is none."""
LOOK_S: Final = 0.5
_NO_CRASH: Final = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""Somebody ended it, or the system did for want of memory."""

log = logging.getLogger("podium")


def worker_call(folder: Path, state: StateFolder) -> tuple[list[str], dict[str, str]]:
    """Return the command that works on an application's data sets, and its environment."""
    command = [sys.executable, "-m", "podium", "worker", str(folder), "--supervised",
               "--state", str(state.path.parent), "--key", state.application]  # fmt: skip
    # The address may hold a password, which everybody would see among the arguments.
    secret = {"PODIUM_DATABASE": state.database} if state.database else {}
    return command, {**os.environ, **secret}


def work(folder: Path, state: StateFolder) -> int:
    """Keep a worker alive until told to stop; return its exit status if it cannot begin.

    Called in the main thread.
    """
    keeper, stop = Keeper(*worker_call(folder, state), first_s=0), threading.Event()
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, lambda *_: stop.set())
    while not stop.is_set() and keeper.failed is None:
        keeper.look()
        stop.wait(LOOK_S)
    keeper.stop()
    keeper.wait()
    return keeper.failed or 0


class Keeper:
    """Keeps one process alive; asked to look after it about once a second, without threads.

    The process reads the end of its standard input when the server is gone, however that ended. It
    writes to a pipe while it lives, and is killed when that falls silent. The next one is told if
    it crashed.
    """

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], first_s: float = FIRST_S
    ) -> None:
        self._command, self._environment = command, environment
        self._process: subprocess.Popen[bytes] | None = None
        self._pulse = -1
        self._started = self._heard = 0.0
        self._begun = self._silent = self._stopped = False
        self._wait = PATIENCE_S
        self._next = time.monotonic() + first_s
        self._crashed: dict[str, str] = {}
        self.failed: int | None = None
        """The exit status of the last process, if none has ever come to its work."""
        self._worked = False

    @property
    def pid(self) -> int | None:
        """The process that runs, if one does."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def look(self) -> None:
        """Start the process if it is time to; kill one that hangs."""
        if self._stopped:
            return
        now = time.monotonic()
        if self._process is not None:
            lives = self.pid is not None
            self._listen(now)  # after that: also what it wrote right before its end is heard
            if lives:
                return
            self._forget(now)
        if now >= self._next:
            self._start(now)

    def restart(self) -> None:
        """End the process, so that another starts with what has changed."""
        if self._process is not None:
            self._process.terminate()

    def stop(self) -> None:
        """Tell the process to end; none is started again."""
        self._stopped = True
        self.restart()

    def wait(self) -> None:
        """Return when the stopped process has ended; it is killed if it takes long."""
        if self._process is None:
            return
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def let_go(self) -> None:
        """Close what a fork of the server must not hold: both pipes to the process."""
        if self._process is not None and self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.close()
        if self._pulse >= 0:
            os.close(self._pulse)
            self._pulse = -1

    def _start(self, now: float) -> None:
        self._pulse, told = os.pipe()
        os.set_blocking(self._pulse, False)
        os.set_blocking(told, False)
        # It has Gunicorn's signals handled, not blocked, and a child starts with the defaults.
        self._process = subprocess.Popen(  # noqa: S603  a list, not a shell's text
            self._command, stdin=subprocess.PIPE, pass_fds=(told,),
            env={**self._environment, **self._crashed, HEARTBEAT: str(told)},
        )  # fmt: skip
        os.close(told)
        self._started = self._heard = now
        self._begun = self._silent = False

    def _listen(self, now: float) -> None:
        with suppress(OSError):
            if os.read(self._pulse, 65536):
                self._heard, self._begun, self._worked = now, True, True
        if now - self._heard > SILENT_S and self._process is not None and not self._silent:
            log.error("The worker of data sets has hung for %.0f s: it is killed and started again",
                      now - self._heard)  # fmt: skip
            self._silent = True
            self._process.kill()

    def _forget(self, now: float) -> None:
        """Settle when the next process starts, and with what, after one has ended."""
        assert self._process is not None
        code, pid = self._process.returncode, self._process.pid
        self.let_go()
        self._process = None
        crashed = self._silent or -code not in _NO_CRASH
        self._crashed = {CRASHED: str(pid)} if crashed else {}
        self.failed = None if self._worked else code
        steady = now - self._started >= STEADY_S
        longest = LONGEST_S if self._begun else UNABLE_S
        self._wait = PATIENCE_S if steady else min(2 * self._wait, longest)
        self._next = now if steady else now + self._wait
