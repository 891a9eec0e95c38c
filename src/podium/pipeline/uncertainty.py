"""Scores become predictions: the answer and how sure it is.

The entropy of the mean prediction splits into an aleatoric part, the mean entropy of the
passes, and an epistemic part, the mutual information of answer and pass (Depeweg et al. 2018,
"Decomposition of Uncertainty in Bayesian Deep Learning"). For a regression the parts are
variances. Entropies are in nats.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from msgspec import UNSET
from numpy.typing import NDArray

from podium.options import Options
from podium.pipeline.postprocess import Scores
from podium.prediction import (
    Caution,
    ClassPrediction,
    ClassUncertainty,
    Interval,
    ValuePrediction,
    ValueUncertainty,
)

Floats = NDArray[np.float64]

_FEW: Final = 0.1
"""Up to this part of the classes is picked out of a row; of more, the row is sorted."""


def class_predictions(
    scores: Scores, labels: Sequence[str], options: Options, cautions: Sequence[list[Caution]]
) -> list[ClassPrediction]:
    """Return one prediction an item from scores of shape (batch, passes, classes)."""
    mean = scores.values.mean(axis=1) if scores.sampled else scores.values[:, 0]
    if not scores.graded:
        return [_ungraded(labels[int(row.argmax())], caution)
                for row, caution in zip(mean, cautions, strict=True)]  # fmt: skip
    order = _likeliest(mean, options.shown(len(labels)))
    certainty = _class_uncertainties(scores, mean, order, labels, options)
    return [
        _class_prediction(probabilities, ranks, labels, uncertainty, caution)
        for probabilities, ranks, uncertainty, caution in zip(
            mean.tolist(), order.tolist(), certainty, cautions, strict=True
        )
    ]


def value_predictions(
    scores: Scores, unit: str | None, options: Options, cautions: Sequence[list[Caution]]
) -> list[ValuePrediction]:
    """Return one prediction an item from scores of shape (batch, passes)."""
    mean = scores.values.mean(axis=1).tolist()
    if not scores.sampled:
        return [ValuePrediction(value, unit, ValueUncertainty(), caution)
                for value, caution in zip(mean, cautions, strict=True)]  # fmt: skip
    variance = scores.values.var(axis=1).tolist()
    low, high = _interval(scores.values, options.confidence_level).tolist()
    passes = scores.values.tolist() if "samples" in options.include else None
    return [
        ValuePrediction(mean[i], unit, ValueUncertainty(
            epistemic=variance[i], std=math.sqrt(variance[i]), interval=(low[i], high[i]),
            interval_level=options.confidence_level, samples=scores.values.shape[1],
            sample_values=passes[i] if passes else UNSET), cautions[i])
        for i in range(len(mean))
    ]  # fmt: skip


def entropy(probabilities: Floats) -> Floats:
    """Return the entropy along the last axis, in nats."""
    logs = np.log(np.maximum(probabilities, np.finfo(np.float64).tiny))
    return np.asarray(-(probabilities * logs).sum(axis=-1))


def _class_uncertainties(
    scores: Scores, mean: Floats, order: NDArray[np.intp], labels: Sequence[str], options: Options
) -> list[ClassUncertainty]:
    total = np.maximum(entropy(mean), 0.0)
    top = math.log(len(labels))
    if not scores.sampled:
        return [
            ClassUncertainty(
                entropy=e, entropy_normalized=e / top, reproducible=scores.reproducible
            )
            for e in total.tolist()
        ]
    # Rounding may leave the mean of the parts a hair above the whole.
    aleatoric = np.minimum(entropy(scores.values).mean(axis=1), total)
    low, high = _interval(scores.values, options.confidence_level)
    return [
        ClassUncertainty(
            entropy=float(total[i]),
            entropy_normalized=float(total[i]) / top,
            aleatoric=float(aleatoric[i]),
            epistemic=float(total[i] - aleatoric[i]),
            intervals=_named_intervals(low[i], high[i], order[i], labels),
            interval_level=options.confidence_level,
            samples=scores.values.shape[1],
            sample_probabilities=_named_samples(scores.values[i], order[i], labels)
            if "samples" in options.include
            else UNSET,
            reproducible=scores.reproducible,
        )
        for i in range(len(mean))
    ]


def _likeliest(mean: Floats, count: int) -> NDArray[np.intp]:
    """Return the `count` likeliest classes of each row, from the likeliest down."""
    if count >= _FEW * mean.shape[1]:
        return np.argsort(-mean, axis=1, kind="stable")[:, :count]
    chosen = np.sort(np.argpartition(mean, -count, axis=1)[:, -count:], axis=1)
    order = np.argsort(-np.take_along_axis(mean, chosen, axis=1), axis=1, kind="stable")
    return np.take_along_axis(chosen, order, axis=1)


def _class_prediction(
    probabilities: Sequence[float],
    ranks: Sequence[int],
    labels: Sequence[str],
    uncertainty: ClassUncertainty,
    cautions: list[Caution],
) -> ClassPrediction:
    named = {labels[rank]: probabilities[rank] for rank in ranks}
    best = ranks[0]
    return ClassPrediction(labels[best], probabilities[best], named, uncertainty, cautions)


def _ungraded(label: str, cautions: list[Caution]) -> ClassPrediction:
    return ClassPrediction(label, None, None, ClassUncertainty(), cautions)


def _interval(values: Floats, level: float) -> Floats:
    """Return the central interval of the passes (axis 1) that holds `level` of them."""
    return np.quantile(values, [(1 - level) / 2, (1 + level) / 2], axis=1)


def _named_intervals(
    low: Floats, high: Floats, ranks: NDArray[np.intp], labels: Sequence[str]
) -> dict[str, Interval]:
    return {labels[rank]: (float(low[rank]), float(high[rank])) for rank in ranks}


def _named_samples(
    values: Floats, ranks: NDArray[np.intp], labels: Sequence[str]
) -> dict[str, list[float]]:
    return {labels[rank]: values[:, rank].tolist() for rank in ranks}
