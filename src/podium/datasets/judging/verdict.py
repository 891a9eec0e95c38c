"""The models are judged by the rows whose truth is known: read once, a part at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np

from podium.datasets.findings import Comparison, Metric
from podium.datasets.judging.bootstrap import Bootstrap, Floats, Ints, Sums, Table
from podium.datasets.judging.compare import (
    add_pair,
    compare,
    of_pair,
    pair_widths,
    pairs,
    prefix_of,
)
from podium.datasets.judging.judgement import Judgement, Part, joined, labelled_rows, parts, some
from podium.datasets.judging.measured import Asked, of_model
from podium.datasets.judging.metrics import add, of_classes, of_values, widths
from podium.datasets.work import Work
from podium.signature import Signature

MAX_FIGURED: Final = 100_000
"""Of more rows a sample by chance goes into the figures; the metrics are of all."""


class ModelVerdict(NamedTuple):
    """What the truth says of one model: answers for figures, how many are judged, metrics.

    The answers may be a sample of those that are judged.
    """

    judgement: Judgement | None = None
    judged: int = 0
    metrics: tuple[Metric, ...] = ()


class Verdict(NamedTuple):
    """What the truth says of all models: of how many rows it is known, and in how many groups."""

    labelled: int
    groups: int
    models: tuple[ModelVerdict, ...]
    comparisons: tuple[Comparison, ...] = ()


def judge(work: Work, signature: Signature, rows: int, models: Sequence[Asked]) -> Verdict:
    """Judge the models whose answers to all `rows` are in `work`, in the order of its tables."""
    labelled = labelled_rows(work)
    if not labelled:
        return Verdict(0, 0, (ModelVerdict(),) * len(models))
    labels = len(signature.labels)
    table = Table(labelled, _all_widths(labels, len(models)))
    figured = _read(table, parts(work, signature, rows, len(models)), len(models))
    total = table.total()
    metrics = of_classes if labels else of_values
    found = Bootstrap(table, lambda sums: _all_metrics(sums, metrics, len(models)))
    own = []
    for index, (judgement, asked) in enumerate(zip(figured, models, strict=True)):
        sums = _of(total, f"{index}.")
        judged = int(sums["true"].sum() if labels else sums["square"][1])
        told = of_model(sums, found, f"{index}.", asked) if judged else ()
        own.append(ModelVerdict(judgement, judged, told))
    compared = compare(models, table, found, signature.unit)
    return Verdict(labelled, table.groups, tuple(own), compared)


def _read(table: Table, found: Iterator[Part], models: int) -> tuple[Judgement | None, ...]:
    """Add up the answers in a table; return those that go into the figures."""
    kept: list[list[Judgement]] = [[] for _ in range(models)]
    centre = None
    for part in found:
        dealt = table.deal(len(part.rows))
        shown = dealt < max(1, table.groups * MAX_FIGURED // table.rows)
        for index, judged in enumerate(part.judged):
            if judged is None:
                continue
            centre = float(judged.truth[0]) if centre is None else centre
            answered: slice | Ints = slice(None)
            if len(judged.rows) < len(part.rows):
                answered = np.searchsorted(part.rows, judged.rows)
            add(table, f"{index}.", dealt[answered], judged, centre)
            kept[index].append(some(judged, shown[answered]))
        for pair in pairs(models):
            first, second = (part.judged[index] for index in pair)
            if first is not None and second is not None:
                add_pair(table, prefix_of(pair), dealt, part.rows, first, second)
    return tuple(map(joined, kept))


def _all_widths(labels: int, models: int) -> dict[str, int]:
    own = widths(labels)
    both = pair_widths(labels > 0)
    return {
        **{f"{index}.{name}": width for index in range(models) for name, width in own.items()},
        **{prefix_of(pair) + name: width for pair in pairs(models) for name, width in both.items()},
    }


def _all_metrics(
    sums: Sums, metrics: Callable[[Sums], dict[str, Floats]], models: int
) -> dict[str, Floats]:
    prefixes = {f"{index}.": metrics for index in range(models)}
    prefixes |= {prefix_of(pair): of_pair for pair in pairs(models)}
    return {
        prefix + name: values
        for prefix, made in prefixes.items()
        for name, values in made(_of(sums, prefix)).items()
    }


def _of(sums: Sums, prefix: str) -> dict[str, Floats]:
    """Return the sums whose names begin with a prefix, without it."""
    return {name.removeprefix(prefix): one for name, one in sums.items() if name.startswith(prefix)}
