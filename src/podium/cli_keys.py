"""`podium keys`: the keys of programs, and the password of the page."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from podium.cli_options import folder_argument, state_option

if TYPE_CHECKING:
    from podium.keys import CredentialsFile


@click.group()
def keys() -> None:
    """Make and revoke the keys that let programs in, and set the page's password.

    They count where [access] require names them. Servers that run take up each change at once.
    """


@keys.command()
@click.argument("name", metavar="NAME")
@folder_argument
@state_option
@click.option("--expires", metavar="TIME", callback=lambda *given: _seconds(given[2]),
              help='For how long, "90 days"; until it is revoked when left out.')  # fmt: skip
def add(name: str, folder: Path, state: Path | None, expires: float | None) -> None:
    """Make a key for DIR's API and print it, this once.

    NAME is what the log calls who uses it.
    """
    key = _credentials(folder, state).add(name, expires)
    click.echo("Keep it well: it is not shown again, and only its hash is kept.", err=True)
    click.echo(key)
    click.echo(f"Send it as a header:  Authorization: Bearer {key[:8]}...", err=True)


@keys.command("list")
@folder_argument
@state_option
def list_keys(folder: Path, state: Path | None) -> None:
    """List the names of DIR's keys, when they were made and until when they hold."""
    held = _credentials(folder, state).read()
    for key in held.keys:
        until = "" if key.expires is None else f", until {_day(key.expires)}"
        over = "" if key.holds(time.time()) else " (over)"
        click.echo(f"{key.name}: made {_day(key.created)}{until}{over}")
    click.echo(f"Keys: {len(held.keys)}. Password: {'set' if held.password else 'none'}.")


@keys.command()
@click.argument("name", metavar="NAME")
@folder_argument
@state_option
def revoke(name: str, folder: Path, state: Path | None) -> None:
    """Revoke a key of DIR's API: it is refused from now on."""
    _credentials(folder, state).revoke(name)
    click.echo(f"Revoked {name}.")


@keys.command()
@folder_argument
@state_option
def password(folder: Path, state: Path | None) -> None:
    """Set the password that DIR's page asks for; it is read from the terminal, or from stdin.

    Who came in with the one before has to give the new one.
    """
    if sys.stdin.isatty():
        text = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        text = sys.stdin.readline().rstrip("\r\n")
    _credentials(folder, state).set_password(text)
    click.echo("The password is set.")


def _credentials(folder: Path, state: Path | None) -> CredentialsFile:
    from podium.jobs.state import state_folder
    from podium.keys import CredentialsFile

    return CredentialsFile(state_folder(folder, state).path)


def _seconds(text: str | None) -> float | None:
    """Return a length of time, "90 days", in seconds."""
    from podium.strict import Period

    if text is None:
        return None
    try:
        seconds = Period.parse(text)
    except ValueError as err:
        raise click.BadParameter(f"expected {err}; found {text!r}") from err
    if seconds <= 0:
        raise click.BadParameter(f"expected some time from now on; found {text!r}")
    return seconds


def _day(moment: float) -> str:
    return time.strftime("%Y-%m-%d", time.localtime(moment))
