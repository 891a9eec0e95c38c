"""The measurements as tables."""

from __future__ import annotations

import datetime
import os
import platform
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

from benchmarks.load import Load, wrk_version
from podium.cpus import available_cpus

PACKAGES: Final = ("podium", "flask", "gunicorn", "gunicorn_h1c", "onnxruntime", "numpy", "pillow")
HEADER: Final = ("", "connections", "requests/s", "p50 ms", "p99 ms")
RATIOS: Final = ("", "connections", "Podium / hand-written", "Podium / raw loop")
TARGETS: Final = {("row", "hand-written"): 1.5, ("photo", "raw loop"): 0.85}
"""The least ratio to reach with 16 connections."""

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
        parts += [f"### {title}", markdown(_rates(mine)), markdown(_ratios(mine))]
    return "\n\n".join(parts) + "\n"


def ratio(results: Results, case: str, connections: int, to: str) -> list[float]:
    """Return Podium's rate over that of `to`, a round each."""
    podium = results[Cell(case, connections, "Podium")]
    other = results[Cell(case, connections, to)]
    return [ours.rate / theirs.rate for ours, theirs in zip(podium, other, strict=True)]


def missed_targets(results: Results) -> list[str]:
    """Return a sentence for each target that the median ratio with 16 connections is below."""
    missed = []
    for (case, to), least in TARGETS.items():
        found = median(ratio(results, case, 16, to))
        if found < least:
            missed.append(f"{case}: Podium has {found:.2f} of the {to}'s rate; target {least}")
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


def _ratios(results: Results) -> Table:
    table: Table = [RATIOS]
    for case, connections in dict.fromkeys((cell.case, cell.connections) for cell in results):
        ratios = [
            _ratio_text(results, case, connections, to) for to in ("hand-written", "raw loop")
        ]
        table.append((case, str(connections), *ratios))
    return table


def _ratio_text(results: Results, case: str, connections: int, to: str) -> str:
    values = ratio(results, case, connections, to)
    text = f"{median(values):.2f} ({min(values):.2f} to {max(values):.2f})"
    target = TARGETS.get((case, to)) if connections == 16 else None
    return text if target is None else f"{text}, target {target}"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
