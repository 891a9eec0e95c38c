"""Scores become predictions: the answer and how sure it is.

The entropy of the mean prediction splits into an aleatoric part, the mean entropy of the
passes, and an epistemic part, the mutual information of answer and pass (Depeweg et al. 2018,
"Decomposition of Uncertainty in Bayesian Deep Learning"). Entropies are in nats. For a regression
the parts are variances: the noise in the data that the model tells, averaged over the passes, and
the variance of the passes; their sum is the whole by the law of total variance (Kendall & Gal 2017,
"What Uncertainties Do We Need in Bayesian Deep Learning for Computer Vision?").
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
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

_TINY: Final = np.finfo(np.float64).tiny
_FEW: Final = 0.1
"""Up to this part of the classes is picked out of a row; of more, the row is sorted."""


def class_predictions(
    scores: Scores, labels: Sequence[str], options: Options, cautions: Sequence[list[Caution]]
) -> list[ClassPrediction]:
    """Return one prediction an item from scores of shape (batch, passes, classes)."""
    mean = scores.values.mean(axis=1) if scores.sampled else scores.values[:, 0]
    if scores.label_alone:
        unknown = ClassUncertainty(reproducible=scores.reproducible)
        return [ClassPrediction(labels[int(row.argmax())], None, None, unknown, caution)
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
    mean = scores.values.mean(axis=1)
    certainty = _value_uncertainties(scores, mean, options)
    return [
        ValuePrediction(value, unit, uncertainty, caution)
        for value, uncertainty, caution in zip(mean.tolist(), certainty, cautions, strict=True)
    ]


def entropy(probabilities: Floats) -> Floats:
    """Return the entropy along the last axis, in nats."""
    logs = np.log(np.maximum(probabilities, _TINY))
    return np.asarray(-(probabilities * logs).sum(axis=-1))


def _class_uncertainties(
    scores: Scores, mean: Floats, order: NDArray[np.intp], labels: Sequence[str], options: Options
) -> list[ClassUncertainty]:
    total = np.maximum(entropy(mean), 0.0)
    top = math.log(len(labels))
    if not scores.sampled:
        return [
            ClassUncertainty(
                entropy=e, entropy_normalized=min(e / top, 1.0), reproducible=scores.reproducible
            )
            for e in total.tolist()
        ]
    aleatoric, epistemic = (_told(part, len(mean)) for part in entropy_parts(scores, total))
    low, high = _interval(scores.values, options.level())
    return [
        ClassUncertainty(
            entropy=float(total[i]),
            entropy_normalized=min(float(total[i]) / top, 1.0),
            aleatoric=aleatoric[i],
            epistemic=epistemic[i],
            intervals=_named_intervals(low[i], high[i], order[i], labels),
            interval_level=options.level(),
            samples=scores.values.shape[1],
            sample_probabilities=_named_samples(scores.values[i], order[i], labels)
            if "samples" in options.include
            else UNSET,
            reproducible=scores.reproducible,
        )
        for i in range(len(mean))
    ]


def entropy_parts(scores: Scores, total: Floats) -> tuple[Floats | None, Floats | None]:
    """Return the aleatoric and the epistemic part of each item's total entropy, where known."""
    # A vote for a label does not tell how sure it is.
    if not scores.sampled or not scores.graded:
        return None, None
    # Rounding may leave the mean of the parts a hair above the whole.
    aleatoric = np.minimum(entropy(scores.values).mean(axis=1), total)
    return aleatoric, total - aleatoric


def _told(part: Floats | None, count: int) -> Sequence[float | None]:
    return [None] * count if part is None else part.tolist()


def _value_uncertainties(scores: Scores, mean: Floats, options: Options) -> list[ValueUncertainty]:
    aleatoric, epistemic = variance_parts(scores)
    std = spread(aleatoric, epistemic)
    if std is None:
        return [ValueUncertainty(reproducible=scores.reproducible) for _ in mean]
    low, high = value_interval(scores, mean, std, options.level())
    drawn = scores.sampled and "samples" in options.include
    return [
        ValueUncertainty(
            aleatoric=None if aleatoric is None else float(aleatoric[i]),
            epistemic=None if epistemic is None else float(epistemic[i]),
            std=float(std[i]),
            interval=(float(low[i]), float(high[i])),
            interval_level=options.level(),
            samples=scores.values.shape[1] if scores.sampled else None,
            sample_values=scores.values[i].tolist() if drawn else UNSET,
            reproducible=scores.reproducible,
        )
        for i in range(len(mean))
    ]


def variance_parts(scores: Scores) -> tuple[Floats | None, Floats | None]:
    """Return the aleatoric and the epistemic variance of each value; None where it is not told."""
    aleatoric = None if scores.variances is None else scores.variances.mean(axis=1)
    return aleatoric, _epistemic_variance(scores)


def spread(*parts: Floats | None) -> Floats | None:
    """Return the standard deviation of the known parts of a variance together, if there are any."""
    known = [part for part in parts if part is not None]
    return np.asarray(np.sqrt(np.sum(known, axis=0))) if known else None


def _epistemic_variance(scores: Scores) -> Floats | None:
    """Return the variance of the passes with what each tells of its own; None for a single one."""
    apart = scores.values.var(axis=1) if scores.sampled else None
    if scores.epistemic is None:
        return apart
    told: Floats = scores.epistemic.mean(axis=1)
    return told if apart is None else told + apart


def value_interval(
    scores: Scores, mean: Floats, std: Floats, level: float
) -> tuple[Floats, Floats]:
    """Return the central interval: of the passes, or of a normal distribution.

    A model that tells variances says more than its passes span.
    """
    if scores.variances is None and scores.epistemic is None:
        low, high = _interval(scores.values, level)
        return low, high
    reach = -NormalDist().inv_cdf((1 - level) / 2) * std
    return mean - reach, mean + reach


def _likeliest(mean: Floats, count: int) -> NDArray[np.intp]:
    """Return the `count` likeliest classes of each row, from the likeliest down."""
    if count >= _FEW * mean.shape[1]:
        return (-mean).argsort(axis=1, kind="stable")[:, :count]
    chosen = np.sort(np.argpartition(mean, -count, axis=1)[:, -count:], axis=1)
    rows = np.arange(len(mean))[:, None]
    order = (-mean[rows, chosen]).argsort(axis=1, kind="stable")
    found: NDArray[np.intp] = chosen[rows, order]
    return found


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
