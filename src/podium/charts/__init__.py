"""Figures as Vega-Lite specifications: plain data, whatever shows them.

A specification holds no colours. Its marks have styles, such as "interval", "pass", "mean" and
"count", to which whoever shows it gives theirs in Vega-Lite's `config`; classes and models have the
colours of its `range.category`, at most 8 in one figure.
"""

from podium.charts.frame import Spec
from podium.charts.passes import FEW, histograms, significant_digits, spread, widened

__all__ = ["FEW", "Spec", "histograms", "significant_digits", "spread", "widened"]
