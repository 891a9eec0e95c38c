"""What a worker and the process that keeps it alive tell each other."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Final

HEARTBEAT: Final = "PODIUM_HEARTBEAT"
"""The descriptor of a pipe that the worker writes to while it lives: its environment's variable."""
CRASHED: Final = "PODIUM_CRASHED"
"""The process id of the worker before, if that crashed."""


def beat() -> None:
    """Tell the keeper, if there is one, that this process lives."""
    told = os.environ.get(HEARTBEAT)
    if told:
        with suppress(OSError):  # a keeper that is busy, or gone, has missed nothing
            os.write(int(told), b".")


def crashed_before() -> str | None:
    """Return the process id of the worker before, if that crashed; told once."""
    return os.environ.pop(CRASHED, None)
