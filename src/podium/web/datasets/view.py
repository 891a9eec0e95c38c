"""What is told of a scored data set, in words and numbers for people: page and report show it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from podium.datasets.findings import RARE, Comparison, Findings, Metric
from podium.errors import counted
from podium.rounding import decimals, percent
from podium.web.words import number_form

_OF_SETS: Final = "Prediction sets"
_OF_VALUES: Final = "Intervals"
_GROUPS: Final = (
    ("Right or wrong", {"accuracy", "balanced_accuracy", "f1_macro"}),
    ("Probabilities", {"log_loss", "brier", "ece"}),
    (_OF_SETS, {"coverage", "set_size", "empty_sets"}),
    ("Distance from the truth", {"r2", "rmse", "mae"}),
    (_OF_VALUES, {"coverage", "width"}),
    ("More", None),
)
_SHARES: Final = {"accuracy", "balanced_accuracy", "coverage", "empty_sets", "precision", "recall"}
"""Metrics that are shares, and told in percent."""
_OF_THE_TARGET: Final = {"rmse", "mae", "width"}
"""Metrics in the unit of what is predicted."""
_NEVER_BEST: Final = {"log_loss"}
"""Metrics by which few rows may flatter a model: a rare mistake that they lack would cost much."""


class CellView(NamedTuple):
    """One model's value of a metric; `best` where the data tell it apart from every other's.

    `detail` is what holds of this value alone.
    """

    value: str
    interval: str
    best: bool
    detail: str = ""


class RowView(NamedTuple):
    """One metric, a cell a model."""

    title: str
    about: str
    cells: tuple[CellView | None, ...]


class CountView(NamedTuple):
    """How often each model answers a label: number and share."""

    label: str
    cells: tuple[tuple[str, str], ...]


class FindingsView(NamedTuple):
    """The results: what was scored, metrics by group and of single labels, counts, comparisons.

    `compared` holds the readings of the paired tests by the metric that was tested.
    """

    headline: str
    judged: str
    note: str
    groups: tuple[tuple[str, tuple[RowView, ...]], ...]
    of_labels: tuple[RowView, ...]
    counts: tuple[CountView, ...]
    compared: tuple[tuple[str, tuple[str, ...]], ...]
    failed: str

    @property
    def marked(self) -> bool:
        """Whether any value is marked as the best."""
        rows = [*self.of_labels, *(row for _, group in self.groups for row in group)]
        return any(cell and cell.best for row in rows for cell in row.cells)


def findings_view(found: Findings) -> FindingsView:
    """Return what the page and the report show of the results."""
    keys = dict.fromkeys((one.name, one.label) for model in found.models for one in model.metrics)
    return FindingsView(
        headline=_headline(found),
        judged=_judged(found),
        note=_note(found),
        groups=tuple(_groups(found, [name for name, label in keys if label is None])),
        of_labels=tuple(_row(found, *key) for key in keys if key[1] is not None),
        counts=tuple(_counts(found)),
        compared=tuple(_compared(found.comparisons)),
        failed=_unanswered(found),
    )


def _unanswered(found: Findings) -> str:
    """Return how many rows have no answer, or not of every model; "" where all have."""
    failed = f"{counted(found.failed, 'row')} without an answer" if found.failed else ""
    partly = f"{counted(found.partly, 'row')} not answered by every model" if found.partly else ""
    return ", ".join(filter(None, (failed, partly)))


def _headline(found: Findings) -> str:
    rows = counted(found.rows, "row")
    if found.failed:
        return f"{found.rows - found.failed:,} of {rows} scored"
    return f"{'All ' if found.rows > 1 else ''}{rows} scored"


def _judged(found: Findings) -> str:
    models = counted(len(found.models), "model")
    most = max((one.judged for one in found.models), default=0)
    if not most or found.target is None:
        return f"By {models}."
    return f"By {models}, judged on {counted(most, 'row')} by the column {found.target}."


def _note(found: Findings) -> str:
    """Return what stands below a value, and how it was found."""
    metrics = [one for model in found.models for one in model.metrics]
    if all(one.low is None for one in metrics):
        return ""
    ways = ", ".join(dict.fromkeys(one.interval for one in metrics if one.interval))
    drawn = f"{found.bootstrap:,} bootstrap replicates" if found.bootstrap else ""
    how = "; ".join(filter(None, (ways, drawn)))
    level = f"{100 * found.level:.3g}%"
    return f"Below a value stands its {level} confidence interval{f' ({how})' if how else ''}."


def _groups(found: Findings, left: list[str]) -> Iterator[tuple[str, tuple[RowView, ...]]]:
    """Yield the metrics of these names by what they tell."""
    for title, names in _GROUPS:
        if title == (_OF_VALUES if found.labels else _OF_SETS):
            continue
        own = [name for name in left if names is None or name in names]
        left = [name for name in left if name not in own]
        if own:
            yield title, tuple(_merged(_row(found, name, None) for name in own))


def _merged(rows: Iterable[RowView]) -> list[RowView]:
    """Return rows; those of which nothing is known, for the same reason, become one."""
    merged: list[RowView] = []
    for row in rows:
        last = merged[-1] if merged else None
        if last and last.about == row.about and not any((*last.cells, *row.cells)):
            merged[-1] = last._replace(title=f"{last.title}; {row.title}")
        else:
            merged.append(row)
    return merged


def _row(found: Findings, name: str, label: str | None) -> RowView:
    metrics = [
        next((one for one in model.metrics if (one.name, one.label) == (name, label)), None)
        for model in found.models
    ]
    # What a metric means is told by a model that knows it.
    some = max((one for one in metrics if one), key=lambda one: one.value is not None)
    best = _best(found, metrics)
    details = {one.detail for one in metrics if one and one.value is not None}
    alike = details.pop() if len(details) == 1 else ""
    cells = tuple(
        _cell(one, place == best, "" if alike else one.detail)
        if one and one.value is not None else None
        for place, one in enumerate(metrics)
    )  # fmt: skip
    title = some.title if label is None else f"{some.title}, {label}"
    return RowView(title, f"{some.about} {alike}".strip(), cells)


def _cell(metric: Metric, best: bool, detail: str) -> CellView:
    known = [one for one in (metric.value, metric.low, metric.high) if one is not None]
    if metric.name in _SHARES:
        value, *ends = map(percent, known)
    elif metric.name in _OF_THE_TARGET:
        form = number_form(known, max(known) - min(known))
        value, *ends = (f"{one:{form}}" for one in known)
        value += f" {metric.unit}" if metric.unit else ""
    else:
        value, *ends = map(decimals, known)
    return CellView(value, " to ".join(ends), best, detail)


def _best(found: Findings, metrics: Sequence[Metric | None]) -> int | None:
    """Return the place of the model that is really better than every other; None if none is."""
    known = [(place, one) for place, one in enumerate(metrics) if one and one.value is not None]
    if len(known) < 2 or known[0][1].better is None or known[0][1].name in _NEVER_BEST:
        return None
    sign = 1 if known[0][1].better == "higher" else -1
    place, best = max(known, key=lambda one: sign * (one[1].value or 0.0))
    others = [(other, one) for other, one in known if other != place]
    names = [model.model for model in found.models]
    apart = all(_apart(found, (best, one), (names[place], names[other])) for other, one in others)
    return place if apart else None


def _apart(found: Findings, metrics: tuple[Metric, Metric], models: tuple[str, str]) -> bool:
    """Whether two models differ by a paired test, or without one by intervals without overlap."""
    one, other = metrics
    tested = [
        test for test in found.comparisons
        if test.metric == one.name and {test.first, test.second} == set(models) and not one.label
    ]  # fmt: skip
    if tested:
        return all(map(_tells_apart, tested))
    if one.low is None or one.high is None or other.low is None or other.high is None:
        return False
    return one.high < other.low or other.high < one.low


def _tells_apart(test: Comparison) -> bool:
    p_value = test.p_value if test.adjusted is None else test.adjusted
    if p_value is not None:
        return p_value < RARE
    return test.low is not None and test.high is not None and not test.low <= 0 <= test.high


def _compared(comparisons: Sequence[Comparison]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for metric in dict.fromkeys(one.metric for one in comparisons):
        own = [one for one in comparisons if one.metric == metric]
        yield own[0].title or metric, tuple(one.reading for one in own)


def _counts(found: Findings) -> Iterator[CountView]:
    if not all(one.counts for one in found.models):
        return
    for label in found.labels:
        answered = [((one.counts or {}).get(label, 0), one.rows) for one in found.models]
        yield CountView(
            label, tuple((f"{n:,}", percent(n / rows) if rows else "") for n, rows in answered)
        )
