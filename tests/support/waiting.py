"""Waiting for what other processes do."""

from __future__ import annotations

import time
from collections.abc import Callable

WAIT_S = 120.0


def until(told: Callable[[], object], patience_s: float = WAIT_S, every_s: float = 0.01) -> None:
    """Wait until something is so, for `patience_s` seconds at the longest; look `every_s`."""
    deadline = time.monotonic() + patience_s
    while not told():
        assert time.monotonic() < deadline
        time.sleep(every_s)
