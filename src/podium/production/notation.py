"""How nginx's files are written."""

from __future__ import annotations

import re
import textwrap


def mapping(source: str, name: str, *cases: tuple[str, str]) -> str:
    """Return a variable whose value depends on another's."""
    return block(f"map {source} {name}", *(f"{case} {value};" for case, value in cases))


def quoted(path: object) -> str:
    """Return a path as nginx reads it."""
    text = str(path)
    if re.search(r"[^\w/.@:+,-]", text) is None:
        return text
    return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'


def block(head: str, *inner: str) -> str:
    """Return a block of lines under a head."""
    indented = textwrap.indent("\n".join(inner), "    ")
    return f"{head} {{\n{indented}\n}}"


def lines_of(*lines: str) -> str:
    """Return a file's text."""
    return "".join(f"{line}\n" for line in lines)
