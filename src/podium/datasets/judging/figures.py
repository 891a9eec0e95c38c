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
from podium.messages import NOTHING, Message, joined, message_of, said, said_of
from podium.pipeline.postprocess import Scores
from podium.signature import Signature

Ask = Callable[[Sequence[int]], Mapping[int, Scores]]
"""Asks the model for some rows once more, counted from 0; those without an answer are left out."""

_LOOKED: Final = 10_000
"""Among so many rows, that lie evenly, inputs are chosen for the spread."""
_FEWEST: Final = 2
_SURE: Final = 0.1
"""The part of the greatest entropy below which differences are not made to look large."""
_SHARES: Final = {"accuracy": said("Accuracy"), "balanced_accuracy": said("Balanced accuracy"),
                  "f1_macro": said("Macro F1")}  # fmt: skip
_ERRORS: Final = {"rmse": said("RMSE"), "mae": said("MAE")}


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
        made += _of_column(work, index, "probability", said("Probability of the answer"))
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


def _drawn(judgement: Judgement | None, judged: int) -> Message:
    """Return of how many rows a judgement is; nothing where it is of all."""
    rows = 0 if judgement is None else len(judgement.rows)
    if not 0 < rows < judged:
        return NOTHING
    return said_of(rows, "Made of %(rows)s row drawn by chance from %(judged)s.",
                   "Made of %(rows)s rows drawn by chance from %(judged)s.",
                   rows=f"{rows:,}", judged=f"{judged:,}")  # fmt: skip


def _saying(more: Message, figures: Iterable[Figure]) -> Iterator[Figure]:
    """Yield figures that say something more."""
    for one in figures:
        yield structs.replace(one, about=joined(filter(None, (one.about, more))))


def _of_classes(judged: ClassJudgement, signature: Signature) -> Iterator[Figure]:
    labels = signature.labels
    if judged.entropy is not None:
        yield _entropies(judged.entropy, judged.right, len(labels))
    if judged.p is not None:
        yield from _told_apart(judged.p, judged.truth, labels)
    if judged.probability is not None:
        found = reliability(judged.probability, judged.right)
        yield Figure(
            "reliability", said("Can the probabilities be trusted?"),
            said("A point holds the answers of about the same probability: on the diagonal they "
                 "are right as often as they say, below it less often. The bars, and the size of "
                 "the points, show how many answers each has: points of few mean little."),
            lines.reliability(*found),
        )  # fmt: skip
    if judged.entropy is not None:
        curve = rejection(judged.entropy, judged.right)
        if len(curve.x) > 1:  # else there are too few answers to reject any
            yield _rejection([lines.Curve(said("accuracy"), curve.x, curve.y)])


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
    about = [
        said("A row holds the rows of one true label, a column what was predicted; the diagonal "
             "is right. The shade and the percentage tell the share of the row.")
    ]  # fmt: skip
    if size > matrix.MOST_LABELS:
        about.append(said("Of %(labels)s labels the %(shown)s with the most mistakes are shown.",
                          labels=size, shown=matrix.MOST_LABELS))  # fmt: skip
    if size > ALL_UP_TO:
        about.append(said("ROC and precision-recall curves are made of up to %(labels)s labels.",
                          labels=ALL_UP_TO))  # fmt: skip
    spec = matrix.confusion(counts, signature.labels, signature.target)
    return Figure("confusion", said("Confusion matrix"), joined(about), spec)


def _told_apart(
    p: NDArray[np.float64], truth: NDArray[np.intp], labels: Sequence[str]
) -> Iterator[Figure]:
    """Yield the curves of each label against the rest; of many labels, the least told apart."""
    there = [i for i in range(len(labels)) if 0 < (truth == i).sum() < len(truth)]
    apart = {i: roc(p[:, i], truth == i) for i in there}
    shown = sorted(sorted(apart, key=lambda i: apart[i].area)[:MOST_SERIES])
    if not shown:
        return
    more = [said("Of %(labels)s labels the %(shown)s that are told apart least are shown.",
                 labels=len(there), shown=len(shown))] * (len(shown) < len(there))  # fmt: skip
    # With two labels one curve is the other one mirrored.
    once = shown[-1:] if len(labels) == _FEWEST else shown
    yield Figure(
        "roc", said("ROC curves"),
        joined([said("How many of a label's rows are found, against how many of the others are "
                     "taken for it, as the threshold falls. The nearer a line comes to the top "
                     "left corner the better; chance is the diagonal. AUC is the area under the "
                     "line: 1 is best, 0.5 is chance."), *more]),
        lines.roc([_named(labels[i], said("AUC"), apart[i]) for i in once]),
    )  # fmt: skip
    found = {i: precision_recall(p[:, i], truth == i) for i in shown}
    yield Figure(
        "precision_recall", said("Precision and recall"),
        joined([said("Recall is the share of a label's rows that are found, precision the share "
                     "of what is taken for it that is it. The nearer a line comes to the top "
                     "right corner the better. AP is the average precision: 1 is best."), *more]),
        lines.precision_recall([_named(labels[i], said("AP"), found[i]) for i in shown]),
    )  # fmt: skip


def _named(label: str, what: Message, curve: Curve) -> lines.Curve:
    name = said("%(label)s (%(what)s %(area)s)", label=label, what=what, area=f"{curve.area:.3f}")
    return lines.Curve(name, curve.x, curve.y)


def _entropies(
    entropy: NDArray[np.float64], right: NDArray[np.bool_], labels: int
) -> Figure:  # fmt: skip
    most = float(entropy.max(initial=_SURE * log(max(2, labels))))
    return Figure(
        "entropy", said("Entropy of right and wrong answers"),
        said("Entropy tells how unsure an answer is: 0 for a certain one. Where wrong answers lie "
             "further right than right ones, the model knows when it does not know. Each group's "
             "bars sum to 100%."),
        bars.two_histograms({said("right"): entropy[right], said("wrong"): entropy[~right]},
                            said("Entropy (nats)"), most),
    )  # fmt: skip


def _rejection(curves: Sequence[lines.Curve]) -> Figure:
    return Figure(
        "rejection", said("Accuracy when unsure answers are rejected"),
        said("The least certain answers are rejected first, and the rest is judged. A line that "
             "rises means that people could look at a few answers and trust the others more."),
        lines.rejection(curves),
    )  # fmt: skip


def _of_values(judged: ValueJudgement, measure: str) -> Iterator[Figure]:
    rows = len(judged.rows)
    if not rows:
        return
    some = [said("%(shown)s of %(rows)s rows are shown, evenly chosen.",
                 shown=values.MOST_POINTS, rows=f"{rows:,}")]  # fmt: skip
    some *= rows > values.MOST_POINTS
    spans = [said("The lines are the intervals of the answers.")] * (judged.lower is not None)
    yield Figure(
        "predicted", said("Predicted against true"),
        joined([said("A point is a row; on the diagonal the prediction is exact."), *spans, *some]),
        values.predicted(judged.truth, judged.value, measure, judged.lower, judged.upper),
    )  # fmt: skip
    yield Figure(
        "residuals", said("Residuals"),
        joined([said("How far the true value lies above the predicted one. A good model's points "
                     "scatter evenly around 0; a curve or a funnel shows what it has not learned "
                     "or where it is less sure."), *some]),
        values.residuals(judged.truth, judged.value, measure),
    )  # fmt: skip
    above = judged.truth - judged.value
    low, high = widened(*ends(above))
    counts = np.histogram(above, bars.BINS, (low, high))[0]
    yield Figure(
        "errors", said("How large the errors are"),
        said("The residuals counted: true minus predicted. Best is a narrow hill around 0."),
        bars.histogram(counts, low, high, said("Residual of %(target)s", target=measure)),
    )  # fmt: skip


def _answers(work: Work, index: int, signature: Signature) -> Figure:
    found = work.query(
        f"SELECT label, count(*) AS rows FROM {answers_table(index)} WHERE label >= 0 "  # noqa: S608
        "GROUP BY label ORDER BY label"
    )
    counts = {signature.labels[label]: int(rows)
              for label, rows in zip(found["label"], found["rows"], strict=True)}  # fmt: skip
    about = [said("How many rows got which answer, the commonest first.")]
    if len(counts) > bars.MOST_BARS:
        about.append(said("Of %(answers)s answers the %(shown)s commonest are shown.",
                          answers=len(counts), shown=bars.MOST_BARS))  # fmt: skip
    spec = bars.counted(counts, signature.target)
    return Figure("answers", said("Answers"), joined(about), spec)


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
    spec = bars.histogram(counts, low, high, title)
    if probability:
        about = said("How probable the answers are, in the model's own opinion.")
        yield Figure("certainty", message_of(title), about, spec)
    else:
        about = said("How many rows got a value in each range.")
        yield Figure("values", said("Predicted values"), about, spec)


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
    about = [
        said_of(len(stacks), "The column is the one input that has probabilities; a colour is a "
                "label, and its height the probability. The answer lies lowest.",
                "A column is one of %(inputs)s inputs, evenly chosen from the surest to the least "
                "sure; a colour is a label, and its height the probability. The answer lies "
                "lowest.", inputs=len(stacks))
    ]  # fmt: skip
    if len(labels) > MOST_SERIES:
        about.append(said(
            "Of %(labels)s labels the likeliest have colours of their own; an answer that is "
            "another one is named when you point at it.", labels=len(labels)))  # fmt: skip
    if stacks[0].sampled:
        about.append(said(
            "A line across a column is one of the single answers: how probable it finds the label "
            "that lies lowest. Lines that lie apart show what the model has not learned."
        ))  # fmt: skip
    if any(one.truth is not None for one in stacks):
        about.append(said("A cross above a column marks a wrong answer."))
    spec = stacked.stacked(stacks, labels)
    return Figure("spread", said("Spread of the probabilities"), joined(about), spec)


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
    about = [
        said("A dot is what a model reaches on these rows: further right is better.")
        if wanted == _SHARES
        else said("A dot is what a model reaches on these rows: further left is better."),
        said("The line is its confidence interval; where lines overlap much, the difference may "
             "be chance, which the paired comparison tells better."),
    ]  # fmt: skip
    if len(names) > MOST_SERIES:
        about.append(said("The first %(models)s models are shown.", models=MOST_SERIES))
    spec: Spec = dots.dots(found, None if wanted == _SHARES else unit or "")
    yield Figure("metrics", said("Metrics and how surely they are known"), joined(about), spec)


def _measure(signature: Signature) -> str:
    return f"{signature.target} ({signature.unit})" if signature.unit else signature.target
