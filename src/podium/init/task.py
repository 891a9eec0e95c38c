"""What a model predicts, and its labels: from its outputs, its maker and labelled data."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from podium.init.guess import Findings
from podium.init.hints import Hints
from podium.init.table import MAX_VALUES, LabelledTable
from podium.labelled import place_of
from podium.runtimes import Model, Task, TensorSpec

NO_LABELS: Final = "The file names no classes: write their names under [task] labels."
ONE_NUMBER: Final = (
    "The model gives one number, taken for a value; for the probability of the second of two "
    "classes say --labels no,yes."
)
_MAX_TOLD: Final = 3
_NUMBERED: Final = re.compile(r"(LABEL_|class )?(\d+)")


class Predicted(NamedTuple):
    """A kind of task; the labels of a classification."""

    kind: Task
    labels: tuple[str, ...] = ()


def find_task(
    model: Model, hints: Hints, data: LabelledTable | None,
    outputs: Sequence[TensorSpec], findings: Findings,
) -> Predicted:  # fmt: skip
    """Return what is predicted; `outputs` are those of the model as far as they are known."""
    kind = _kind(model, hints, data, outputs, findings)
    if kind == "regression":
        if data and data.target.range is None:
            findings.mistake("--target", f"{data.target.name!r} of {data.file.name} holds texts; "
                             "the model predicts a number")  # fmt: skip
        return Predicted(kind)
    labels = _labels(model, hints, data, _counts(model, outputs), findings)
    if data and labels:
        _check_answers(data, labels, model, findings)
    return Predicted(kind, labels)


def label_of(value: str, labels: Sequence[str], model: Model) -> str | None:
    """Return the label that a value of the data stands for; None when there is none.

    It is the label itself, what the model calls it, or its number from 0.
    """
    for names in (labels, model.labels):
        place = place_of(value, names)
        if place is not None:
            return labels[place]
    named = not any(label.isdecimal() for label in labels)
    if named and value.isdecimal() and int(value) < len(labels):
        return labels[int(value)]
    return None


def _kind(
    model: Model, hints: Hints, data: LabelledTable | None,
    outputs: Sequence[TensorSpec], findings: Findings,
) -> Task:  # fmt: skip
    told = _told(hints)
    if told and model.task and told[1] != model.task:
        findings.mistake(told[0], f"belongs to a {told[1]}; the model is a {model.task}")
    if told or model.task:
        return model.task or told[1]  # type: ignore[index]
    several = any(width > 1 for width in _widths(outputs))
    if several or model.labels or any(spec.dtype.kind in "iuO" for spec in outputs):
        return "classification"
    if data:
        findings.why["task.kind"] = f"from the values of {data.target.name}"
        numbers = data.target.range is not None and len(data.target.values) != 2
        return "regression" if numbers else "classification"
    findings.why["task.kind"] = "the model gives one number"
    findings.notes.append(ONE_NUMBER)
    return "regression"


def _told(hints: Hints) -> tuple[str, Task] | None:
    """Return the option that tells the kind of task, and the kind."""
    if hints.task:
        return "--task", hints.task
    if hints.labels:
        return "--labels", "classification"
    return ("--unit", "regression") if hints.unit else None


def _widths(outputs: Sequence[TensorSpec]) -> list[int]:
    """Return the known widths of what may be scores, the likeliest first."""
    likely = sorted(outputs, key=lambda spec: "prob" not in spec.name.lower())
    shapes = [spec.shape for spec in likely if spec.dtype.kind == "f" and len(spec.shape) == 2]
    return [shape[1] for shape in shapes if shape[1]]


def _counts(model: Model, outputs: Sequence[TensorSpec]) -> list[int]:
    """Return how many classes the model may have; one score is of two classes."""
    return [len(model.labels)] if model.labels else [max(2, one) for one in _widths(outputs)]


def _labels(
    model: Model,
    hints: Hints,
    data: LabelledTable | None,
    counts: Sequence[int],
    findings: Findings,
) -> tuple[str, ...]:
    """Return the labels in the model's order."""
    if hints.labels:
        if counts and len(hints.labels) not in counts:
            message = f"the model has {counts[0]} classes; found {len(hints.labels)}"
            findings.mistake("--labels", message)
        return hints.labels
    if model.labels and not _are_numbers(model.labels):
        return model.labels
    values = data.target.values if data else ()
    if values and len(values) in (counts or [len(values)]):
        if values != model.labels:
            findings.why["task.labels"] = "in order, as scikit-learn counts them; check it"
        return values
    if model.labels:
        return model.labels
    if values or not counts:
        findings.mistake("--labels", _unknown_labels(data, counts))
        return ()
    findings.why["task.labels"] = "the file names no classes"
    findings.notes.append(NO_LABELS)
    return tuple(f"class {index}" for index in range(counts[0]))


def _unknown_labels(data: LabelledTable | None, counts: Sequence[int]) -> str:
    classes = f"has {counts[0]} classes" if counts else "does not say how many classes it has"
    found = f", and {data.target.name} {len(data.target.values)} values" if data and counts else ""
    return f"the model {classes}{found}; name the classes, in the model's order"


def _are_numbers(labels: Sequence[str]) -> bool:
    """Whether labels only count the classes, as in "0", "1", "2" or "LABEL_0", "LABEL_1"."""
    matches = [_NUMBERED.fullmatch(label) for label in labels]
    return [match and int(match[2]) for match in matches] == list(range(len(labels)))


def _check_answers(
    data: LabelledTable, labels: Sequence[str], model: Model, findings: Findings
) -> None:
    name, values = data.target.name, data.target.values
    if not values:
        findings.mistake("--target", f"{name!r} has more than {MAX_VALUES:,} different values; "
                         "a classification has labels")  # fmt: skip
    strange = [value for value in values if label_of(value, labels, model) is None]
    if strange:
        found = ", ".join(map(repr, strange[:_MAX_TOLD]))
        findings.mistake("--target", f"{name!r} holds {found}; the model's labels are: "
                         f"{', '.join(labels)}")  # fmt: skip
