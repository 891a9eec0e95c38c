"""The maker's [theme] as a stylesheet that sets the tokens of page.css."""

from __future__ import annotations

from flask import render_template

from podium.colours import on_dark, shades_of
from podium.spec import Theme


def theme_css(theme: Theme) -> str:
    """Return the stylesheet of a theme; one that says nothing is empty."""
    light = theme.colour
    dark = theme.colour_dark or (on_dark(light) if light else None)
    return render_template(
        "theme.css",
        theme=theme,
        light=shades_of(light, "light") if light else None,
        dark=shades_of(dark, "dark") if dark else None,
    )
