"""A visitor fills the form, drops an image, and reads the answer."""

from __future__ import annotations

import base64
import re
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from podium.cli import DEMOS

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
        page.fill(f"#{name}", value)
    page.select_option("#island", "Biscoe")


def test_a_filled_form_is_answered_with_every_class(page: Page, penguins_url: str) -> None:
    """Typing the measures and pressing the button shows label, words and all probabilities."""
    page.goto(penguins_url)
    fill(page, GENTOO)
    page.get_by_role("button", name="Predict").click()
    answer = page.locator("#answer")
    expect(answer.locator(".label")).to_have_text("Gentoo")
    expect(answer.locator(".words")).to_contain_text("virtually certain")
    expect(answer.locator(".bars th")).to_have_text(["Gentoo", "Chinstrap", "Adelie"])
    expect(page.locator("#bill_length_mm")).to_have_value("47.5")


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
    expect(page.locator(".warning")).to_have_text(
        re.compile(r"Bill length\s+80 is outside the training range, 32.1 to 59.6")
    )


def test_an_example_fills_the_form(page: Page, penguins_url: str) -> None:
    """Following an example leaves its values in the form."""
    page.goto(penguins_url)
    page.get_by_role("link", name="A typical Gentoo").click()
    assert page.locator("#island").input_value() == "Biscoe"
    assert float(page.locator("#flipper_length_mm").input_value()) > 200


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


def test_a_phone_has_no_sideways_scroll(page: Page, penguins_url: str) -> None:
    """At 360 pixels the whole page fits the width."""
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(penguins_url)
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def expected_digit() -> str:
    """Return what podium.toml says the query image shows."""
    toml = Path(DEMOS / "digits" / "podium.toml").read_text("utf-8")
    found = re.search(r'query_image\.jpg"\s*\nexpected = "?(\d)', toml)
    assert found is not None
    return found[1]
