"""The maker's Markdown as HTML. Raw HTML in it stays text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, unquote

from markdown_it import MarkdownIt
from markdown_it.token import Token


def render(
    file: Path, leads: Callable[[str], bool], prefix: str, top: int = 2
) -> tuple[str, set[str]]:
    """Return a Markdown file as HTML, and the files of the folder that it leads to.

    A link or picture for which `leads` is true gets `prefix` before its name. The first level of
    headings becomes the level `top` of the page.
    """
    markdown = _markdown()
    markdown.add_render_rule("table_open", _open_table)
    markdown.add_render_rule("table_close", _close_table)
    tokens = markdown.parse(file.read_text("utf-8"))
    _place_headings(tokens, top)
    inline = _inside(tokens)
    for token in (*tokens, *inline):
        if "style" in token.attrs:  # a column's alignment; the pages allow no inline style
            token.attrs["class"] = str(token.attrs.pop("style")).replace("text-align:", "align-")
        if token.type == "image":
            token.attrs["loading"] = "lazy"
    used = {name for token in inline if (name := _lead(token, leads, prefix))}
    return str(markdown.renderer.render(tokens, markdown.options, {})), used


def targets(file: Path) -> list[tuple[str, bool]]:
    """Return where a Markdown file leads, each with whether it is to be shown, as a picture."""
    inline = _inside(_markdown().parse(file.read_text("utf-8")))
    found = [(_target(token, key), key == "src") for token in inline for key in ("src", "href")]
    return [(target, shown) for target, shown in found if target]


def _markdown() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False}).enable("table")


def _inside(tokens: list[Token]) -> list[Token]:
    return [child for token in tokens for child in token.children or ()]


def _place_headings(tokens: list[Token], top: int) -> None:
    """Let headings begin at `top`, or below the page's h1, and skip no level on the way down."""
    last = 1
    for token in tokens:
        if token.type == "heading_open":
            last = min(int(token.tag[1]) + top - 1, last + 1, 6)
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{last}"


def _open_table(*_: object) -> str:
    # What scrolls must be reached by the keyboard.
    return '<div class="scroll" tabindex="0"><table>\n'


def _close_table(*_: object) -> str:
    return "</table></div>\n"


def _lead(token: Token, leads: Callable[[str], bool], prefix: str) -> str | None:
    for key in ("src", "href"):
        target = _target(token, key)
        if target and "://" not in target and leads(target):
            token.attrs[key] = prefix + quote(target)
            return target
    return None


def _target(token: Token, key: str) -> str:
    """Return where a link or picture leads; "" where it is none."""
    return unquote(str(token.attrs.get(key, ""))).removeprefix("./")
