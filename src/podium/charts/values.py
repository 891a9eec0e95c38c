"""A regression's values: what was predicted against what is true."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from podium.charts.frame import (
    Floats,
    Spec,
    ends,
    evenly,
    framed,
    guide,
    layer,
    lines,
    number,
    short,
)
from podium.charts.passes import widened
from podium.messages import Message, said, said_of

MOST_POINTS: Final = 300


def chosen(values: Floats) -> NDArray[np.intp]:
    """Return the rows that are drawn: all, or some that lie evenly from the least to the most."""
    order = np.argsort(values, kind="stable")
    return order[evenly(len(order), MOST_POINTS)] if len(order) else order


def predicted(
    truth: Floats, value: Floats, title: str, lower: Floats | None, upper: Floats | None
) -> Spec:
    """Return the predicted values against the true ones, each with its interval if it has one.

    All have shape (rows,); `title` names what is predicted, with its unit.
    """
    bounds = [one for one in (lower, upper) if one is not None]
    low, high = widened(*ends(truth, value, *bounds))
    points = [{"x": short(truth[i], high - low), "y": short(value[i], high - low)}
              for i in chosen(truth)]  # fmt: skip
    layers = [guide((low, low), (high, high))]
    if lower is not None and upper is not None:
        for point, i in zip(points, chosen(truth), strict=True):
            if np.isfinite(lower[i]) and np.isfinite(upper[i]):
                point |= {"low": short(lower[i], high - low), "high": short(upper[i], high - low)}
        bars = [point for point in points if "low" in point]
        layers.append(layer(bars, "rule", "interval-line", x=number("x"), y=number("low"),
                            y2={"field": "high"}))  # fmt: skip
    tooltip = lines(x=(said("true"), ".5g"), y=(said("predicted"), ".5g"))
    if len(layers) > 1:
        tooltip += lines(low=(said("from"), ".5g"), high=(said("to"), ".5g"))
    x = _axis("x", said("True %(target)s", target=title), low, high)
    y = _axis("y", said("Predicted %(target)s", target=title), low, high)
    layers.append(layer(points, "circle", "dot", x=x, y=y, tooltip=tooltip))
    about = said_of(len(points), "Predicted against true %(target)s of %(rows)s row.",
                    "Predicted against true %(target)s of %(rows)s rows.", target=title,
                    rows=len(points))  # fmt: skip
    return framed(about, 300, layers)


def residuals(truth: Floats, value: Floats, title: str) -> Spec:
    """Return how far the true values lie above the predicted ones, by the predicted."""
    above = truth - value
    low, high = widened(*ends(value))
    least, most = widened(*ends(above, np.zeros(1)))
    points = [{"x": short(value[i], high - low), "y": short(above[i], most - least)}
              for i in chosen(value)]  # fmt: skip
    tooltip = lines(x=(said("predicted"), ".5g"), y=(said("residual"), ".3g"))
    x = _axis("x", said("Predicted %(target)s", target=title), low, high)
    y = _axis("y", said("Residual: true minus predicted"), least, most)
    dots = layer(points, "circle", "dot", x=x, y=y, tooltip=tooltip)
    about = said_of(len(points), "Residuals of %(rows)s row, from %(low)s to %(high)s.",
                    "Residuals of %(rows)s rows, from %(low)s to %(high)s.", rows=len(points),
                    low=f"{least:.3g}", high=f"{most:.3g}")  # fmt: skip
    return framed(about, 260, [guide((low, 0.0), (high, 0.0)), dots])


def _axis(field: str, title: Message, low: float, high: float) -> Spec:
    return number(field, title=title, axis={"tickCount": 5},
                  scale={"domain": [low, high], "zero": False, "nice": True})  # fmt: skip
