"""The way of a data set: taken in, scored, judged, written. It goes on wherever it was left."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from msgspec import structs

from podium.app import App
from podium.datasets.dataset import Dataset, asked_models
from podium.datasets.findings import Findings
from podium.datasets.judging import find
from podium.datasets.place import Format, Place, Progress
from podium.datasets.reading import Upload, stage
from podium.datasets.scoring import Scoring
from podium.datasets.scoring.looking import look
from podium.datasets.wishes import Staged, Wishes
from podium.datasets.work import Work
from podium.datasets.writing import Export


def take_in(app: App, place: Place, upload: Upload, wishes: Wishes, progress: Progress) -> Staged:
    """Read a data set into its work, unless it is there.

    Raises:
        DataError: it cannot be read, or lacks columns.
    """
    with Work(place.work) as work:
        return _staged(app, work, upload, wishes, progress)


def look_over(app: App, place: Place, staged: Staged) -> None:
    """Keep what the rows of a data set that is taken in look like, for its sender to see."""
    with Work(place.work) as work:
        place.write(place.look, look(app.signature, staged, work))


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
    with Work(place.work) as work:
        staged = _staged(app, work, upload, wishes, progress)
        data = Dataset(app, models, upload, wishes, staged, work)
        Scoring(data).run(partial(progress, "scoring"))
        progress("judging", 0, 1)
        export = Export(work, staged, app.signature, models)
        findings = find(data)
        findings = structs.replace(findings, notes=(*findings.notes, *export.notes))
        for kind in kinds:
            export.write(place.results(kind), kind, partial(progress, "writing"))
    place.write(place.findings, findings)
    return findings


def _staged(app: App, work: Work, upload: Upload, wishes: Wishes, progress: Progress) -> Staged:
    """Return what was taken in, which is done now if it was not before."""
    return work.staged or stage(
        upload,
        work,
        app.signature,
        wishes,
        lambda part: progress("reading", int(part * 100), 100),
        app.spec.limits,
    )
