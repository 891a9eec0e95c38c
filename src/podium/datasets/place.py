"""Where one data set lies, and what is done with it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from podium.messages import whole

Step = Literal["reading", "scoring", "judging", "writing"]
"""What is done with a data set, in this order."""
Progress = Callable[[Step, int, int], None]
"""Hears what is done, how far, and of how much; what it raises ends the run, and it may go on."""
Rows = Callable[[int, int], None]
"""Hears of how many rows a step is done, and of how many; what it raises ends it."""
Format = Literal["csv", "parquet"]
"""What results are written as."""


class Place(NamedTuple):
    """The folder of one data set and what lies in it."""

    folder: Path

    @property
    def work(self) -> Path:
        """Where it is worked on."""
        return self.folder / "work.duckdb"

    @property
    def upload(self) -> Path:
        """The file as it was sent."""
        return self.folder / "upload"

    @property
    def findings(self) -> Path:
        """What was found, as JSON; there once all results are."""
        return self.folder / "findings.json"

    @property
    def look(self) -> Path:
        """What its rows look like, as JSON; there for one that waits to be started."""
        return self.folder / "look.json"

    def results(self, kind: Format) -> Path:
        """The results in a format."""
        return self.folder / f"results.{kind}"

    def write(self, file: Path, told: object) -> None:
        """Write as JSON what is told, its Messages whole; there is the old file or the new one."""
        part = file.with_suffix(".part")
        part.write_bytes(msgspec.json.encode(told, enc_hook=whole))
        part.replace(file)

    def clean(self) -> None:
        """Remove what a piece of work that has ended early left half written."""
        for part in self.folder.glob("*.part*"):
            part.unlink(missing_ok=True)
        shutil.rmtree(self.work.with_suffix(".tmp"), ignore_errors=True)

    def forget_work(self) -> None:
        """Remove what was taken in and scored, but for results."""
        self.clean()
        for file in (self.look, self.work, self.work.with_name(self.work.name + ".wal")):
            file.unlink(missing_ok=True)

    def forget_all_but_results(self) -> None:
        """Remove the upload too: nothing can be begun again."""
        self.forget_work()
        self.upload.unlink(missing_ok=True)
