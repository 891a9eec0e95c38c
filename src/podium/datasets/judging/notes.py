"""What else to know of a data set's findings, in words: what they rest on, and what may mislead."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from podium.app import App
from podium.cells import listed
from podium.datasets.dataset import Dataset
from podium.datasets.judging.bootstrap import LEAST, of_share
from podium.datasets.judging.judgement import ClassJudgement
from podium.datasets.judging.leakage import equal_rows, rows_also_in
from podium.datasets.judging.measured import MAX_LABELS
from podium.datasets.judging.verdict import MAX_FIGURED, Verdict
from podium.datasets.sql import answers_table, is_missing
from podium.errors import counted
from podium.pipeline.calibration import Calibration
from podium.rounding import percent
from podium.runtimes.trust import sha256
from podium.signature import Signature

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
        return Notes((_on_no_truth(app.signature),), None)
    told = [*_on_truth(data, verdict)]
    if not verdict.labelled:
        return Notes(tuple(told), None)
    seen = None
    training = app.spec.task.training
    if training is not None:
        seen = rows_also_in(app.folder / training, work, app)
        if seen is not None and len(seen):
            told.append(_on_seen(len(seen), verdict.labelled, training))
    else:
        told += _on_references(data, verdict)
    return Notes((*told, *_on_equal(data), *_on_rows(app, verdict)), seen)


def notes_of_model(
    data: Dataset, index: int, unanswered: int, seen: NDArray[np.intp] | None
) -> tuple[str, ...]:
    """Return what to know of the model that is number `index`.

    `unanswered` rows are those that it has no answer to, and another model has.
    """
    served = data.app.served(data.models[index])
    calibration = served.pipeline.calibration
    level = served.pipeline.level(data.wishes.confidence_level)
    short = calibration.not_reached(level) if calibration else None
    told = [data.app.kept(served.spec.name).trouble, short.message if short else None]
    if calibration and data.staged.target is not None and not data.upload.file.is_dir():
        told.append(_on_calibration(calibration, data.upload.file))
    if unanswered:
        told.append(f"It gave no answer to {counted(unanswered, 'row')} that another one answered.")
    if seen is not None and len(seen) and data.app.signature.labels:
        told += _on_new(data, index, seen)
    return tuple(one for one in told if one)


def _on_calibration(calibration: Calibration, file: Path) -> str | None:
    """Return what to know of a model that was calibrated on this very file."""
    if sha256(file, [file]) != calibration.sha256:
        return None
    return (
        f"It was calibrated on this very file ({calibration.data}): its coverage, log loss and "
        "calibration error look better here than on new rows."
    )


def _on_new(data: Dataset, index: int, seen: NDArray[np.intp]) -> Iterator[str]:
    """Yield how often a model is right on the rows that it was not trained on, if there are any."""
    known = {"row": seen}  # noqa: F841  named in the query
    table = answers_table(index)
    judged, rows, right = data.work.con.execute(
        "SELECT count(*) AS judged, count(*) FILTER (known.row IS NULL) AS rows, "  # noqa: S608
        "count(*) FILTER (known.row IS NULL AND label = truth) AS right_ones FROM "
        f"(SELECT rows.rowid AS row, truth, label FROM rows POSITIONAL JOIN {table}) "
        "LEFT JOIN known USING (row) WHERE NOT isnan(truth) AND label >= 0"
    ).fetchone() or (0, 0, 0)
    if 0 < rows < judged:
        low, high = of_share(right, rows) or (0.0, 1.0)
        yield (
            f"On the {counted(rows, 'row')} that it was not trained on, its accuracy is "
            f"{percent(right / rows)} (95% interval {percent(low)} to {percent(high)})."
        )


def _on_no_truth(signature: Signature) -> str:
    target = signature.target
    told = (f"There is no column {target!r}, so nothing says which answers are right: the models "
            "are not judged.")  # fmt: skip
    if signature.image is None:
        return told
    table = f"put a CSV file with the columns 'image' and {target!r} into the archive."
    if not signature.labels:
        return f"{told} To have them judged, {table}"
    folders = f"name the folders of the images as the labels ({listed(signature.labels)})"
    return f"{told} To have them judged, {folders}, or {table}"


def _on_truth(data: Dataset, verdict: Verdict) -> Iterator[str]:
    """Yield what there is to say of rows without a known answer."""
    staged = data.staged
    place = staged.target or 0
    column = staged.columns[place].name
    text = f"trim(CAST(input.c{place} AS VARCHAR))"
    found = data.work.con.execute(
        f"SELECT {text} AS told, {is_missing(text)} AS missing, count(*) AS rows "  # noqa: S608
        "FROM input POSITIONAL JOIN rows "
        "WHERE coalesce(isnan(rows.truth), true) AND input.problem IS NULL "
        "GROUP BY ALL ORDER BY rows DESC, told"
    ).fetchall()
    without = sum(rows for _, missing, rows in found if missing)
    others = [(told, rows) for told, missing, rows in found if not missing]
    unknown = sum(rows for _, rows in others)
    if not verdict.labelled:
        yield f"No row has a true answer in the column {column!r} that the application knows."
    if unknown:
        what = "none of the labels" if data.app.signature.labels else "no number"
        values = listed([repr(told[:80]) for told, _ in others[:_LISTED]])
        more = ", ..." if len(others) > _LISTED else ""
        yield (f"{counted(unknown, 'row')} with what is {what} in {column!r} ({values}{more}) "
               "cannot be judged.")  # fmt: skip
    if without and verdict.labelled:
        have, them = ("has", "it") if without == 1 else ("have", "them")
        yield (f"{counted(without, 'row')} {have} no true answer in {column!r}: nothing judges "
               f"{them}.")  # fmt: skip


def _on_seen(known: int, labelled: int, training: str) -> str:
    return (
        f"{counted(known, 'row')} of {labelled:,} ({percent(known / labelled)}) stand in "
        f"{training} too, on which the models were trained. Metrics, comparisons and figures count "
        "them: on new rows a model may do worse, most of all one that learns its rows by heart."
    )


def _on_references(data: Dataset, verdict: Verdict) -> Iterator[str]:
    app = data.app
    for reference in app.spec.references:
        if reference.file is None:
            continue
        known = rows_also_in(app.folder / reference.file, data.work, app)
        if known is not None and len(known):
            yield (
                f"{counted(len(known), 'row')} of {verdict.labelled:,} stand in {reference.file} "
                "too. If models were trained on it, they may do worse on new rows than the "
                f"metrics say; write training = {reference.file!r} under [task] to have this "
                "checked."
            )


def _on_equal(data: Dataset) -> Iterator[str]:
    if equal := equal_rows(data.work):
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
