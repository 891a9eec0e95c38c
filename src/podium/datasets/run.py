"""The way of a data set: taken in, scored, judged, written. It goes on wherever it was left."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from podium.app import App
from podium.datasets.export import Format, export
from podium.datasets.findings import Findings
from podium.datasets.reading import Upload, stage
from podium.datasets.scoring import Scoring
from podium.datasets.telling import find
from podium.datasets.wishes import Staged, Wishes
from podium.datasets.work import Work

Step = Literal["reading", "scoring", "judging", "writing"]
Progress = Callable[[Step, int, int], None]
"""Hears what is done, how far, and of how much; what it raises ends the run, and it may go on."""


class Place(NamedTuple):
    """The folder of one data set and what lies in it."""

    folder: Path

    @property
    def work(self) -> Path:
        """Where it is worked on."""
        return self.folder / "work.duckdb"

    @property
    def findings(self) -> Path:
        """What was found, as JSON; there once all results are."""
        return self.folder / "findings.json"

    def results(self, kind: Format) -> Path:
        """The results in a format."""
        return self.folder / f"results.{kind}"


def take_in(app: App, place: Place, upload: Upload, wishes: Wishes, progress: Progress) -> Staged:
    """Read a data set into its work, unless it is there.

    Raises:
        DataError: it cannot be read, or lacks columns.
    """
    with Work(place.work) as work:
        return work.staged or stage(
            upload,
            work,
            app.signature,
            wishes,
            lambda part: progress("reading", int(part * 100), 100),
        )


def run(
    app: App, place: Place, upload: Upload, wishes: Wishes, kinds: Collection[Format],
    progress: Progress,
) -> Findings:  # fmt: skip
    """Score a data set, write its results, and return what was found.

    Raises:
        DataError: it cannot be read, or lacks columns.
        ModelError: a model cannot be loaded, or fails on every row.
    """
    staged = take_in(app, place, upload, wishes, progress)
    with Work(place.work) as work:
        scoring = Scoring(app, work, staged, wishes, upload.file)
        scoring.run(lambda done, rows: progress("scoring", done, rows))
        progress("judging", 0, 1)
        findings = find(app, work, staged, wishes, scoring.models, upload.name)
        for number, kind in enumerate(kinds):
            progress("writing", number, len(kinds))
            export(work, staged, app.signature, scoring.models, place.results(kind), kind)
    part = place.findings.with_suffix(".part")
    part.write_bytes(msgspec.json.encode(findings))
    part.replace(place.findings)
    return findings
