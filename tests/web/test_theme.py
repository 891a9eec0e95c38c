"""[theme] becomes a stylesheet, a logo and an icon."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from podium.colours import READABLE, SEEN, contrast, on_dark, shades_of, worst_contrast
from tests.support.apps import write_notes
from tests.support.page import Page
from tests.support.pages import client_of

TOKEN = re.compile(r"--([a-z-]+): (#[0-9a-f]{6});")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an application with a logo, a dark one and a font, which it does not name."""
    folder = write_notes(tmp_path / "app")
    (folder / "logo.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    (folder / "dark.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    (folder / "fonts").mkdir()
    (folder / "fonts" / "own font.woff2").write_bytes(b"wOF2")
    return folder


def themed(folder: Path, theme: str) -> FlaskClient:
    """Return a client of the application with a theme."""
    toml = folder / "podium.toml"
    toml.write_text(f"{toml.read_text()}\n[theme]\n{theme}\n")
    return client_of(folder)


def theme_css(client: FlaskClient) -> str:
    """Return the theme's stylesheet, found by the page's link."""
    links = [link.attributes["href"] for link in Page(client.get("/").text).all("link")]
    (address,) = (href for href in links if href.endswith("theme.css"))
    return client.get(address).text


def dark_and_light(css: str) -> tuple[dict[str, str], dict[str, str]]:
    """Return the tokens that a stylesheet sets for light and for dark screens."""
    light, _, dark = css.partition("@media screen and (prefers-color-scheme: dark) {")
    first, _, _ = light.partition("@media")
    second, _, _ = dark.partition("@media")
    return dict(TOKEN.findall(first)), dict(TOKEN.findall(second))


def test_without_a_theme_the_page_keeps_its_own(folder: Path) -> None:
    """The stylesheet is empty, the icon Podium's, and no picture stands beside the title."""
    client = client_of(folder)
    assert theme_css(client).strip() == ""
    page = Page(client.get("/").text)
    (icon,) = page.all("link", rel="icon")
    assert icon.attributes["href"].endswith("/icon.svg")
    assert page.all("img", class_="logo") == []


def test_a_colour_sets_the_accents_of_both_schemes(folder: Path) -> None:
    """Light screens get the colour itself, dark ones a shade of it that can be seen there."""
    light, dark = dark_and_light(theme_css(themed(folder, 'colour = "#ffe066"')))
    shades = shades_of("#ffe066", "light")
    assert light == {"accent": "#ffe066", "accent-hover": shades.hover, "on-accent": "#000000",
                     "accent-edge": shades.mark, "mark": shades.mark}  # fmt: skip
    assert dark["accent"] == "#ffe066"
    _, dark = dark_and_light(theme_css(themed(write_notes(folder / "two"), 'colour = "#000000"')))
    assert dark["accent"] == on_dark("#000000") == "#ffffff"


def test_a_dark_colour_stands_alone(folder: Path) -> None:
    """With colour_dark alone, light screens keep the page's own accent."""
    light, dark = dark_and_light(theme_css(themed(folder, 'colour_dark = "#ff80ab"')))
    assert light == {}
    assert (dark["accent"], dark["mark"]) == ("#ff80ab", "#ff80ab")


def test_more_contrast_for_those_who_ask(folder: Path) -> None:
    """Under prefers-contrast: more, what is read has the enhanced contrast."""
    css = theme_css(themed(folder, 'colour = "#1f6f8b"'))
    light = shades_of("#1f6f8b", "light")
    assert f"@media (prefers-contrast: more) {{ :root {{ --mark: {light.strong}; }} }}" in css


def test_the_logo_is_beside_the_title_and_the_icon(folder: Path) -> None:
    """The logo is shown, its dark one on dark screens, and it is the icon; both are sent."""
    client = themed(folder, 'logo = "logo.svg"\nlogo_dark = "dark.svg"')
    page = Page(client.get("/").text)
    (logo,) = page.all("img", class_="logo")
    assert (logo.attributes["src"], logo.attributes["alt"]) == ("/files/logo.svg", "")
    (dark,) = page.all("source")
    assert dark.attributes == {"srcset": "/files/dark.svg", "media": "(prefers-color-scheme: dark)"}
    (icon,) = page.all("link", rel="icon")
    assert icon.attributes["href"] == "/files/logo.svg"
    for name in ("logo.svg", "dark.svg"):
        with client.get(f"/files/{name}") as answer:
            assert (answer.status_code, answer.mimetype) == (200, "image/svg+xml")


def test_a_font_of_the_folder_is_sent(folder: Path) -> None:
    """The font is loaded from the folder; text does not wait for it."""
    client = themed(folder, 'font_file = "fonts/own font.woff2"\nfont = "Georgia"')
    css = theme_css(client)
    assert (
        '@font-face { font-family: "podium theme"; src: url("/files/fonts/own%20font.woff2"); '
        "font-display: swap; }"
    ) in css
    assert '--font: "podium theme", Georgia, system-ui, sans-serif;' in css
    with client.get("/files/fonts/own%20font.woff2") as answer:
        assert (answer.status_code, answer.data, answer.mimetype) == (200, b"wOF2", "font/woff2")


def test_what_the_theme_does_not_name_is_not_sent(folder: Path) -> None:
    """A file of the folder that nothing names stays where it is."""
    assert client_of(folder).get("/files/fonts/own%20font.woff2").status_code == 404


@pytest.mark.parametrize("colour", ["#ffe066", "#808080", "#ff0000", "#000000", "#ffffff"])
def test_every_colour_can_be_read(colour: str, folder: Path) -> None:
    """Whatever the maker's colour, the tokens that the page gets have their contrast."""
    both = dark_and_light(theme_css(themed(folder, f'colour = "{colour}"')))
    for scheme, tokens in zip(("light", "dark"), both, strict=True):
        assert worst_contrast(tokens["mark"], scheme) >= READABLE
        assert worst_contrast(tokens["accent-edge"], scheme) >= SEEN
        assert contrast(tokens["on-accent"], tokens["accent"]) >= READABLE
