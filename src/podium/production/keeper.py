"""A process that a server keeps beside it: the worker of its data sets."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from podium.jobs.state import StateFolder

FIRST_S: Final = 1.0
"""The web workers start first."""
PATIENCE_S: Final = 0.25
LONGEST_S: Final = 5.0
STEADY_S: Final = 10.0
"""One that has lived as long is started again at once."""
STOP_S: Final = 3.0


def worker_call(folder: Path, state: StateFolder) -> tuple[list[str], dict[str, str]]:
    """Return the command that works on an application's data sets, and its environment."""
    command = [sys.executable, "-m", "podium", "worker", str(folder), "--supervised",
               "--state", str(state.path.parent), "--key", state.application]  # fmt: skip
    # The address may hold a password, which everybody would see among the arguments.
    secret = {"PODIUM_DATABASE": state.database} if state.database else {}
    return command, {**os.environ, **secret}


class Keeper:
    """Keeps one process alive; asked to look after it about once a second, without threads.

    The process reads the end of its standard input when the server is gone, however that ended.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._command, self._environment = command, environment
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._wait = PATIENCE_S
        self._next = time.monotonic() + FIRST_S
        self._stopped = False

    @property
    def pid(self) -> int | None:
        """The process that runs, if one does."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def look(self) -> None:
        """Start the process if it is time to."""
        if self._stopped or self.pid is not None:
            return
        now = time.monotonic()
        if self._process is not None:
            self._forget(now)
        if now >= self._next:
            # It has Gunicorn's signals handled, not blocked, and a child starts with the defaults.
            self._process = subprocess.Popen(  # noqa: S603  a list, not a shell's text
                self._command, stdin=subprocess.PIPE, env=self._environment
            )
            self._started = now

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
        """Close what a fork of the server must not hold: the process's standard input."""
        if self._process is not None and self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.close()

    def _forget(self, now: float) -> None:
        """Settle when the next process starts, after one has ended."""
        self.let_go()
        self._process = None
        steady = now - self._started >= STEADY_S
        self._wait = PATIENCE_S if steady else min(2 * self._wait, LONGEST_S)
        self._next = now if steady else now + self._wait
