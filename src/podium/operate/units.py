"""Units: the programs of a site, and what keeps them alive.

Two siblings of one shape look after them: `supervised.Supervised` (Podium's own supervisor) and
`systemd.Systemd`. What works with units knows this shape alone.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from msgspec import Struct

LOOK_S: Final = 0.05
"""How often what changes is looked at while somebody waits for it."""


class Unit(Struct, frozen=True, kw_only=True):
    """A program that is to run for as long as its site is up."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str] = {}
    user: str = ""
    """Whose process it is, if that is another user than who starts it."""
    stop_signal: int = signal.SIGTERM
    grace_s: float = 10.0
    """How long it may take to end what it has begun, before it is killed."""
    front: bool = False
    """Whether it takes the requests of others in: it stops first."""


class Running(Struct, frozen=True, kw_only=True):
    """How a unit is doing. Without a `pid` it has ended, and waits for its next start."""

    pid: int | None
    since: float
    ended: int = 0
    """How often it has ended without being told to."""
    told: str = ""
    """How it ended last."""


class Units(Protocol):
    """Who keeps the units of one site alive."""

    def start(self, unit: Unit) -> None:
        """Start a unit, and again whenever it ends.

        Raises:
            ServeError: it runs already, or cannot be started.
        """

    def stop(self, name: str) -> None:
        """Tell a unit to end what it has begun, and then itself; it goes from `states`."""

    def signal(self, name: str, number: int) -> None:
        """Send a signal to a unit's main process."""

    def states(self) -> Mapping[str, Running]:
        """Return how each unit is doing that was started and has not ended by order."""

    def revive(self) -> None:
        """Look after what runs again, where who did was killed."""

    def close(self) -> None:
        """Stop all units, those in front first, and return when they have ended."""


def wait_until(told: Callable[[], object], seconds: float, look_s: float = LOOK_S) -> bool:
    """Wait until something is so; return whether it is before the time is over."""
    deadline = time.monotonic() + seconds
    while not told():
        if time.monotonic() > deadline:
            return False
        time.sleep(look_s)
    return True
