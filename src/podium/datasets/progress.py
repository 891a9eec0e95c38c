"""A line on a terminal that tells how far a data set is, how fast, and how long it will take."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from podium.datasets.place import Progress, Step

if TYPE_CHECKING:
    from rich.progress import TaskID

_TITLES: Final[dict[Step, str]] = {"reading": "Reading", "scoring": "Scoring",
                                   "judging": "Judging", "writing": "Writing"}  # fmt: skip


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """Show what is done on standard error, if it is a terminal; the line is gone in the end."""
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[told]}"),
               TimeRemainingColumn())  # fmt: skip
    console = Console(stderr=True)
    with Bar(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        tasks: dict[Step, TaskID] = {}

        def told(step: Step, done: int, count: int) -> None:
            if step not in tasks:
                for task in tasks.values():
                    bar.update(task, visible=False)
                tasks[step] = bar.add_task(_TITLES[step], total=count or None, told="")
            bar.update(tasks[step], completed=done)
            speed = next(task.speed for task in bar.tasks if task.id == tasks[step])
            if step == "scoring":
                rate = f", {speed:,.0f} rows/s" if speed else ""
                bar.update(tasks[step], told=f"{done:,} of {count:,} rows{rate}")

        yield told
