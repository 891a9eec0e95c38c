"""A scored data set is judged by its labels, and all that is found in it put together."""

from __future__ import annotations

from functools import partial
from typing import Final

from podium.datasets.dataset import Dataset
from podium.datasets.findings import Findings, Judged
from podium.datasets.judging.bootstrap import LEVEL, REPLICATES
from podium.datasets.judging.figures import figures_of_all, figures_of_model
from podium.datasets.judging.measured import Asked
from podium.datasets.judging.notes import notes_of_model, notes_on
from podium.datasets.judging.verdict import judge
from podium.datasets.scoring.again import scores_again
from podium.datasets.sql import answers_table
from podium.datasets.work import Work

_PROBLEMS: Final = 20


def find(data: Dataset) -> Findings:
    """Return what is to be told of a data set of which every row is scored."""
    app, staged = data.app, data.staged
    asked = [_asked(data, name) for name in data.models]
    verdict = judge(data.work, app.signature, staged.rows, asked)
    failed, problems = _problems(data.work)
    notes = notes_on(data, verdict)
    told = tuple(
        Judged(
            model=one.name, title=one.title, version=app.version(one.name),
            rows=_answered(data, index), judged=own.judged, counts=_counts(data, index),
            metrics=own.metrics, notes=notes_of_model(app, one.name, own.judgement, notes.seen),
            figures=figures_of_model(app.signature, data.work, index, own.judgement,
                                     partial(scores_again, data, one.name)),
        )
        for index, (one, own) in enumerate(zip(asked, verdict.models, strict=True))
    )  # fmt: skip
    judgements = [one.judgement for one in verdict.models]
    return Findings(
        title=app.spec.title, file=data.upload.name, unit=app.signature.unit,
        labels=app.signature.labels, rows=staged.rows, failed=failed, problems=problems,
        target=None if staged.target is None else staged.columns[staged.target].name,
        staged=staged, wishes=data.wishes, level=LEVEL,
        bootstrap=REPLICATES if verdict.labelled else 0, models=told,
        comparisons=verdict.comparisons, notes=notes.told,
        figures=figures_of_all(told, judgements, app.signature.unit),
    )  # fmt: skip


def _asked(data: Dataset, name: str) -> Asked:
    served, signature = data.app.served(name), data.app.signature
    level = served.pipeline.level(data.wishes.confidence_level)
    calibrated = served.pipeline.calibration is not None
    title = served.spec.title or name
    return Asked(name, title, signature.labels, signature.unit, level, calibrated)


def _problems(work: Work) -> tuple[int, tuple[tuple[int, str], ...]]:
    """Return how many rows have no answer, and the first of them with the reasons."""
    wrong = work.con.execute(
        "SELECT count(*) OVER (), rowid + 1, problem FROM rows WHERE problem IS NOT NULL "
        "ORDER BY rowid LIMIT ?",
        [_PROBLEMS],
    ).fetchall()
    return wrong[0][0] if wrong else 0, tuple((row, told) for _, row, told in wrong)


def _answered(data: Dataset, index: int) -> int:
    there = "NOT isnan(value)" if data.app.signature.kind == "regression" else "label >= 0"
    sql = f"SELECT count(*) FROM {answers_table(index)} WHERE {there}"  # noqa: S608
    found = data.work.con.execute(sql).fetchone()
    return int(found[0]) if found else 0


def _counts(data: Dataset, index: int) -> dict[str, int] | None:
    """Return how often a model gives each label; None for a regression."""
    signature = data.app.signature
    if signature.kind == "regression":
        return None
    sql = f"SELECT label, count(*) FROM {answers_table(index)} GROUP BY label"  # noqa: S608
    found = dict(data.work.con.execute(sql).fetchall())
    return {label: found.get(place, 0) for place, label in enumerate(signature.labels)}
