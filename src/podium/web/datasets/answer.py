"""A data set as JSON: where it stands, and once it is done what was found."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from flask import url_for
from msgspec import Struct

from podium.app import App
from podium.datasets.findings import Comparison, Figure, Findings, Judged, Metric
from podium.datasets.place import Step
from podium.datasets.wishes import Column
from podium.jobs.job import Job, State
from podium.web.datasets.upload import FIELD
from podium.web.page.answer import title_of


class ColumnAnswer(Struct, frozen=True):
    """A column of the file, and what it is used for: `input` names the model's input it holds."""

    name: str
    use: Literal["input", "target"] | None
    input: str | None


class ModelAnswer(Struct, frozen=True, kw_only=True):
    """A model that scores the data set; from `version` on null until it is done.

    It answered `rows`, of which `judged` have a true answer to compare; `counts` are its answers
    by label (classification).
    """

    name: str
    title: str
    version: str | None
    rows: int | None
    judged: int | None
    counts: dict[str, int] | None


class ProblemAnswer(Struct, frozen=True):
    """A row, from 1, that has no answer, and why."""

    row: int
    reason: str


class FigureAnswer(Struct, frozen=True):
    """A figure, of one model or of all (null), and where its Vega-Lite specification is."""

    model: str | None
    name: str
    title: str
    about: str
    url: str


class ResultsAnswer(Struct, frozen=True):
    """Where the results are."""

    csv: str
    parquet: str


class DatasetAnswer(Struct, frozen=True, kw_only=True):
    """A data set; what is not known yet is null, and times are UTC."""

    id: str
    state: State
    step: Step | None
    name: str
    created: datetime
    removed_at: datetime | None
    models: list[ModelAnswer]
    target: str | None
    confidence_level: float | None
    seed: int
    columns: list[ColumnAnswer] | None
    notes: list[str]
    rows: int | None
    rows_done: int
    rows_failed: int
    problems: list[ProblemAnswer] | None
    metrics: dict[str, list[Metric]] | None
    comparisons: list[Comparison] | None
    figures: list[FigureAnswer] | None
    error: str | None
    results: ResultsAnswer | None
    report: str | None


class AcceptedAnswer(Struct, frozen=True, kw_only=True):
    """What is taken as a data set: kinds of files, bytes, columns; `kept_s` is how long it is kept.

    `inputs` are the columns that the models need, in any order.
    """

    field: str
    formats: list[str]
    limit_bytes: int
    inputs: list[str]
    target: str
    models: list[str]
    kept_s: float


def accepted_of(app: App) -> AcceptedAnswer:
    """Return what an application takes as a data set."""
    signature = app.signature
    image = signature.image is not None
    return AcceptedAnswer(
        field=FIELD,
        formats=["zip"] if image else ["csv", "tsv", "parquet", "xlsx"],
        limit_bytes=int(app.spec.limits.dataset),
        inputs=["image"] if image else ["text"] if signature.text else list(signature.names),
        target=signature.target,
        models=list(app.names),
        kept_s=float(app.spec.dataset_keep),
    )


def answer_of(app: App, job: Job, findings: Findings | None) -> DatasetAnswer:
    """Return a job as JSON tells it; `findings` are there once it is done."""
    staged, known = job.staged, {one.model: one for one in findings.models} if findings else {}
    names = job.wishes.models or app.names[:1]
    notes = [*(staged.notes if staged else ()), *(findings.notes if findings else ())]
    return DatasetAnswer(
        id=job.id,
        state=job.state,
        step=job.step if job.state in ("received", "queued", "running") else None,
        name=job.name,
        created=_time(job.created),
        removed_at=None if job.removed_at is None else _time(job.removed_at),
        models=[_model(app, name, known.get(name)) for name in names],
        target=job.wishes.target,
        confidence_level=job.wishes.confidence_level,
        seed=job.wishes.seed,
        columns=[_column(one) for one in staged.columns] if staged else None,
        notes=list(dict.fromkeys(notes)),
        rows=job.rows,
        rows_done=job.rows_done,
        rows_failed=job.rows_failed,
        problems=[ProblemAnswer(*one) for one in findings.problems] if findings else None,
        metrics={name: list(one.metrics) for name, one in known.items()} if findings else None,
        comparisons=list(findings.comparisons) if findings else None,
        figures=_figures(job.id, findings) if findings else None,
        error=job.error,
        results=_results(job.id) if findings else None,
        report=url_for("datasets.report", job_id=job.id) if findings else None,
    )


def figures_of(findings: Findings) -> dict[tuple[str | None, str], Figure]:
    """Return the figures by model, None for those of all, and name."""
    own = {(one.model, figure.name): figure for one in findings.models for figure in one.figures}
    shared: dict[tuple[str | None, str], Figure] = {(None, one.name): one
                                                    for one in findings.figures}  # fmt: skip
    return shared | own


def _model(app: App, name: str, judged: Judged | None) -> ModelAnswer:
    title = title_of(app, name) if name in app.names else name
    if judged is None:
        return ModelAnswer(name=name, title=title, version=None, rows=None, judged=None,
                           counts=None)  # fmt: skip
    return ModelAnswer(name=name, title=title, version=judged.version, rows=judged.rows,
                       judged=judged.judged, counts=judged.counts)  # fmt: skip


def _figures(job_id: str, findings: Findings) -> list[FigureAnswer]:
    return [FigureAnswer(model, name, figure.title, figure.about,
                         url_for("datasets.figure", job_id=job_id, name=name, model=model))
            for (model, name), figure in figures_of(findings).items()]  # fmt: skip


def _results(job_id: str) -> ResultsAnswer:
    csv, parquet = (url_for("datasets.results", job_id=job_id, kind=kind)
                    for kind in ("csv", "parquet"))  # fmt: skip
    return ResultsAnswer(csv, parquet)


def _column(column: Column) -> ColumnAnswer:
    if column.is_target:
        return ColumnAnswer(column.name, "target", None)
    return ColumnAnswer(column.name, "input" if column.feature else None, column.feature)


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(round(seconds), UTC)
