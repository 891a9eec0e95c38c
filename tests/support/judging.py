"""Answers whose truth is known, made up for tests, and what is told of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from podium.datasets.findings import Metric
from podium.datasets.judging.bootstrap import Bootstrap, Table
from podium.datasets.judging.judgement import ClassJudgement, Judgement, ValueJudgement
from podium.datasets.judging.measured import Asked, of_model
from podium.datasets.judging.metrics import add, of_classes, of_values, widths
from podium.datasets.judging.verdict import Verdict, judge
from podium.datasets.work import Work
from podium.signature import Signature

Floats = NDArray[np.float64]
Told = dict[tuple[str, str | None], Metric]


def classes(p: Any, truth: Any, sets: Any = None) -> ClassJudgement:
    """Return the judgement of probabilities, shape (rows, labels); `sets` say what is in each."""
    p, truth = np.asarray(p, np.float64), np.asarray(truth, np.intp)
    right = p[np.arange(len(truth)), truth]
    brier = (p**2).sum(axis=1) - 2 * right + 1
    covered = sizes = None
    if sets is not None:
        sets = np.asarray(sets, bool)
        covered = sets[np.arange(len(truth)), truth].astype(np.float64)
        sizes = sets.sum(axis=1).astype(np.float64)
    return ClassJudgement(np.arange(len(truth)), truth, p.argmax(axis=1), p.max(axis=1),
                          np.zeros(len(truth)), right, brier, covered, sizes, p)  # fmt: skip


def labels_alone(label: Any, truth: Any) -> ClassJudgement:
    """Return the judgement of labels without probabilities."""
    return ClassJudgement(np.arange(len(truth)), np.asarray(truth), np.asarray(label))


def values(value: Any, truth: Any, reach: float | None = None) -> ValueJudgement:
    """Return the judgement of values, with intervals that reach so far to both sides."""
    value, truth = np.asarray(value, np.float64), np.asarray(truth, np.float64)
    ends = (None, None) if reach is None else (value - reach, value + reach)
    return ValueJudgement(np.arange(len(truth)), truth, value, None, *ends)


def sample(rows: int, labels: int = 3, seed: int = 0, sharp: float = 1.5) -> tuple[Floats, Any]:
    """Return probabilities, shape (rows, labels), and the true labels."""
    random = np.random.default_rng(seed)
    truth = random.integers(labels, size=rows)
    logits = random.normal(0, 1, (rows, labels))
    logits[np.arange(rows), truth] += 1
    shares = np.exp(sharp * logits)
    return shares / shares.sum(axis=1, keepdims=True), truth


def bootstrap(judged: Judgement, labels: int) -> tuple[Table, Bootstrap]:
    """Return the sums of one model, and its replicates."""
    table = Table(len(judged.rows), widths(labels))
    add(table, "", table.deal(len(judged.rows)), judged, float(judged.truth[0]))
    return table, Bootstrap(table, of_classes if labels else of_values)


def ask(name: str, labels: Sequence[str]) -> Asked:
    """Return a calibrated model of these labels, or without labels a regression."""
    return Asked(name, name.upper(), tuple(labels), None, 0.9, calibrated=True)


def told(judged: Judgement, labels: Sequence[str] = "", **asked: Any) -> Told:
    """Return the metrics of one model, by name and label."""
    table, found = bootstrap(judged, len(labels))
    own = ask("m0", labels)._replace(**asked)
    return {(one.name, one.label): one for one in of_model(table.total(), found, "", own)}


def verdict(folder: Path, models: Sequence[Judgement], labels: Sequence[str] = "") -> Verdict:
    """Judge models of which each answered the rows of its judgement; they are M0, M1, ..."""
    rows = 1 + max(int(one.rows.max()) for one in models)
    truth = np.full(rows, np.nan)
    for one in models:
        truth[one.rows] = one.truth
    kind: Literal["classification", "regression"] = "classification" if labels else "regression"
    signature = Signature(kind, "y", None, tuple(labels), ())
    with Work(folder / "work.duckdb") as work:
        _write(work, "rows", {"truth": truth})
        for index, one in enumerate(models):
            _write(work, f"answers_{index}", _columns(one, rows, len(labels)))
        asked = [ask(f"m{index}", labels) for index in range(len(models))]
        return judge(work, signature, rows, asked)


def _columns(judged: Judgement, rows: int, labels: int) -> dict[str, NDArray[Any]]:
    """Return an answers table; rows that are not judged have no answer."""
    found = {**judged._asdict()}
    whole = found.pop("p", None)
    found |= {f"p{index}": None if whole is None else whole[:, index] for index in range(labels)}
    made: dict[str, NDArray[Any]] = {}
    for name, column in found.items():
        made[name] = np.full(rows, -1 if name == "label" else np.nan)
        if column is not None:
            made[name][judged.rows] = column
    return made


def _write(work: Work, name: str, columns: dict[str, NDArray[Any]]) -> None:
    chunk = columns  # noqa: F841  named in the query
    work.con.execute(f"CREATE TABLE {name} AS SELECT * FROM chunk")  # noqa: S608
