"""A visitor fills the form, drops an image, and reads the answer."""

from __future__ import annotations

import base64
import re
import zlib
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from podium.cli import DEMOS
from tests.support.apps import LONG_NOTE, SHORT_NOTE

QUERY_IMAGE = DEMOS / "digits" / "examples" / "query_image.jpg"

GENTOO = {"bill_length_mm": "47.5", "bill_depth_mm": "15", "flipper_length_mm": "218",
          "body_mass_g": "4950"}  # fmt: skip

DROP = """(zone, file) => {
  const bytes = Uint8Array.from(atob(file.base64), (c) => c.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], file.name, { type: "image/jpeg" }));
  const how = { dataTransfer: transfer, bubbles: true, cancelable: true };
  zone.dispatchEvent(new DragEvent("drop", how));
}"""


def fill(page: Page, values: dict[str, str]) -> None:
    """Type a bird's measures."""
    for name, value in values.items():
        page.fill(f"#field-{name}", value)
    page.get_by_role("radio", name="Biscoe").check()


def test_a_filled_form_is_answered_with_every_class(page: Page, penguins_url: str) -> None:
    """Typing the measures and pressing the button shows label, words and all probabilities."""
    page.goto(penguins_url)
    fill(page, GENTOO)
    page.get_by_role("button", name="Predict").click()
    answer = page.locator("#answer")
    expect(answer.locator(".label")).to_have_text("Gentoo")
    expect(answer.locator(".words")).to_contain_text("virtually certain")
    expect(answer.locator(".bars th")).to_have_text(["Gentoo", "Chinstrap", "Adelie"])
    expect(page.locator("#field-bill_length_mm")).to_have_value("47.5")


def test_the_chosen_model_answers(page: Page, penguins_url: str) -> None:
    """The answer names the model that was picked, and says what it cannot know."""
    page.goto(penguins_url)
    fill(page, GENTOO)
    page.select_option("#model", label="Decision tree")
    page.get_by_role("button", name="Predict").click()
    expect(page.locator("#answer")).to_contain_text("Decision tree")
    epistemic = page.locator(".facts div", has_text="epistemic")
    expect(epistemic).to_contain_text("not known")


def test_a_value_outside_the_training_range_brings_a_warning(page: Page, penguins_url: str) -> None:
    """An answer for an impossible bird says so, with the field's own name."""
    page.goto(penguins_url)
    fill(page, GENTOO | {"bill_length_mm": "80"})
    page.get_by_role("button", name="Predict").click()
    expect(page.locator(".unsure li")).to_have_text(
        re.compile(r"Bill length\s+80 is outside the training range, 32.1 to 59.6")
    )


def test_an_example_fills_the_form(page: Page, penguins_url: str) -> None:
    """Following an example leaves its values in the form."""
    page.goto(penguins_url)
    page.get_by_role("link", name="A typical Gentoo").click()
    expect(page.get_by_role("radio", name="Biscoe")).to_be_checked()
    assert float(page.locator("#field-flipper_length_mm").input_value()) > 200


def test_an_example_keeps_the_chosen_model(page: Page, penguins_url: str) -> None:
    """Following an example leaves the choice of the model as it was."""
    page.goto(penguins_url)
    page.select_option("#model", "tree")
    page.get_by_role("link", name="A typical Gentoo").click()
    expect(page.get_by_role("radio", name="Biscoe")).to_be_checked()
    expect(page.locator("#model")).to_have_value("tree")


@pytest.mark.parametrize(("width", "stacked"), [(360, True), (1440, False)])
def test_menu_and_buttons(page: Page, penguins_url: str, width: int, stacked: bool) -> None:
    """Menu and buttons are equally high; the buttons stand under each other where it is narrow."""
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(penguins_url)
    menu, button, other = (page.locator(one).bounding_box()
                           for one in ("#model", ".predict", ".compare"))  # fmt: skip
    assert menu is not None
    assert button is not None
    assert other is not None
    assert menu["height"] == button["height"] == other["height"]
    assert (other["y"] > button["y"] + button["height"]) is stacked
    assert (button["width"] == menu["width"]) is stacked


def test_a_dropped_image_is_shown_and_answered(page: Page, digits_url: str) -> None:
    """Dropping a file on the image area previews it; the button reads the digit."""
    page.goto(digits_url)
    file = {"name": "digit.jpg", "base64": base64.b64encode(QUERY_IMAGE.read_bytes()).decode()}
    expect(page.locator("#preview")).to_be_hidden()
    page.locator("#drop").evaluate(DROP, file)
    expect(page.locator("#preview")).to_be_visible()
    page.get_by_role("button", name="Predict").click()
    expect(page.locator("#answer .label")).to_have_text(expected_digit())
    expect(page.locator("#preview")).to_have_attribute("src", re.compile("^data:image/png"))


def test_the_page_works_without_javascript(browser: Browser, digits_url: str) -> None:
    """With scripts off, choosing a file and pressing the button gives the answer."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(digits_url)
    page.set_input_files("#image", QUERY_IMAGE)
    page.get_by_role("button", name="Predict").click()
    expect(page.locator("#answer .label")).to_have_text(expected_digit())
    context.close()


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_where_it_looked_is_shown(browser: Browser, digits_url: str, scripts: bool) -> None:
    """With its box ticked, the form brings the picture with a map over it, on a phone as well."""
    context = browser.new_context(
        java_script_enabled=scripts, viewport={"width": 360, "height": 740}
    )
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(digits_url)
    page.set_input_files("#image", QUERY_IMAGE)
    page.get_by_label("Show where it looked").check()
    page.get_by_role("button", name="Predict").click()
    shown = page.get_by_role("img", name="which is strongest at the")
    expect(shown).to_be_visible()
    width, height, left, page_width = shown.evaluate(
        "image => [image.naturalWidth, image.naturalHeight, "
        "image.getBoundingClientRect().left, document.documentElement.scrollWidth]"
    )
    assert (width, height, page_width) == (480, 480, 360)
    assert left > 0
    expect(page.locator("figcaption")).to_contain_text(
        f"Covering the highlighted places lowers the probability of {expected_digit()} most"
    )
    expect(page.get_by_label("Show where it looked")).to_be_checked()
    assert said == []
    context.close()


def test_a_phone_has_no_sideways_scroll(page: Page, penguins_url: str) -> None:
    """At 360 pixels the whole page fits the width."""
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(penguins_url)
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_a_typed_text_is_answered_and_kept(page: Page, notes_url: str) -> None:
    """A text of several lines comes through as it was typed, and stands in the form again."""
    text = "\nIt's <b>good</b> &amp; café 😀\n\n  مرحبا"
    page.goto(notes_url)
    page.get_by_label("Text").fill(text)
    page.get_by_role("button", name="Predict").click()
    expect(page.locator("#answer .label")).to_have_text(f"{zlib.crc32(text.encode()):,}")
    expect(page.get_by_label("Text")).to_have_value(text)


@pytest.mark.parametrize(("title", "text"), [("Short", SHORT_NOTE), ("Long", LONG_NOTE)])
def test_a_text_example_works_without_javascript(
    browser: Browser, notes_url: str, title: str, text: str
) -> None:
    """With scripts off, an example fills the area, and the button answers that very text."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(notes_url)
    page.get_by_role("link", name=title).click()
    assert page.locator("#text").input_value() == text
    page.get_by_role("button", name="Predict").click()
    expect(page.locator("#answer .label")).to_have_text(f"{zlib.crc32(text.encode()):,}")
    context.close()


@pytest.mark.parametrize("width", [360, 1100])
def test_a_text_without_spaces_stays_in_its_area(page: Page, notes_url: str, width: int) -> None:
    """A long word, answered, makes no page scroll sideways, on a phone nor on a desk."""
    page.set_viewport_size({"width": width, "height": 740})
    page.goto(f"{notes_url}?text={'x' * 900}")
    page.get_by_role("button", name="Predict").click()
    expect(page.locator("#answer .label")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == width


def expected_digit() -> str:
    """Return what podium.toml says the query image shows."""
    toml = Path(DEMOS / "digits" / "podium.toml").read_text("utf-8")
    found = re.search(r'query_image\.jpg"\s*\nexpected = "?(\d)', toml)
    assert found is not None
    return found[1]
