"""The maker's Markdown as HTML. Raw HTML in it stays text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, unquote

from markdown_it import MarkdownIt
from markdown_it.token import Token


def render(file: Path, leads: Callable[[str], bool], prefix: str) -> tuple[str, set[str]]:
    """Return a Markdown file as HTML, and the files of the folder that it leads to.

    A link or picture for which `leads` is true gets `prefix` before its name.
    """
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = markdown.parse(file.read_text("utf-8"))
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):  # the page's own title is the h1
            token.tag = f"h{min(6, int(token.tag[1]) + 1)}"
        if "style" in token.attrs:  # a column's alignment; the pages allow no inline style
            token.attrs["class"] = str(token.attrs.pop("style")).replace("text-align:", "align-")
    inline = [child for token in tokens for child in token.children or ()]
    used = {name for token in inline if (name := _lead(token, leads, prefix))}
    return str(markdown.renderer.render(tokens, markdown.options, {})), used


def _lead(token: Token, leads: Callable[[str], bool], prefix: str) -> str | None:
    for key in ("src", "href"):
        target = unquote(str(token.attrs.get(key, ""))).removeprefix("./")
        if target and "://" not in target and leads(target):
            token.attrs[key] = prefix + quote(target)
            return target
    return None
