"""Examples with expected answers, chosen from labelled data by what the model says to them."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain, zip_longest
from typing import Any, Final, NamedTuple

import msgspec

from podium.engines.local import LocalEngine
from podium.errors import PodiumError
from podium.init.guess import Guess
from podium.init.table import LabelledTable, Texts
from podium.init.task import label_of
from podium.options import Options
from podium.pipeline import Pipeline
from podium.pipeline.probe import probe_items
from podium.prediction import ClassPrediction
from podium.runtimes import Model
from podium.signature import Row
from podium.spec import Example, ModelSpec

COUNT: Final = 5
MAX_ROWS: Final = 400
BUDGET_S: Final = 10.0
_BATCH: Final = 20
_POOR: Final = 0.5
_FAIR: Final = 0.9
"""Accuracies below which the order may be wrong: of any model, and where an order is a guess."""


class _Labelled(NamedTuple):
    """An item of the data, and its answer there."""

    item: Row | str
    expected: str | float


class _Answered(NamedTuple):
    """An item, its answer in the data, and the model's own."""

    item: Row | str
    expected: str | float
    found: str | float

    @property
    def right(self) -> bool:
        return self.found == self.expected

    @property
    def residual(self) -> float:
        return abs(float(self.found) - float(self.expected))

    @property
    def awkward(self) -> int:
        """How little it makes an example: by its gaps, or by its length."""
        return len(self.item) if isinstance(self.item, str) else self.item.count(None)


def with_examples(guess: Guess, model: Model, data: LabelledTable) -> Guess:
    """Return the guess with examples, and with features optional only if the model allows it.

    A model that fails stays without examples; `podium check` tells why.
    """
    try:
        guess, pipeline = _fitting(guess, model)
    except PodiumError:
        return guess
    rows = _values(guess, data) if guess.kind == "regression" else _labels(guess, model, data)
    answered = list(_answers(pipeline, list(rows)))
    if not answered:
        note = f"No row of {data.file.name} was answered; the examples are left out."
        return replace(guess, notes=(*guess.notes, note))
    if guess.kind == "regression":
        return _with_values(guess, data, answered)
    return _with_labels(guess, data, answered)


def _fitting(guess: Guess, model: Model) -> tuple[Guess, Pipeline]:
    """Return the guess as the model can serve it, and its pipeline.

    The data may miss values that were left out of the training; then the model cannot do without.

    Raises:
        PodiumError: the model fails also when nothing is missing.
    """
    try:
        return guess, _pipeline(guess, model)
    except PodiumError:
        able = {spec.name for spec in model.inputs if spec.optional}
        gaps = [one.name for one in guess.features if one.optional and one.name not in able]
        if not gaps:
            raise
    features = tuple(msgspec.structs.replace(one, optional=one.name in able)
                     for one in guess.features)  # fmt: skip
    note = f"The data miss values of {', '.join(gaps)}; the model cannot answer without them."
    guess = replace(guess, features=features, notes=(*guess.notes, note))
    return guess, _pipeline(guess, model)


def _pipeline(guess: Guess, model: Model) -> Pipeline:
    pipeline = Pipeline(guess.signature, ModelSpec(name="m"), [model], LocalEngine(), {})
    pipeline.predict(probe_items(guess.signature)[-1:], Options())  # the one with all gaps
    return pipeline


def _labels(guess: Guess, model: Model, data: LabelledTable) -> Iterator[_Labelled]:
    """Yield rows of each label in turn."""
    for turn in zip_longest(*data.by_label.values()):
        for value, row in zip(data.by_label, turn, strict=True):
            label = label_of(value, guess.labels, model)
            if row is not None and label is not None:
                yield from _labelled(guess, row, label)


def _values(guess: Guess, data: LabelledTable) -> Iterator[_Labelled]:
    for row in data.sample:
        yield from _labelled(guess, row, float(row[data.target.name]))


def _labelled(guess: Guess, row: Texts, expected: str | float) -> Iterator[_Labelled]:
    """Yield a row if it fits the signature."""
    signature = guess.signature
    try:
        if guess.text is not None:
            yield _Labelled(signature.check_text(row.get(guess.text_column or "")), expected)
        else:
            known = {name: row[name] for name in signature.names if name in row}
            yield _Labelled(signature.parse_row(known), expected)
    except (PodiumError, ValueError):
        return


def _answers(pipeline: Pipeline, rows: Sequence[_Labelled]) -> Iterator[_Answered]:
    """Yield what the model answers to as many rows as there is time for."""
    deadline = time.perf_counter() + BUDGET_S
    for start in range(0, min(len(rows), MAX_ROWS), _BATCH):
        batch = rows[start : start + _BATCH]
        try:
            yield from _batch(pipeline, batch)
        except PodiumError:
            yield from chain.from_iterable(_alone(pipeline, row) for row in batch)
        if time.perf_counter() > deadline:
            return


def _batch(pipeline: Pipeline, rows: Sequence[_Labelled]) -> list[_Answered]:
    items: Any = [row.item for row in rows]
    predictions = pipeline.predict(items, Options())
    found = [one.label if isinstance(one, ClassPrediction) else one.value for one in predictions]
    return [_Answered(*row, answer) for row, answer in zip(rows, found, strict=True)]


def _alone(pipeline: Pipeline, row: _Labelled) -> list[_Answered]:
    try:
        return _batch(pipeline, [row])
    except PodiumError:
        return []


def _with_labels(guess: Guess, data: LabelledTable, answered: Sequence[_Answered]) -> Guess:
    right = [one for one in answered if one.right]
    note = (f"Of {len(answered)} rows of {data.file.name}, drawn from all labels alike, the model "
            f"answers {len(right)} as they say.")  # fmt: skip
    ordered = any(key.endswith(("labels", "choices", "name")) for key in guess.why)
    if len(right) < (_FAIR if ordered else _POOR) * len(answered):
        columns = "of the columns, of the choices and " if guess.features else ""
        note += f" Check the order {columns}of the labels."
    chosen = {
        label: min(ones, key=lambda one: one.awkward)
        for label in guess.labels
        if (ones := [one for one in right if one.expected == label])
    }
    examples = [_example(guess, label, one) for label, one in chosen.items()]
    return replace(guess, examples=tuple(examples[:COUNT]), notes=(*guess.notes, note))


def _with_values(guess: Guess, data: LabelledTable, answered: Sequence[_Answered]) -> Guess:
    chosen = [_typical(part) for part in _parts(answered)]
    worst = max(one.residual for one in chosen)
    tolerance = _rounded_up(1.1 * worst + 1e-6 * max(abs(float(one.expected)) for one in chosen))
    examples = tuple(
        _example(guess, _called(guess, data, one.expected), one, tolerance=tolerance)
        for one in chosen
    )
    why = {f"examples[{index}].tolerance": f"the model is off by at most {worst:.3g} on these"
           for index in range(len(examples))}  # fmt: skip
    notes = (*guess.notes, _closeness(data, answered))
    return replace(guess, examples=examples, why={**guess.why, **why}, notes=notes)


def _called(guess: Guess, data: LabelledTable, value: str | float) -> str:
    return f"{value:g} {guess.unit}" if guess.unit else f"{data.target.name} {value:g}"


def _parts(answered: Sequence[_Answered]) -> Iterator[Sequence[_Answered]]:
    """Yield the items from the least to the greatest answer, in parts of about the same size."""
    ordered = sorted(answered, key=lambda one: one.expected)
    count = min(COUNT, len(ordered))
    for index in range(count):
        yield ordered[index * len(ordered) // count : (index + 1) * len(ordered) // count]


def _typical(answered: Sequence[_Answered]) -> _Answered:
    """Return the item whose residual stands in the middle, of those with the fewest gaps."""
    fewest = min(one.awkward for one in answered)
    plain = sorted((one for one in answered if one.awkward == fewest), key=lambda o: o.residual)
    return plain[len(plain) // 2]


def _closeness(data: LabelledTable, answered: Sequence[_Answered]) -> str:
    off = statistics.median(one.residual for one in answered)
    values = [float(one.expected) for one in answered]
    middle = statistics.median(values)
    spread = statistics.median(abs(value - middle) for value in values)
    note = (f"On {len(answered)} rows of {data.file.name} the model is off by {off:.3g} in the "
            f"median; the values are off their median by {spread:.3g}.")  # fmt: skip
    return f"{note} Check the order of the columns and of the choices." if off > spread else note


def _rounded_up(value: float) -> float:
    """Return a positive number with two digits, not below it."""
    if value == 0:
        return 0.0
    step = 10.0 ** (math.floor(math.log10(value)) - 1)
    return float(f"{math.ceil(value / step) * step:.2g}")


def _example(guess: Guess, title: str, one: _Answered, **more: Any) -> Example:
    if isinstance(one.item, str):
        return Example(title=title, text=one.item, expected=one.expected, **more)
    pairs = zip(guess.signature.names, one.item, strict=True)
    inputs = {name: cell for name, cell in pairs if cell is not None}
    return Example(title=title, inputs=inputs, expected=one.expected, **more)
