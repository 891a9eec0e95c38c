"""What else to know of a data set's findings, in words: what they rest on, and what may mislead."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from podium.app import App
from podium.cells import listed
from podium.datasets.dataset import Dataset
from podium.datasets.judging.bootstrap import LEAST, of_share
from podium.datasets.judging.judgement import ClassJudgement, Judgement
from podium.datasets.judging.leakage import equal_rows, rows_also_in
from podium.datasets.judging.measured import MAX_LABELS
from podium.datasets.judging.verdict import MAX_FIGURED, Verdict
from podium.datasets.sql import is_missing
from podium.errors import counted

FEW: Final = 30
"""Of fewer rows intervals are so wide that it is said."""
_LISTED: Final = 3


class Notes(NamedTuple):
    """What is told of the data set, and the rows (from 0) that models were trained on, if known."""

    told: tuple[str, ...]
    seen: NDArray[np.intp] | None


def notes_on(data: Dataset, verdict: Verdict) -> Notes:
    """Return what to know of the rows by which models are judged."""
    app, work, staged = data.app, data.work, data.staged
    if staged.target is None:
        name = app.signature.target
        return Notes((f"There is no column {name!r}, so nothing says which answers are right: the "
                      "models are not judged.",), None)  # fmt: skip
    told = [*_on_truth(data, verdict)]
    if not verdict.labelled:
        return Notes(tuple(told), None)
    seen = None
    training = app.spec.task.training
    if training is not None:
        seen = rows_also_in(app.folder / training, work, staged, app.signature)
        if seen is not None and len(seen):
            told.append(_on_seen(len(seen), verdict.labelled, training))
    else:
        told += _on_references(data, verdict)
    return Notes((*told, *_on_equal(data, verdict), *_on_rows(app, verdict)), seen)


def notes_of_model(
    app: App, name: str, judged: Judgement | None, seen: NDArray[np.intp] | None
) -> tuple[str, ...]:
    """Return what to know of one model's metrics."""
    told = []
    trouble = app.kept(name).trouble
    if trouble:
        told.append(trouble)
    if seen is not None and len(seen) and isinstance(judged, ClassJudgement):
        new = ~np.isin(judged.rows, seen)
        rows = int(new.sum())
        if 0 < rows < len(new):
            right = int(judged.right[new].sum())
            low, high = of_share(right, rows) or (0.0, 1.0)
            told.append(
                f"On the {counted(rows, 'row')} that it was not trained on, its accuracy is "
                f"{right / rows:.1%} (95% interval {low:.1%} to {high:.1%})."
            )
    return tuple(told)


def _on_truth(data: Dataset, verdict: Verdict) -> Iterator[str]:
    """Yield what there is to say of rows without a known answer."""
    staged = data.staged
    place = staged.target or 0
    column = staged.columns[place].name
    text = f"trim(CAST(input.c{place} AS VARCHAR))"
    found = data.work.con.execute(
        f"SELECT {text} AS told, count(*) AS rows FROM input POSITIONAL JOIN rows "  # noqa: S608
        f"WHERE coalesce(isnan(rows.truth), true) AND input.problem IS NULL "
        f"AND NOT {is_missing(text)} "
        "GROUP BY told ORDER BY rows DESC, told"
    ).fetchall()
    unknown = sum(rows for _, rows in found)
    without = staged.rows - verdict.labelled - unknown
    if not verdict.labelled:
        yield f"No row has an answer in the column {column!r} that the application knows."
    if unknown:
        what = "none of the labels" if data.app.signature.labels else "no number"
        values = listed([repr(told[:80]) for told, _ in found[:_LISTED]])
        more = ", ..." if len(found) > _LISTED else ""
        yield (f"{counted(unknown, 'row')} with what is {what} in {column!r} ({values}{more}) "
               "cannot be judged.")  # fmt: skip
    if without and verdict.labelled:
        yield f"{counted(without, 'row')} without an answer in {column!r} cannot be judged."


def _on_seen(known: int, labelled: int, training: str) -> str:
    return (
        f"{counted(known, 'row')} of {labelled:,} ({known / labelled:.1%}) stand in {training} "
        "too, on which the models were trained. Those are easy for them: on new rows they will do "
        "worse than the metrics say."
    )


def _on_references(data: Dataset, verdict: Verdict) -> Iterator[str]:
    app = data.app
    for reference in app.spec.references:
        if reference.file is None:
            continue
        known = rows_also_in(app.folder / reference.file, data.work, data.staged, app.signature)
        if known is not None and len(known):
            yield (
                f"{counted(len(known), 'row')} of {verdict.labelled:,} stand in {reference.file} "
                "too. If models were trained on it, they will do worse on new rows than the "
                f"metrics say; write training = {reference.file!r} under [task] to have this "
                "checked."
            )


def _on_equal(data: Dataset, verdict: Verdict) -> Iterator[str]:
    if verdict.labelled <= MAX_FIGURED and (equal := equal_rows(data.work, data.staged)):
        yield (
            f"{counted(equal, 'row')} stand there more than once: equal rows make the intervals "
            "narrower than they should be."
        )


def _on_rows(app: App, verdict: Verdict) -> Iterator[str]:
    rows = verdict.labelled
    if rows < LEAST:
        yield (f"Only {counted(rows, 'row')} can be judged: that says little, and for some metrics "
               "no interval can be told.")  # fmt: skip
    elif rows < FEW:
        yield f"Only {rows} rows can be judged: the intervals are wide."
    if verdict.groups < rows:
        yield (
            f"The metrics are those of all {rows:,} rows. For the bootstrap the rows are put into "
            f"{verdict.groups:,} groups by chance, and groups are drawn."
        )
    labels = app.signature.labels
    there = {place for one in verdict.models if isinstance(one.judgement, ClassJudgement)
             for place in np.unique(one.judgement.truth).tolist()}  # fmt: skip
    absent = [label for place, label in enumerate(labels) if place not in there]
    if absent and rows <= MAX_FIGURED:
        yield (
            f"No row that is judged is of the label {listed(absent)}: nothing says how well it is "
            "found."
        )
    if len(labels) > MAX_LABELS:
        yield f"Precision, recall and F1 of each label are told of up to {MAX_LABELS} labels."
