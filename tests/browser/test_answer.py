"""An answer comes without a new page, with its figures, under the strict policy."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, Request, Route, expect

from tests.browser.test_page import GENTOO, QUERY_IMAGE, expected_digit, fill

LIBRARIES = ["vega.min.js", "vega-lite.min.js", "vega-embed.min.js"]


@pytest.fixture
def requested(page: Page, penguins_url: str) -> list[Request]:
    """What the penguins' page loads, from the moment it is opened."""
    requests: list[Request] = []
    page.on("request", lambda request: requests.append(request))
    page.goto(penguins_url)
    return requests


def ask(page: Page, model: str) -> None:
    """Fill the form and send it to a model."""
    fill(page, GENTOO)
    page.select_option("#model", model)
    page.get_by_role("button", name="Predict").click()


def loaded(requested: list[Request]) -> list[str]:
    """Return which of the figures' libraries were loaded."""
    return [name for one in requested for name in LIBRARIES if one.url.endswith(f"/{name}")]


def test_figures_are_drawn(page: Page, requested: list[Request]) -> None:
    """A stochastic answer shows a mark a pass in each class, and says so to a screen reader."""
    ask(page, "bnn")
    figure = page.locator("[data-figure] svg.marks")
    expect(figure).to_have_count(1)
    expect(page.locator(".tall .drawing")).to_have_attribute(
        "aria-label", re.compile(r"What 100 passes or members say .* Gentoo: mean 9\d\.\d%")
    )
    expect(page.locator(".mark-symbol.role-mark path")).to_have_count(300)
    expect(page.locator(".mark-rule.role-mark line")).to_have_count(3)
    assert loaded(requested) == LIBRARIES
    assert {one.url.split("/")[2] for one in requested} == {page.url.split("/")[2]}


def test_histograms_are_drawn_when_they_are_opened(page: Page, penguins_url: str) -> None:
    """The histograms come with a click, one a class, each with its name."""
    page.goto(penguins_url)
    ask(page, "bnn")
    expect(page.locator("[data-figure] svg.marks")).to_have_count(1)
    page.get_by_text("How many lie where").click()
    expect(page.locator(".multiples svg.marks")).to_have_count(3)
    expect(page.locator(".multiples .role-title-text text")).to_have_text(
        ["Gentoo", "Chinstrap", "Adelie"]
    )


def test_a_value_has_figures(page: Page, weights_url: str) -> None:
    """A regression's figure names target and unit along its axis, under a path prefix as well."""
    page.goto(f"{weights_url}?length=2&count=3&wet=true&material=oak&model=noisy")
    page.get_by_role("button", name="Predict").click()
    expect(page.locator(".mark-symbol.role-mark path")).to_have_count(50)
    expect(page.locator(".tall .role-axis-title text")).to_have_text("weight (kg)")


def test_without_a_figure_nothing_large_is_loaded(page: Page, requested: list[Request]) -> None:
    """Neither the first view nor a single answer loads the figures' libraries."""
    ask(page, "tree")
    expect(page.locator("#answer .label")).to_have_text("Gentoo")
    expect(page.locator("#answer")).not_to_have_attribute("aria-busy", "true")
    assert loaded(requested) == []


def test_figures_follow_the_colours_of_the_page(page: Page, penguins_url: str) -> None:
    """When the visitor's system turns dark, the figure's text turns light."""
    page.emulate_media(color_scheme="light")
    page.goto(penguins_url)
    ask(page, "bnn")
    labels = page.locator(".role-axis-label text", has_text="Gentoo")
    expect(labels).to_have_attribute("fill", "#1a1f26")
    page.emulate_media(color_scheme="dark")
    expect(labels).to_have_attribute("fill", "#e8ecf0")


@pytest.mark.parametrize("width", [360, 768, 1440])
def test_an_answer_fits_the_width(page: Page, penguins_url: str, width: int) -> None:
    """Neither a figure nor a comparison makes the page scroll sideways."""
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(penguins_url)
    ask(page, "bnn")
    expect(page.locator("svg.marks")).to_be_visible()
    figure = page.evaluate("document.documentElement.scrollWidth")
    ask(page, "*")
    expect(page.locator(".verdict")).to_be_visible()
    assert (figure, page.evaluate("document.documentElement.scrollWidth")) == (width, width)


@pytest.mark.parametrize("width", [360, 1440])
def test_a_long_label_leaves_its_bar_its_place(page: Page, penguins_url: str, width: int) -> None:
    """A label that is one long word is broken; a short one takes no more than it needs."""
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(penguins_url)
    ask(page, "tree")
    track = page.locator(".bars td.track").first
    expect(track).to_be_visible()
    before = track.bounding_box()
    assert before is not None
    assert before["width"] > 120
    page.evaluate("document.querySelector('.bars th span').textContent = 'x'.repeat(3000)")
    after = track.bounding_box()
    assert after is not None
    assert 60 < after["width"] < before["width"]
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_an_answer_is_brought_into_view(page: Page, penguins_url: str) -> None:
    """On a phone, where the answer lies below the form, the page moves to it."""
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(penguins_url)
    ask(page, "tree")
    expect(page.locator("#answer .label")).to_be_in_viewport()


def test_the_file_stays_chosen(page: Page, digits_url: str) -> None:
    """After an answer the image can be sent to another model without choosing it again."""
    page.goto(digits_url)
    page.set_input_files("#image", QUERY_IMAGE)
    for model, title in (("vit", "Vision Transformer"), ("mlp", "Multilayer perceptron")):
        page.select_option("#model", model)
        page.get_by_role("button", name="Predict").click()
        expect(page.locator("#answer")).to_contain_text(title)
        expect(page.locator("#answer .label")).to_have_text(expected_digit())
    assert page.evaluate("document.getElementById('image').files[0].name") == QUERY_IMAGE.name


def test_models_side_by_side(page: Page, penguins_url: str) -> None:
    """One choice has every model answer, in a table."""
    page.goto(penguins_url)
    fill(page, GENTOO)
    page.select_option("#model", label="All models, side by side")
    page.get_by_role("button", name="Predict").click()
    expect(page.locator(".verdict")).to_have_text("All 4 models say Gentoo.")
    expect(page.locator(".compared tbody th")).to_have_text(
        ["Bayesian neural network", "Random forest", "Decision tree", "Naive Bayes"]
    )


def test_mistakes_come_and_go(bare: Page, penguins_url: str) -> None:
    """A mistake marks its field at once, what was typed stays, and the mark goes with it."""
    bare.goto(penguins_url)
    bare.evaluate("document.querySelector('form').noValidate = true")
    fill(bare, GENTOO | {"bill_length_mm": ""})
    send = bare.get_by_role("button", name="Predict")
    send.click()
    field = bare.locator("#bill_length_mm")
    expect(bare.locator("#answer [role=alert]")).to_contain_text("Invalid input")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(bare.locator("#note-bill_length_mm")).to_have_text("is missing; expected a number in mm")
    expect(bare.locator("#body_mass_g")).to_have_value("4950")
    field.fill("47.5")
    send.click()
    expect(bare.locator("#answer .label")).to_have_text("Gentoo")
    expect(field).not_to_have_attribute("aria-invalid", "true")
    expect(bare.locator("#note-bill_length_mm")).to_contain_text("From the base of the bill")


def test_an_unreachable_server_is_told(bare: Page, penguins_url: str) -> None:
    """When the connection fails, the page says so and lets one try again."""
    bare.goto(penguins_url)
    bare.route(penguins_url, lambda route: route.abort())
    ask(bare, "tree")
    expect(bare.locator("#answer [role=alert]")).to_contain_text("The server cannot be reached.")
    expect(bare.get_by_role("button", name="Predict")).to_be_enabled()


def test_a_proxys_page_is_not_shown_as_an_answer(bare: Page, penguins_url: str) -> None:
    """An error page of something in between is told by its status."""
    bare.goto(penguins_url)
    bare.route(penguins_url, lambda route: route.fulfill(
        status=502, content_type="text/html", body="<h1>Bad Gateway</h1>"))  # fmt: skip
    ask(bare, "tree")
    alert = bare.locator("#answer [role=alert]")
    expect(alert).to_contain_text("The server answered with status 502.")
    expect(alert).not_to_contain_text("Gateway")


def test_a_wait_is_visible(bare: Page, penguins_url: str) -> None:
    """While an answer is on its way, the button is off and the old answer is marked as busy."""
    held: list[Route] = []
    bare.goto(penguins_url)
    bare.route(penguins_url, lambda route: held.append(route))
    ask(bare, "tree")
    expect(bare.get_by_role("button", name="Predict")).to_be_disabled()
    expect(bare.locator("#answer")).to_have_attribute("aria-busy", "true")
    held[0].continue_()
    expect(bare.locator("#answer .label")).to_have_text("Gentoo")
    expect(bare.get_by_role("button", name="Predict")).to_be_enabled()


def test_comparison_without_javascript(browser: Browser, penguins_url: str) -> None:
    """With scripts off, the models are compared all the same, and no empty figure is shown."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(penguins_url)
    ask(page, "*")
    expect(page.locator(".compared tbody tr")).to_have_count(4)
    ask(page, "bnn")
    expect(page.locator("#answer .bars .interval")).to_have_count(3)
    expect(page.locator(".figures")).to_be_hidden()
    context.close()
