"""The page in a maker's colours, on paper, and for those who ask their system for a look."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.sound import check_sound
from tests.support.apps import write_notes
from tests.support.server import running

THEME = """
[theme]
colour = "#ffe066"
colour_dark = "#333333"
logo = "logo.svg"
"""
LOGO = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 160 40"><path d="M0 0h160v40z"/></svg>'
CARD = "## How well\n\n" + "".join(
    f"{12 * cell}|\n" for cell in ("| Column ", "| --- ", "| 12345 ")
)


@pytest.fixture(scope="session")
def themed_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page of an application whose colours no text could have, with a long title and a card."""
    folder = tmp_path_factory.mktemp("themed")
    app = write_notes(folder / "app")
    (app / "logo.svg").write_text(LOGO)
    (app / "card.md").write_text(CARD)
    toml = (app / "podium.toml").read_text()
    toml = toml.replace('"Notes"', f'"Notes on {"very" * 20} long words"')
    toml = toml.replace('python = "sums:crc32"', 'python = "sums:crc32"\ncard = "card.md"')
    (app / "podium.toml").write_text(toml + THEME)
    with running(folder, "serve", str(app)) as server:
        yield f"http://127.0.0.1:{server.client.port}/"


def answered(page: Page, url: str) -> None:
    """Send a text and wait for its answer."""
    page.goto(f"{url}?text=Some+words")
    page.get_by_role("button", name="Predict").click()
    expect(page.locator("#answer .label")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_hard_colours_stay_readable(page: Page, themed_url: str, scheme: str) -> None:
    """Light yellow on white and dark grey on black: nothing that is read falls short."""
    page.emulate_media(color_scheme="light" if scheme == "light" else "dark")
    answered(page, themed_url)
    check_sound(page)


@pytest.mark.parametrize("address", ["models/crc", "nowhere"])
def test_pages_of_a_themed_application(bare: Page, themed_url: str, address: str) -> None:
    """A wide table, a long title and a logo fit on every page."""
    bare.goto(themed_url + address)
    check_sound(bare)


def test_the_keyboard_reaches_the_content_first(page: Page, themed_url: str) -> None:
    """The first stop is a link past the header; it shows itself, and leads into the content."""
    page.goto(themed_url)
    page.keyboard.press("Tab")
    link = page.get_by_role("link", name="To the content")
    expect(link).to_be_focused()
    box = link.bounding_box()
    assert box is not None
    assert box["width"] > 40
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


def test_the_current_place_is_marked(page: Page, themed_url: str) -> None:
    """On the API's page its link in the header is the current one; on the form's it is not."""
    page.goto(themed_url)
    current = page.get_by_role("banner").locator("[aria-current=page]")
    expect(current).to_have_count(0)
    page.get_by_role("banner").get_by_role("link", name="API").click()
    expect(current).to_have_text("API")


def test_paper_shows_values_and_answer_alone(page: Page, themed_url: str) -> None:
    """In print: title, text and answer on white, without buttons, links and calls, dark or not."""
    page.emulate_media(color_scheme="dark")
    answered(page, themed_url)
    page.emulate_media(media="print", color_scheme="dark")
    for shown in ("h1", "#text", "#answer .label"):
        expect(page.locator(shown)).to_be_visible()
    for hidden in ("nav", "button", "#calls", ".cards"):
        assert not any(one.is_visible() for one in page.locator(hidden).all())
    ground = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(ground) == "rgb(255, 255, 255)"


def test_forced_colours_win_over_the_theme(page: Page, themed_url: str) -> None:
    """Where the system forces its colours, the theme's are not used."""
    page.emulate_media(forced_colors="active")
    page.goto(themed_url)
    root = "getComputedStyle(document.documentElement)"
    assert page.evaluate(f"{root}.getPropertyValue('--mark')") == "LinkText"
    check_sound(page)


def test_less_motion(page: Page, themed_url: str) -> None:
    """Under prefers-reduced-motion nothing moves by itself, and the page does not glide."""
    page.emulate_media(reduced_motion="reduce")
    page.goto(themed_url)
    assert page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"
    answered(page, themed_url)
    assert page.evaluate("document.getAnimations().length") == 0
