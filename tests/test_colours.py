"""A maker's colour becomes shades that can be read, in light and in dark."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import podium
from podium.colours import (
    ENHANCED,
    GROUNDS,
    READABLE,
    SEEN,
    contrast,
    mixed,
    nearest_shade,
    on_dark,
    shades_of,
    worst_contrast,
)

COLOURS = ["#1f6f8b", "#ffe066", "#808080", "#ff0000", "#0000ff", "#000000", "#ffffff", "#767676"]
PAGE_CSS = Path(podium.__file__).parent / "web" / "static" / "page.css"


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [("#000000", "#ffffff", 21), ("#ffffff", "#ffffff", 1), ("#777777", "#ffffff", 4.48),
     ("#767676", "#ffffff", 4.54), ("#ff0000", "#ffffff", 4.0)],
)  # fmt: skip
def test_contrast(one: str, other: str, ratio: float) -> None:
    """The ratios that are known of WCAG, whichever colour comes first."""
    assert contrast(one, other) == contrast(other, one) == pytest.approx(ratio, abs=0.005)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("colour", COLOURS)
def test_all_shades_can_be_read(colour: str, scheme: str) -> None:
    """Text on a button, under the pointer too, links on the page, and the button's edge."""
    shades = shades_of(colour, scheme)
    assert shades.accent == colour
    for ground in (shades.accent, shades.hover):
        assert contrast(shades.on_accent, ground) >= READABLE
    assert worst_contrast(shades.mark, scheme) >= READABLE
    assert worst_contrast(shades.strong, scheme) >= ENHANCED
    assert worst_contrast(shades.edge, scheme) >= SEEN


@pytest.mark.parametrize(
    ("colour", "scheme"), [("#1f6f8b", "light"), ("#000000", "light"), ("#ffe066", "dark")]
)
def test_a_colour_that_can_be_read_stays_as_it_is(colour: str, scheme: str) -> None:
    """Links and edges are drawn in the maker's very colour."""
    shades = shades_of(colour, scheme)
    assert (shades.mark, shades.edge) == (colour, colour)


def test_the_nearest_shade_keeps_hue_and_goes_no_further_than_needed() -> None:
    """Light yellow becomes a dark yellow, with the contrast and hardly more."""
    shade = nearest_shade("#ffe066", "light", READABLE)
    red, green, blue = (int(shade[at : at + 2], 16) for at in (1, 3, 5))
    assert red > green > blue
    assert READABLE <= worst_contrast(shade, "light") < READABLE + 0.1


@pytest.mark.parametrize(
    ("colour", "dark"),
    [("#111111", "#c5c5c5"), ("#000000", "#ffffff"), ("#001f3f", "#74b6ff")],
)
def test_what_is_nearly_black_is_light_on_dark_screens(colour: str, dark: str) -> None:
    """Not grey, as what cannot be pressed: as light as it was dark, of the same hue."""
    assert on_dark(colour) == dark


@pytest.mark.parametrize("colour", ["#1f6f8b", "#0b3d2e", "#0000ff"])
def test_other_colours_are_on_dark_screens_as_light_as_they_need(colour: str) -> None:
    """The nearest lightness that is seen there."""
    assert on_dark(colour) == nearest_shade(colour, "dark", SEEN)


def test_mixing() -> None:
    """No part of the other is the one, all of it the other; between black and white is grey."""
    assert mixed("#1f6f8b", "#ffffff", 0) == "#1f6f8b"
    assert mixed("#1f6f8b", "#ffffff", 1) == "#ffffff"
    assert mixed("#000000", "#ffffff", 0.5) == "#636363"


def tokens(block: str) -> dict[str, str]:
    """Return the colours that a block of a stylesheet sets."""
    return dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", block))


def test_the_stylesheets_own_colours_are_the_shades_of_the_default() -> None:
    """What page.css says of grounds is what shades are computed from; its others are the shades."""
    light, dark = re.findall(r":root \{(.*?)\}", PAGE_CSS.read_text("utf-8"), re.DOTALL)[:2]
    accent = tokens(light)["accent"]
    colours = {"light": accent, "dark": on_dark(accent)}
    for scheme, block in (("light", light), ("dark", dark)):
        said, shades = tokens(block), shades_of(colours[scheme], scheme)
        assert (said["ground"], said["panel"]) == GROUNDS[scheme]
        assert (said["accent"], said["accent-hover"], said["accent-edge"]) == (
            shades.accent, shades.hover, shades.edge,
        )  # fmt: skip
        assert (said["on-accent"], said["mark"]) == (shades.on_accent, shades.mark)
        for name in ("text", "soft", "bad", "care"):
            assert worst_contrast(said[name], scheme) >= READABLE
        assert worst_contrast(said["edge"], scheme) >= SEEN
