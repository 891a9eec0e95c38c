"""The measurements as tables."""

from __future__ import annotations

import datetime
import math
import os
import platform
from collections.abc import Collection
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Final, Literal, NamedTuple

from benchmarks.load import Load, wrk_version
from podium.cpus import available_cpus

PACKAGES: Final = (
    "podium",
    "flask",
    "gunicorn",
    "gunicorn_h1c",
    "onnxruntime",
    "numpy",
    "pillow",
    "duckdb",
    "pyarrow",
)
HEADER: Final = ("", "connections", "items/s", "p50 ms", "p99 ms")
RATIOS: Final = ("", "connections", "median of the rounds", "target")


class Comparison(NamedTuple):
    """A ratio of what two contenders did in the same round, and the bound it has to keep.

    Without another contender it is what the one did itself, a p50 in milliseconds.
    """

    case: str
    connections: int
    ours: str
    theirs: str | None
    measure: Literal["rate", "p50"] = "rate"
    least: float | None = None
    most: float | None = None

    @property
    def title(self) -> str:
        """What is divided by what."""
        if self.theirs is None:
            return f"p50 in ms: {self.ours}"
        what = "items/s" if self.measure == "rate" else "p50"
        return f"{what}: {self.ours} / {self.theirs}"

    @property
    def target(self) -> str:
        """The bound in words."""
        if self.least is not None:
            return f"at least {self.least}"
        return "" if self.most is None else f"at most {self.most}"

    def reached(self, ratio: float) -> bool:
        """Whether a ratio keeps the bound."""
        least, most = self.least or 0.0, math.inf if self.most is None else self.most
        return least <= ratio <= most


COMPARISONS: Final = (
    Comparison("row", 1, "Podium", "hand-written"),
    Comparison("row", 16, "Podium", "hand-written", least=1.5),
    Comparison("row", 16, "Podium", "raw loop"),
    Comparison("photo", 1, "Podium", "hand-written"),
    Comparison("photo", 1, "Podium", "raw loop"),
    Comparison("photo", 16, "Podium", "hand-written"),
    Comparison("photo", 16, "Podium", "raw loop", least=0.95),
    Comparison("photo", 16, "nginx, Podium", "Podium", least=0.9),
    Comparison("photo", 16, "nginx with TLS, Podium", "Podium"),
    Comparison("phone", 1, "Podium", "hand-written", "p50", most=0.4),
    Comparison("phone", 1, "Podium", "raw loop", "p50"),
    Comparison("eight", 1, "one request of 8", "8 requests"),
    Comparison("eight", 8, "one request of 8", "8 requests"),
    Comparison("passes", 1, "100 passes", "one pass", "p50", most=3),
    Comparison("passes", 1, "Podium", None, "p50", most=10),
    Comparison("dataset", 1, "Podium", "bare loop", least=0.5),
    Comparison("dataset", 1, "Podium", "bare loop, pyarrow"),
    Comparison("guarded", 1, "Podium", "hand-written"),
    Comparison("guarded", 16, "Podium", "hand-written", least=1.5),
    Comparison("guarded", 16, "Podium", "raw loop"),
)

Table = list[tuple[str, ...]]


class Cell(NamedTuple):
    """What was measured: a contender on a case."""

    case: str
    connections: int
    contender: str


Results = dict[Cell, list[Load]]
"""One load a round."""


def report(titles: dict[str, str], results: Results, conditions: str) -> str:
    """Return the whole report as Markdown, which reads well in a terminal too."""
    parts = [machine(), conditions]
    for case, title in titles.items():
        mine = {cell: loads for cell, loads in results.items() if cell.case == case}
        parts += [f"### {title}", markdown(_rates(mine)), markdown(_ratios(mine, case))]
    return "\n\n".join(parts) + "\n"


def ratios(results: Results, one: Comparison) -> list[float]:
    """Return the ratio of each round."""
    ours = results[Cell(one.case, one.connections, one.ours)]
    if one.theirs is None:
        return [getattr(mine, one.measure) for mine in ours]
    theirs = results[Cell(one.case, one.connections, one.theirs)]
    pairs = zip(ours, theirs, strict=True)
    return [getattr(mine, one.measure) / getattr(other, one.measure) for mine, other in pairs]


def missed_targets(results: Results, cases: Collection[str]) -> list[str]:
    """Return a sentence for each target of some cases that the median of the rounds misses."""
    missed = []
    for one in COMPARISONS:
        if one.case not in cases:
            continue
        found = median(ratios(results, one))
        if not one.reached(found):
            where = f"{one.case}, {one.connections} connections"
            missed.append(f"{where}: {one.title} is {found:.2f}; target {one.target}")
    return missed


def machine() -> str:
    """Return the date, the processor and the versions."""
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return (
        f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC, {_processor()}, "
        f"{available_cpus()} cores, {platform.system()}, "
        f"load {os.getloadavg()[0]:.1f} at the end.\n"
        f"Python {platform.python_version()}, {versions}, wrk {wrk_version()}."
    )


def markdown(table: Table) -> str:
    """Return a table as Markdown, its columns aligned."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    rule = ("-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:]))
    rows = [table[0], rule, *table[1:]]
    return "\n".join(
        f"| {row[0].ljust(widths[0])} | "
        + " | ".join(text.rjust(width) for text, width in zip(row[1:], widths[1:], strict=True))
        + " |"
        for row in rows
    )


def _rates(results: Results) -> Table:
    table: Table = [HEADER]
    for cell, loads in results.items():
        rate, p50, p99 = (median(values) for values in zip(*loads, strict=True))
        row = cell.contender, str(cell.connections), f"{rate:.1f}", f"{p50:.2f}", f"{p99:.2f}"
        table.append(row)
    return table


def _ratios(results: Results, case: str) -> Table:
    return [RATIOS, *(
        (one.title, str(one.connections), _spread(ratios(results, one)), one.target)
        for one in COMPARISONS if one.case == case
    )]  # fmt: skip


def _spread(values: list[float]) -> str:
    return f"{median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
