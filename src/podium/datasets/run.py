"""The way of a data set: taken in, scored, judged, written. It goes on wherever it was left."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
from msgspec import structs

from podium.app import App
from podium.datasets.export import Export, Format
from podium.datasets.findings import Findings
from podium.datasets.place import Place as Place
from podium.datasets.place import Step
from podium.datasets.reading import Upload, stage
from podium.datasets.scoring import Scoring, asked_models
from podium.datasets.telling import find
from podium.datasets.wishes import Staged, Wishes
from podium.datasets.work import Work

Progress = Callable[[Step, int, int], None]
"""Hears what is done, how far, and of how much; what it raises ends the run, and it may go on."""


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
            app.spec.limits,
        )


def run(
    app: App, place: Place, upload: Upload, wishes: Wishes, kinds: Sequence[Format],
    progress: Progress,
) -> Findings:  # fmt: skip
    """Score a data set, write its results, and return what was found.

    Raises:
        DataError: it cannot be read, or lacks columns.
        ModelError: a model cannot be loaded, or fails on every row.
        UnknownModel: the application has no such model.
    """
    models = asked_models(app, wishes)
    staged = take_in(app, place, upload, wishes, progress)
    with Work(place.work) as work:
        scoring = Scoring(app, work, staged, wishes, upload.file)
        scoring.run(lambda done, rows: progress("scoring", done, rows))
        progress("judging", 0, 1)
        export = Export(work, staged, app.signature, models)
        findings = find(app, work, staged, wishes, scoring.models, upload)
        findings = structs.replace(findings, notes=(*findings.notes, *export.notes))
        for kind in kinds:
            export.write(
                place.results(kind), kind, lambda done, rows: progress("writing", done, rows)
            )
    part = place.findings.with_suffix(".part")
    part.write_bytes(msgspec.json.encode(findings))
    part.replace(place.findings)
    return findings
