"""`podium` with a worker that can be killed in the act: chunks are short, and moments last.

PAUSE_S is how long it waits after it has told what it does, but for scoring. A chunk is held twice
on its way into the file: before the mark of how far the answers reach, and before the commit.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import duckdb

from podium import cli
from podium.datasets import scoring
from podium.datasets.place import Step
from podium.datasets.work import Work
from podium.jobs import report

HELD_S = 0.05
told = report.Report.__call__
opened = Work.__init__


class Held:
    """A connection that keeps a chunk waiting."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self._con = con
        con.execute("SET python_scan_all_frames = true")  # this frame is between

    def __getattr__(self, name: str) -> Any:
        return getattr(self._con, name)

    def execute(self, sql: str, *values: Any) -> Any:
        """Run a statement."""
        if sql.startswith(("INSERT INTO scored", "COMMIT")):
            time.sleep(HELD_S)
        return self._con.execute(sql, *values)


def open_held(self: Work, file: Path) -> None:
    """Open the file in which a data set is worked on."""
    opened(self, file)
    self.con = Held(self.con)  # type: ignore[assignment]


def tell_and_wait(self: report.Report, step: Step, done: int, total: int) -> None:
    """Tell what is done, and give a kill time to come."""
    told(self, step, done, total)
    if step != "scoring":
        time.sleep(float(os.environ.get("PAUSE_S", "0")))


if __name__ == "__main__":
    scoring.CHUNK_S = 0.1  # type: ignore[misc]
    report.TELL_S = 0.0  # type: ignore[misc]
    report.Report.__call__ = tell_and_wait  # type: ignore[method-assign]
    Work.__init__ = open_held  # type: ignore[method-assign]
    cli.main(prog_name="podium")
