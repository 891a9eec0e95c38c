"""Waiting for what other processes do."""

from __future__ import annotations

import time
from collections.abc import Callable

WAIT_S = 120.0


def until(told: Callable[[], object]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + WAIT_S
    while not told():
        assert time.monotonic() < deadline
        time.sleep(0.01)
