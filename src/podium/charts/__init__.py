"""Figures as Vega-Lite specifications: plain data, whatever shows them.

A specification holds no colours. Its marks have the styles "interval", "pass", "mean" and "count",
to which whoever shows it gives theirs in Vega-Lite's `config`.
"""

from podium.charts.passes import FEW, Spec, histograms, significant_digits, spread, widened

__all__ = ["FEW", "Spec", "histograms", "significant_digits", "spread", "widened"]
