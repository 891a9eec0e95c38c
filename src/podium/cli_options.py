"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

folder_argument = click.argument(
    "folder", metavar="DIR", type=click.Path(exists=True, path_type=Path)
)
state_option = click.option(
    "--state", type=click.Path(file_okay=False, path_type=Path), envvar="PODIUM_STATE",
    show_envvar=True, help="Folder for what the server keeps; the user's when left out.",
)  # fmt: skip


def state_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that tell where data sets and their jobs are kept."""
    for option in reversed((
        state_option,
        click.option("--database", metavar="URL", envvar="PODIUM_DATABASE", show_envvar=True,
                     help="Where the jobs of data sets are kept: postgresql://...; a file in "
                     "the state folder when left out."),
    )):  # fmt: skip
        command = option(command)
    return command


def check_base_path(_ctx: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    """Return a path prefix as [server] base_path takes it."""
    from podium.spec.serving import is_base_path

    if value is None or is_base_path(value.rstrip("/")):
        return value and value.rstrip("/")
    raise click.BadParameter(f"{value!r} is no path prefix, such as /penguins")


def serve_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that `serve` and `demo` share."""
    for option in reversed((
        click.option("--host", default="127.0.0.1", show_default=True,
                     help="Address to listen on."),
        click.option("--port", default=5000, show_default=True, type=click.IntRange(0, 65535),
                     envvar="PORT", show_envvar=True, help="Port to listen on."),
        click.option("--workers", type=click.IntRange(1), help="Web workers; one a processor."),
        click.option("--threads", type=click.IntRange(1), help="Threads of one worker."),
        state_options,
        click.option("--reload", is_flag=True, help="Restart when the folder changes."),
    )):  # fmt: skip
        command = option(command)
    return command


def proxy_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of a server that stands behind a proxy."""
    for option in reversed((
        click.option("--socket", type=click.Path(dir_okay=False, path_type=Path),
                     help="Unix socket to listen on, in place of host and port."),
        click.option("--proxies", type=click.IntRange(0),
                     help="Proxies that add to X-Forwarded-For; [server] proxies when left out."),
        click.option("--base-path", callback=check_base_path,
                     help="The path prefix behind a proxy; [server] base_path when left out."),
        click.option("--worker/--no-worker", default=True, help="Whether to work on data sets, "
                     "too, or to leave them to `podium worker`."),
        click.option("--key", hidden=True),
    )):  # fmt: skip
        command = option(command)
    return command


def scoring_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that `score` and `report` share: how a data set is scored."""
    for option in reversed((
        click.option("--model", "models", multiple=True, metavar="NAME",
                     help="A model to ask; repeat for several. The first when left out."),
        click.option("--target", metavar="NAME",
                     help="The column of the answers; [task] target when left out."),
        click.option("--confidence-level", type=click.FloatRange(0, 1, min_open=True,
                                                                 max_open=True),
                     help="The level of sets and intervals; a calibration's when left out."),
        click.option("--seed", default=0, show_default=True, type=click.IntRange(0),
                     help="Seeds the noise of stochastic models."),
    )):  # fmt: skip
        command = option(command)
    return command
