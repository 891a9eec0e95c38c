"""Several models side by side: a dot and its interval for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from podium.charts.frame import (
    Spec,
    category,
    coloured,
    framed,
    layer,
    lines,
    number,
    one_line,
    short,
)
from podium.messages import joined, said


class Dot(NamedTuple):
    """What a model reaches by one metric, and between which ends that is known."""

    model: str
    metric: str
    value: float
    low: float | None = None
    high: float | None = None


def dots(found: Sequence[Dot], unit: str | None) -> Spec:
    """Return a row a metric, in it a line a model."""
    found = [one._replace(model=one_line(one.model), metric=one_line(one.metric)) for one in found]
    models = list(dict.fromkeys(one.model for one in found))
    metrics = list(dict.fromkeys(one.metric for one in found))
    bounds = [edge for one in found for edge in (one.value, one.low, one.high) if edge is not None]
    width = (max(bounds) - min(bounds)) or 1.0
    rows = [
        {"model": one.model, "metric": one.metric, "value": short(one.value, width)}
        | ({"low": short(one.low, width), "high": short(one.high, width)}
           if one.low is not None and one.high is not None else {})
        for one in found
    ]  # fmt: skip
    y = category("metric", title=None, scale={"paddingInner": 0.3}, axis={"labelLimit": 130})
    aside = category("model", scale={"domain": models})
    axis = {"tickCount": 5} | ({} if unit is not None else {"format": ".0%"})
    x = number("value", title=unit or None, axis=axis, scale={"zero": False})
    form = ".4g" if unit is not None else ".1%"
    tooltip = lines(model=said("model"), metric=said("metric"), value=(said("value"), form),
                    low=(said("from"), form), high=(said("to"), form))  # fmt: skip
    shared = {"y": y, "yOffset": aside, **coloured("model", models)}
    spans = [row for row in rows if "low" in row]
    about = [said("%(metric)s, %(model)s: %(value)s.", metric=one.metric, model=one.model,
                  value=f"{one.value:{form}}") for one in found]  # fmt: skip
    return framed(
        joined([said("Metrics of %(models)s models.", models=len(models)), *about]),
        max(60, (16 * len(models) + 14) * len(metrics)),
        [layer(spans, "rule", "span", x=number("low"), x2={"field": "high"}, **shared),
         layer(rows, "circle", "large-dot", x=x, tooltip=tooltip, **shared)],
    )  # fmt: skip
