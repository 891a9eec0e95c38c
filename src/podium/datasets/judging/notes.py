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
from podium.messages import Message, joined, message_of, said, said_of
from podium.pipeline.calibration import Calibration
from podium.rounding import percent
from podium.runtimes.trust import sha256
from podium.signature import Signature

FEW: Final = 30
"""Of fewer rows intervals are so wide that it is said."""
_LISTED: Final = 3


class Notes(NamedTuple):
    """What is told of the data set, and the rows (from 0) that models were trained on, if known."""

    told: tuple[Message, ...]
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
) -> tuple[Message, ...]:
    """Return what to know of the model that is number `index`.

    `unanswered` rows are those that it has no answer to, and another model has.
    """
    served = data.app.served(data.models[index])
    calibration = served.pipeline.calibration
    level = served.pipeline.level(data.wishes.confidence_level)
    short = calibration.not_reached(level) if calibration else None
    told = [data.app.kept(served.spec.name).trouble]
    if short:
        told.append(message_of(short.message))
    if calibration and data.staged.target is not None and not data.upload.file.is_dir():
        told += _on_calibration(calibration, data.upload.file)
    if unanswered:
        told.append(said_of(unanswered,
                            "It gave no answer to %(rows)s row that another one answered.",
                            "It gave no answer to %(rows)s rows that another one answered.",
                            rows=f"{unanswered:,}"))  # fmt: skip
    if seen is not None and len(seen) and data.app.signature.labels:
        told += _on_new(data, index, seen)
    return tuple(filter(None, told))


def _on_calibration(calibration: Calibration, file: Path) -> Iterator[Message]:
    """Yield what to know of a model that was calibrated on this very file."""
    if sha256(file, [file]) == calibration.sha256:
        yield said(
            "It was calibrated on this very file (%(file)s): its coverage, log loss and "
            "calibration error look better here than on new rows.",
            file=calibration.data,
        )


def _on_new(data: Dataset, index: int, seen: NDArray[np.intp]) -> Iterator[Message]:
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
        yield said_of(
            rows,
            "On the %(rows)s row that it was not trained on, its accuracy is %(share)s (95%% "
            "interval %(low)s to %(high)s).",
            "On the %(rows)s rows that it was not trained on, its accuracy is %(share)s (95%% "
            "interval %(low)s to %(high)s).",
            rows=f"{rows:,}", share=percent(right / rows), low=percent(low), high=percent(high),
        )  # fmt: skip


def _on_no_truth(signature: Signature) -> Message:
    target = repr(signature.target)
    told = [said("There is no column %(column)s, so nothing says which answers are right: the "
                 "models are not judged.", column=target)]  # fmt: skip
    if signature.image is not None and signature.labels:
        told.append(said(
            "To have them judged, name the folders of the images as the labels (%(labels)s), or "
            "put a CSV file with the columns 'image' and %(column)s into the archive.",
            labels=listed(signature.labels), column=target,
        ))  # fmt: skip
    elif signature.image is not None:
        told.append(said("To have them judged, put a CSV file with the columns 'image' and "
                         "%(column)s into the archive.", column=target))  # fmt: skip
    return joined(told)


def _on_truth(data: Dataset, verdict: Verdict) -> Iterator[Message]:
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
        yield said("No row has a true answer in the column %(column)s that the application knows.",
                   column=repr(column))  # fmt: skip
    if unknown:
        values = listed([repr(told[:80]) for told, _ in others[:_LISTED]])
        more = ", ..." if len(others) > _LISTED else ""
        yield _on_unknown(data.app.signature, unknown, column, f"{values}{more}")
    if without and verdict.labelled:
        yield said_of(
            without,
            "%(rows)s row has no true answer in %(column)s: nothing judges it.",
            "%(rows)s rows have no true answer in %(column)s: nothing judges them.",
            rows=f"{without:,}", column=repr(column),
        )  # fmt: skip


def _on_unknown(signature: Signature, rows: int, column: str, values: str) -> Message:
    told = {"rows": f"{rows:,}", "column": repr(column), "values": values}
    if signature.labels:
        return said_of(
            rows,
            "%(rows)s row with what is none of the labels in %(column)s (%(values)s) cannot be "
            "judged.",
            "%(rows)s rows with what is none of the labels in %(column)s (%(values)s) cannot be "
            "judged.",
            **told,
        )
    return said_of(
        rows,
        "%(rows)s row with what is no number in %(column)s (%(values)s) cannot be judged.",
        "%(rows)s rows with what is no number in %(column)s (%(values)s) cannot be judged.",
        **told,
    )


def _on_seen(known: int, labelled: int, training: str) -> Message:
    return said_of(
        known,
        "%(rows)s row of %(labelled)s (%(share)s) stands in %(file)s too, on which the models were "
        "trained. Metrics, comparisons and figures count it: on new rows a model may do worse, "
        "most of all one that learns its rows by heart.",
        "%(rows)s rows of %(labelled)s (%(share)s) stand in %(file)s too, on which the models were "
        "trained. Metrics, comparisons and figures count them: on new rows a model may do worse, "
        "most of all one that learns its rows by heart.",
        rows=f"{known:,}", labelled=f"{labelled:,}", share=percent(known / labelled),
        file=training,
    )  # fmt: skip


def _on_references(data: Dataset, verdict: Verdict) -> Iterator[Message]:
    app = data.app
    for reference in app.spec.references:
        if reference.file is None:
            continue
        known = rows_also_in(app.folder / reference.file, data.work, app)
        if known is not None and len(known):
            yield said_of(
                len(known),
                "%(rows)s row of %(labelled)s stands in %(file)s too. If models were trained on "
                "it, they may do worse on new rows than the metrics say ([task] training = "
                "%(name)s has this checked).",
                "%(rows)s rows of %(labelled)s stand in %(file)s too. If models were trained on "
                "it, they may do worse on new rows than the metrics say ([task] training = "
                "%(name)s has this checked).",
                rows=f"{len(known):,}", labelled=f"{verdict.labelled:,}", file=reference.file,
                name=repr(reference.file),
            )  # fmt: skip


def _on_equal(data: Dataset) -> Iterator[Message]:
    if equal := equal_rows(data.work):
        yield said("%(rows)s rows stand there more than once: equal rows make the intervals "
                   "narrower than they should be.", rows=f"{equal:,}")  # fmt: skip


def _on_rows(app: App, verdict: Verdict) -> Iterator[Message]:
    rows = verdict.labelled
    if rows < LEAST:
        yield said_of(
            rows,
            "Only %(rows)s row can be judged: that says little, and for some metrics no interval "
            "can be told.",
            "Only %(rows)s rows can be judged: that says little, and for some metrics no interval "
            "can be told.",
            rows=rows,
        )
    elif rows < FEW:
        yield said("Only %(rows)s rows can be judged: the intervals are wide.", rows=rows)
    if verdict.groups < rows:
        yield said(
            "The metrics are those of all %(rows)s rows. For the bootstrap the rows are put into "
            "%(groups)s groups by chance, and groups are drawn.",
            rows=f"{rows:,}", groups=f"{verdict.groups:,}",
        )  # fmt: skip
    labels = app.signature.labels
    there = {place for one in verdict.models if isinstance(one.judgement, ClassJudgement)
             for place in np.unique(one.judgement.truth).tolist()}  # fmt: skip
    absent = [label for place, label in enumerate(labels) if place not in there]
    if absent and rows <= MAX_FIGURED:
        yield said("No row that is judged is of the label %(labels)s: nothing says how well it is "
                   "found.", labels=listed(absent))  # fmt: skip
    if len(labels) > MAX_LABELS:
        yield said("Precision, recall and F1 of each label are told of up to %(labels)s labels.",
                   labels=MAX_LABELS)  # fmt: skip
