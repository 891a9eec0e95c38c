"""`podium score`: a file of inputs becomes a file of the same rows with the models' answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, get_args

from podium.datasets.findings import Findings, Metric
from podium.datasets.once import scored_once
from podium.datasets.place import Format
from podium.datasets.wishes import Wishes
from podium.errors import PodiumError, counted

if TYPE_CHECKING:
    from rich.table import Table

_TOLD: Final = 5
"""How many rows without an answer are told with their reason."""


def score_application(folder: Path, data: Path, output: Path, wishes: Wishes) -> Findings:
    """Score a data set, and return what was found.

    The end of the output's name says its format. A file that is there is replaced when all is done.

    Raises:
        PodiumError: the application, the data set or an option is wrong, or there is no room.
    """
    kind = _format(output)
    with scored_once(folder, data, output, wishes, [kind]) as (found, place):
        place.results(kind).replace(output)
    return found


def render_scored(found: Findings, output: Path) -> None:
    """Print what was noticed, which rows have no answer and why, metrics and comparisons."""
    from rich.console import Console
    from rich.markup import escape

    console = Console()
    for note in (*found.staged.notes, *found.notes, *_of_models(found)):
        console.print(f"[yellow]{escape(note)}", soft_wrap=True)
    if found.failed:
        rows = counted(found.rows, "row")
        console.print(f"[red]{found.failed:,} of {rows} without an answer; podium_error says why:",
                      soft_wrap=True)  # fmt: skip
        for row, reason in found.problems[:_TOLD]:
            console.print(f"  row {row:,}: {escape(reason)}", soft_wrap=True, highlight=False)
    if any(one.metrics for one in found.models):
        console.print(_table(found))
    for one in found.comparisons:
        console.print(escape(one.reading), soft_wrap=True, highlight=False)
    console.print(f"Wrote {escape(str(output))}: {counted(found.rows, 'row')}", soft_wrap=True,
                  highlight=False)  # fmt: skip


def _format(output: Path) -> Format:
    ending = output.suffix.lower().removeprefix(".")
    for kind in get_args(Format):
        if ending == kind:
            return kind  # type: ignore[no-any-return]
    raise PodiumError(
        f"{output.name} ends in {output.suffix!r}; expected results.csv or results.parquet."
        if output.suffix
        else f"{output.name} has no ending; expected results.csv or results.parquet."
    )


def _of_models(found: Findings) -> Iterator[str]:
    many = len(found.models) > 1
    for one in found.models:
        yield from (f"{one.model}: {note}" if many else note for note in one.notes)


def _table(found: Findings) -> Table:
    """Return the metrics, a column a model."""
    from rich.markup import escape
    from rich.table import Table

    interval = f" with {100 * found.level:g}% intervals" if found.bootstrap else ""
    table = Table(title=f"{escape(found.target or '')} of {escape(found.file)}{interval}")
    table.add_column("")
    for model in found.models:
        name = model.title if model.title == model.model else f"{model.title}\n{model.model}"
        rows = counted(model.judged, "row")
        table.add_column(f"{escape(name)}\n{rows}", justify="right", no_wrap=True)
    known = [{(one.name, one.label): one for one in model.metrics} for model in found.models]
    for key, metric in {key: one for metrics in known for key, one in metrics.items()}.items():
        told = [_told(metrics.get(key)) for metrics in known]
        if any(told):
            of = f" of {metric.label}" if metric.label is not None else ""
            unit = f", {metric.unit}" if metric.unit and metric.unit == found.unit else ""
            table.add_row(escape(f"{metric.title}{of}{unit}"), *told)
    return table


def _told(metric: Metric | None) -> str:
    if metric is None or metric.value is None:
        return ""
    if metric.low is None or metric.high is None:
        return _number(metric.value)
    return f"{_number(metric.value)} ({_number(metric.low)} to {_number(metric.high)})"


def _number(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.4g}"
