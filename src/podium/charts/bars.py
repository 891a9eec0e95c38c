"""How many lie where."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from podium.charts.frame import (
    Floats,
    Spec,
    category,
    coloured,
    framed,
    layer,
    lines,
    number,
    short,
    told,
)
from podium.messages import joined, said, said_of

BINS: Final = 20
MOST_BARS: Final = 20
"""How many labels are counted in a figure; of more, the commonest."""


def histogram(counts: NDArray[np.intp], low: float, high: float, title: str) -> Spec:
    """Return how many rows lie in each of the equal bins between two ends."""
    edges = np.linspace(low, high, len(counts) + 1)
    bars = [
        {"low": short(edges[i], high - low), "high": short(edges[i + 1], high - low),
         "rows": int(count)}
        for i, count in enumerate(counts)
    ]  # fmt: skip
    marks = layer(bars, "bar", "count", x=_binned(title), x2={"field": "high"},
                  y=number("rows", title=said("Rows"), axis={"tickCount": 4}),
                  tooltip=_tooltip(rows=(said("rows"), ",d")))  # fmt: skip
    top, rows = bars[int(counts.argmax())], int(counts.sum())
    about = said_of(
        rows,
        "Histogram of %(title)s: %(rows)s row, from %(low)s to %(high)s.",
        "Histogram of %(title)s: %(rows)s rows, most of them from %(low)s to %(high)s.",
        title=title, rows=rows, low=told(top["low"]), high=told(top["high"]),
    )  # fmt: skip
    return framed(about, 220, [marks])


def two_histograms(groups: Mapping[str, Floats], title: str, high: float) -> Spec:
    """Return which share of each of two groups lies where, side by side, from 0 to `high`."""
    edges = np.linspace(0, high, BINS + 1)
    half = (edges[1] - edges[0]) / 2
    bars: list[dict[str, Any]] = []
    for place, (name, values) in enumerate(groups.items()):
        counts = np.histogram(np.clip(values, 0, high), edges)[0]
        bars += [
            {"of": name, "low": short(edges[i] + place * half, high),
             "high": short(edges[i] + (place + 1) * half, high), "rows": int(counts[i]),
             "share": short(counts[i] / max(1, len(values)))}
            for i in range(BINS) if counts[i]
        ]  # fmt: skip
    axis = {"format": ".0%", "tickCount": 4}
    marks = layer(bars, "bar", "bar", x=_binned(title, high), x2={"field": "high"},
                  y=number("share", title=said("Share of each"), axis=axis, stack=None),
                  **coloured("of", list(groups)),
                  tooltip=_tooltip(of=said("group"), rows=(said("answers"), ",d"),
                                   share=(said("share"), ".1%")))  # fmt: skip
    about = [said_of(len(values), "%(group)s: %(answers)s answer, median %(median)s.",
                     "%(group)s: %(answers)s answers, median %(median)s.", group=name,
                     answers=len(values), median=told(_median(values)))
             for name, values in groups.items()]  # fmt: skip
    return framed(joined([said("Histograms of %(title)s.", title=title), *about]), 240, [marks])


def counted(counts: Mapping[str, int], target: str) -> Spec:
    """Return how many rows have which answer, the commonest first."""
    order = sorted(counts.items(), key=lambda one: -one[1])
    shown, total = order[:MOST_BARS], max(1, sum(counts.values()))
    bars = [{"label": label, "rows": rows, "share": short(rows / total)} for label, rows in shown]
    y = category("label", title=None, axis={"labelLimit": 140})
    x = number("rows", title=said("Rows"), axis={"tickCount": 4})
    marks = layer(bars, "bar", "count", y=y, x=x,
                  tooltip=lines(label=target, rows=(said("rows"), ",d"),
                                share=(said("share"), ".1%")))  # fmt: skip
    about = [said("%(label)s: %(rows)s.", label=one["label"], rows=one["rows"]) for one in bars]
    description = joined([said("Answers by %(target)s.", target=target), *about])
    return framed(description, max(80, 26 * len(bars)), [marks])


def _binned(title: str, high: float | None = None) -> Spec:
    scale: Spec = {"zero": False, "nice": False} if high is None else {"domain": [0, high]}
    return number("low", bin="binned", title=title, scale=scale, axis={"tickCount": 5})


def _tooltip(**more: str | tuple[str, str]) -> list[Spec]:
    return lines(**{"low": (said("from"), ".3g"), "high": (said("to"), ".3g"), **more})


def _median(values: NDArray[Any]) -> float | None:
    return float(np.median(values)) if len(values) else None
