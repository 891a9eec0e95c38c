"""Lines: how well classes are told apart, how far probabilities can be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from podium.charts.frame import (
    Floats,
    Spec,
    coloured,
    evenly,
    framed,
    guide,
    layer,
    lines,
    number,
    share,
    short,
)

POINTS: Final = 100
"""How many points a line has at most."""
_TALL: Final = 240


class Curve(NamedTuple):
    """A line through points; its name stands in the legend."""

    name: str
    x: Floats
    y: Floats


def roc(curves: Sequence[Curve]) -> Spec:
    """Return lines of the true positive rate against the false positive rate."""
    titles = ("False positive rate", "True positive rate")
    return _shares(curves, titles, "ROC curves", guide((0, 0), (1, 1)))


def precision_recall(curves: Sequence[Curve]) -> Spec:
    """Return stepped lines of precision against recall."""
    made = _shares(curves, ("Recall", "Precision"), "Precision-recall curves")
    made["layer"][-1]["mark"]["interpolate"] = "step-before"
    return made


def rejection(curves: Sequence[Curve]) -> Spec:
    """Return lines of the accuracy of the answers kept, against the share that is rejected."""
    names = [curve.name for curve in curves]
    y = share("y", "Accuracy of the rest")
    # All that happens lies near the top: the axis need not begin at 0.
    y["scale"] = {"domain": [_floor(curves), 1]}
    marks = layer(_points(curves), "line", "line", x=share("x", "Share of answers rejected"), y=y,
                  **coloured("of", names), order=number("n"),
                  tooltip=lines(of="of", x=("rejected", ".1%"), y=("accuracy", ".1%")))  # fmt: skip
    about = [f"{curve.name}: {curve.y[0]:.1%} of all answers are right, {curve.y[-1]:.1%} of the "
             f"surest {1 - curve.x[-1]:.0%}." for curve in curves]  # fmt: skip
    return framed(" ".join(["Accuracy against rejection rate.", *about]), _TALL, [marks])


def reliability(low: Floats, probability: Floats, right: Floats, rows: NDArray[np.intp]) -> Spec:
    """Return how often answers are right, by their probability.

    All have shape (bins,): where a bin begins, its mean probability, its share of right answers,
    and how many answers it has; empty bins are left out.
    """
    width = short(1 / len(low)) if len(low) else 1.0
    filled = np.flatnonzero(rows)
    bins = [{"low": short(low[i]), "high": short(low[i] + width), "x": short(probability[i]),
             "y": short(right[i]), "rows": int(rows[i]), "share": short(rows[i] / rows.sum())}
            for i in filled]  # fmt: skip
    tooltip = lines(x=("mean probability", ".1%"), y=("right", ".1%"), rows=("answers", ",d"))
    x, y = share("x", "Probability of the answer"), share("y", "Share of right answers")
    bars = layer(bins, "bar", "count", x=number("low", bin="binned", scale={"domain": [0, 1]}),
                 x2={"field": "high"}, y=number("share"), tooltip=tooltip)  # fmt: skip
    size = number("rows", scale={"range": [25, 250]}, legend=None)
    dots = layer(bins, "circle", "dot", x=x, y=y, size=size, tooltip=tooltip)
    about = [f"{one['rows']} answers of mean probability {one['x']:.1%}: {one['y']:.1%} right."
             for one in bins]  # fmt: skip
    return framed(" ".join(["Reliability diagram.", *about]), _TALL,
                  [bars, guide((0, 0), (1, 1)), dots])  # fmt: skip


def _shares(
    curves: Sequence[Curve], titles: tuple[str, str], what: str, *under: Spec
) -> Spec:  # fmt: skip
    names = [curve.name for curve in curves]
    x, y = titles
    marks = layer(_points(curves), "line", "line", x=share("x", x), y=share("y", y),
                  **coloured("of", names), order=number("n"),
                  tooltip=lines(of="of", x=(x.lower(), ".3f"), y=(y.lower(), ".3f")))  # fmt: skip
    return framed(f"{what}. {'; '.join(names)}.", _TALL, [*under, marks])


def _points(curves: Sequence[Curve]) -> list[Spec]:
    """Return the points of all curves, numbered: lines that stand upright keep their order."""
    return [
        {"of": curve.name, "n": n, "x": short(curve.x[i]), "y": short(curve.y[i])}
        for curve in curves
        for n, i in enumerate(_chosen(curve))
    ]


def _chosen(curve: Curve) -> NDArray[np.intp]:
    """Return the points of a curve that are drawn: as far apart along the line as can be."""
    if len(curve.x) <= POINTS:
        return np.arange(len(curve.x))
    steps = np.abs(np.diff(curve.x)) + np.abs(np.diff(curve.y))
    along = np.concatenate([[0.0], np.cumsum(steps)])
    if not along[-1]:
        return evenly(len(along), POINTS)
    return np.unique(np.searchsorted(along, np.linspace(0, along[-1], POINTS)))


def _floor(curves: Sequence[Curve]) -> float:
    """Return where an axis of accuracies begins: a tenth below the lowest, and not too late."""
    lowest = min((float(curve.y.min()) for curve in curves), default=0.0)
    return max(0.0, min(0.9, floor(lowest * 10 - 0.5) / 10))
