"""Findings as they may be, with names that try to break out of a page."""

from __future__ import annotations

from typing import Final

import numpy as np

from podium.charts import Spec, bars, curves, dots, matrix, stacked, values
from podium.datasets.findings import Comparison, Figure, Findings, Judged, Metric
from podium.datasets.wishes import Column, Staged, Wishes
from podium.messages import message_of, said

EVIL: Final = (
    "</script><script>window.hacked = 1</script>",
    "\"><img src=x onerror='window.hacked = 1'>\u2028\u2029&amp;",
    "{{ 7 * 7 }} <!-- <script> ]]>",
)
"""Names that end a script, an attribute or a comment, or are code to a template."""


def evil_findings() -> Findings:
    """Return findings in which every text is hostile, with each kind of figure."""
    evil = tuple(map(message_of, EVIL))
    figures = tuple(Figure(name, message_of(f"{name} {EVIL[0]}"), message_of(f"{EVIL[1]}."), spec)
                    for name, spec in every_figure(EVIL).items())  # fmt: skip
    metrics = (
        Metric("accuracy", evil[0], 0.912, 0.81, 0.97, better="higher", about=evil[1]),
        Metric("f1", said("F1"), None, label=EVIL[1]),
    )
    models = tuple(
        Judged(model=f"m{i}", title=f"{i} {name}", version="abc123", rows=41, judged=40,
               counts=dict.fromkeys(EVIL, 7), metrics=metrics, figures=figures if i == 0 else (),
               notes=(name,))
        for i, name in enumerate(evil[:2])
    )  # fmt: skip
    columns = (*(Column(name) for name in EVIL), Column("length", "length"),
               Column(EVIL[0], None, is_target=True))  # fmt: skip
    return Findings(
        title=EVIL[0], file=f"{EVIL[1]}.csv", target=EVIL[0], unit=None, labels=EVIL, rows=42,
        failed=1, problems=((7, evil[2]),), wishes=Wishes(seed=5, confidence_level=0.8),
        staged=Staged(kind="csv", columns=columns, rows=42, notes=(evil[0],)), bootstrap=1000,
        models=models, notes=(evil[2],), figures=(),
        comparisons=(Comparison(first="m0", second="m1", metric="accuracy", test="McNemar",
                                difference=0.1, low=0.0, high=0.2, p_value=0.04,
                                reading=said("%(evil)s is better.", evil=EVIL[0])),),
    )  # fmt: skip


def every_figure(labels: tuple[str, ...]) -> dict[str, Spec]:
    """Return a figure of each kind, by name, in which the labels stand."""
    x = np.linspace(0, 1, 30)
    lines = [curves.Curve(label, x, x ** (1 / (i + 2))) for i, label in enumerate(labels)]
    p = np.random.default_rng(1).dirichlet(np.ones(len(labels)), (6, 8))
    stacks = [stacked.Stack(i, one, True, 0) for i, one in enumerate(p)]
    counts = np.arange(len(labels) ** 2).reshape(len(labels), -1)
    groups = {"right": x, "wrong": x[20:]}
    found = [dots.Dot(label, labels[1], 0.9, 0.8, 0.95) for label in labels]
    return {
        "confusion": matrix.confusion(counts, labels, labels[1]),
        "roc": curves.roc(lines),
        "precision_recall": curves.precision_recall(lines),
        "rejection": curves.rejection(lines),
        "reliability": curves.reliability(x[:15], x[:15], x[:15], np.arange(15)),
        "entropy": bars.two_histograms(groups, labels[0], 1.0),
        "answers": bars.counted(dict.fromkeys(labels, 3), labels[1]),
        "values": bars.histogram(np.arange(5), 0.0, 1.0, labels[1]),
        "spread": stacked.stacked(stacks, labels),
        "predicted": values.predicted(x, x**2, labels[0], x - 1, x + 1),
        "residuals": values.residuals(x, x**2, labels[1]),
        "metrics": dots.dots(found, None),
    }
