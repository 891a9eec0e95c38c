"""What all figures have in common."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import floor, isfinite, log10
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from podium.messages import Message, said

Spec = dict[str, Any]
"""A Vega-Lite specification, or a part of one, as JSON has it."""

Floats = NDArray[np.float64]

SCHEMA: Final = "https://vega.github.io/schema/vega-lite/v6.json"
MOST_SERIES: Final = 8
"""How many classes or models one figure tells apart by colour; more are too alike for many eyes."""
_NARROW: Final = 310
"""Pixels that a legend has in a narrow figure; the page, which measures names, knows better."""
_LETTER, _SYMBOL = 6.5, 34


def framed(description: Message, height: int, layers: Sequence[Spec]) -> Spec:
    """Return a figure as wide as its place; `description` tells it to those who do not see it."""
    return {
        "$schema": SCHEMA,
        "description": description,
        "background": "transparent",
        "width": "container",
        "height": height,
        "layer": list(layers),
    }


def layer(rows: Iterable[Spec], mark: str, style: str, **encoding: Any) -> Spec:
    """Return a layer of marks that share a style."""
    return {
        "data": {"values": list(rows)},
        "mark": {"type": mark, "style": style, "aria": False},
        "encoding": encoding,
    }


def number(field: str, **more: Any) -> Spec:
    """Return the encoding of a number."""
    return {"field": field, "type": "quantitative", **more}


def category(field: str, **more: Any) -> Spec:
    """Return the encoding of names, in the order in which they come."""
    return {"field": field, "type": "nominal", "sort": None, **more}


def share(field: str, title: str, **more: Any) -> Spec:
    """Return the encoding of a share or a probability, from 0 to 1."""
    axis = {"format": ".0%", "tickCount": 5, "labelFlush": False}
    return number(field, title=title, scale={"domain": [0, 1]}, axis=axis, **more)


def lines(**titles: str | tuple[str, str]) -> list[Spec]:
    """Return the lines of a tooltip: by field its title, or title and format."""
    told: list[Spec] = []
    for field, title in titles.items():
        text, form = title if isinstance(title, tuple) else (title, None)
        kind = {"type": "quantitative", "format": form} if form else {"type": "nominal"}
        told.append({"field": field, "title": one_line(text), **kind})
    return told


def coloured(field: str, names: Sequence[str]) -> Spec:
    """Return the encoding of classes or models by colour; none for a single one.

    It is to be unpacked: {"color": ...}, or nothing.
    """
    if len(names) < 2:
        return {}
    longest = max(map(len, names))
    columns = max(1, min(len(names), int(_NARROW / (_LETTER * longest + _SYMBOL))))
    legend = {"title": None, "orient": "bottom", "columns": columns, "labelLimit": 280}
    return {"color": {"field": field, "type": "nominal", "scale": {"domain": list(names)},
                      "legend": legend}}  # fmt: skip


def guide(start: tuple[float, float], stop: tuple[float, float]) -> Spec:
    """Return the layer of a straight line from one point to another, for the eye to compare."""
    row = dict(zip(("x", "y", "x2", "y2"), (*start, *stop), strict=True))
    return layer([row], "rule", "guide", x=number("x"), y=number("y"), x2={"field": "x2"},
                 y2={"field": "y2"})  # fmt: skip


def one_line(text: str) -> str:
    """Return a text on one line; a Message is on one.

    Vega-Lite writes some texts into expressions, and Vega's parser refuses the line separators of
    Unicode in them.
    """
    return text if isinstance(text, Message) else " ".join(text.split())


def short(value: float, width: float = 1.0) -> float:
    """Return a number as finely as a picture of some width can show it."""
    return round(float(value), 3 - floor(log10(width))) if width > 0 else float(value)


def evenly(count: int, most: int) -> NDArray[np.intp]:
    """Return at most `most` of the indices below `count`, the first and the last among them."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.intp))


def ends(*values: Floats) -> tuple[float, float]:
    """Return the least and the greatest finite number; 0 and 1 where there is none."""
    known = np.concatenate([one[np.isfinite(one)] for one in values])
    return (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)


def told(value: float | None, form: str = ".3g") -> str:
    """Return a number in words."""
    return format(value, form) if value is not None and isfinite(value) else said("unknown")
