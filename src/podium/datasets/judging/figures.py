"""The figures of a scored data set: what its arrays show, and how to read it in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import log
from typing import Final

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from podium.charts import bars, dots, matrix, stacked, values
from podium.charts import curves as lines
from podium.charts.frame import MOST_SERIES, Spec, ends, evenly
from podium.charts.passes import widened
from podium.datasets.findings import Figure, Judged
from podium.datasets.judging.curves import Curve, precision_recall, rejection, reliability, roc
from podium.datasets.judging.judgement import ClassJudgement, Judgement, ValueJudgement
from podium.datasets.scoring.answers import ALL_UP_TO
from podium.datasets.sql import answers_table
from podium.datasets.work import Work
from podium.pipeline.postprocess import Scores
from podium.signature import Signature

Ask = Callable[[Sequence[int]], Mapping[int, Scores]]
"""Asks the model for some rows once more, counted from 0; those without an answer are left out."""

_LOOKED: Final = 10_000
"""Among so many rows, that lie evenly, inputs are chosen for the spread."""
_FEWEST: Final = 2
_SURE: Final = 0.1
"""The part of the greatest entropy below which differences are not made to look large."""
_SHARES: Final = {"accuracy": "Accuracy", "balanced_accuracy": "Balanced accuracy",
                  "f1_macro": "Macro F1"}  # fmt: skip
_ERRORS: Final = {"rmse": "RMSE", "mae": "MAE"}


def figures_of_model(
    signature: Signature, work: Work, index: int, judgement: Judgement | None, ask: Ask,
    judged: int = 0,
) -> tuple[Figure, ...]:  # fmt: skip
    """Return the figures of the model whose answers are number `index`.

    Without a judgement they show what it answered, and how sure it was. The judgement may be of
    some of the `judged` rows, which the figures made of it then say.
    """
    of = _drawn(judgement, judged)
    if isinstance(judgement, ValueJudgement):
        return tuple(_saying(of, _of_values(judgement, _measure(signature))))
    if signature.kind == "regression":
        return tuple(_of_column(work, index, "value", _measure(signature)))
    made: list[Figure] = []
    if isinstance(judgement, ClassJudgement):
        made += [_confusion(work, index, signature)]
        made += _saying(of, _of_classes(judgement, signature))
    else:
        made.append(_answers(work, index, signature))
        made += _of_column(work, index, "probability", "Probability of the answer")
    return (*made, *_spread(signature, work, index, ask))


def figures_of_all(
    models: Sequence[Judged], judgements: Sequence[Judgement | None], unit: str | None
) -> tuple[Figure, ...]:
    """Return the figures that show several models side by side; none for a single one."""
    if len(models) < _FEWEST:
        return ()
    titles = [one.title for one in models]
    names = titles if len(set(titles)) == len(titles) else [one.model for one in models]
    shown = models[:MOST_SERIES]
    curves = [
        lines.Curve(name, *rejection(one.entropy, one.right)[:2])
        for name, one in zip(names[: len(shown)], judgements, strict=False)
        if isinstance(one, ClassJudgement) and one.entropy is not None and len(one.rows)
    ]
    curves = [curve for curve in curves if len(curve.x) > 1]
    made = [*_dots(shown, names, unit)]
    if len(curves) >= _FEWEST:
        of = max((_drawn(one, model.judged)
                  for model, one in zip(models, judgements, strict=False)), key=len)  # fmt: skip
        made += _saying(of, [_rejection(curves)])
    return tuple(made)


def _drawn(judgement: Judgement | None, judged: int) -> str:
    """Return of how many rows a judgement is; "" where it is of all."""
    rows = 0 if judgement is None else len(judgement.rows)
    return f" Made of {rows:,} rows drawn by chance from {judged:,}." if 0 < rows < judged else ""


def _saying(more: str, figures: Iterable[Figure]) -> Iterator[Figure]:
    """Yield figures that say something more."""
    for one in figures:
        yield structs.replace(one, about=f"{one.about}{more}")


def _of_classes(judged: ClassJudgement, signature: Signature) -> Iterator[Figure]:
    labels = signature.labels
    if judged.entropy is not None:
        yield _entropies(judged.entropy, judged.right, len(labels))
    if judged.p is not None:
        yield from _told_apart(judged.p, judged.truth, labels)
    if judged.probability is not None:
        found = reliability(judged.probability, judged.right)
        yield Figure(
            "reliability", "Can the probabilities be trusted?",
            "A point holds the answers of about the same probability: on the diagonal they are "
            "right as often as they say, below it less often. The bars, and the size of the "
            "points, show how many answers each has: points of few mean little.",
            lines.reliability(*found),
        )  # fmt: skip
    if judged.entropy is not None:
        curve = rejection(judged.entropy, judged.right)
        if len(curve.x) > 1:  # else there are too few answers to reject any
            yield _rejection([lines.Curve("accuracy", curve.x, curve.y)])


def _confusion(work: Work, index: int, signature: Signature) -> Figure:
    """Return the matrix of all rows, counted where they lie."""
    size = len(signature.labels)
    found = work.query(
        f"SELECT CAST(truth AS BIGINT) AS truth, label, count(*) AS rows FROM rows "  # noqa: S608
        f"POSITIONAL JOIN {answers_table(index)} WHERE NOT isnan(truth) AND label >= 0 "
        "GROUP BY ALL"
    )
    counts = np.zeros((size, size), np.intp)
    counts[found["truth"].astype(np.intp), found["label"].astype(np.intp)] = found["rows"]
    about = (
        "A row holds the rows of one true label, a column what was predicted; the diagonal is "
        "right. The shade and the percentage tell the share of the row."
    )
    if size > matrix.MOST_LABELS:
        about += f" Of {size} labels the {matrix.MOST_LABELS} with the most mistakes are shown."
    if size > ALL_UP_TO:
        about += f" ROC and precision-recall curves are made of up to {ALL_UP_TO} labels."
    spec = matrix.confusion(counts, signature.labels, signature.target)
    return Figure("confusion", "Confusion matrix", about, spec)


def _told_apart(
    p: NDArray[np.float64], truth: NDArray[np.intp], labels: Sequence[str]
) -> Iterator[Figure]:
    """Yield the curves of each label against the rest; of many labels, the least told apart."""
    there = [i for i in range(len(labels)) if 0 < (truth == i).sum() < len(truth)]
    apart = {i: roc(p[:, i], truth == i) for i in there}
    shown = sorted(sorted(apart, key=lambda i: apart[i].area)[:MOST_SERIES])
    if not shown:
        return
    of = (f" Of {len(there)} labels the {len(shown)} that are told apart least are shown."
          if len(shown) < len(there) else "")  # fmt: skip
    # With two labels one curve is the other one mirrored.
    once = shown[-1:] if len(labels) == _FEWEST else shown
    yield Figure(
        "roc", "ROC curves",
        "How many of a label's rows are found, against how many of the others are taken for it, "
        "as the threshold falls. The nearer a line comes to the top left corner the better; "
        f"chance is the diagonal. AUC is the area under the line: 1 is best, 0.5 is chance.{of}",
        lines.roc([_named(labels[i], "AUC", apart[i]) for i in once]),
    )  # fmt: skip
    found = {i: precision_recall(p[:, i], truth == i) for i in shown}
    yield Figure(
        "precision_recall", "Precision and recall",
        "Recall is the share of a label's rows that are found, precision the share of what is "
        "taken for it that is it. The nearer a line comes to the top right corner the better. AP "
        f"is the average precision: 1 is best.{of}",
        lines.precision_recall([_named(labels[i], "AP", found[i]) for i in shown]),
    )  # fmt: skip


def _named(label: str, what: str, curve: Curve) -> lines.Curve:
    return lines.Curve(f"{label} ({what} {curve.area:.3f})", curve.x, curve.y)


def _entropies(
    entropy: NDArray[np.float64], right: NDArray[np.bool_], labels: int
) -> Figure:  # fmt: skip
    most = float(entropy.max(initial=_SURE * log(max(2, labels))))
    return Figure(
        "entropy", "Entropy of right and wrong answers",
        "Entropy tells how unsure an answer is: 0 for a certain one. Where wrong answers lie "
        "further right than right ones, the model knows when it does not know. Each group's bars "
        "sum to 100%.",
        bars.two_histograms({"right": entropy[right], "wrong": entropy[~right]},
                            "Entropy (nats)", most),
    )  # fmt: skip


def _rejection(curves: Sequence[lines.Curve]) -> Figure:
    return Figure(
        "rejection", "Accuracy when unsure answers are rejected",
        "The least certain answers are rejected first, and the rest is judged. A line that rises "
        "means that people could look at a few answers and trust the others more.",
        lines.rejection(curves),
    )  # fmt: skip


def _of_values(judged: ValueJudgement, measure: str) -> Iterator[Figure]:
    rows = len(judged.rows)
    if not rows:
        return
    some = (f" {values.MOST_POINTS} of {rows:,} rows are shown, evenly chosen."
            if rows > values.MOST_POINTS else "")  # fmt: skip
    spans = " The lines are the intervals of the answers." if judged.lower is not None else ""
    yield Figure(
        "predicted", "Predicted against true",
        f"A point is a row; on the diagonal the prediction is exact.{spans}{some}",
        values.predicted(judged.truth, judged.value, measure, judged.lower, judged.upper),
    )  # fmt: skip
    yield Figure(
        "residuals", "Residuals",
        "How far the true value lies above the predicted one. A good model's points scatter "
        "evenly around 0; a curve or a funnel shows what it has not learned or where it is less "
        f"sure.{some}",
        values.residuals(judged.truth, judged.value, measure),
    )  # fmt: skip
    above = judged.truth - judged.value
    low, high = widened(*ends(above))
    counts = np.histogram(above, bars.BINS, (low, high))[0]
    yield Figure(
        "errors", "How large the errors are",
        "The residuals counted: true minus predicted. Best is a narrow hill around 0.",
        bars.histogram(counts, low, high, f"Residual of {measure}"),
    )  # fmt: skip


def _answers(work: Work, index: int, signature: Signature) -> Figure:
    found = work.query(
        f"SELECT label, count(*) AS rows FROM {answers_table(index)} WHERE label >= 0 "  # noqa: S608
        "GROUP BY label ORDER BY label"
    )
    counts = {signature.labels[label]: int(rows)
              for label, rows in zip(found["label"], found["rows"], strict=True)}  # fmt: skip
    about = "How many rows got which answer, the commonest first."
    if len(counts) > bars.MOST_BARS:
        about += f" Of {len(counts)} answers the {bars.MOST_BARS} commonest are shown."
    return Figure("answers", "Answers", about, bars.counted(counts, signature.target))


def _of_column(work: Work, index: int, column: str, title: str) -> Iterator[Figure]:
    """Yield a histogram of a column, counted where it lies; nothing where nothing is known."""
    table, known = answers_table(index), f"isfinite({column})"
    found = work.query(f"SELECT min({column}) AS low, max({column}) AS high FROM {table} "  # noqa: S608
                       f"WHERE {known}")  # fmt: skip
    if np.ma.getmaskarray(found["low"])[0]:
        return
    probability = column == "probability"
    low, high = (0.0, 1.0) if probability else widened(float(found["low"][0]),
                                                       float(found["high"][0]))  # fmt: skip
    counted = work.query(
        f"SELECT least(CAST(floor(({column} - ?) / ? * {bars.BINS}) AS INTEGER), {bars.BINS - 1}) "  # noqa: S608
        f"AS bin, count(*) AS rows FROM {table} WHERE {known} GROUP BY bin",
        [low, high - low],
    )
    counts = np.zeros(bars.BINS, np.intp)
    counts[counted["bin"].astype(np.intp)] = counted["rows"]
    about = ("How probable the answers are, in the model's own opinion."
             if probability else "How many rows got a value in each range.")  # fmt: skip
    name, what = ("certainty", title) if probability else ("values", "Predicted values")
    yield Figure(name, what, about, bars.histogram(counts, low, high, title))


def _spread(signature: Signature, work: Work, index: int, ask: Ask) -> Iterator[Figure]:
    """Yield the stacked probabilities of some inputs, if the model tells any."""
    table = answers_table(index)
    (rows,) = work.query(f"SELECT count(*) AS rows FROM {table}")["rows"]  # noqa: S608
    found = work.query(
        f"SELECT rows.rowid AS row, truth FROM rows POSITIONAL JOIN {table} "  # noqa: S608
        f"WHERE isfinite(entropy) AND rows.rowid % {max(1, int(rows) // _LOOKED)} = 0 "
        "ORDER BY entropy, row"
    )
    chosen = evenly(len(found["row"]), stacked.MOST_COLUMNS)
    known = np.ma.filled(found["truth"], np.nan)
    truth = {int(found["row"][i]): float(known[i]) for i in chosen}
    scores = ask(list(truth))
    stacks = [
        stacked.Stack(row + 1, one.values[0], one.sampled,
                      None if np.isnan(truth[row]) else int(truth[row]))
        for row, one in scores.items() if row in truth
    ]  # fmt: skip
    if stacks:
        yield _stacked(stacks, signature.labels)


def _stacked(stacks: Sequence[stacked.Stack], labels: Sequence[str]) -> Figure:
    about = (
        f"A column is one of {len(stacks)} inputs, evenly chosen from the surest to the least "
        "sure; a colour is a label, and its height the probability. The answer lies lowest."
    )
    if len(labels) > MOST_SERIES:
        about += (f" Of {len(labels)} labels the likeliest have colours of their own; an answer "
                  "that is another one is named when you point at it.")  # fmt: skip
    if stacks[0].sampled:
        about += (" A line across a column is one pass or member: its probability of the answer. "
                  "Lines that lie apart show what the model has not learned.")  # fmt: skip
    if any(one.truth is not None for one in stacks):
        about += " A cross above a column marks a wrong answer."
    return Figure("spread", "Spread of the probabilities", about, stacked.stacked(stacks, labels))


def _dots(models: Sequence[Judged], names: Sequence[str], unit: str | None) -> Iterator[Figure]:
    there = {metric.name for one in models for metric in one.metrics if metric.value is not None}
    wanted = _SHARES if there & _SHARES.keys() else _ERRORS
    found = [
        dots.Dot(name, title, metric.value, metric.low, metric.high)
        for wish, title in wanted.items()
        for one, name in zip(models, names, strict=False)
        for metric in one.metrics
        if metric.name == wish and metric.label is None and metric.value is not None
    ]
    if len({one.model for one in found}) < _FEWEST:
        return
    better = "right" if wanted == _SHARES else "left"
    more = f" The first {MOST_SERIES} models are shown." if len(names) > MOST_SERIES else ""
    spec: Spec = dots.dots(found, None if wanted == _SHARES else unit or "")
    yield Figure(
        "metrics", "Metrics and how surely they are known",
        f"A dot is what a model reaches on these rows: further {better} is better. The line is its "
        "confidence interval; where lines overlap much, the difference may be chance, which the "
        f"paired comparison tells better.{more}",
        spec,
    )  # fmt: skip


def _measure(signature: Signature) -> str:
    return f"{signature.target} ({signature.unit})" if signature.unit else signature.target
