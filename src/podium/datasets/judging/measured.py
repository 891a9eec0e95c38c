"""The metrics of one model as they are told: with title, interval, and what they mean."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Final, Literal, NamedTuple

import numpy as np

from podium.datasets.findings import Metric
from podium.datasets.judging.bootstrap import (
    Bootstrap,
    Bounds,
    Floats,
    Sums,
    hull,
    of_mean,
    of_share,
)
from podium.datasets.judging.metrics import by_chance, ece_bounds, f1
from podium.messages import NOTHING, Message, said, said_of
from podium.rounding import level_percent, percent

MAX_LABELS: Final = 100
"""Of more labels no metrics are told one by one."""

_WILSON: Final = said("Wilson score")
_BCA: Final = said("BCa bootstrap")
_BOTH: Final = said("BCa bootstrap at least as wide as Wilson scores")
_SHIFTED: Final = said("bias-corrected bootstrap")
_NO_PROBABILITIES: Final = said("Not known: the model tells a label and no probabilities.")
_NO_SETS: Final = said(
    "Not known: the model is not calibrated (podium calibrate), and gives no sets."
)
_NO_INTERVALS: Final = said(
    "Not known: the model gives no intervals; podium calibrate adds them."
)  # fmt: skip
_TOO_FEW: Final = said(
    "Not known: it was calibrated on too few rows for an interval at this level."
)


class Asked(NamedTuple):
    """A model that is judged, and what its metrics are told with.

    That is labels, or a unit, and the level of its sets or intervals.
    """

    name: str
    title: str
    labels: tuple[str, ...]
    unit: str | None
    level: float
    calibrated: bool


class _Words(NamedTuple):
    """A metric's title, which way is better, what it means, and why it may not be known.

    `about` holds for all models alike, `detail` for one.
    """

    title: Message
    better: Literal["higher", "lower"] | None
    about: Message
    why: Message = NOTHING
    unit: str | None = None
    detail: Message = NOTHING


_CLASSES: Final = {
    "accuracy": _Words(
        said("Accuracy"), "higher", said("Share of rows with the right label.")),
    "balanced_accuracy": _Words(said("Balanced accuracy"), "higher", said(
        "Mean over the labels of the share of their rows that is found: each label counts as much "
        "as the next, however rare it is.")),
    "f1_macro": _Words(said("F1, mean over the labels"), "higher", said(
        "Mean over the labels of F1, which falls both when rows of a label are missed and when "
        "others are taken for it (macro average).")),
    "log_loss": _Words(said("Log loss"), "lower", said(
        "Mean of -log of the probability that the true label got. One row that a model was sure "
        "about and wrong costs up to 36, and few rows may hold none by chance: so no model is "
        "called the best by it. Brier scores are compared."),
        _NO_PROBABILITIES, "nats"),
    "brier": _Words(said("Brier score"), "lower", said(
        "Mean squared distance of the probabilities from the truth, summed over the labels: from "
        "0 to 2."), _NO_PROBABILITIES),
    "ece": _Words(said("Expected calibration error"), "lower", said(
        "How far the probability of the answers is from how often they are right: mean over rows "
        "of the gap in 15 equal bins. Chance alone brings some of it, even where the probabilities "
        "are just right."), _NO_PROBABILITIES),
    "coverage": _Words(said("Coverage of the prediction sets"), None, said(
        "Share of rows whose prediction set holds the true label; it should be about the level of "
        "the sets."), _NO_SETS),
    "set_size": _Words(said("Labels in a prediction set"), None, said(
        "Mean number of labels in a set: at the same level and coverage, fewer say more."),
        _NO_SETS, "labels"),
    "empty_sets": _Words(said("Empty prediction sets"), None, said(
        "Share of rows whose prediction set holds no label: none fits well enough."), _NO_SETS),
}  # fmt: skip
_VALUES: Final = {
    "r2": _Words(said("R²"), "higher", said(
        "Share of the variance of the true values that the model accounts for: 1 is perfect, 0 no "
        "better than always answering their mean; it may be below 0."),
        said("Not defined: the true values do not differ.")),
    "rmse": _Words(said("Root mean squared error"), "lower",
                   said("Typical size of an error; large ones count most.")),
    "mae": _Words(said("Mean absolute error"), "lower",
                  said("How far an answer is off, on average.")),
    "coverage": _Words(said("Coverage of the intervals"), None, said(
        "Share of true values inside the intervals; it should be about the level of these.")),
    "width": _Words(said("Width of the intervals"), None, said(
        "Mean width of the intervals: at the same level and coverage, narrower says more.")),
}  # fmt: skip


def _of_label(label: str, answered: int, there: int) -> dict[str, _Words]:
    """Return the words for one label, which so many rows were called, and which so many are."""
    return {
        "precision": _Words(
            said("Precision"), "higher",
            said("Of the rows that a model calls %(label)s, the share that is.", label=label),
            said("Not defined: the model never answers so."), detail=_of_rows(answered)),
        "recall": _Words(
            said("Recall"), "higher",
            said("Of the rows that are %(label)s, the share that a model finds.", label=label),
            said("Not defined: no row is of this label."), detail=_of_rows(there)),
        "f1": _Words(
            said("F1"), "higher",
            said("Harmonic mean of precision and recall of %(label)s.", label=label),
            said("Not defined: no row is of this label, and no answer.")),
    }  # fmt: skip


def _of_rows(rows: int) -> Message:
    return said_of(rows, "Of %(rows)s row.", "Of %(rows)s rows.", rows=f"{rows:,}")


def of_model(sums: Sums, found: Bootstrap, prefix: str, asked: Asked) -> tuple[Metric, ...]:
    """Return all metrics of a model; `sums` are over all its rows, `found` has names with a prefix.

    What the model cannot know, or the rows cannot tell, has no value, and says why.
    """
    own = _Own(sums, found, prefix, asked)
    if asked.labels:
        return (*own.of_classes(), *own.of_labels())
    return tuple(own.of_values())


class _Own:
    """One model's sums and replicates, from which its metrics are told."""

    def __init__(self, sums: Sums, found: Bootstrap, prefix: str, asked: Asked) -> None:
        self.sums, self.found, self.prefix, self.asked = sums, found, prefix, asked
        self.aim = level_percent(asked.level)

    def of_classes(self) -> Iterator[Metric]:
        """Yield what judges the answers of a classification as a whole."""
        true, right = self.sums["true"], self.sums["right"]
        often = int(true.argmax())
        usual, most = by_chance(self.sums) if self.sums["loss"][1] else (0.0, 0.0)
        words = _detailed(_CLASSES, {
            "accuracy": said(
                "Always answering %(label)s would reach %(share)s.",
                label=self.asked.labels[often], share=percent(true[often] / true.sum())),
            "log_loss": _certain(int(self.sums["certain"][0])),
            "ece": said("By chance about %(usual)s, seldom more than %(most)s.",
                        usual=f"{usual:.3f}", most=f"{most:.3f}"),
            "coverage": said("Level %(level)s.", level=self.aim),
        })  # fmt: skip
        yield _share("accuracy", words, right.sum(), true.sum())
        yield self._averaged("balanced_accuracy", words, *_recalls(self.sums))
        yield self._averaged("f1_macro", words, *_f1s(self.sums))
        for name in ("log_loss", "brier"):
            yield self._drawn(name, words)
        value = self.found.value[f"{self.prefix}ece"]
        bounds = ece_bounds(self.found, f"{self.prefix}ece", most)
        yield _metric("ece", words, value, bounds, _SHIFTED)
        yield _share("coverage", words, *self.sums["covered"])
        yield self._drawn("set_size", words)
        yield _share("empty_sets", words, *self.sums["empty"])

    def of_labels(self) -> Iterator[Metric]:
        """Yield precision, recall and F1 of each label, of not too many."""
        if len(self.asked.labels) > MAX_LABELS:
            return
        right, answered, true = (self.sums[name] for name in ("right", "answered", "true"))
        for place, label in enumerate(self.asked.labels):
            hits, given, there = (float(one[place]) for one in (right, answered, true))
            words = _of_label(label, int(given), int(there))
            yield _share("precision", words, hits, given, label)
            yield _share("recall", words, hits, there, label)
            value, bounds = _ratio(2 * hits, given + there), _f1_bounds(hits, given + there - hits)
            yield _metric("f1", words, value, bounds, _WILSON, label)

    def of_values(self) -> Iterator[Metric]:
        """Yield what judges the answers of a regression."""
        calibrated, unit = self.asked.calibrated, self.asked.unit
        kind = (said("Prediction intervals at %(level)s.", level=self.aim) if calibrated else
                said("The model's own intervals at %(level)s: it is not calibrated, and nothing "
                     "promises that they hold what they say.", level=self.aim))  # fmt: skip
        why = _TOO_FEW if calibrated else _NO_INTERVALS
        words = _detailed(_VALUES, {"coverage": kind})
        words |= {name: words[name]._replace(unit=unit) for name in ("rmse", "mae", "width")}
        words |= {name: words[name]._replace(why=why) for name in ("coverage", "width")}
        for name in ("r2", "rmse", "mae"):
            yield self._drawn(name, words)
        yield _share("coverage", words, *self.sums["covered"])
        yield self._drawn("width", words)

    def _drawn(self, name: str, words: dict[str, _Words]) -> Metric:
        key = self.prefix + name
        return _metric(name, words, self.found.value[key], self.found.bounds(key), _BCA)

    def _averaged(
        self, name: str, words: dict[str, _Words], values: Floats, bounds: list[Bounds]
    ) -> Metric:
        """Return a mean over labels: bootstrapped, but with the doubt in those without errors."""
        low, high = of_mean(values, np.array(bounds))
        key = self.prefix + name
        both = hull(self.found.bounds(key), (max(0.0, low), min(1.0, high)))
        return _metric(name, words, self.found.value[key], both, _BOTH)


def _recalls(sums: Sums) -> tuple[Floats, list[Bounds]]:
    """Return the recall of each label that has rows, with its interval."""
    there = np.flatnonzero(sums["true"])
    hits, rows = sums["right"][there], sums["true"][there]
    return hits / rows, [_known(of_share(*one)) for one in zip(hits, rows, strict=True)]


def _f1s(sums: Sums) -> tuple[Floats, list[Bounds]]:
    """Return the F1 of each label that has rows or answers, with its interval."""
    there = np.flatnonzero(sums["true"] + sums["answered"])
    hits, given, rows = (sums[name][there] for name in ("right", "answered", "true"))
    values = f1({"right": hits, "answered": given, "true": rows})
    counts = zip(hits, given + rows - hits, strict=True)
    return values, [_known(_f1_bounds(*one)) for one in counts]


def _f1_bounds(hits: float, rows: float) -> Bounds | None:
    """Return the interval of F1.

    Of the rows that are of a label or called so, a share J is both: that is binomial, and F1 is
    2 J / (1 + J).
    """
    found = of_share(hits, rows)
    return found and (2 * found[0] / (1 + found[0]), 2 * found[1] / (1 + found[1]))


def _known(bounds: Bounds | None) -> Bounds:
    return bounds or (0.0, 1.0)


def _detailed(words: dict[str, _Words], details: Mapping[str, Message]) -> dict[str, _Words]:
    return words | {name: words[name]._replace(detail=one) for name, one in details.items()}


def _certain(rows: int) -> Message:
    """Return what to know of a log loss whose model says 0 and 1; nothing where it never does."""
    if not rows:
        return NOTHING
    return said_of(rows, "Certain (0 or 1) of %(rows)s row: the interval may be far too short.",
                   "Certain (0 or 1) of %(rows)s rows: the interval may be far too short.",
                   rows=f"{rows:,}")  # fmt: skip


def _share(
    name: str, words: dict[str, _Words], hits: float, rows: float, label: str | None = None
) -> Metric:
    return _metric(name, words, _ratio(hits, rows), of_share(hits, rows), _WILSON, label)


def _metric(
    name: str, words: dict[str, _Words], value: float, bounds: Bounds | None, interval: Message,
    label: str | None = None,
) -> Metric:  # fmt: skip
    told, known = words[name], not math.isnan(value)
    low, high = map(float, bounds) if bounds and known else (None, None)
    return Metric(
        name=name, title=told.title, value=float(value) if known else None, low=low, high=high,
        label=label, unit=told.unit, better=told.better, about=told.about if known else told.why,
        detail=told.detail if known else NOTHING, interval=NOTHING if low is None else interval,
    )  # fmt: skip


def _ratio(hits: float, rows: float) -> float:
    return float(hits / rows) if rows else math.nan
