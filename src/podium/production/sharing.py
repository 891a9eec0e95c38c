"""What decides which worker takes a connection, and which thread of it a request."""

from __future__ import annotations

import mmap
from concurrent.futures import ThreadPoolExecutor
from typing import Final

QUICK_S: Final = 0.003
"""What requests to an address may have taken for the next one to run in the main thread."""


class Counts:
    """How many connections each worker has, in memory that all share since before the fork."""

    SLOTS: Final = 256
    NONE: Final = 0xFFFFFFFF

    def __init__(self) -> None:
        self._cells = memoryview(mmap.mmap(-1, 4 * self.SLOTS)).cast("I")
        for slot in range(self.SLOTS):
            self._cells[slot] = self.NONE

    def __setitem__(self, age: int, count: int) -> None:
        self._cells[age % self.SLOTS] = count

    def remove(self, age: int) -> None:
        """Forget the worker that was born as number `age`."""
        self._cells[age % self.SLOTS] = self.NONE

    def least(self) -> int:
        """Return the number of connections of the worker with the fewest."""
        return min(self._cells)


counts: Final = Counts()
"""Made where this module is first imported: in the arbiter, before the fork."""


class Pace:
    """How long requests to each address take: a mean that goes up fast and down slowly."""

    ADDRESSES: Final = 256

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}

    def is_quick(self, address: str) -> bool:
        """Whether requests to an address have been answered quickly; an unknown one has not."""
        return self._seconds.get(address, QUICK_S) < QUICK_S

    def note(self, address: str, seconds: float) -> None:
        """Remember how long a request took."""
        if len(self._seconds) >= self.ADDRESSES:
            self._seconds.clear()
        before = self._seconds.get(address, seconds)
        self._seconds[address] = before + (seconds - before) / (4 if seconds > before else 16)


class Threads(ThreadPoolExecutor):
    """Threads that are started as they are needed; the first one at once, since it must be there.

    Where the system has no memory for another thread, those that are there do its work.
    """

    def begin(self) -> None:
        """Start the first thread."""
        self.submit(int).result()

    def _adjust_thread_count(self) -> None:
        try:
            super()._adjust_thread_count()
        except (RuntimeError, MemoryError):
            if not self._threads:
                raise
