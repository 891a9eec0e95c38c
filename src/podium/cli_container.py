"""The commands that make a container of an application: parse, call, print."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from podium.cli_options import folder_argument
from podium.errors import PYTORCH_INDEX

_TAG: Final = re.compile(
    r"([\w.-]+(:\d+)?/)?[a-z0-9]+([._/-]+[a-z0-9]+)*(:\w[\w.-]{0,127})?", re.ASCII
)
"""The name of an image, with a registry before it and a tag after it if need be."""


def lock_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of `lock`: what it is for, and where packages are looked for."""
    for option in reversed((
        click.option("--python", metavar="VERSION", callback=_check_python,
                     help="The image's Python, such as 3.12; the running one when left out."),
        click.option("--machine", type=click.Choice(["x86_64", "aarch64"]),
                     help="The image's kind of processor; this machine's when left out."),
        click.option("--index-url", metavar="URL",
                     help="Where packages are looked for; where pip looks when left out."),
        click.option("--extra-index-url", "extra_index_urls", metavar="URL", multiple=True,
                     help="Another place to look in; repeat for several."),
        click.option("--pytorch-index", metavar="URL", default=PYTORCH_INDEX, show_default=True,
                     envvar="PYTORCH_INDEX", show_envvar=True,
                     help="Where PyTorch for processors comes from; '' for where all comes from."),
    )):  # fmt: skip
        command = option(command)
    return command


def package_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that `build` and `lock` share: what else is to be installed."""
    for option in reversed((
        click.option("--podium-wheel", type=click.Path(dir_okay=False, path_type=Path),
                     help="The Podium to install; the running one when left out."),
        click.option("--extra", multiple=True, metavar="NAME",
                     help="One more extra of Podium, such as postgresql; repeat for several."),
    )):  # fmt: skip
        command = option(command)
    return command


def _check_python(_ctx: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    if value is None or re.fullmatch(r"3\.\d+", value):
        return value
    raise click.BadParameter(f"{value!r} is no version such as 3.12")


def _check_tag(_ctx: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    if value is None or _TAG.fullmatch(value):
        return value
    raise click.BadParameter(f"{value!r} is no tag such as registry.example.org/birds:1")


@click.command()
@folder_argument
@click.argument("passed", metavar="[-- OPTION...]", nargs=-1, type=click.UNPROCESSED)
@click.option("--tag", callback=_check_tag,
              help="The image's name and tag; that of the folder when left out.")  # fmt: skip
@click.option("--render", type=click.Path(file_okay=False, path_type=Path), metavar="OUT",
              help="Only write all files into a folder.")  # fmt: skip
@package_options
@click.option("--dry-run", is_flag=True, help="Only print all files.")
def build(folder: Path, **options: Any) -> None:
    """Build a container image of DIR, and write what runs it with Compose.

    The files are written to DIR-container in the current folder. What follows `--` is passed on to
    `docker build`.
    """
    from podium.container.build import Wishes
    from podium.container.build import build as build_container

    build_container(folder, Wishes(**options), click.echo)


@click.command()
@folder_argument
@package_options
@lock_options
@click.option("--check", is_flag=True, help="Only tell whether the lock fits; exit code 1 when it "
              "does not.")  # fmt: skip
def lock(folder: Path, check: bool, **options: Any) -> None:
    """Write DIR/requirements.lock: each package that DIR needs, pinned and with its hash.

    pip finds the versions; nothing is installed. `podium build` then installs these very files.
    """
    from podium.bundle.lock import Wishes, check_lock, lock_application

    if check:
        check_lock(folder, Wishes(**options), click.echo)
    else:
        lock_application(folder, Wishes(**options), click.echo)


COMMANDS = (build, lock)
