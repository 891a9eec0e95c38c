"""Write the parts of the reference that the code itself knows: `make docs`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, get_type_hints
from urllib.parse import urlsplit

import click
import msgspec

from podium import spec, strict
from podium.cli import main
from podium.cli_deploy import TITLES
from podium.deploy.facts import facts_of

REFERENCE: Final = Path(__file__).parent / "reference"

TABLES: Final[dict[str, type[strict.Table]]] = {
    "": spec.Spec, "[task]": spec.Task, "[[features]]": spec.Feature, "[image]": spec.Image,
    "[text]": spec.TextInput, "[pipeline]": spec.Code, "[[models]]": spec.ModelSpec,
    "[[references]]": spec.Reference, "[[examples]]": spec.Example, "[limits]": spec.Limits,
    "[server]": spec.Server, "[access]": spec.Access,
    "[history]": spec.History, "[theme]": spec.Theme,
    **{f"[deploy.{field.encode_name}]": type(field.default)
       for field in msgspec.structs.fields(spec.Deploy)},
}  # fmt: skip

TOML_HEAD: Final = """# podium.toml

Every key, its type, its default and its meaning. This page is made by `make docs` from the
structs that read the file. An unknown key is an error that names the nearest known one; all
mistakes of a file are reported at once.
"""

PLATFORMS_HEAD: Final = """# Hosting platforms: what is known of them

This page is made by `make docs` from `podium/deploy/facts.toml`, against which an application is
held before `podium deploy` sends anything. What could not be confirmed says so. Sizes are bytes,
times seconds.
"""

CLI_HEAD: Final = """# The command line

This page is made by `make docs` from `podium --help`.
"""


def pages() -> dict[Path, str]:
    """Return the text of every generated page by its path."""
    return {
        REFERENCE / "podium-toml.md": "\n".join([TOML_HEAD, *_tables()]),
        REFERENCE / "cli.md": "\n".join([CLI_HEAD, *_commands()]),
        REFERENCE / "platforms.md": "\n".join([PLATFORMS_HEAD, *_platforms()]),
    }


def _tables() -> Iterator[str]:
    for name, kind in TABLES.items():
        about = (kind.__doc__ or "").partition(":")[2].strip() or "The application."
        yield f"## {f'`{name}`' if name else 'Top level'}\n\n{about[0].upper()}{about[1:]}\n"
        yield "| Key | Type | Default | Meaning |\n|---|---|---|---|"
        yield from _rows(kind)
        yield ""


def _rows(kind: type[strict.Table]) -> Iterator[str]:
    types = get_type_hints(kind, include_extras=True)
    for field in msgspec.structs.fields(kind):
        described = types[field.name]
        meaning = _meaning(described)
        if meaning:
            told = strict.expectation(described).replace("|", "\\|")
            yield f"| `{field.name}` | {told} | {_default(field)} | {meaning} |"


def _meaning(described: Any) -> str:
    metas = getattr(described, "__metadata__", ())
    return next((str(meta.description) for meta in metas if meta.description), "")


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "required"
    value = field.default if field.default is not msgspec.NODEFAULT else None
    if isinstance(value, (strict.Size, strict.Period)):
        return f'`"{value}"`'
    if value is None or value in ((), ""):
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value:.6g}`" if isinstance(value, float) else f"`{value!r}`".replace("'", '"')


def _platforms() -> Iterator[str]:
    for target, title in TITLES.items():
        yield f"## {title[0].upper()}{title[1:]}\n\n`podium deploy {target} DIR`\n"
        yield "| Fact | Value | In words | Source, read on |\n|---|---|---|---|"
        for name, fact in facts_of(target).stated():
            value = f"{fact.value:,}" if type(fact.value) is int else str(fact.value).lower()
            yield f"| `{name}` | {value} | {fact.told} | {_source(fact.source)}, {fact.date} |"
        yield ""


def _source(place: str) -> str:
    if place.startswith("https://"):
        return f"[{urlsplit(place).hostname}]({place})"
    return f"[{Path(place).name}](../{place.removeprefix('docs/')})"


def _commands(command: click.Command = main, name: str = "podium") -> Iterator[str]:
    """Yield the help of a command, and of those below it."""
    context = click.Context(
        command, info_name=name, terminal_width=88, **main.context_settings
    )  # fmt: skip
    yield f"## {name}\n\n```text\n{command.get_help(context)}\n```\n"
    for below in command.commands.values() if isinstance(command, click.Group) else ():
        yield from _commands(below, f"{name} {below.name}")


if __name__ == "__main__":
    REFERENCE.mkdir(exist_ok=True)
    for path, text in pages().items():
        path.write_text(text, "utf-8")
