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
from podium.messages import Message, joined, said, said_of

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
    x, y = said("False positive rate"), said("True positive rate")
    tooltip = lines(of=said("curve"), x=(said("false positive rate"), ".3f"),
                    y=(said("true positive rate"), ".3f"))  # fmt: skip
    about = said("ROC curves. %(curves)s.", curves=_names(curves))
    return framed(about, _TALL, [guide((0, 0), (1, 1)), _shares(curves, x, y, tooltip)])


def precision_recall(curves: Sequence[Curve]) -> Spec:
    """Return stepped lines of precision against recall."""
    tooltip = lines(of=said("curve"), x=(said("recall"), ".3f"), y=(said("precision"), ".3f"))
    marks = _shares(curves, said("Recall"), said("Precision"), tooltip)
    marks["mark"]["interpolate"] = "step-before"
    about = said("Precision-recall curves. %(curves)s.", curves=_names(curves))
    return framed(about, _TALL, [marks])


def rejection(curves: Sequence[Curve]) -> Spec:
    """Return lines of the accuracy of the answers kept, against the share that is rejected."""
    names = [curve.name for curve in curves]
    x, y = share("x", said("Share of answers rejected")), share("y", said("Accuracy of the rest"))
    # All that happens lies near the top: the axis need not begin at 0.
    y["scale"] = {"domain": [_floor(curves), 1]}
    tooltip = lines(of=said("curve"), x=(said("rejected"), ".1%"), y=(said("accuracy"), ".1%"))
    marks = layer(_points(curves), "line", "line", x=x, y=y, **coloured("of", names),
                  order=number("n"), tooltip=tooltip)  # fmt: skip
    about = [said("%(curve)s: %(all)s of all answers are right, %(rest)s of the surest %(share)s.",
                  curve=curve.name, all=f"{curve.y[0]:.1%}", rest=f"{curve.y[-1]:.1%}",
                  share=f"{1 - curve.x[-1]:.0%}") for curve in curves]  # fmt: skip
    return framed(joined([said("Accuracy against rejection rate."), *about]), _TALL, [marks])


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
    tooltip = lines(x=(said("mean probability"), ".1%"), y=(said("right"), ".1%"),
                    rows=(said("answers"), ",d"))  # fmt: skip
    x, y = share("x", said("Probability of the answer")), share("y", said("Share of right answers"))
    bars = layer(bins, "bar", "count", x=number("low", bin="binned", scale={"domain": [0, 1]}),
                 x2={"field": "high"}, y=number("share"), tooltip=tooltip)  # fmt: skip
    size = number("rows", scale={"range": [25, 250]}, legend=None)
    dots = layer(bins, "circle", "dot", x=x, y=y, size=size, tooltip=tooltip)
    about = joined([said("Reliability diagram."), *map(_of_bin, bins)])
    return framed(about, _TALL, [bars, guide((0, 0), (1, 1)), dots])


def _of_bin(told: Spec) -> Message:
    return said_of(
        told["rows"],
        "%(answers)s answer of mean probability %(mean)s: %(right)s right.",
        "%(answers)s answers of mean probability %(mean)s: %(right)s right.",
        answers=told["rows"], mean=f"{told['x']:.1%}", right=f"{told['y']:.1%}",
    )  # fmt: skip


def _names(curves: Sequence[Curve]) -> Message:
    return joined((curve.name for curve in curves), "; ")


def _shares(curves: Sequence[Curve], x: str, y: str, tooltip: list[Spec]) -> Spec:
    names = [curve.name for curve in curves]
    return layer(_points(curves), "line", "line", x=share("x", x), y=share("y", y),
                 **coloured("of", names), order=number("n"), tooltip=tooltip)  # fmt: skip


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
