"""What is told of a scored data set, in words and numbers for people: page and report show it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from flask_babel import gettext as _
from flask_babel import ngettext

from podium.datasets.findings import RARE, Comparison, Findings, Metric
from podium.messages import NOTHING, Message
from podium.rounding import decimals, percent
from podium.web.language import translated
from podium.web.words import number_form

_GROUPS: Final[dict[str, frozenset[str] | None]] = {
    "right": frozenset(("accuracy", "balanced_accuracy", "f1_macro")),
    "probabilities": frozenset(("log_loss", "brier", "ece")),
    "sets": frozenset(("coverage", "set_size", "empty_sets")),
    "distance": frozenset(("r2", "rmse", "mae")),
    "intervals": frozenset(("coverage", "width")),
    "more": None,
}
"""Which metrics stand together; those of "more" belong to none."""
_TITLES: Final[dict[str, Callable[[], str]]] = {
    "right": lambda: _("Right or wrong"),
    "probabilities": lambda: _("Probabilities"),
    "sets": lambda: _("Prediction sets"),
    "distance": lambda: _("Distance from the truth"),
    "intervals": lambda: _("Intervals"),
    "more": lambda: _("More"),
}
_SHARES: Final = {"accuracy", "balanced_accuracy", "coverage", "empty_sets", "precision", "recall"}
"""Metrics that are shares, and told in percent."""
_OF_THE_TARGET: Final = {"rmse", "mae", "width"}
"""Metrics in the unit of what is predicted."""
_NEVER_BEST: Final = {"log_loss"}
"""Metrics by which few rows may flatter a model: a rare mistake that they lack would cost much."""

_MOST_ROWS: Final = 10
"""Of so many rows with the same reason the numbers are told."""


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


class ReasonView(NamedTuple):
    """Why some rows have no answer or are warned of, and which, in words."""

    reason: str
    rows: str


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


def by_reason(told: Iterable[tuple[int, str]]) -> list[ReasonView]:
    """Return what is told of rows, each reason once, in the order of their first rows."""
    rows: dict[str, list[int]] = {}
    for row, reason in told:
        rows.setdefault(reason, []).append(row)
    return [ReasonView(reason, _rows(own)) for reason, own in rows.items()]


def _rows(rows: Sequence[int]) -> str:
    listed = [f"{row:,}" for row in rows[:_MOST_ROWS]] + ["\u2026"] * (len(rows) > _MOST_ROWS)
    return ngettext("row %(rows)s", "%(num)s rows: %(rows)s", len(rows),
                    rows=", ".join(listed))  # fmt: skip


def _unanswered(found: Findings) -> str:
    """Return how many rows have no answer, or not of every model; "" where all have."""
    failed = ngettext("%(rows)s row without an answer", "%(rows)s rows without an answer",
                      found.failed, rows=f"{found.failed:,}")  # fmt: skip
    partly = ngettext("%(rows)s row not answered by every model",
                      "%(rows)s rows not answered by every model",
                      found.partly, rows=f"{found.partly:,}")  # fmt: skip
    if found.failed and found.partly:
        return _("%(failed)s, %(partly)s", failed=failed, partly=partly)
    return failed if found.failed else partly if found.partly else ""


def _headline(found: Findings) -> str:
    rows = f"{found.rows:,}"
    if found.failed:
        return ngettext("%(done)s of %(rows)s row scored", "%(done)s of %(rows)s rows scored",
                        found.rows, done=f"{found.rows - found.failed:,}", rows=rows)  # fmt: skip
    return ngettext("%(rows)s row scored", "All %(rows)s rows scored", found.rows, rows=rows)


def _judged(found: Findings) -> str:
    models = len(found.models)
    most = max((one.judged for one in found.models), default=0)
    if not most or found.target is None:
        return ngettext("By %(num)s model.", "By %(num)s models.", models)
    by = ngettext("By %(num)s model", "By %(num)s models", models)
    return ngettext("%(models)s, judged on %(rows)s row by the column %(target)s.",
                    "%(models)s, judged on %(rows)s rows by the column %(target)s.", most,
                    models=by, rows=f"{most:,}", target=found.target)  # fmt: skip


def _note(found: Findings) -> str:
    """Return what stands below a value, and how it was found."""
    metrics = [one for model in found.models for one in model.metrics]
    if all(one.low is None for one in metrics):
        return ""
    ways = [translated(way) for way in dict.fromkeys(one.interval for one in metrics) if way]
    if found.bootstrap:
        drawn = ngettext("%(count)s bootstrap replicate", "%(count)s bootstrap replicates",
                         found.bootstrap, count=f"{found.bootstrap:,}")  # fmt: skip
        ways = [*ways[:-1], f"{ways[-1]}; {drawn}"] if ways else [drawn]
    level = f"{100 * found.level:.3g}"
    if not ways:
        return _("Below a value stands its %(level)s%% confidence interval.", level=level)
    return _("Below a value stands its %(level)s%% confidence interval (%(how)s).",
             level=level, how=", ".join(ways))  # fmt: skip


def _groups(found: Findings, left: list[str]) -> Iterator[tuple[str, tuple[RowView, ...]]]:
    """Yield the metrics of these names by what they tell."""
    for group, names in _GROUPS.items():
        if group == ("intervals" if found.labels else "sets"):
            continue
        own = [name for name in left if names is None or name in names]
        left = [name for name in left if name not in own]
        if own:
            yield _TITLES[group](), tuple(_merged(_row(found, name, None) for name in own))


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
    alike = details.pop() if len(details) == 1 else NOTHING
    cells = tuple(
        _cell(one, place == best, NOTHING if alike else one.detail)
        if one and one.value is not None else None
        for place, one in enumerate(metrics)
    )  # fmt: skip
    title = translated(some.title)
    if label:
        title = _("%(metric)s, %(label)s", metric=title, label=label)
    return RowView(title, " ".join(map(translated, filter(None, (some.about, alike)))), cells)


def _cell(metric: Metric, best: bool, detail: Message) -> CellView:
    known = [one for one in (metric.value, metric.low, metric.high) if one is not None]
    if metric.name in _SHARES:
        value, *ends = map(percent, known)
    elif metric.name in _OF_THE_TARGET:
        form = number_form(known, max(known) - min(known))
        value, *ends = (f"{one:{form}}" for one in known)
        value += f" {metric.unit}" if metric.unit else ""
    else:
        value, *ends = map(decimals, known)
    return CellView(value, _("%(low)s to %(high)s", low=ends[0], high=ends[1]) if ends else "",
                    best, translated(detail))  # fmt: skip


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
        yield translated(own[0].title) or metric, tuple(translated(one.reading) for one in own)


def _counts(found: Findings) -> Iterator[CountView]:
    if not all(one.counts for one in found.models):
        return
    for label in found.labels:
        answered = [((one.counts or {}).get(label, 0), one.rows) for one in found.models]
        yield CountView(
            label, tuple((f"{n:,}", percent(n / rows) if rows else "") for n, rows in answered)
        )
