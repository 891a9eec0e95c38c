"""All that is found in a scored data set is put together."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from msgspec import structs

from podium.app import App
from podium.datasets.again import Again
from podium.datasets.bootstrap import REPLICATES
from podium.datasets.compare import Named
from podium.datasets.figures import figures_of_all, figures_of_model
from podium.datasets.findings import Findings, Judged
from podium.datasets.measured import Asked
from podium.datasets.notes import notes_of_model, notes_on
from podium.datasets.reading import Upload
from podium.datasets.verdict import Verdict, judge
from podium.datasets.wishes import Staged, Wishes
from podium.datasets.work import Work
from podium.options import DEFAULT_LEVEL

_PROBLEMS: Final = 20


def find(
    app: App, work: Work, staged: Staged, wishes: Wishes, models: Sequence[str], upload: Upload
) -> Findings:
    """Return what is to be told of a data set of which every row is scored."""
    named = [Named(name, _title(app, name)) for name in models]
    asked = [_asked(app, wishes, name) for name in models]
    verdict = judge(work, app.signature, staged.rows, list(zip(named, asked, strict=True)))
    failed, problems = _problems(work)
    notes = notes_on(app, work, staged, verdict)
    told = [
        Judged(
            model=one.name, title=one.title, version=app.version(one.name),
            rows=_answered(app, work, index), judged=verdict.judged[index],
            counts=_counts(app, work, index), metrics=verdict.metrics[index],
            notes=notes_of_model(app, one.name, verdict, index, notes.seen),
        )
        for index, one in enumerate(named)
    ]  # fmt: skip
    judgements = verdict.judgements
    return Findings(
        title=app.spec.title, file=upload.name, unit=app.signature.unit,
        labels=app.signature.labels, rows=staged.rows, failed=failed, problems=problems,
        target=None if staged.target is None else staged.columns[staged.target].name,
        staged=staged, wishes=wishes, bootstrap=REPLICATES if verdict.labelled else 0,
        models=_with_figures(app, work, told, verdict,
                             Again(app, work, staged, wishes, upload.file)),
        comparisons=verdict.comparisons, notes=notes.told,
        figures=figures_of_all(told, judgements, app.signature.unit),
    )  # fmt: skip


def _with_figures(
    app: App, work: Work, told: Sequence[Judged], verdict: Verdict, again: Again
) -> tuple[Judged, ...]:
    return tuple(
        structs.replace(one, figures=figures_of_model(
            app.signature, work, index, judgement, partial(again.scores, one.model)))
        for index, (one, judgement) in enumerate(zip(told, verdict.judgements, strict=True))
    )  # fmt: skip


def _title(app: App, name: str) -> str:
    spec = app.served(name).spec
    return spec.title or name


def _asked(app: App, wishes: Wishes, name: str) -> Asked:
    own = app.served(name).pipeline.calibration
    level = wishes.confidence_level or (own.confidence_level if own else DEFAULT_LEVEL)
    return Asked(app.signature.labels, app.signature.unit, level, own is not None)


def _problems(work: Work) -> tuple[int, tuple[tuple[int, str], ...]]:
    """Return how many rows have no answer, and the first of them with the reasons."""
    wrong = work.con.execute(
        "SELECT count(*) OVER (), rows.rowid + 1, coalesce(rows.problem, input.problem) AS told "
        "FROM rows POSITIONAL JOIN input WHERE told IS NOT NULL ORDER BY rows.rowid "
        "LIMIT ?",
        [_PROBLEMS],
    ).fetchall()
    return wrong[0][0] if wrong else 0, tuple((row, told) for _, row, told in wrong)


def _answered(app: App, work: Work, index: int) -> int:
    there = "NOT isnan(value)" if app.signature.kind == "regression" else "label >= 0"
    sql = f"SELECT count(*) FROM answers_{index} WHERE {there}"  # noqa: S608
    found = work.con.execute(sql).fetchone()
    return int(found[0]) if found else 0


def _counts(app: App, work: Work, index: int) -> dict[str, int] | None:
    """Return how often a model gives each label; None for a regression."""
    if app.signature.kind == "regression":
        return None
    sql = f"SELECT label, count(*) FROM answers_{index} GROUP BY label"  # noqa: S608
    found = dict(work.con.execute(sql).fetchall())
    return {label: found.get(place, 0) for place, label in enumerate(app.signature.labels)}
