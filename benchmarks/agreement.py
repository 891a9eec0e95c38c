"""Contenders are compared only when they give the same answers."""

from __future__ import annotations

from typing import Any

from benchmarks import passes, raw
from benchmarks.applications import Case, Disagreement
from benchmarks.servers import Server


def check_agreement(case: Case, servers: list[Server]) -> float:
    """Return the largest difference between a server's probabilities and the loop's in process.

    Raises:
        Disagreement: a label differs, or a probability by more than the case allows.
    """
    truth = (raw if case.passes == 1 else passes).answer_of(case)
    return max(
        _difference(server.name, answer, truth, case.tolerance)
        for server in servers
        for answer in server.ask(case)
    )


def _difference(
    name: str, answer: dict[str, Any], truth: dict[str, float], tolerance: float
) -> float:
    label = max(truth, key=truth.__getitem__)
    if answer["label"] != label:
        raise Disagreement(f"{name} answers {answer['label']!r}, the raw loop {label!r}")
    probabilities: dict[str, float] = answer["probabilities"]
    if label not in probabilities:
        raise Disagreement(f"{name} gives no probability of {label!r}")
    worst = max(abs(value - truth[key]) for key, value in probabilities.items())
    if worst > tolerance:
        raise Disagreement(f"{name}'s probabilities differ from the raw loop's by {worst:g}")
    return worst
