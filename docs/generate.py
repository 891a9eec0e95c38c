"""Write the parts of the reference that the code itself knows: `make docs`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, get_type_hints

import click
import msgspec

from podium import spec, strict
from podium.cli import main

REFERENCE: Final = Path(__file__).parent / "reference"

TABLES: Final[dict[str, type[strict.Table]]] = {
    "": spec.Spec, "[task]": spec.Task, "[[features]]": spec.Feature, "[image]": spec.Image,
    "[text]": spec.TextInput, "[pipeline]": spec.Code, "[[models]]": spec.ModelSpec,
    "[[references]]": spec.Reference, "[[examples]]": spec.Example, "[limits]": spec.Limits,
    "[server]": spec.Server, "[history]": spec.History, "[theme]": spec.Theme,
}  # fmt: skip

TOML_HEAD: Final = """# podium.toml

Every key, its type, its default and its meaning. This page is made by `make docs` from the
structs that read the file. An unknown key is an error that names the nearest known one; all
mistakes of a file are reported at once.
"""

CLI_HEAD: Final = """# The command line

This page is made by `make docs` from `podium --help`.
"""


def pages() -> dict[Path, str]:
    """Return the text of every generated page by its path."""
    return {
        REFERENCE / "podium-toml.md": "\n".join([TOML_HEAD, *_tables()]),
        REFERENCE / "cli.md": "\n".join([CLI_HEAD, *_commands()]),
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


def _commands() -> Iterator[str]:
    names = ["", *main.commands]
    for name in names:
        command = main.commands[name] if name else main
        context = click.Context(
            command,
            info_name=f"podium {name}".strip(),
            terminal_width=88,
            **main.context_settings,
        )
        yield f"## {context.info_name}\n\n```text\n{command.get_help(context)}\n```\n"


if __name__ == "__main__":
    REFERENCE.mkdir(exist_ok=True)
    for path, text in pages().items():
        path.write_text(text, "utf-8")
