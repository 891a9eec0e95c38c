"""Model workers: processes of Gunicorn's dirty pool, which keeps them alive."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from gunicorn.dirty import DirtyApp

from podium.production.recycling import EVERY_S, Memory

_PR_SET_PDEATHSIG: Final = 1
"""Source: prctl(2)."""
_ENDS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


class Serving(Protocol):
    """A model worker at work."""

    def close(self) -> None:
        """Finish what is asked, and end."""


Begin = Callable[[Callable[[], bool], float], Serving]
"""Begins the work of a model worker, to be replaced when the first says so, which it asks every so
many seconds."""


class Pool(NamedTuple):
    """Model workers: where their sockets lie, and what begins the work of one."""

    folder: Path
    begin: Begin


_begin: list[Begin] = []


def begin_by(begin: Begin) -> None:
    """Let `begin` start the work in each model worker that is forked from now on."""
    _begin[:] = [begin]


class Models(DirtyApp):  # type: ignore[misc]
    """The models of an application, in one of the pool's workers.

    Web workers ask over sockets of its own, not through the pool's arbiter.
    """

    def __init__(self) -> None:
        self._serving: Serving | None = None

    def init(self) -> None:
        """Load what must be there at first, and take requests."""
        _end_with_parent()
        # Gunicorn's own handler forgets a signal that comes before its loop runs.
        for one in _ENDS:
            signal.signal(one, self._end)
        (begin,) = _begin
        self._serving = begin(Memory.of_environment().outgrown, EVERY_S)

    def __call__(self, action: str, *_: Any, **__: Any) -> Any:
        """Refuse what the pool's own protocol asks."""
        raise ValueError(f"{action!r} is not asked in this way")

    def close(self) -> None:
        """Finish what is asked, and end."""
        if self._serving is not None:
            self._serving.close()

    def _end(self, *_: Any) -> None:
        for one in _ENDS:
            signal.signal(one, signal.SIG_IGN)
        self.close()
        os._exit(0)


def _end_with_parent() -> None:
    """Be killed when the pool's arbiter ends, however that is: else nobody would end this one."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
