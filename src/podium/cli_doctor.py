"""`podium doctor`: parse, call, print."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from podium.cli_options import state_option


@click.command()
@click.argument("url", metavar="URL")
@click.option("--dir", "folder", metavar="DIR", type=click.Path(exists=True, path_type=Path),
              help="The application's folder: what serves is compared with its podium.toml.",
)  # fmt: skip
@state_option
@click.option("--key", envvar="PODIUM_KEY", show_envvar=True, help="A key of `podium keys`, where "
              "one is required.")  # fmt: skip
@click.option("--http-port", type=click.IntRange(1, 65535), help="Port of plain HTTP, which leads "
              "to HTTPS; 80 where that has 443.")  # fmt: skip
@click.option("--insecure", is_flag=True, help="Take any certificate, also one signed by itself.")
@click.option("--full", is_flag=True, help="Send and ask as much as [limits] allow, gigabytes of a "
              "data set, too.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(
    url: str, folder: Path | None, state: Path | None, as_json: bool, **options: Any
) -> None:
    """Examine a live address from outside, and say how to mend what is wrong; exit code 1 then.

    It sends real requests, some of them as large as [limits] allow: not meant for every minute.
    """
    import msgspec

    from podium.doctor import Wishes, examine
    from podium.doctor.words import in_words, summary
    from podium.jobs.state import state_folder

    logs = state_folder(folder, state, make=False).path / "site" / "logs" if folder else None
    there = logs if logs is not None and logs.is_dir() else None
    wishes = Wishes(folder=folder, logs=there, **options)
    report = examine(url, wishes, lambda one: None if as_json else click.echo(in_words(one)))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(report)))
    else:
        click.echo(summary(report))
    if not report.passed:
        sys.exit(1)
