"""`podium score`: a file of inputs becomes a file of the same rows with the models' answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, get_args

from podium.datasets.findings import Findings, Judged, Metric
from podium.datasets.once import scored_once
from podium.datasets.place import Format
from podium.datasets.wishes import Wishes
from podium.errors import PodiumError, counted
from podium.rounding import decimals, level_percent

if TYPE_CHECKING:
    from rich.table import Table

_TOLD: Final = 5
"""How many rows without an answer are told with their reason."""
_LEAST_NAME: Final = 24
"""The least width of the names of the metrics; with less, fewer models stand side by side."""
_PADDING: Final = 3
"""What a column takes beside its text."""


def score_application(folder: Path, data: Path, output: Path, wishes: Wishes) -> Findings:
    """Score a data set, and return what was found.

    The end of the output's name says its format. A file that is there is replaced when all is done.

    Raises:
        PodiumError: the application, the data set or an option is wrong, or there is no room.
    """
    kind = _format(output)
    with scored_once(folder, data, output, wishes, [kind]) as (found, place, _):
        place.results(kind).replace(output)
    return found


def render_scored(found: Findings, output: Path) -> None:
    """Print what was noticed, which rows have no answer and why, metrics and comparisons."""
    from rich.console import Console
    from rich.markup import escape

    console = Console()
    for note in (*found.staged.notes, *found.notes, *_of_models(found)):
        console.print(f"[yellow]{escape(note)}", soft_wrap=True)
    if missing := _unanswered(found):
        console.print(f"[red]{missing}; podium_error says why:", soft_wrap=True)
        for row, reason in found.problems[:_TOLD]:
            console.print(f"  row {row:,}: {escape(reason)}", soft_wrap=True, highlight=False)
    if any(one.metrics for one in found.models):
        for table in _tables(found, console.width):
            console.print(table)
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


def _unanswered(found: Findings) -> str:
    """Return how many rows have no answer, or not of every model; "" where all have."""
    told = ((found.failed, "without an answer"), (found.partly, "not answered by every model"))
    rows = counted(found.rows, "row")
    return ", ".join(f"{count:,} of {rows} {what}" for count, what in told if count)


def _of_models(found: Findings) -> Iterator[str]:
    many = len(found.models) > 1
    for one in found.models:
        yield from (f"{one.model}: {note}" if many else note for note in one.notes)


def _tables(found: Findings, width: int) -> Iterator[Table]:
    """Yield the metrics, a column a model: as many models side by side as the width has room for.

    A narrow terminal gets several tables, one below the other.
    """
    cells = {model.model: {(one.name, one.label): _told(one) for one in model.metrics}
             for model in found.models}  # fmt: skip
    names = {(one.name, one.label): _name(one, found)
             for model in found.models for one in model.metrics
             if cells[model.model][one.name, one.label]}  # fmt: skip
    widest = max(8, *(len(cell) for own in cells.values() for cell in own.values()))
    beside = max(1, (width - _LEAST_NAME - _PADDING - 1) // (widest + _PADDING))
    tables = -(-len(found.models) // beside)
    beside = -(-len(found.models) // tables)
    name = width - beside * (widest + _PADDING) - _PADDING - 1
    for start in range(0, len(found.models), beside):
        table = _headed(found, found.models[start : start + beside], widest, max(name, 1))
        for key, title in names.items():
            own = (cells[model.model].get(key, "") for model in found.models)
            table.add_row(title, *list(own)[start : start + beside])
        yield table


def _headed(found: Findings, models: Sequence[Judged], widest: int, name: int) -> Table:
    """Return a table of some models without rows; `widest` is the width of a model's column."""
    from rich.markup import escape
    from rich.table import Table

    interval = f" with {level_percent(found.level)} intervals" if found.bootstrap else ""
    table = Table(title=f"{escape(found.target or '')} of {escape(found.file)}{interval}")
    table.add_column("", max_width=name)
    for model in models:
        title = model.title if model.title == model.model else f"{model.title}\n{model.model}"
        rows = counted(model.judged, "row")
        table.add_column(f"{escape(title)}\n{rows}", justify="right", width=widest)
    return table


def _name(metric: Metric, found: Findings) -> str:
    """Return what a metric is called, with the unit of what is predicted."""
    from rich.markup import escape

    of = f" of {metric.label}" if metric.label is not None else ""
    unit = f", {metric.unit}" if metric.unit and metric.unit == found.unit else ""
    return escape(f"{metric.title}{of}{unit}")


def _told(metric: Metric | None) -> str:
    if metric is None or metric.value is None:
        return ""
    if metric.low is None or metric.high is None:
        return _number(metric.value)
    return f"{_number(metric.value)} ({_number(metric.low)} to {_number(metric.high)})"


def _number(value: float) -> str:
    return decimals(value) if abs(value) < 10 else f"{value:.4g}"
