"""`python -m benchmarks`: measure, compare, report."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import click

from benchmarks.agreement import check_agreement
from benchmarks.applications import Case, Disagreement, form, make_cases
from benchmarks.datasets import CONTENDERS, check_results
from benchmarks.load import (
    Load,
    LoadFailed,
    dataset_place,
    find_wrk,
    load_dataset,
    load_passes,
    load_raw,
    load_server,
)
from benchmarks.report import Cell, Results, missed_targets, report
from benchmarks.servers import ROOT, Server, ServerFailed, serving


class Plan(NamedTuple):
    """How long and how often everything is measured."""

    seconds: int
    rounds: int

    def __str__(self) -> str:
        return (
            f"Medians of {self.rounds} rounds of {self.seconds} s, the contenders in turn in each "
            "round; ratios are those of one round. The raw loop runs one process for 1 connection, "
            "a process a core for 16."
        )


Measure = Callable[[int, int], Load]
"""(connections, seconds) -> load."""


@click.command(help=__doc__)
@click.option("--seconds", default=3, show_default=True, help="The time of one measurement.")
@click.option("--rounds", default=5, show_default=True, help="How often each is measured.")
@click.option("--quick", is_flag=True, help="One round of 2 s: whether it runs, not how fast.")
@click.option("--case", "names", multiple=True, help="Measure this case alone; repeat for several.")
@click.option("--check", is_flag=True, help="End with status 1 when a target is missed.")
@click.option("--markdown", type=click.Path(path_type=Path), help="Also write the report here.")
@click.option(
    "--work",
    type=click.Path(path_type=Path, file_okay=False, resolve_path=True),
    default=ROOT / ".build/bench/apps",
    help="Where models, applications and logs are kept.",
)
def main(
    seconds: int, rounds: int, quick: bool, names: tuple[str, ...], check: bool,
    markdown: Path | None, work: Path,
) -> None:  # fmt: skip
    """Run the benchmark from the command line."""
    plan = Plan(2, 1) if quick else Plan(seconds, rounds)
    try:
        find_wrk()
        cases = [case for case in make_cases(work) if not names or case.name in names]
        results = measure(cases, plan, work)
    except (Disagreement, LoadFailed, ServerFailed) as err:
        raise click.ClickException(str(err)) from err
    text = report({case.name: case.title for case in cases}, results, str(plan))
    click.echo(text)
    if markdown is not None:
        markdown.write_text(text)
    missed = missed_targets(results, {case.name for case in cases})
    if check and missed:
        raise click.ClickException("\n".join(missed))


def measure(cases: list[Case], plan: Plan, work: Path) -> Results:
    """Return the loads of every contender on every case, by turns.

    All servers run from first to last and idle when it is not their turn: an idle Gunicorn takes
    next to no time, and so every round meets the same processes, warm.
    """
    results: Results = {}
    with ExitStack() as stack:
        contenders: dict[Case, dict[str, Measure]] = {}
        for case in cases:
            servers = [stack.enter_context(serving(name, case, work)) for name in case.servers]
            worst = _agreed(case, servers, work)
            click.echo(f"{case.title}: answers agree to {worst:.1e}", err=True)
            contenders[case] = _contenders(case, servers, work)
        for number in range(plan.rounds):
            for cell, run in _turns(contenders, number):
                load = run(cell.connections, plan.seconds)
                click.echo(f"round {number + 1}: {_line(cell, load)}", err=True)
                results.setdefault(cell, []).append(load)
    return results


def _agreed(case: Case, servers: list[Server], work: Path) -> float:
    """Return the largest difference between the contenders' probabilities, if they agree."""
    if case.file is None:
        return check_agreement(case, servers)
    for name in CONTENDERS:
        load_dataset(case, name, work)
    return check_results(case, {name: dataset_place(work, name) for name in CONTENDERS})


def _contenders(case: Case, servers: list[Server], work: Path) -> dict[str, Measure]:
    if case.file is not None:
        return {
            name: lambda _, __, name=name: load_dataset(case, name, work)  # type: ignore[misc]
            for name in CONTENDERS
        }
    if case.items > 1:
        (server,) = servers
        single = replace(case, name="single", body=form([case.item]), items=1)
        return {
            f"{case.items} requests": partial(_load, server, single, work),
            f"one request of {case.items}": partial(_load, server, case, work),
        }
    contenders: dict[str, Measure]
    if case.passes > 1:
        contenders = {
            name: lambda _, s, count=count: load_passes(case, count, s, work)  # type: ignore[misc]
            for name, count in (("one pass", 1), (f"{case.passes} passes", case.passes))
        }
    else:
        contenders = {"raw loop": lambda c, s: load_raw(case, c, s, work)}
    for server in servers:
        contenders[server.name] = partial(_load, server, case, work)
    return contenders


def _load(server: Server, case: Case, work: Path, connections: int, seconds: int) -> Load:
    return load_server(server, case, connections, seconds, work)


def _turns(
    contenders: dict[Case, dict[str, Measure]], number: int
) -> Iterator[tuple[Cell, Measure]]:
    """Yield what a round measures; each round another contender is the first."""
    for case, measures in contenders.items():
        order = list(measures)
        first = number % len(order)
        for connections in case.connections:
            for name in order[first:] + order[:first]:
                yield Cell(case.name, connections, name), measures[name]


def _line(cell: Cell, load: Load) -> str:
    where = f"{cell.case}, {cell.connections} connections, {cell.contender}"
    return f"{where}: {load.rate:.1f} items/s, p50 {load.p50:.2f} ms, p99 {load.p99:.2f} ms"


if __name__ == "__main__":
    main()
