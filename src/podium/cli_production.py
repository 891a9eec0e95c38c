"""The commands that run an application in production on this host: parse, call, print."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from podium.cli_options import check_base_path, folder_argument, state_option, state_options

if TYPE_CHECKING:
    from podium.jobs.state import StateFolder

_FILE = click.Path(dir_okay=False, path_type=Path)
_PORT = click.IntRange(1, 65535)


def _absolute(_ctx: click.Context, _option: click.Parameter, file: Path | None) -> Path | None:
    return file and file.absolute()


def site_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that tell how a site is reached."""
    for option in reversed((
        click.option("--domain", help="The name under which it is reached; localhost when left "
                     "out."),
        click.option("--tls-cert", type=_FILE, help="The certificate with its chain (PEM); that of "
                     "certbot for the domain when left out."),
        click.option("--tls-key", type=_FILE, help="The certificate's private key (PEM)."),
        click.option("--tls-self-signed", is_flag=True, default=None,
                     help="Make a certificate that browsers warn of, to try it."),
        click.option("--tls-off", is_flag=True, default=None, help="Serve without encryption, even "
                     "where certbot has a certificate."),
        click.option("--http-port", type=_PORT, help="Port of plain HTTP; 80 when left out."),
        click.option("--https-port", type=_PORT, help="Port of HTTPS; 443 when left out."),
        click.option("--base-path", callback=check_base_path,
                     help="The path prefix; [server] base_path when left out."),
        click.option("--workers", type=click.IntRange(1), help="Web workers; [server] workers, or "
                     "one a processor."),
        click.option("--env-file", type=_FILE, callback=_absolute, help="Environment variables of "
                     "the servers: lines NAME=VALUE, read again by every later command."),
        state_options,
    )):  # fmt: skip
        command = option(command)
    return command


@click.command()
@folder_argument
@site_options
@click.option("--render", type=click.Path(file_okay=False, path_type=Path), metavar="OUT",
              help="Only write all files into a folder.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Only print all files.")
def up(
    folder: Path, state: Path | None, render: Path | None, dry_run: bool, **options: Any
) -> None:
    """Run DIR in production on this host: Gunicorn behind nginx, with TLS.

    What runs already goes on with what has changed, as with `podium reload`. What is left out
    stays as it was when DIR was last brought up.
    """
    from podium.operate.up import bring_up, render_site

    if render is not None or dry_run:
        place = _state(folder, state, options["database"], make=False)
        render_site(folder, place, options, render, click.echo)
    else:
        bring_up(folder, _state(folder, state, options["database"]), options, click.echo)


@click.command()
@folder_argument
@state_option
def down(folder: Path, state: Path | None) -> None:
    """End what `podium up DIR` runs; requests that have begun are answered."""
    from podium.operate.up import take_down

    take_down(folder, _state(folder, state), click.echo)


@click.command()
@folder_argument
@state_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(folder: Path, state: Path | None, as_json: bool) -> None:
    """Tell how DIR is doing; exit code 1 when it is not well."""
    import msgspec

    from podium.operate.status import in_words, status_of

    told = status_of(folder, _state(folder, state))
    click.echo(msgspec.json.format(msgspec.json.encode(told)) if as_json else in_words(told))
    if told.problems:
        sys.exit(1)


@click.command()
@folder_argument
@state_option
@click.option("-f", "--follow", is_flag=True, help="Go on with what is written from now on.")
@click.option("-n", "--lines", default=20, show_default=True, type=click.IntRange(0),
              help="How many lines of each log.")  # fmt: skip
def logs(folder: Path, state: Path | None, follow: bool, lines: int) -> None:
    """Print what DIR's servers, nginx and the supervisor have written."""
    from podium.operate import logs as module
    from podium.operate.home import Home

    place = Home(_state(folder, state)).logs
    for line in module.last_lines(place, lines):
        click.echo(line)
    if follow:
        for line in module.follow(place):
            click.echo(line)


@click.command()
@folder_argument
@state_option
def reload(folder: Path, state: Path | None) -> None:
    """Let DIR as it is now take its turn; no request is lost.

    Where it does not start, or does not answer its examples as they say, what served before goes
    on.
    """
    from podium.operate.up import reload as reload_application

    reload_application(folder, _state(folder, state), click.echo)


@click.command()
@folder_argument
@state_option
def rollback(folder: Path, state: Path | None) -> None:
    """Let the release before take its turn again; no request is lost."""
    from podium.operate.up import rollback as roll_back

    roll_back(folder, _state(folder, state), click.echo)


COMMANDS = (up, down, status, logs, reload, rollback)


def _state(
    folder: Path, state: Path | None, database: str | None = None, make: bool = True
) -> StateFolder:
    from podium.jobs.state import state_folder

    return state_folder(folder, state, database, make=make)
