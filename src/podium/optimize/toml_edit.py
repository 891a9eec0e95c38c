"""podium.toml names another model file; not one character of the rest changes."""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any, Final, NamedTuple

from podium.errors import PodiumError
from podium.folder import FILE

_TABLE: Final = re.compile(r"\s*\[\[\s*models\s*\]\]")
_HEADER: Final = re.compile(r"\s*\[")
_PAIR: Final = re.compile(r"""(\s*(\w+)\s*=\s*)("(?:[^"\\]|\\.)*"|'[^']*')(.*)""", re.DOTALL)
_STALE: Final = ("runtime", "factory", "trust")
"""Keys that belong to the file that was there before."""


class Edit(NamedTuple):
    """A new text, and the lines of the old one that it changes or lacks."""

    text: str
    replaced: tuple[str, ...]


def name_file(text: str, index: int, file: str) -> Edit:
    """Return podium.toml's text with another file in its [[models]] table `index`.

    Raises:
        PodiumError: the table is written in a way that this cannot edit, such as in one line.
    """
    lines = re.split(r"(?<=\n)", text)
    starts = [number for number, line in enumerate(lines) if _TABLE.match(line)]
    start = starts[index] + 1 if index < len(starts) else len(lines)
    ends = (number for number in range(start, len(lines)) if _HEADER.match(lines[number]))
    end = next(ends, len(lines))
    changed = [_changed(line, file) for line in lines[start:end]]
    made = "".join([*lines[:start], *changed, *lines[end:]])
    if _read(made) != _expected(text, index, file):
        raise PodiumError(
            f"{FILE} cannot be edited safely: write the [[models]] table with one key a line."
        )
    pairs = zip(lines[start:end], changed, strict=True)
    return Edit(made, tuple(old.strip() for old, new in pairs if old != new))


def _changed(line: str, file: str) -> str:
    pair = _PAIR.fullmatch(line)
    if pair is None or pair[2] not in ("file", *_STALE):
        return line
    return "" if pair[2] in _STALE else f"{pair[1]}{json.dumps(file, ensure_ascii=False)}{pair[4]}"


def _read(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None


def _expected(text: str, index: int, file: str) -> dict[str, Any]:
    """Return what must be read from the new text: TOML's own parser is the judge."""
    table = tomllib.loads(text)
    model = table["models"][index]
    kept = {key: value for key, value in model.items() if key not in _STALE}
    table["models"][index] = {**kept, "file": file}
    return table
