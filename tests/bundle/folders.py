"""Application folders of which nothing but their files and their podium.toml matters."""

from __future__ import annotations

from pathlib import Path

from packaging.requirements import Requirement

from podium.bundle.packages import Packages, name_of
from podium.bundle.resolver import Found, Indexes
from podium.folder import Parsed, parse

HEAD = """\
title = "Two"
{more}
[task]
kind = "classification"
labels = ["a", "b"]
[[features]]
name = "x"
kind = "number"
"""


def write(
    folder: Path, models: tuple[str, ...] = ("net.skops",), more: str = "", each: str = ""
) -> Parsed:
    """Write an application whose models are files of a few bytes, or what is there; return it.

    `more` are keys of podium.toml, `each` those of every model.
    """
    folder.mkdir(exist_ok=True)
    tables = []
    for number, name in enumerate(models):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            file.write_bytes(b"PK\x05\x06" + bytes(18))  # an empty zip archive
        tables.append(f'[[models]]\nname = "m{number}"\nfile = "{name}"\n{each}\n')
    text = HEAD.format(more=more) + "".join(tables)
    (folder / "podium.toml").write_text(text, "utf-8")
    return parse(folder)


def oldest(packages: Packages, _indexes: Indexes) -> tuple[Found, ...]:
    """Return each package at the oldest version that its line admits, without asking pip."""
    return tuple(
        Found(name_of(line), _oldest(line), "0" * 64, "file:///nowhere/a.whl", False, ())
        for line in packages.lines
    )


def _oldest(line: str) -> str:
    told = [one.version for one in Requirement(line).specifier if one.operator == ">="]
    return told[0] if told else "1.0"
