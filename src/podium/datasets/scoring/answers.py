"""What a model says of some items, as columns; what nobody knows is NaN, or None in a text.

In a table, where DuckDB takes NaN for nothing, it is NULL.

A classification has `label` (an index; -1 for none), `probability`, `entropy`, `aleatoric`,
`epistemic` and `labels_in_set`; a regression `value`, `std`, `aleatoric`, `epistemic`, `lower` and
`upper`. Where the truth is known, what is judged by it stands beside: of a classification
`truth_probability`, `brier`, `covered` (0 or 1) and `set_size`, and with few labels the probability
of each: `p0`, `p1`, ...
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from podium.pipeline import Pipeline
from podium.pipeline.calibration import keys
from podium.pipeline.conformal import prediction_intervals, prediction_sets, ranks
from podium.pipeline.decode import Items
from podium.pipeline.postprocess import Scores
from podium.pipeline.uncertainty import (
    entropy,
    entropy_parts,
    spread,
    value_interval,
    variance_parts,
)

ALL_UP_TO: Final = 20
"""With up to this many labels each one's probability is kept, for the curves."""
BETWEEN: Final = "; "
"""What stands between the labels of a set."""

_CLASS: Final = ("probability", "entropy", "aleatoric", "epistemic")
_JUDGED: Final = ("truth_probability", "brier", "covered", "set_size")
_VALUE: Final = ("value", "std", "aleatoric", "epistemic", "lower", "upper")

Floats = NDArray[np.float64]
Columns = dict[str, NDArray[Any]]


def label_columns(labels: Sequence[str]) -> list[str]:
    """Return the names of the columns with each label's probability; none of many labels."""
    return [f"p{place}" for place in range(len(labels))] if len(labels) <= ALL_UP_TO else []


class Teller:
    """Makes columns of one model's scores, at a level or at that of its calibration.

    `judged` is whether there are answers to judge by.
    """

    def __init__(self, pipeline: Pipeline, level: float | None, judged: bool) -> None:
        self.pipeline, self.signature, self.judged = pipeline, pipeline.signature, judged
        self.level = pipeline.level(level)
        self._of_labels: list[str] = []
        self._numbers: tuple[str, ...] = _VALUE if self.signature.kind == "regression" else _CLASS
        if judged and self.signature.kind == "classification":
            self._of_labels = label_columns(self.signature.labels)
            self._numbers = (*_CLASS, *_JUDGED, *self._of_labels)

    def unknown(self, count: int) -> Columns:
        """Return the columns of rows of which nothing is known."""
        made: Columns = {name: np.full(count, np.nan) for name in self._numbers}
        if self.signature.kind == "regression":
            return made
        return {"label": np.full(count, -1, np.int32), **made,
                "labels_in_set": np.full(count, None, object)}  # fmt: skip

    def columns(self, scores: Scores, items: Items, truth: Floats | None = None) -> Columns:
        """Return what is known, one row an item; `scores` are scaled.

        `truth` is NaN where it is not known.
        """
        if self.signature.kind == "regression":
            return self._values(scores)
        return self._classes(scores, items, truth)

    def _values(self, scores: Scores) -> Columns:
        mean = scores.values.mean(axis=1)
        aleatoric, epistemic = variance_parts(scores)
        std = spread(aleatoric, epistemic)
        lower = upper = None
        if self.pipeline.calibration is not None:
            found = prediction_intervals(self.pipeline.calibration.fit, scores, self.level)
            if found is not None:
                lower, upper = found.T
        elif std is not None:
            lower, upper = value_interval(scores, mean, std, self.level)
        known = {"value": mean, "std": std, "aleatoric": aleatoric, "epistemic": epistemic,
                 "lower": lower, "upper": upper}  # fmt: skip
        return {name: values for name, values in known.items() if values is not None}

    def _classes(self, scores: Scores, items: Items, truth: Floats | None) -> Columns:
        mean = scores.values.mean(axis=1) if scores.sampled else scores.values[:, 0]
        made: Columns = {"label": mean.argmax(axis=1).astype(np.int32)}
        if scores.label_alone:
            return made
        total = np.maximum(entropy(mean), 0.0)
        aleatoric, epistemic = entropy_parts(scores, total)
        highest = mean[np.arange(len(mean)), made["label"]]  # ten times as fast as max
        known = {"probability": highest, "entropy": total, "aleatoric": aleatoric,
                 "epistemic": epistemic}  # fmt: skip
        made |= {name: values for name, values in known.items() if values is not None}
        made |= {name: mean[:, place] for place, name in enumerate(self._of_labels)}
        sets = self._sets(scores, items)
        if sets is not None:
            labels = self.signature.labels
            told = [BETWEEN.join(labels[index] for index in found) for found in sets]
            made["labels_in_set"] = np.array(told, object)
        if truth is not None:
            made |= _judged(mean, sets, truth)
        return made

    def _sets(self, scores: Scores, items: Items) -> list[NDArray[np.intp]] | None:
        calibration = self.pipeline.calibration
        if calibration is None:
            return None
        drawn = keys(items) if calibration.fit.method == "aps" else np.empty(0)
        found = prediction_sets(calibration.fit, scores, drawn, self.level)
        # Of too few calibrated rows for the level: no label can be ruled out.
        return list(ranks(scores.values.mean(axis=1))) if found is None else found


def _judged(mean: Floats, sets: list[NDArray[np.intp]] | None, truth: Floats) -> Columns:
    """Return what the truth says of some answers."""
    known = np.flatnonzero(~np.isnan(truth))
    labels = truth[known].astype(np.intp)
    right = mean[known, labels]
    # The sum over the classes of squared differences (Brier 1950).
    brier = (mean[known] ** 2).sum(axis=1) - 2 * right + 1
    made = {"truth_probability": _spread_out(right, known, len(truth)),
            "brier": _spread_out(brier, known, len(truth))}  # fmt: skip
    if sets is None:
        return made
    covered = np.array([label in sets[row] for row, label in zip(known, labels, strict=True)])
    sizes = np.array([len(found) for found in sets], np.float64)
    return {**made, "covered": _spread_out(covered, known, len(truth)), "set_size": sizes}


def _spread_out(values: NDArray[Any], rows: NDArray[np.intp], count: int) -> Floats:
    """Return values in their rows out of `count`, NaN in the others."""
    made = np.full(count, np.nan)
    made[rows] = values
    return made
