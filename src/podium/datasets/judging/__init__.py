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
from podium.datasets.reasons import reason_of
from podium.datasets.scoring.again import scores_again
from podium.datasets.sql import answers_table

_PROBLEMS: Final = 20


def find(data: Dataset) -> Findings:
    """Return what is to be told of a data set of which every row is scored."""
    app, staged = data.app, data.staged
    asked = [_asked(data, name) for name in data.models]
    verdict = judge(data.work, app.signature, staged.rows, asked)
    failed, partly, problems = _problems(data)
    reasons = data.work.reasons
    notes = notes_on(data, verdict)
    answered = [_answered(data, index) for index in range(len(asked))]
    told = tuple(
        Judged(
            model=one.name, title=one.title, version=app.version(one.name),
            rows=answered[index], judged=own.judged, counts=_counts(data, index),
            metrics=own.metrics,
            notes=notes_of_model(data, index, staged.rows - failed - answered[index], notes.seen),
            figures=figures_of_model(app.signature, data.work, index, own.judgement,
                                     partial(scores_again, data, one.name), own.judged),
        )
        for index, (one, own) in enumerate(zip(asked, verdict.models, strict=True))
    )  # fmt: skip
    judgements = [one.judgement for one in verdict.models]
    return Findings(
        title=app.spec.title, file=data.upload.name, unit=app.signature.unit,
        labels=app.signature.labels, rows=staged.rows, failed=failed, partly=partly,
        problems=tuple((row, reason_of(told, reasons)) for row, told in problems), reasons=reasons,
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


def _problems(data: Dataset) -> tuple[int, int, tuple[tuple[int, str], ...]]:
    """Return how many rows no model answered, how many some did not, and the first reasons."""
    con, tables = data.work.con, [answers_table(index) for index in range(len(data.models))]
    some = " OR ".join(f"coalesce({_is_answered(data, table)}, false)" for table in tables)
    every = " AND ".join(f"coalesce({_is_answered(data, table)}, false)" for table in tables)
    counted = con.execute(
        f"SELECT count(*) FILTER (NOT ({some})), count(*) FILTER (({some}) AND NOT ({every})) "  # noqa: S608
        f"FROM {' POSITIONAL JOIN '.join(tables)}"
    ).fetchone() or (0, 0)
    wrong = con.execute(
        "SELECT rowid + 1, problem FROM rows WHERE problem IS NOT NULL ORDER BY rowid LIMIT ?",
        [_PROBLEMS],
    ).fetchall()
    return *counted, tuple(wrong)


def _answered(data: Dataset, index: int) -> int:
    table = answers_table(index)
    sql = f"SELECT count(*) FROM {table} WHERE {_is_answered(data, table)}"  # noqa: S608
    found = data.work.con.execute(sql).fetchone()
    return int(found[0]) if found else 0


def _is_answered(data: Dataset, table: str) -> str:
    """Return the condition for a row of a model's answers that is one."""
    regression = data.app.signature.kind == "regression"
    return f"NOT isnan({table}.value)" if regression else f"{table}.label >= 0"


def _counts(data: Dataset, index: int) -> dict[str, int] | None:
    """Return how often a model gives each label; None for a regression."""
    signature = data.app.signature
    if signature.kind == "regression":
        return None
    sql = f"SELECT label, count(*) FROM {answers_table(index)} GROUP BY label"  # noqa: S608
    found = dict(data.work.con.execute(sql).fetchall())
    return {label: found.get(place, 0) for place, label in enumerate(signature.labels)}
