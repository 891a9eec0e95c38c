"""What a site's programs have written, in one stream."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from podium.logs import plain

FOLLOW_S: Final = 0.3
TAIL: Final = 20


class Mark:
    """A place in a log, from which on it is read: its end, or its `begin`ning."""

    def __init__(self, file: Path, begin: bool = False) -> None:
        self._file = file
        self._at = file.stat().st_size if file.exists() and not begin else 0

    def new(self) -> list[str]:
        """Return the whole lines that came since the last look."""
        try:
            with self._file.open("rb") as log:
                size = log.seek(0, 2)
                if size < self._at:  # it began anew
                    self._at = 0
                log.seek(self._at)
                data = log.read()
        except FileNotFoundError:
            return []
        whole = data[: data.rfind(b"\n") + 1]
        self._at += len(whole)
        return whole.decode("utf-8", "replace").splitlines()

    def tail(self) -> str:
        """Return the last lines that came since the last look."""
        return "\n".join(f"  {plain(line)}" for line in self.new()[-TAIL:])


def last_lines(folder: Path, count: int) -> Iterator[str]:
    """Yield the last lines of each log in a folder, led by its name."""
    for file in sorted(folder.glob("*.log")):
        with file.open(encoding="utf-8", errors="replace") as log:
            for line in deque(log, count):
                yield f"{file.stem}: {line.rstrip()}"


def follow(folder: Path) -> Iterator[str]:
    """Yield what is written from now on, without an end, led by the name of the log."""
    marks = {file: Mark(file) for file in folder.glob("*.log")}
    while True:
        for file in sorted(folder.glob("*.log")):
            if file not in marks:
                marks[file] = Mark(file, begin=True)
            yield from (f"{file.stem}: {line}" for line in marks[file].new())
        time.sleep(FOLLOW_S)
