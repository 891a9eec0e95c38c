"""The commands that put an application on a hosting platform: parse, call, print."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from podium.cli_options import state_option
from podium.errors import DeployError, PodiumError, nearest

if TYPE_CHECKING:
    from podium.deploy.run import Outcome, Task

TITLES = {
    "pythonanywhere": "PythonAnywhere",
    "elastic-beanstalk": "AWS Elastic Beanstalk",
    "cloud-run": "Google Cloud Run",
    "azure-app-service": "Azure App Service",
    "azure-container-apps": "Azure Container Apps",
    "vm": "a server over ssh",
}
_FOLDER = click.argument("folder", metavar="DIR", type=click.Path(exists=True, path_type=Path))
_TARGET = click.argument("target", metavar="TARGET", type=click.Choice(list(TITLES)))
_YES = click.option("--yes", is_flag=True, help="Do not ask before anything is changed.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print a line of JSON an event.")
_WHEEL = click.option(
    "--podium-wheel", "wheel", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A wheel of Podium to take along; one of what runs here when left out.",
)  # fmt: skip


class _Targets(click.Group):
    """Tells which targets there are where one is named that is none."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that `args` begin with.

        Raises:
            click.UsageError: there is none of this name.
        """
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            others = (one for one in self.list_commands(ctx) if one not in TITLES)
            raise click.UsageError(
                f"There is no target {name!r}.{nearest(name, self.commands)} Targets: "
                f"{', '.join(TITLES)}. Other commands: {', '.join(others)}", ctx,
            )  # fmt: skip
        return super().resolve_command(ctx, args)


@click.group(
    cls=_Targets,
    epilog="Exit codes: 0 it serves, or nothing was to do; 1 refused, or failed where nothing had "
    "served before; 2 wrong usage; 3 it did not become ready, and the version before serves; 4 nor "
    "could that be put back.",
)
def deploy() -> None:
    """Put an application on a hosting platform, tell before what is done, and undo it."""


def _deploy_to(name: str) -> click.Command:
    @click.command(name, help=f"Put DIR on {TITLES[name]}; once more is safe.")
    @_FOLDER
    @state_option
    @click.option("--dry-run", is_flag=True, help="Only print every file and step; works offline.")
    @click.option("--render", type=click.Path(file_okay=False, path_type=Path), metavar="OUT",
                  help="Only write all files into a folder.")  # fmt: skip
    @_WHEEL
    @_YES
    @_JSON
    def command(
        folder: Path, state: Path | None, dry_run: bool, render: Path | None, wheel: Path | None,
        yes: bool, as_json: bool,
    ) -> None:  # fmt: skip
        from podium.deploy import run

        with _failures(as_json):
            task = _task(name, folder, state, as_json, wheel)
            if dry_run:
                run.show(task, render)
            elif render is not None:
                task.render(render)
                task.say(f"Wrote {render}")
            else:
                _end(run.deploy(task, _agreement(yes, as_json)), as_json)

    return command


for _name in TITLES:
    deploy.add_command(_deploy_to(_name))


@deploy.command()
@_TARGET
@_FOLDER
@state_option
@_WHEEL
@_JSON
def status(
    target: str, folder: Path, state: Path | None, wheel: Path | None, as_json: bool
) -> None:
    """Tell what of DIR is at TARGET.

    The exit code is 1 when nothing serves.
    """
    import msgspec

    with _failures(as_json):
        task = _task(target, folder, state, as_json, wheel)
        live = task.look(task.connect())
    current, why = _current(task)
    told = {"target": target, "version": live.version, "current": current,
            "versions": live.versions, "address": task.target.address(task.named, live),
            "unfinished": live.unfinished, **({"why": why} if why else {})}  # fmt: skip
    if as_json:
        click.echo(msgspec.json.encode(told).decode())
    else:
        for key, value in told.items():
            shown = ", ".join(value) if isinstance(value, tuple) else value
            click.echo(f"{key:<11}{'' if shown is None else shown}")
    if live.version is None:
        sys.exit(1)


@deploy.command()
@_TARGET
@_FOLDER
@state_option
@click.option("-f", "--follow", is_flag=True, help="Go on with what is written from now on.")
def logs(target: str, folder: Path, state: Path | None, follow: bool) -> None:
    """Print what DIR has written at TARGET."""
    task = _task(target, folder, state, False)
    for line in task.connect().logs(follow):
        task.say(line)


@deploy.command()
@_TARGET
@_FOLDER
@state_option
@click.option("--to", metavar="VERSION", help="The version; the one before when left out.")
@_YES
@_JSON
def rollback(
    target: str, folder: Path, state: Path | None, to: str | None, yes: bool, as_json: bool
) -> None:
    """Let the version before serve at TARGET again."""
    from podium.deploy import run

    with _failures(as_json):
        task = _task(target, folder, state, as_json)
        _end(run.rollback(task, _agreement(yes, as_json), to), as_json)


@deploy.command()
@_TARGET
@_FOLDER
@state_option
@_YES
@_JSON
def destroy(target: str, folder: Path, state: Path | None, yes: bool, as_json: bool) -> None:
    """Remove all that TARGET has of DIR.

    Data sets and kept answers go, too.
    """
    from podium.deploy import run

    with _failures(as_json):
        task = _task(target, folder, state, as_json)
        there = run.destroy(task, _agreement(yes, as_json))
        left = "Nothing of {} is left at {}." if there else "There is nothing of {} at {}."
        task.say(left.format(task.named.name, task.target.title))


def _current(task: Task) -> tuple[str | None, str]:
    """Return the version that would be sent, and why there is none."""
    try:
        return task.app.version, ""
    except PodiumError as err:
        return None, str(err)


def _task(
    name: str, folder: Path, state: Path | None, as_json: bool, wheel: Path | None = None
) -> Task:
    from podium.deploy.run import Task
    from podium.deploy.targets import target_of
    from podium.deploy.tell import AsJson, InWords
    from podium.jobs.state import state_folder

    teller = AsJson(click.echo) if as_json else InWords(click.echo)
    place = state_folder(folder, state).path
    return Task(target_of(name), folder, place, teller, dict(os.environ), wheel)


def _agreement(yes: bool, as_json: bool) -> Callable[[], bool]:
    """Return what asks whether a plan shall be carried out; programs say so beforehand."""

    def asked() -> bool:
        if as_json or not sys.stdin.isatty():
            raise DeployError("Nobody is there to agree. Give --yes to carry out the plan.")
        return click.confirm("Shall this be done?")

    return (lambda: True) if yes else asked


@contextmanager
def _failures(as_json: bool) -> Iterator[None]:
    """Tell programs of an error as of other events, before it ends the command."""
    try:
        yield
    except PodiumError as err:
        if as_json:
            _event("failed", told=str(err), exit_code=err.exit_code)
        raise


def _event(kind: str, **told: Any) -> None:
    import msgspec

    click.echo(msgspec.json.encode({"event": kind, **told}).decode())


def _end(outcome: Outcome, as_json: bool) -> None:
    if as_json:
        _event("done", address=outcome.address, version=outcome.version, changed=outcome.changed)
    elif outcome.changed:
        click.echo(f"Version {outcome.version} serves at {outcome.address}")
    else:
        click.echo(f"Nothing to do: version {outcome.version} serves at {outcome.address}")
