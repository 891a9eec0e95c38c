"""What else to know of a data set's findings, in words: what they rest on, and what may mislead."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from podium.app import App
from podium.cells import MISSING, listed
from podium.datasets.bootstrap import LEAST, wilson
from podium.datasets.judging import ClassJudgement
from podium.datasets.measured import MAX_LABELS
from podium.datasets.seen import equal_rows, rows_also_in
from podium.datasets.verdict import MAX_FIGURED, Verdict
from podium.datasets.wishes import Staged
from podium.datasets.work import Work
from podium.errors import counted

FEW: Final = 30
"""Of fewer rows intervals are so wide that it is said."""
_LISTED: Final = 3


class Notes(NamedTuple):
    """What is told of the data set, and the rows (from 0) that models were trained on, if known."""

    told: tuple[str, ...]
    seen: NDArray[np.intp] | None


def notes_on(app: App, work: Work, staged: Staged, verdict: Verdict) -> Notes:
    """Return what to know of the rows by which models are judged."""
    if staged.target is None:
        name = app.signature.target
        return Notes((f"There is no column {name!r}, so nothing says which answers are right: the "
                      "models are not judged.",), None)  # fmt: skip
    told = [*_on_truth(app, work, staged, verdict)]
    if not verdict.labelled:
        return Notes(tuple(told), None)
    seen = None
    training = app.spec.task.training
    if training is not None:
        seen = rows_also_in(app.folder / training, work, staged, app.signature)
        told += (
            [_on_seen(len(seen), verdict.labelled, training)]
            if seen is not None and len(seen)
            else []
        )
    else:
        told += _on_references(app, work, staged, verdict.labelled)
    return Notes((*told, *_on_equal(work, staged, verdict), *_on_rows(app, verdict)), seen)


def notes_of_model(
    app: App, name: str, verdict: Verdict, index: int, seen: NDArray[np.intp] | None
) -> tuple[str, ...]:
    """Return what to know of one model's metrics."""
    told = []
    trouble = app.kept(name).trouble
    if trouble:
        told.append(trouble)
    judged = verdict.judgements[index]
    if seen is not None and len(seen) and isinstance(judged, ClassJudgement):
        new = ~np.isin(judged.rows, seen)
        rows = int(new.sum())
        if 0 < rows < len(new):
            right = int(judged.right[new].sum())
            low, high = wilson(right, rows) or (0.0, 1.0)
            told.append(
                f"On the {counted(rows, 'row')} that it was not trained on, its accuracy is "
                f"{_percent(right / rows)} (95% interval {_percent(low)} to {_percent(high)})."
            )
    return tuple(told)


def _on_truth(app: App, work: Work, staged: Staged, verdict: Verdict) -> Iterator[str]:
    """Yield what there is to say of rows without a known answer."""
    place = staged.target or 0
    column = staged.columns[place].name
    words = ", ".join("'" + word + "'" for word in sorted(MISSING))
    text = f"trim(CAST(input.c{place} AS VARCHAR))"
    found = work.con.execute(
        f"SELECT {text} AS told, count(*) AS rows FROM input POSITIONAL JOIN rows "  # noqa: S608
        f"WHERE coalesce(isnan(rows.truth), true) AND input.problem IS NULL "
        f"AND {text} NOT IN ({words}) "
        "GROUP BY told ORDER BY rows DESC, told"
    ).fetchall()
    unknown = sum(rows for _, rows in found)
    without = staged.rows - verdict.labelled - unknown
    if not verdict.labelled:
        yield f"No row has an answer in the column {column!r} that the application knows."
    if unknown:
        what = "none of the labels" if app.signature.labels else "no number"
        values = listed([repr(told[:80]) for told, _ in found[:_LISTED]])
        more = ", ..." if len(found) > _LISTED else ""
        yield (f"{counted(unknown, 'row')} with what is {what} in {column!r} ({values}{more}) "
               "cannot be judged.")  # fmt: skip
    if without and verdict.labelled:
        yield f"{counted(without, 'row')} without an answer in {column!r} cannot be judged."


def _on_seen(known: int, labelled: int, training: str) -> str:
    share = _percent(known / labelled)
    return (
        f"{counted(known, 'row')} of {labelled:,} ({share}) stand in {training} too, on which the "
        "models were trained. Those are easy for them: on new rows they will do worse than the "
        "metrics say."
    )


def _on_references(app: App, work: Work, staged: Staged, labelled: int) -> Iterator[str]:
    for reference in app.spec.references:
        if reference.file is None:
            continue
        known = rows_also_in(app.folder / Path(reference.file), work, staged, app.signature)
        if known is not None and len(known):
            yield (
                f"{counted(len(known), 'row')} of {labelled:,} stand in {reference.file} too. If "
                "models were trained on it, they will do worse on new rows than the metrics say; "
                f"write training = {reference.file!r} under [task] to have this checked."
            )


def _on_equal(work: Work, staged: Staged, verdict: Verdict) -> Iterator[str]:
    if verdict.labelled <= MAX_FIGURED and (equal := equal_rows(work, staged)):
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
    there = {place for one in verdict.judgements if isinstance(one, ClassJudgement)
             for place in np.unique(one.truth).tolist()}  # fmt: skip
    absent = [label for place, label in enumerate(labels) if place not in there]
    if absent and rows <= MAX_FIGURED:
        yield (
            f"No row that is judged is of the label {listed(absent)}: nothing says how well it is "
            "found."
        )
    if len(labels) > MAX_LABELS:
        yield f"Precision, recall and F1 of each label are told of up to {MAX_LABELS} labels."


def _percent(share: float) -> str:
    return f"{100 * share:.1f}%"
