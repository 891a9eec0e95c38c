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
from podium.errors import counted
from podium.rounding import level_percent, percent

MAX_LABELS: Final = 100
"""Of more labels no metrics are told one by one."""

_WILSON: Final = "Wilson score"
_BCA: Final = "BCa bootstrap"
_BOTH: Final = "BCa bootstrap at least as wide as Wilson scores"
_SHIFTED: Final = "bias-corrected bootstrap"
_NO_PROBABILITIES: Final = "Not known: the model tells a label and no probabilities."
_NO_SETS: Final = "Not known: the model is not calibrated (podium calibrate), and gives no sets."
_NO_INTERVALS: Final = "Not known: the model gives no intervals; podium calibrate adds them."
_TOO_FEW: Final = "Not known: it was calibrated on too few rows for an interval at this level."


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

    title: str
    better: Literal["higher", "lower"] | None
    about: str
    why: str = ""
    unit: str | None = None
    detail: str = ""


_CLASSES: Final = {
    "accuracy": _Words("Accuracy", "higher", "Share of rows with the right label.",
                       detail="Always answering {often} would reach {often_share}."),
    "balanced_accuracy": _Words("Balanced accuracy", "higher", (
        "Mean over the labels of the share of their rows that is found: each label counts as much "
        "as the next, however rare it is.")),
    "f1_macro": _Words("F1, mean over the labels", "higher", (
        "Mean over the labels of F1, which falls both when rows of a label are missed and when "
        "others are taken for it (macro average).")),
    "log_loss": _Words("Log loss", "lower", (
        "Mean of -log of the probability that the true label got. One row that a model was sure "
        "about and wrong costs up to 36, and few rows may hold none by chance: so no model is "
        "called the best by it. Brier scores are compared."),
        _NO_PROBABILITIES, "nats", "{certain}"),
    "brier": _Words("Brier score", "lower", (
        "Mean squared distance of the probabilities from the truth, summed over the labels: from "
        "0 to 2."), _NO_PROBABILITIES),
    "ece": _Words("Expected calibration error", "lower", (
        "How far the probability of the answers is from how often they are right: mean over rows "
        "of the gap in 15 equal bins. Chance alone brings some of it, even where the probabilities "
        "are just right."), _NO_PROBABILITIES,
        detail="By chance about {usual:.3f}, seldom more than {most:.3f}."),
    "coverage": _Words("Coverage of the prediction sets", None, (
        "Share of rows whose prediction set holds the true label; it should be about the level of "
        "the sets."), _NO_SETS, detail="Level {aim}."),
    "set_size": _Words("Labels in a prediction set", None, (
        "Mean number of labels in a set: at the same level and coverage, fewer say more."),
        _NO_SETS, "labels"),
    "empty_sets": _Words("Empty prediction sets", None, (
        "Share of rows whose prediction set holds no label: none fits well enough."), _NO_SETS),
}  # fmt: skip
_LABEL: Final = {
    "precision": _Words("Precision", "higher", (
        "Of the rows that a model calls {label}, the share that is."),
        "Not defined: the model never answers so.", detail="Of {said}."),
    "recall": _Words("Recall", "higher", (
        "Of the rows that are {label}, the share that a model finds."),
        "Not defined: no row is of this label.", detail="Of {there}."),
    "f1": _Words("F1", "higher", "Harmonic mean of precision and recall of {label}.",
                 "Not defined: no row is of this label, and no answer."),
}  # fmt: skip
_VALUES: Final = {
    "r2": _Words("R²", "higher", (
        "Share of the variance of the true values that the model accounts for: 1 is perfect, 0 no "
        "better than always answering their mean; it may be below 0."),
        "Not defined: the true values do not differ."),
    "rmse": _Words("Root mean squared error", "lower",
                   "Typical size of an error; large ones count most."),
    "mae": _Words("Mean absolute error", "lower", "How far an answer is off, on average."),
    "coverage": _Words("Coverage of the intervals", None, (
        "Share of true values inside the intervals; it should be about the level of these."),
        detail="{intervals}"),
    "width": _Words("Width of the intervals", None, (
        "Mean width of the intervals: at the same level and coverage, narrower says more.")),
}  # fmt: skip


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
        facts = {"aim": self.aim, "usual": usual, "most": most, "often": self.asked.labels[often],
                 "often_share": percent(true[often] / true.sum()),
                 "certain": _certain(int(self.sums["certain"][0]))}  # fmt: skip
        words = _filled(_CLASSES, facts)
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
            hits, said, there = (float(one[place]) for one in (right, answered, true))
            facts = {"label": label, "said": counted(int(said), "row"),
                     "there": counted(int(there), "row")}  # fmt: skip
            words = _filled(_LABEL, facts)
            yield _share("precision", words, hits, said, label)
            yield _share("recall", words, hits, there, label)
            value = _ratio(2 * hits, said + there)
            yield _metric("f1", words, value, _f1_bounds(hits, said + there - hits), _WILSON, label)

    def of_values(self) -> Iterator[Metric]:
        """Yield what judges the answers of a regression."""
        calibrated, unit = self.asked.calibrated, self.asked.unit
        kind = (f"Prediction intervals at {self.aim}." if calibrated else
                f"The model's own intervals at {self.aim}: it is not calibrated, and nothing "
                "promises that they hold what they say.")  # fmt: skip
        why = _TOO_FEW if calibrated else _NO_INTERVALS
        words = _filled(_VALUES, {"intervals": kind})
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
    hits, said, rows = (sums[name][there] for name in ("right", "answered", "true"))
    values = f1({"right": hits, "answered": said, "true": rows})
    counts = zip(hits, said + rows - hits, strict=True)
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


def _filled(words: dict[str, _Words], facts: Mapping[str, object]) -> dict[str, _Words]:
    return {
        name: one._replace(about=one.about.format(**facts), detail=one.detail.format(**facts))
        for name, one in words.items()
    }


def _certain(rows: int) -> str:
    """Return what to know of a log loss whose model says 0 and 1; "" where it never does."""
    if not rows:
        return ""
    return f"Certain (0 or 1) of {counted(rows, 'row')}: the interval may be far too short."


def _share(
    name: str, words: dict[str, _Words], hits: float, rows: float, label: str | None = None
) -> Metric:
    return _metric(name, words, _ratio(hits, rows), of_share(hits, rows), _WILSON, label)


def _metric(
    name: str, words: dict[str, _Words], value: float, bounds: Bounds | None, interval: str,
    label: str | None = None,
) -> Metric:  # fmt: skip
    told, known = words[name], not math.isnan(value)
    low, high = map(float, bounds) if bounds and known else (None, None)
    return Metric(
        name=name, title=told.title, value=float(value) if known else None, low=low, high=high,
        label=label, unit=told.unit, better=told.better, about=told.about if known else told.why,
        detail=told.detail if known else "", interval="" if low is None else interval,
    )  # fmt: skip


def _ratio(hits: float, rows: float) -> float:
    return float(hits / rows) if rows else math.nan
