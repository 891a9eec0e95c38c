"""The form is filled by hand, by sliders and by examples; address and calls go along."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import opened
from tests.browser.sound import check_sound
from tests.browser.test_page import GENTOO, fill
from tests.support.apps import SHORT_NOTE
from tests.support.server import running

LABEL = "Length of the beam, measured twice along its longer side"
RANGED: dict[str, object] = {
    "name": "length (m)", "label": LABEL, "unit": "metres of the old measure",
    "range": [-1, 1], "help": "Along its axis",
}  # fmt: skip
PAGES_OWN = [
    "said",
    "share-link",
    "call-curl",
    "elements",
    "querySelectorAll",
    "getAttribute",
    "dataset",
]
"""Ids of the page's parts, and properties of a form that scripts use."""
LONG = ["A choice of many words that fits on no button", "Anotherlongchoicewithoutanyspaces" * 2]


@pytest.fixture(scope="module")
def many_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A page of 60 features: long names, long choices, a thousand choices, a name of the page's."""
    features: list[dict[str, object]] = [
        RANGED,
        {"name": "answer", "kind": "boolean", "optional": True},
        {"name": "long", "kind": "category", "choices": LONG},
        {"name": "many", "kind": "category", "choices": [f"kind {n}" for n in range(1000)]},
        *({"name": name, "optional": True} for name in PAGES_OWN),
        *({"name": f"x{n}", "unit": "mV", "optional": True} for n in range(49)),
    ]
    folder = tmp_path_factory.mktemp("many")
    (folder / "beams.py").write_text("def weigh(rows): return [1.0 for _ in rows]\n")
    head = 'title = "Many"\n[task]\nkind = "regression"\n'
    model = '[[models]]\nname = "a"\npython = "beams:weigh"\n'
    tables = ("".join(f"{k} = {json.dumps(v)}\n" for k, v in one.items()) for one in features)
    (folder / "podium.toml").write_text(
        head + "".join(f"[[features]]\n{one}" for one in tables) + model
    )
    with running(tmp_path_factory.mktemp("state"), "serve", str(folder)) as server:
        yield f"http://127.0.0.1:{server.client.port}/"


def test_a_slider_is_in_step_with_its_number(page: Page, penguins_url: str) -> None:
    """Moving it fills the field, typing moves it, and it stands at its end beyond the range."""
    page.goto(penguins_url)
    slider = page.get_by_role("slider", name="Bill length")
    field = page.get_by_label("Bill length mm")
    expect(field).to_have_value("")
    expect(slider).to_have_class("slider unset")
    slider.press("End")
    expect(field).to_have_value("59.6")
    expect(slider).to_have_class("slider")
    field.fill("40")
    expect(slider).to_have_value("40")
    outside = page.get_by_text("Outside the training range, 32.1 to 59.6")
    expect(outside).to_be_hidden()
    field.fill("80")
    expect(slider).to_have_value("59.6")
    expect(outside).to_be_visible()
    check_sound(page)


def test_a_click_on_the_middle_of_an_empty_slider_counts(page: Page, penguins_url: str) -> None:
    """Where the slider stands already is a choice as well."""
    page.goto(penguins_url)
    page.get_by_role("slider", name="Body mass").click()
    expect(page.locator("#field-body_mass_g")).to_have_value("4380")


def test_no_slider_is_sent_or_shown_without_scripts(plain: Page, penguins_url: str) -> None:
    """Without scripts there is no slider nor copying, and the form is answered as it is."""
    plain.goto(f"{penguins_url}?{'&'.join(f'{k}={v}' for k, v in GENTOO.items())}&island=Biscoe")
    expect(plain.locator(".slider").first).to_be_hidden()
    expect(plain.get_by_role("button", name="Copy")).to_have_count(0)
    plain.get_by_role("button", name="Predict").click()
    expect(plain.locator("#answer .label")).to_have_text("Gentoo")
    expect(plain.get_by_role("radio", name="Biscoe")).to_be_checked()


def test_an_example_fills_in_place_and_the_form_can_be_cleared(
    page: Page, penguins_url: str
) -> None:
    """Nothing is loaded anew, the address says what the form holds, the model stays."""
    page.goto(penguins_url)
    clear = page.get_by_role("link", name="Clear")
    expect(clear).to_be_hidden()
    page.evaluate("window.same = true")
    page.select_option("#model", "tree")
    page.get_by_role("link", name="A Gentoo whose sex is not known").click()
    expect(page.get_by_label("Bill length mm")).to_have_value("44.5")
    expect(page.get_by_role("radio", name="not known")).to_be_checked()
    expect(page.locator("#filled")).to_have_text("Filled in: A Gentoo whose sex is not known")
    expect(page).to_have_url(
        f"{penguins_url}?bill_length_mm=44.5&bill_depth_mm=15.7&flipper_length_mm=217"
        "&body_mass_g=4875&island=Biscoe&model=tree"
    )
    check_sound(page)
    clear.click()
    expect(page).to_have_url(f"{penguins_url}?model=tree")
    expect(page.get_by_label("Bill length mm")).to_be_focused()
    expect(page.locator("#field-island :checked")).to_have_count(0)
    assert page.evaluate("window.same") is True


def test_clear_works_without_scripts(plain: Page, penguins_url: str) -> None:
    """A link leads to the empty form."""
    plain.goto(f"{penguins_url}?bill_length_mm=44.5")
    plain.get_by_role("link", name="Clear").click()
    expect(plain.get_by_label("Bill length mm")).to_have_value("")
    expect(plain.get_by_role("link", name="Clear")).to_have_count(0)


def test_the_address_shows_the_same_form(page: Page, penguins_url: str) -> None:
    """After an answer, the address opens the form as it was left."""
    page.goto(penguins_url)
    fill(page, GENTOO)
    page.get_by_role("radio", name="not known").check()
    page.select_option("#model", "forest")
    page.get_by_role("button", name="Predict").click()
    expect(page.locator("#answer .label")).to_have_text("Gentoo")
    expect(page).to_have_url(re.compile("model=forest"))
    page.reload()
    expect(page.get_by_label("Body mass g")).to_have_value("4950")
    expect(page.get_by_role("radio", name="Biscoe")).to_be_checked()
    expect(page.locator("#model")).to_have_value("forest")
    expect(page.get_by_role("slider", name="Body mass")).to_have_value("4950")


def test_the_first_wrong_field_is_looked_at(bare: Page, penguins_url: str) -> None:
    """All mistakes are told at once, in words, and what was typed stays; on a phone as well."""
    bare.set_viewport_size({"width": 360, "height": 740})
    bare.goto(f"{penguins_url}?island=Mars")
    bare.get_by_label("Bill length mm").fill("1,234")
    bare.get_by_label("Bill depth mm").fill("17,5")
    bare.get_by_role("button", name="Predict").click()
    length = bare.get_by_label("Bill length mm")
    expect(length).to_be_focused()
    expect(length).to_be_in_viewport()
    expect(length).to_have_value("1,234")
    expect(length).to_have_accessible_description(
        "Expected a number in mm; found '1,234'. Write the decimals after a point, "
        "not after a comma. From the base of the bill to its tip (32.1 to 59.6)"
    )
    expect(bare.get_by_label("Bill depth mm")).to_have_value("17.5")
    expect(bare.get_by_label("Bill depth mm")).not_to_have_attribute("aria-invalid", "true")
    expect(bare.locator("#field-island")).to_have_value("Mars")
    expect(bare.locator("#note-field-island")).to_contain_text("found 'Mars'")
    check_sound(bare)


def test_a_choice_that_is_missing_is_marked_and_looked_at(bare: Page, penguins_url: str) -> None:
    """A group of buttons is told as wrong, and its first button has the focus."""
    bare.goto(penguins_url)
    for name, value in GENTOO.items():
        bare.fill(f"#field-{name}", value)
    bare.get_by_role("button", name="Predict").click()
    group = bare.get_by_role("radiogroup", name="Island")
    expect(group).to_have_attribute("aria-invalid", "true")
    expect(bare.get_by_role("radio", name="Biscoe")).to_be_focused()
    check_sound(bare)
    bare.keyboard.press("ArrowRight")
    expect(bare.get_by_role("radio", name="Dream")).to_be_checked()
    bare.keyboard.press("ArrowLeft")
    bare.get_by_role("button", name="Predict").click()
    expect(bare.locator("#answer .label")).to_have_text("Gentoo")
    expect(group).not_to_have_attribute("aria-invalid", "true")


def test_mistakes_without_scripts(browser: Browser, penguins_url: str) -> None:
    """The page that comes back keeps what was typed, marks it, and looks at the first."""
    with opened(browser, may_fail=True, scripts=False) as plain:
        plain.goto(penguins_url)
        fill(plain, GENTOO | {"bill_depth_mm": "17,5"})
        plain.get_by_role("button", name="Predict").click()
        depth = plain.get_by_label("Bill depth mm")
        expect(depth).to_be_focused()
        expect(depth).to_have_value("17,5")
        expect(plain.locator("#note-field-bill_depth_mm")).to_contain_text("not after a comma")


@pytest.mark.parametrize("scripts", ["page", "plain"])
def test_all_models_answer_with_one_click(
    scripts: str, penguins_url: str, request: pytest.FixtureRequest
) -> None:
    """The second button compares, and leaves the chosen model as it is."""
    page: Page = request.getfixturevalue(scripts)
    page.goto(penguins_url)
    fill(page, GENTOO)
    page.select_option("#model", "tree")
    page.get_by_role("button", name="Compare all models").click()
    expect(page.locator(".verdict")).to_contain_text("All 4 models say Gentoo")
    expect(page.locator("#model")).to_have_value("tree")


def test_the_calls_follow_the_form(page: Page, weights_url: str) -> None:
    """What is typed stands in every language, with the visitor's own host and the path prefix."""
    page.goto(f"{weights_url}?material=pine")
    page.get_by_label("length m").fill("2,5")
    page.get_by_role("radio", name="no", exact=True).check()
    code = page.locator("#call-curl")
    expect(code).to_contain_text('"length": 2.5')
    item = '{"length": 2.5, "count": 2, "wet": false, "material": "pine"}'
    assert code.inner_text() == (
        f"curl {weights_url}predict \\\n"
        '  -H "Content-Type: application/json" \\\n'
        f"""  -d '{{"inputs": [{item}]}}'"""
    )
    page.get_by_role("radio", name="Python").check()
    expect(page.locator("#call-python")).to_contain_text('"wet": False,')
    expect(code).to_be_hidden()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#call-javascript")).to_contain_text('"wet": false,')
    check_sound(page)


def test_calls_that_are_not_up_to_date_say_so(bare: Page, penguins_url: str) -> None:
    """They cannot be copied until the server tells them again; an older answer never counts."""
    bare.goto(penguins_url)
    field, copy = bare.get_by_label("Bill length mm"), bare.get_by_role("button", name="Copy")
    bare.route("**/calls", lambda route: route.abort())
    field.fill("40 mm")
    told = bare.get_by_text("These calls could not be brought up to date.")
    expect(told).to_be_visible()
    expect(copy).to_be_disabled()
    check_sound(bare)
    bare.unroute("**/calls")
    field.blur()
    expect(field).to_have_value("40")
    expect(bare.locator("#call-curl")).to_contain_text('"bill_length_mm": 40,')
    expect(told).to_be_hidden()
    expect(copy).to_be_enabled()


def pasted(page: Page) -> str:
    """Return what a visitor finds in the clipboard."""
    page.evaluate("document.body.append(document.createElement('textarea'))")
    area = page.locator("body > textarea")
    area.press("Control+v")
    found = area.input_value()
    area.evaluate("area => area.remove()")
    return found


def test_a_call_is_copied_with_one_click(page: Page, penguins_url: str) -> None:
    """The clipboard holds the code, also where the browser has none for the page."""
    page.goto(penguins_url)
    copy = page.get_by_role("button", name="Copy")
    copy.click()
    expect(page.locator(".call.curl [role=status]")).to_have_text("Copied")
    assert pasted(page) == page.inner_text("#call-curl")
    page.evaluate("Object.defineProperty(Navigator.prototype, 'clipboard', {value: undefined})")
    page.get_by_role("radio", name="JavaScript").check()
    copy.click()
    expect(page.locator(".call.javascript [role=status]")).to_have_text("Copied")
    expect(copy).to_be_focused()
    assert pasted(page) == page.inner_text("#call-javascript")


def test_a_text_is_counted_and_sent_with_the_keyboard(page: Page, notes_url: str) -> None:
    """What is left is said near the limit, and how much is too much; Ctrl+Enter sends."""
    page.goto(notes_url)
    area, left = page.get_by_label("Text"), page.locator(".left")
    area.fill("x" * 8999)
    expect(left).to_be_hidden()
    area.fill("\U0001f600" * 9900)
    expect(left).to_have_text("100 characters left")
    check_sound(page)
    area.fill("x" * 10_003)
    expect(left).to_have_text("3 characters too many")
    area.press("Control+Enter")
    expect(area).to_be_focused()
    expect(page.locator("#answer .empty")).to_be_visible()
    expect(page).to_have_url(notes_url)
    area.fill("short")
    area.press("Control+Enter")
    expect(page.locator("#answer .label")).to_be_visible()
    expect(page).to_have_url(f"{notes_url}?text=short")
    page.get_by_role("link", name="Short").click()
    expect(area).to_have_value(SHORT_NOTE)
    expect(page).to_have_url(re.compile("text=%0AIt"))
    page.reload()
    expect(area).to_have_value(SHORT_NOTE)


@pytest.mark.parametrize("width", [360, 768, 1440])
def test_a_large_form_can_be_read_and_sent(bare: Page, many_url: str, width: int) -> None:
    """Long names and choices stay in their place; where there is room, the button stays in view."""
    bare.set_viewport_size({"width": width, "height": 800})
    bare.goto(many_url)
    assert bare.evaluate("document.documentElement.scrollWidth") == width
    ids = bare.locator("[id]").evaluate_all("all => all.map((one) => one.getAttribute('id'))")
    assert len(ids) == len(set(ids))
    predict = bare.get_by_role("button", name="Predict")
    if width > 360:
        expect(predict).to_be_in_viewport()
    bare.get_by_label("many").fill("kind 1000")
    predict.click()
    expect(bare.get_by_role("textbox", name=LABEL)).to_be_focused()
    expect(bare.locator("#note-field-many")).to_contain_text("Did you mean 'kind 100'?")
    check_sound(bare)
    bare.get_by_role("textbox", name=LABEL).fill("0.5")
    bare.get_by_label("many").fill("kind 999")
    bare.get_by_label("long", exact=True).select_option(LONG[1])
    predict.click()
    expect(bare.locator("#answer .label")).to_have_text("1")
    check_sound(bare)
