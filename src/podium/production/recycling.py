"""Workers whose memory has grown beyond a limit leave once another stands in their place."""

from __future__ import annotations

import logging
import mmap
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

EVERY_S: Final = 2.0
"""How often the memory is looked at."""
VARIABLE: Final = "PODIUM_MEMORY"
"""The environment variable of the workers that has the limit, in bytes."""

log = logging.getLogger("podium")


def resident_bytes() -> int:
    """Return the memory that this process holds; source: proc(5), the second field of statm."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * mmap.PAGESIZE


class Memory:
    """Tells when this process has outgrown a limit in bytes; 0 is none.

    One that is near its limit when it has just begun would be replaced for ever: it is let be.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._begun = False

    @classmethod
    def of_environment(cls) -> Memory:
        """Return what the server has set for its workers."""
        return cls(int(os.environ.get(VARIABLE, "0")))

    def outgrown(self) -> bool:
        """Whether the process holds more than the limit."""
        if not self._limit:
            return False
        found = resident_bytes()
        if not self._begun:
            self._begun = True
            if found > 0.9 * self._limit:
                log.error(
                    "A worker holds %.0f MB when it begins: too near [limits] memory = %.0f MB, "
                    "which therefore has no effect. Raise it.", found / 1e6, self._limit / 1e6,
                )  # fmt: skip
                self._limit = 0
        return 0 < self._limit < found


class Marks:
    """Which workers are to be replaced, and which stand: memory shared since before the fork."""

    SLOTS: Final = 256
    STANDS: Final = 1
    LEAVES: Final = 2

    def __init__(self) -> None:
        self._cells = mmap.mmap(-1, self.SLOTS)

    def __setitem__(self, age: int, mark: int) -> None:
        self._cells[age % self.SLOTS] = mark

    def __getitem__(self, age: int) -> int:
        return self._cells[age % self.SLOTS]


marks: Final = Marks()
"""Made where this module is first imported: in the arbiter, before the fork."""


class Turnover:
    """Starts another worker for each that is marked, and ends that one when the other stands."""

    def __init__(self) -> None:
        self._stand_ins: dict[int, int] = {}

    def look(self, arbiter: Any) -> None:
        """Do what is due; called about once a second, before the arbiter counts its workers."""
        workers: Mapping[int, Any] = arbiter.WORKERS
        for pid in [pid for pid in self._stand_ins if pid not in workers]:
            del self._stand_ins[pid]
            arbiter.num_workers -= 1
        for pid, worker in list(workers.items()):
            if marks[worker.age] == Marks.LEAVES and pid not in self._stand_ins:
                arbiter.num_workers += 1
                arbiter.spawn_worker()
                self._stand_ins[pid] = arbiter.worker_age
        for pid, age in self._stand_ins.items():
            if marks[age] == Marks.STANDS:
                os.kill(pid, signal.SIGTERM)
