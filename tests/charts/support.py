"""What tests of figures share."""

from __future__ import annotations

from typing import Any

from podium.charts import Spec


def rows(spec: Spec, layer: int) -> list[dict[str, Any]]:
    """Return the data of one layer."""
    found: list[dict[str, Any]] = spec["layer"][layer]["data"]["values"]
    return found


def styles(spec: Spec) -> list[str]:
    """Return the style of each layer's marks."""
    return [layer["mark"]["style"] for layer in spec["layer"]]


def field(spec: Spec, layer: int, channel: str) -> str:
    """Return what a layer shows along a channel."""
    name: str = spec["layer"][layer]["encoding"][channel]["field"]
    return name
