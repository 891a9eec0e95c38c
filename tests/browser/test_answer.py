"""An answer comes without a new page, with its figures, under the strict policy."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, Request, Route, expect

from tests.browser.conftest import opened
from tests.browser.sound import check_sound
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
    if model == "*":
        page.get_by_role("button", name="Compare all models").click()
        return
    page.select_option("#model", model)
    send(page)


def send(page: Page) -> None:
    """Press the form's button."""
    page.get_by_role("button", name="Predict").click()


HESITANT = {"bill_length_mm": "41.5", "bill_depth_mm": "18.1", "flipper_length_mm": "195",
            "body_mass_g": "3900"}  # fmt: skip


def loaded(requested: list[Request]) -> list[str]:
    """Return which of the figures' libraries were loaded."""
    return [name for one in requested for name in LIBRARIES if one.url.endswith(f"/{name}")]


def test_figures_are_drawn(page: Page, requested: list[Request]) -> None:
    """A stochastic answer shows a mark a pass in each class, and says so to a screen reader."""
    ask(page, "bnn")
    figure = page.locator("[data-figure] svg.marks")
    expect(figure).to_have_count(1)
    expect(page.locator(".tall .drawing")).to_have_attribute(
        "aria-label", re.compile(r"What 100 single answers say .* Gentoo: mean 9\d\.\d%")
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
    page.get_by_text("Histogram").click()
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
    page.get_by_role("button", name="Compare all models").click()
    expect(page.locator(".verdict")).to_have_text("All 4 models say Gentoo.")
    expect(page.locator("#said")).to_have_text("All 4 models say Gentoo.")
    expect(page.locator(".compared tbody th")).to_have_text(
        ["Bayesian neural network", "Random forest", "Decision tree", "Naive Bayes"]
    )


def test_mistakes_come_and_go(bare: Page, penguins_url: str) -> None:
    """A mistake marks its field at once, what was typed stays, and the mark goes with it."""
    bare.goto(penguins_url)
    fill(bare, GENTOO | {"bill_length_mm": ""})
    send(bare)
    field = bare.locator("#field-bill_length_mm")
    alert = bare.locator("#answer [role=alert]")
    expect(alert).to_contain_text("Look at the marked fields")
    expect(alert.get_by_role("link")).to_have_text(["Bill length"])
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(bare.locator("#note-field-bill_length_mm")).to_have_text("Enter a number in mm.")
    expect(bare.locator("#field-body_mass_g")).to_have_value("4950")
    check_sound(bare)
    bare.locator("#field-island input").first.focus()
    alert.get_by_role("link").click()
    expect(field).to_be_focused()
    field.fill("47.5")
    send(bare)
    expect(bare.locator("#answer .label")).to_have_text("Gentoo")
    expect(field).not_to_have_attribute("aria-invalid", "true")
    expect(bare.locator("#help-field-bill_length_mm")).to_contain_text("From the base of the bill")


def test_an_unreachable_server_is_told(bare: Page, penguins_url: str) -> None:
    """When the connection fails, the page says so and lets one try again."""
    bare.goto(penguins_url)
    bare.route(penguins_url, lambda route: route.abort())
    ask(bare, "tree")
    alert = bare.locator("#answer [role=alert]")
    expect(alert).to_contain_text("The server cannot be reached.")
    expect(bare.get_by_role("button", name="Predict")).to_be_enabled()
    expect(bare.locator("#field-bill_length_mm")).to_have_value("47.5")
    check_sound(bare)
    bare.unroute(penguins_url)
    alert.get_by_role("button", name="Try again").click()
    expect(bare.locator("#answer .label")).to_have_text("Gentoo")


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
    drawn = page.get_by_role("img", name=re.compile("What 100 single answers say"))
    expect(drawn).to_be_visible()
    expect(drawn.locator("circle")).to_have_count(300)
    page.get_by_text("Histogram").click()
    expect(page.locator(".multiples svg")).to_have_count(3)
    context.close()


def test_a_hesitant_answer_says_so(page: Page, penguins_url: str) -> None:
    """An unsure model names between what it hesitates, to the eye and to a screen reader."""
    page.goto(penguins_url)
    fill(page, HESITANT)
    page.get_by_role("radio", name="Dream").check()
    page.select_option("#model", "bayes")
    send(page)
    told = "Do not rely on this answer alone: the model hesitates between Adelie and Chinstrap."
    expect(page.locator("#answer .unsure")).to_have_text(told)
    expect(page.locator("#said")).to_have_text(f"Adelie, more likely than not, 60.6%. {told}")
    check_sound(page)


def test_only_the_sentence_is_read_out(page: Page, penguins_url: str) -> None:
    """The panel itself is silent; its first sentence is said, and focus stays on the button."""
    page.goto(penguins_url)
    ask(page, "bnn")
    expect(page.locator("#said")).to_have_text(re.compile(r"^Gentoo, virtually certain, "))
    expect(page.locator("#answer")).not_to_have_attribute("aria-live", "polite")
    expect(page.get_by_role("button", name="Predict")).to_be_focused()
    page.get_by_text("How sure, in numbers").click()
    expect(page.locator("svg.marks").first).to_be_visible()
    check_sound(page)


def test_a_warning_leads_to_its_field(page: Page, penguins_url: str) -> None:
    """The field's name in a warning is a way to the field."""
    page.goto(penguins_url)
    fill(page, GENTOO | {"bill_length_mm": "80"})
    send(page)
    strong = page.locator("#answer .words + .unsure")
    expect(strong).to_contain_text("its percentages cannot be relied on")
    strong.get_by_role("link", name="Bill length").click()
    expect(page.locator("#field-bill_length_mm")).to_be_focused()


def test_a_compared_model_opens(page: Page, penguins_url: str) -> None:
    """A model's name in the comparison brings its full answer, and the menu follows."""
    page.goto(penguins_url)
    ask(page, "*")
    expect(page.locator(".verdict")).to_be_visible()
    check_sound(page)
    page.get_by_role("button", name="Random forest").click()
    expect(page.locator("#answer .origin")).to_contain_text("Random forest")
    expect(page.locator("#model")).to_have_value("forest")
    page.get_by_role("button", name="Back to the comparison").click()
    expect(page.locator(".compared tbody tr")).to_have_count(4)


def test_a_compared_model_opens_without_javascript(plain: Page, penguins_url: str) -> None:
    """With scripts off as well, a model's name brings its full answer to the same input."""
    plain.goto(penguins_url)
    ask(plain, "*")
    plain.get_by_role("button", name="Random forest").click()
    expect(plain.locator("#answer .label")).to_have_text("Gentoo")
    expect(plain.locator("#answer .origin")).to_contain_text("Random forest")
    expect(plain.locator("#model")).to_have_value("forest")


def test_mistakes_without_javascript(browser: Browser, penguins_url: str) -> None:
    """With scripts off, what was typed stays, and the panel leads to each marked field."""
    with opened(browser, may_fail=True, scripts=False) as page:
        page.goto(penguins_url)
        fill(page, GENTOO | {"bill_length_mm": "long", "body_mass_g": "heavy"})
        send(page)
        expect(page.locator("#answer .marked a")).to_have_text(["Bill length", "Body mass"])
        expect(page.locator("#field-bill_length_mm")).to_have_value("long")
        expect(page.locator("#field-flipper_length_mm")).to_have_value("218")


def test_a_long_wait_is_told_and_ends(bare: Page, penguins_url: str) -> None:
    """After three seconds the page says that it is still at work; in the end, that it gave up."""
    bare.clock.install()
    bare.goto(penguins_url)
    held: list[Route] = []
    bare.route(penguins_url, lambda route: held.append(route))
    ask(bare, "tree")
    expect(bare.locator("#answer")).to_have_attribute("aria-busy", "true")
    bare.clock.fast_forward(3100)
    expect(bare.locator("#answer .waiting")).to_have_text("Still working…")
    expect(bare.locator("#said")).to_have_text("Still working…")
    bare.clock.fast_forward(62_000)
    alert = bare.locator("#answer [role=alert]")
    expect(alert).to_contain_text("There was no answer within 65 seconds.")
    expect(bare.locator("#answer .waiting")).to_have_count(0)
    expect(alert.get_by_role("button", name="Try again")).to_be_enabled()
    check_sound(bare)


def test_an_overloaded_server_is_asked_again(bare: Page, penguins_url: str) -> None:
    """The page counts down to when it may be sent again; then the same button does it."""
    bare.clock.install()
    bare.goto(penguins_url)
    busy = """<div class="problem" role="alert"><h2>Try again later</h2><p>Too much at once</p>
      <p><button class="second" form="form" data-retry="5">Try again</button></p></div>"""

    def refuse(route: Route) -> None:
        # The notes of the form, of which each settles by itself, are those of the server.
        given = route.fetch().text()
        body = busy + given[given.index('<p id="note-') :]
        route.fulfill(
            status=503, content_type="text/html", headers={"X-Request-Id": "1"}, body=body
        )

    bare.route(penguins_url, refuse)
    ask(bare, "tree")
    again = bare.locator("#answer [data-retry]")
    expect(again).to_have_text("Try again in 5 s")
    expect(again).to_be_disabled()
    for _ in range(5):
        bare.clock.run_for(1000)
    expect(again).to_have_text("Try again")
    bare.unroute(penguins_url)
    again.click()
    expect(bare.locator("#answer .label")).to_have_text("Gentoo")


def test_an_old_answer_is_marked(page: Page, penguins_url: str) -> None:
    """Beside other values the answer says that it is not for them, until it is again or a new one.

    It holds for what is typed, an example, and another model.
    """
    page.goto(penguins_url)
    ask(page, "tree")
    note = page.locator("#answer .earlier")
    expect(page.locator("#answer .label")).to_have_text("Gentoo")
    expect(note).to_have_count(0)
    page.get_by_label("Bill length", exact=False).first.fill("40")
    expect(note).to_have_text("This answer is for the earlier values.")
    expect(page.locator("#said")).to_have_text("This answer is for the earlier values.")
    check_sound(page)
    page.get_by_label("Bill length", exact=False).first.fill(GENTOO["bill_length_mm"])
    expect(note).to_have_count(0)
    page.select_option("#model", "bayes")
    expect(note).to_be_visible()
    page.select_option("#model", "tree")
    page.locator("a.chip").first.click()
    expect(note).to_be_visible()
    send(page)
    expect(page.locator("#said")).to_contain_text(",")
    expect(note).to_have_count(0)
    page.get_by_role("button", name="Compare all models").click()
    expect(page.locator(".verdict")).to_be_visible()
    page.select_option("#model", "bayes")
    expect(note).to_have_count(0)


def test_an_answer_above_the_window_is_brought_into_view(page: Page, penguins_url: str) -> None:
    """Sent from far below, the answer shows its label."""
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(penguins_url)
    ask(page, "bnn")
    expect(page.locator("#answer svg.marks")).to_be_visible()
    page.evaluate("""() => {
      scrollTo(0, document.body.scrollHeight);
      scrollBy(0, document.getElementById("answer").getBoundingClientRect().top + 200);
    }""")
    expect(page.locator("#answer .label")).not_to_be_in_viewport()
    page.locator("#form").evaluate("(form) => form.requestSubmit()")
    expect(page.locator("#answer .label")).to_be_in_viewport()


def test_figures_that_cannot_be_loaded(bare: Page, penguins_url: str) -> None:
    """Without the libraries the picture that the server has drawn stays."""
    bare.route("**/vega*.js", lambda route: route.abort())
    bare.goto(penguins_url)
    with bare.expect_event("requestfailed"):
        ask(bare, "bnn")
        bare.locator("#answer .figures").scroll_into_view_if_needed()
    expect(bare.locator("#answer svg.drawn")).to_be_visible()
    expect(bare.locator("#answer svg.marks")).to_have_count(0)
    check_sound(bare)


def test_figures_wait_until_they_are_near(page: Page, requested: list[Request]) -> None:
    """What lies far below the view loads nothing until one scrolls to it."""
    page.set_viewport_size({"width": 360, "height": 300})
    page.evaluate("document.getElementById('answer').scrollIntoView = () => undefined")
    ask(page, "bnn")
    expect(page.locator("#said")).to_contain_text("Gentoo")
    # What is near is told with the next frame.
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
    expect(page.locator("script[src*='/vega']")).to_have_count(0)
    page.locator("#answer .figures").scroll_into_view_if_needed()
    expect(page.locator("#answer svg.marks")).to_be_visible()
    assert loaded(requested) == LIBRARIES
