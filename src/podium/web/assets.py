"""The stylesheet, scripts and pictures of the page."""

from __future__ import annotations

from flask import url_for


def asset(name: str) -> str:
    """Return the address of a file in static/."""
    return url_for("static", filename=name)
