"""`podium` with a worker that can be killed in the act: chunks are short, and moments last.

A chunk is held twice on its way into the file: before the mark of how far the answers reach, and
before the commit. With STEP_FILE the steps but for scoring are: what is done is written there, and
the worker waits the first times. A job hangs after HUNG_S.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path
from typing import Any

import duckdb

from podium import cli
from podium.datasets import scoring
from podium.datasets.place import Step
from podium.datasets.work import Work
from podium.jobs import guard, progress

HELD_S = 0.05

told = progress.JobProgress.__call__
opened = Work.__init__
tells: Counter[str] = Counter()


class Held:
    """A connection that keeps a chunk waiting."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self._con = con
        con.execute("SET python_scan_all_frames = true")  # this frame is between

    def __getattr__(self, name: str) -> Any:
        return getattr(self._con, name)

    def execute(self, sql: str, *values: Any) -> Any:
        """Run a statement."""
        if "STEP_FILE" not in os.environ and sql.startswith(("INSERT INTO scored", "COMMIT")):
            time.sleep(HELD_S)
        return self._con.execute(sql, *values)


def open_held(self: Work, file: Path) -> None:
    """Open the file in which a data set is worked on."""
    opened(self, file)
    self.con = Held(self.con)  # type: ignore[assignment]


def tell_and_wait(self: progress.JobProgress, step: Step, done: int, total: int) -> None:
    """Tell what is done, and give a kill time to come."""
    told(self, step, done, total)
    if step != "scoring" and "STEP_FILE" in os.environ:
        Path(os.environ["STEP_FILE"]).write_text(step)
        tells[step] += 1
        time.sleep(2 * HELD_S if tells[step] < 4 else 0)


if __name__ == "__main__":
    scoring.CHUNK_S = 0.1  # type: ignore[misc]
    progress.TELL_S = 0.0  # type: ignore[misc]
    guard.HUNG_S = float(os.environ.get("HUNG_S", guard.HUNG_S))  # type: ignore[misc]
    progress.JobProgress.__call__ = tell_and_wait  # type: ignore[method-assign]
    Work.__init__ = open_held  # type: ignore[method-assign]
    cli.main(prog_name="podium")
