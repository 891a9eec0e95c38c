"""Figures as Vega-Lite specifications: plain data, whatever shows them.

A specification holds no colours. Its marks have the styles "interval", "pass", "mean" and "count",
to which whoever shows it gives theirs in Vega-Lite's `config`.
"""

from podium.charts.passes import Spec, histograms, significant_digits, spread

__all__ = ["Spec", "histograms", "significant_digits", "spread"]
