"""Models side by side."""

from __future__ import annotations

from podium.charts.dots import Dot, dots
from tests.charts.support import field, rows, styles

FOUND = [Dot("one", "Accuracy", 0.9, 0.85, 0.94), Dot("two", "Accuracy", 0.8)]


def test_a_model_has_a_dot_and_its_interval() -> None:
    """Shares are told in percent; a metric without an interval has its dot alone."""
    spec = dots(FOUND, None)
    assert styles(spec) == ["span", "large-dot"]
    assert rows(spec, 0) == [
        {"model": "one", "metric": "Accuracy", "value": 0.9, "low": 0.85, "high": 0.94}
    ]
    assert [one["value"] for one in rows(spec, 1)] == [0.9, 0.8]
    assert (field(spec, 1, "y"), field(spec, 1, "yOffset"), field(spec, 1, "color")) == (
        "metric", "model", "model",
    )  # fmt: skip
    assert spec["layer"][1]["encoding"]["x"]["axis"]["format"] == ".0%"
    assert spec["description"] == (
        "Metrics of 2 models. Accuracy, one: 90.0%. Accuracy, two: 80.0%."
    )


def test_errors_have_their_unit() -> None:
    """An error is told in the value's unit, which the axis names."""
    spec = dots([Dot("one", "RMSE", 12.5), Dot("two", "RMSE", 14.0)], "kg")
    assert spec["layer"][1]["encoding"]["x"]["title"] == "kg"
    assert "format" not in spec["layer"][1]["encoding"]["x"]["axis"]
    assert spec["description"] == "Metrics of 2 models. RMSE, one: 12.5. RMSE, two: 14."
