"""The language of the page: every text in it stands in one catalogue, and can be translated.

Templates call `_("...")` and `ngettext`, Python `flask_babel.gettext` as `_`: outside of a page,
as in a report or a test, the text stays English.
"""

from __future__ import annotations

from flask import Flask
from flask_babel import Babel


def add_language(flask: Flask) -> None:
    """Let templates and Python translate what they say."""
    Babel(flask)
