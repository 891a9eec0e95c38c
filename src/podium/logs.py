"""What Podium logs."""

from __future__ import annotations

import logging
import sys
import time

SELDOM_S = 30.0

log = logging.getLogger("podium")


def log_to_stderr() -> None:
    """Let a process write its log to standard error, with the time of day."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(Seldom())
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    log.handlers[:] = [handler]
    log.setLevel(logging.INFO)
    log.propagate = False


class Seldom(logging.Filter):
    """Lets the same words through once in a while: what is tried often may fail often."""

    def __init__(self) -> None:
        super().__init__()
        self._said: tuple[str, float] = ("", 0.0)

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is not what was just said."""
        told, now = record.getMessage(), time.monotonic()
        if told == self._said[0] and now - self._said[1] < SELDOM_S:
            return False
        self._said = (told, now)
        return True
