"""The passes behind one prediction: how far they lie apart, and how many lie where."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, isfinite, log10
from typing import Final, NamedTuple

import numpy as np
from msgspec import UNSET
from numpy.typing import NDArray

from podium.charts.frame import SCHEMA, Floats, Spec, category, evenly, short
from podium.messages import Message, joined, said
from podium.prediction import ClassPrediction, Interval, Prediction, ValuePrediction

MOST_CLASSES: Final = 6
"""How many classes a figure shows, from the likeliest down; more columns would be too thin."""
MOST_MARKS: Final = 300
"""How many passes a column shows as marks; of more, this many that lie evenly among them."""
FEW: Final = 20
"""Of fewer passes or members an interval is interpolated, and holds a smaller part of them."""
BINS: Final = 20
_GOLDEN: Final = (5**0.5 - 1) / 2
_HALF: Final = 0.32
"""Half of a band's width, where a column is 1 wide."""
_FAR: Final = 8e307
"""Ends of a scale beyond which its width overflows."""
_LONG: Final = 44
"""Letters that stand under the columns of a narrow figure without touching."""


class Column(NamedTuple):
    """The passes for one class, shape (passes,), or those for a value, whose label is "".

    `interval` is None where there are too few passes for one.
    """

    label: str
    values: Floats
    mean: float
    interval: Interval | None


class _Scale(NamedTuple):
    """What is measured: from where to where, how numbers are written, in Python as in Vega."""

    low: float
    high: float
    form: str
    encoding: Spec

    def short(self, number: float) -> float:
        """Return a number as finely as a picture can show it."""
        return short(number, self.high - self.low)


def spread(prediction: Prediction, target: str) -> Spec | None:
    """Return a figure of one column a class with a mark a pass, the interval behind them.

    A value has one column. None where there are no passes, or the answer does not include them.
    """
    columns = _columns(prediction)
    if not columns:
        return None
    scale = _scale(prediction, target, columns)
    return _figure(prediction, target, columns, scale) | {
        "height": 220,
        "layer": [_bands(columns, scale), _pass_marks(columns, scale), _mean_lines(columns, scale)],
        # Columns are names for the bands and numbers for the marks; both fill the same width.
        "resolve": {"scale": {"x": "independent"}},
    }


def histograms(prediction: Prediction, target: str) -> list[Spec]:
    """Return a figure of how many passes lie where, for each class or for the value.

    All have the same axes. The list is empty where `spread` returns None.
    """
    columns = _columns(prediction)
    if not columns:
        return []
    scale = _scale(prediction, target, columns)
    edges = np.linspace(scale.low, scale.high, BINS + 1)
    counts = [np.histogram(column.values, edges)[0] for column in columns]
    top = max(int(count.max()) for count in counts)
    return [
        _figure(prediction, target, [column], scale)
        | {
            "height": 64,
            "title": column.label,
            "layer": [_counts(_bars(edges, count, scale), scale, top), _mean_rule(column, scale)],
        }
        for column, count in zip(columns, counts, strict=True)
    ]


def widened(low: float, high: float) -> tuple[float, float]:
    """Return the ends of a scale that is wider than nothing, and not wider than can be computed."""
    if low == high:
        half = max(0.5, abs(low) / 1000)
        low, high = low - half, high + half
    return max(low, -_FAR), min(high, _FAR)


def significant_digits(number: float, spread: float | None) -> int:
    """Return to how many digits a number is written: 4, or 2 digits of its spread if they are more.

    A value that scatters by 0.5 around 1132.6 would be too coarse as 1133.
    """
    if not number or not spread or not isfinite(spread):
        return 4
    return min(max(4, floor(log10(abs(number))) - floor(log10(spread)) + 2), 15)


def _columns(prediction: Prediction) -> list[Column]:
    if isinstance(prediction, ValuePrediction):
        value = prediction.uncertainty
        if value.sample_values is UNSET or value.interval is None:
            return []
        few = len(value.sample_values) < FEW and value.aleatoric is None
        shown = None if few else value.interval
        return [Column("", np.array(value.sample_values), prediction.value, shown)]
    samples = prediction.uncertainty.sample_probabilities
    intervals, mean = prediction.uncertainty.intervals, prediction.probabilities
    if samples is UNSET or intervals is None or mean is None:
        return []
    return [Column(label, np.array(samples[label]), mean[label],
                   None if len(samples[label]) < FEW else intervals[label])
            for label in list(mean)[:MOST_CLASSES]]  # fmt: skip


def _scale(prediction: Prediction, target: str, columns: Sequence[Column]) -> _Scale:
    """Return the scale of probabilities, from 0 to 1, or of a value, where its passes lie."""
    encoding: Spec = {"type": "quantitative"}
    if isinstance(prediction, ClassPrediction):
        axis: Spec = {"title": None, "format": ".0%", "tickCount": 5}
        return _Scale(0.0, 1.0, ".1%", encoding | {"scale": {"domain": [0, 1]}, "axis": axis})
    low, high = float(columns[0].values.min()), float(columns[0].values.max())
    low, high = widened(low, high)
    unit = f" ({prediction.unit})" if prediction.unit else ""
    axis = {"title": f"{target}{unit}", "tickCount": 5}
    form = f".{significant_digits(max(abs(low), abs(high)), high - low)}g"
    return _Scale(low, high, form, encoding | {"scale": {"zero": False}, "axis": axis})


def _figure(prediction: Prediction, target: str, columns: Sequence[Column], scale: _Scale) -> Spec:
    """Return what every figure has; its description says it to those who do not see it."""
    passes, level = len(columns[0].values), prediction.uncertainty.interval_level
    if isinstance(prediction, ValuePrediction):
        head = said("What %(passes)s single answers say of the %(target)s.",
                    passes=passes, target=target)  # fmt: skip
    else:
        head = said("What %(passes)s single answers say of how probable a class is.",
                    passes=passes)  # fmt: skip
    told = (_in_words(column, scale.form, f"{level:.0%}" if level else "") for column in columns)
    return {
        "$schema": SCHEMA,
        "description": joined([head, *told]),
        "background": "transparent",
        "width": "container",
    }


def _in_words(column: Column, form: str, level: str) -> Message:
    mean = f"{column.mean:{form}}"
    if column.interval:
        low, high = (f"{end:{form}}" for end in column.interval)
        told = said("mean %(mean)s, %(level)s interval from %(low)s to %(high)s.",
                    mean=mean, level=level, low=low, high=high)  # fmt: skip
    else:
        told = said("mean %(mean)s.", mean=mean)
    return said("%(label)s: %(told)s", label=column.label, told=told) if column.label else told


def _bands(columns: Sequence[Column], scale: _Scale) -> Spec:
    """Return the layer of the intervals; long labels under them lean, a value has none.

    Without intervals the layer holds no more than the labels: its bars have no height.
    """
    low, high = _ends(columns)
    labels = [column.label for column in columns]
    slant = -35 if sum(map(len, labels)) > _LONG else 0
    axis = {"labelAngle": slant, "labelLimit": 120}
    return {
        "data": {"values": [_summary(column, scale) for column in columns]},
        "mark": {"type": "bar", "style": "interval", "width": {"band": 2 * _HALF}},
        "encoding": {
            "x": category("label", title=None, scale={"padding": 0},
                          axis=axis if any(labels) else None),
            "y": {"field": low, **scale.encoding},
            "y2": {"field": high},
            "tooltip": [*_named(labels), *_told(scale, *dict.fromkeys(("mean", low, high)))],
        },
    }  # fmt: skip


def _ends(columns: Sequence[Column]) -> tuple[str, str]:
    """Return between which fields of a summary a band lies."""
    return ("low", "high") if columns[0].interval else ("mean", "mean")


def _pass_marks(columns: Sequence[Column], scale: _Scale) -> Spec:
    """Return the layer of a mark a pass."""
    return {
        "data": {"values": _marks(columns, scale)},
        "mark": {"type": "circle", "style": "pass", "aria": False},
        "encoding": {
            "x": _along("place", len(columns)),
            "y": {"field": "value", "type": "quantitative"},
            "tooltip": _told(scale, "value"),
        },
    }


def _mean_lines(columns: Sequence[Column], scale: _Scale) -> Spec:
    """Return the layer of the means, lines across their columns."""
    ends = [{"left": round(place - _HALF, 3), "right": round(place + _HALF, 3)}
            for place in np.arange(len(columns)) + 0.5]  # fmt: skip
    rows = [_summary(column, scale) | end for column, end in zip(columns, ends, strict=True)]
    named = _named([column.label for column in columns])
    return {
        "data": {"values": rows},
        "mark": {"type": "rule", "style": "mean", "aria": False},
        "encoding": {
            "x": _along("left", len(columns)),
            "x2": {"field": "right"},
            "y": {"field": "mean", "type": "quantitative"},
            "tooltip": [*named, *_told(scale, *dict.fromkeys(("mean", *_ends(columns))))],
        },
    }


def _along(field: str, columns: int) -> Spec:
    """Return the encoding of places among the columns, each of which is 1 wide."""
    return {"field": field, "type": "quantitative", "axis": None,
            "scale": {"domain": [0, columns], "nice": False}}  # fmt: skip


def _counts(bars: list[Spec], scale: _Scale, top: int) -> Spec:
    """Return the layer of a histogram's bars, of which the highest in any figure is `top`."""
    return {
        "data": {"values": bars},
        "mark": {"type": "bar", "style": "count", "binSpacing": 1},
        "encoding": {
            "x": {"field": "low", "bin": "binned", **scale.encoding},
            "x2": {"field": "high"},
            "y": {"field": "passes", "type": "quantitative", "title": None,
                  "scale": {"domain": [0, top]}, "axis": {"tickCount": 2}},
            "tooltip": _told(scale, "low", "high", "passes"),
        },
    }  # fmt: skip


def _mean_rule(column: Column, scale: _Scale) -> Spec:
    return {
        "data": {"values": [_summary(column, scale)]},
        "mark": {"type": "rule", "style": "mean", "aria": False},
        "encoding": {"x": {"field": "mean", "type": "quantitative"}},
    }


def _named(labels: Sequence[str]) -> list[Spec]:
    """Return the first line of a tooltip: the whole label, which an axis may have cut."""
    return [{"field": "label", "title": "class", "type": "nominal"}] if any(labels) else []


def _told(scale: _Scale, *fields: str) -> list[Spec]:
    """Return the lines of a tooltip."""
    titles = {
        "value": said("one single answer"), "low": said("from"), "high": said("to"),
        "mean": said("mean"), "passes": said("single answers"),
    }  # fmt: skip
    return [
        {"field": field, "title": titles[field], "type": "quantitative"}
        | ({} if field == "passes" else {"format": scale.form})
        for field in fields
    ]


def _summary(column: Column, scale: _Scale) -> Spec:
    told: Spec = {"label": column.label, "mean": scale.short(column.mean)}
    if column.interval is None:
        return told
    low, high = column.interval
    return told | {"low": scale.short(low), "high": scale.short(high)}


def _marks(columns: Sequence[Column], scale: _Scale) -> list[Spec]:
    """Return a row for each mark: its value, and its place along the columns."""
    rows: list[Spec] = []
    for number, column in enumerate(columns):
        values = np.sort(column.values)
        values = values[evenly(len(values), MOST_MARKS)]
        rows += [
            {"value": scale.short(value), "place": round(number + 0.5 + offset, 3)}
            for value, offset in zip(values.tolist(), _offsets(values, scale), strict=True)
        ]
    return rows


def _offsets(values: Floats, scale: _Scale) -> list[float]:
    """Return how far each of the sorted values stands beside its column's middle.

    Where more lie, they spread wider (a sina plot: Sidiropoulos et al. 2018). Multiples of the
    golden ratio set neighbours far apart, and the same values always get the same places.
    """
    share = (values - scale.low) / (scale.high - scale.low)
    bins = np.clip((share * BINS).astype(int), 0, BINS - 1)
    counts = np.bincount(bins, minlength=BINS)
    width = counts[bins] / counts.max()
    aside = 2 * ((np.arange(1, len(values) + 1) * _GOLDEN) % 1) - 1
    offsets: list[float] = (_HALF * width * aside).tolist()
    return offsets


def _bars(edges: Floats, counts: NDArray[np.intp], scale: _Scale) -> list[Spec]:
    return [
        {"low": scale.short(low), "high": scale.short(high), "passes": count}
        for low, high, count in zip(
            edges[:-1].tolist(), edges[1:].tolist(), counts.tolist(), strict=True
        )
    ]
