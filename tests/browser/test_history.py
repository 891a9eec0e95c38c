"""A visitor sends the link of an answer to a colleague, who sees it as it was given."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from podium.cli import DEMOS
from tests.browser.conftest import opened
from tests.browser.sound import check_sound
from tests.browser.test_page import GENTOO, fill
from tests.support.apps import write_colours
from tests.support.client import Client, Upload
from tests.support.pictures import RED, png
from tests.support.server import Server, running

HISTORY = "\n[history]\non = true\n"


def served(folder: Path, app: Path) -> Iterator[Server]:
    """Serve an application that keeps its answers."""
    with (app / "podium.toml").open("a") as spec:
        spec.write(HISTORY)
    with running(folder, "serve", str(app)) as server:
        yield server


@pytest.fixture(scope="module")
def penguins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Return a client of the penguins, whose answers are kept."""
    folder = tmp_path_factory.mktemp("history")
    shutil.copytree(DEMOS / "penguins", folder / "app")
    yield from (server.client for server in served(folder, folder / "app"))


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Return a client of an application of images, whose answers are kept."""
    folder = tmp_path_factory.mktemp("history")
    yield from (server.client for server in served(folder, write_colours(folder / "app")))


def address(client: Client, path: str = "/") -> str:
    """Return the address of a server's page."""
    return f"http://127.0.0.1:{client.port}{path}"


def ask(page: Page, client: Client, button: str = "Predict") -> str:
    """Send the form; return the link to its answer."""
    page.goto(address(client))
    fill(page, GENTOO)
    page.get_by_role("button", name=button, exact=True).click()
    link = page.get_by_label("Link to this answer")
    expect(link).to_have_value(re.compile(rf"^{address(client, '/answers/')}[0-9a-f]{{32}}$"))
    return link.input_value()


def pasted(page: Page) -> str:
    """Return what the clipboard holds, as another page gets it."""
    other = page.context.new_page()
    other.set_content("<textarea autofocus></textarea>")
    other.locator("textarea").press("Control+V")
    text = other.locator("textarea").input_value()
    other.close()
    return text


@pytest.mark.parametrize("clipboard", [True, False])
def test_link_is_copied(page: Page, penguins: Client, clipboard: bool) -> None:
    """One click copies the link, also where a page over plain HTTP has no clipboard of its own."""
    if not clipboard:
        page.add_init_script("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    link = ask(page, penguins)
    page.locator(".share").get_by_role("button", name="Copy").click()
    expect(page.locator(".share [role=status]")).to_have_text("Copied")
    assert pasted(page) == link


def test_colleague_sees_the_answer_and_it_can_be_deleted(
    browser: Browser, page: Page, bare: Page, penguins: Client
) -> None:
    """From the answer to its link, a browser that knows nothing of it, deleting, and the end."""
    link = ask(page, penguins)
    label, percent = (page.locator(f"#answer {one}") for one in (".label", ".words .percent"))
    given = label.inner_text(), percent.inner_text()
    check_sound(page)
    with opened(browser) as other:
        other.goto(link)
        answer = other.locator("#answer")
        expect(answer.locator(".kept")).to_contain_text(
            re.compile(r"Answered on \d+ \w+ \d{4}, \d\d:\d\d UTC by Bayesian neural network, ")
        )
        assert (answer.locator(".label").inner_text(),
                answer.locator(".words .percent").inner_text()) == given  # fmt: skip
        expect(other.locator("#field-bill_length_mm")).to_have_value("47.5")
        expect(answer.locator("[data-figure] svg.marks").first).to_be_visible()
        check_sound(other)
        other.get_by_text("Delete this link").click()
        check_sound(other)
        other.get_by_role("button", name="Delete for good").click()
        expect(other.get_by_role("heading", level=1)).to_have_text("Link deleted")
        check_sound(other)
    bare.goto(link)
    expect(bare.locator(".notice")).to_contain_text("It was deleted, or its time is over")
    check_sound(bare)


def test_kept_answer_is_asked_again(page: Page, penguins: Client) -> None:
    """The models of today answer in the same place, and their answer has a link of its own."""
    link = ask(page, penguins)
    page.goto(link)
    page.get_by_role("button", name="Predict again").click()
    expect(page.locator(".kept")).to_have_count(0)
    expect(page.locator("#answer .label")).to_have_text("Gentoo")
    assert page.get_by_label("Link to this answer").input_value() != link


def test_kept_answer_that_is_asked_again_may_fail(bare: Page, colours: Client) -> None:
    """After a failure trying again sends what was kept, with its picture, which the form lacks."""
    bare.goto(address(colours))
    bare.set_input_files("#image", {"name": "a.png", "mimeType": "image/png", "buffer": png(RED)})
    bare.get_by_role("button", name="Predict", exact=True).click()
    bare.clock.install()
    bare.goto(bare.get_by_label("Link to this answer").input_value())
    held: list[Route] = []
    bare.route("**/again", lambda route: held.append(route))
    bare.get_by_role("button", name="Predict again").click()
    expect(bare.locator("#answer")).to_have_attribute("aria-busy", "true")
    bare.clock.fast_forward(600_000)
    alert = bare.locator("#answer [role=alert]")
    expect(alert).to_contain_text("There was no answer within")
    bare.unroute("**/again")
    alert.get_by_role("button", name="Predict again").click()
    expect(bare.locator("#answer .label")).to_be_visible()
    expect(bare.locator("#answer .problem")).to_have_count(0)


def test_comparison_has_a_link(browser: Browser, page: Page, penguins: Client) -> None:
    """The answers of all models have one link, which shows them side by side."""
    link = ask(page, penguins, "Compare all models")
    verdict = page.locator(".verdict").inner_text()
    with opened(browser) as other:
        other.goto(link)
        assert other.locator(".verdict").inner_text() == verdict
        expect(other.locator(".compared tbody tr")).to_have_count(4)
        check_sound(other)


def test_without_scripts(plain: Page, penguins: Client) -> None:
    """Without JavaScript the link is there to be copied, leads to the answer and is deleted."""
    link = ask(plain, penguins)
    expect(plain.locator(".share").get_by_role("button", name="Copy")).to_have_count(0)
    plain.goto(link)
    expect(plain.locator("#answer .label")).to_have_text("Gentoo")
    plain.get_by_role("button", name="Predict again").click()
    expect(plain.locator("#answer .label")).to_have_text("Gentoo")
    plain.goto(link)
    plain.get_by_text("Delete this link").click()
    plain.get_by_role("button", name="Delete for good").click()
    expect(plain.get_by_role("heading", level=1)).to_have_text("Link deleted")
    assert penguins.get(link.removeprefix(address(penguins, ""))).status == 404


def test_picture_is_in_the_link(browser: Browser, page: Page, colours: Client) -> None:
    """The picture that was answered for is shown again, and can be asked again by itself."""
    page.goto(address(colours))
    page.set_input_files("#image", {"name": "a.png", "mimeType": "image/png", "buffer": png(RED)})
    page.get_by_role("button", name="Predict", exact=True).click()
    link = page.get_by_label("Link to this answer").input_value()
    with opened(browser) as other:
        other.goto(link)
        source = other.locator(".asked").get_attribute("src") or ""
        assert source.startswith("data:image/png;base64,")
        other.get_by_text("Ask about another image").click()
        expect(other.locator("#preview")).to_be_hidden()
        check_sound(other)
        expect(other.locator(".earlier")).to_have_count(0)
        other.get_by_role("button", name="Predict again").click()
        expect(other.locator(".kept")).to_have_count(0)
        expect(other.locator("#answer .label")).to_be_visible()


def test_data_set_has_a_link(browser: Browser, page: Page, penguins: Client) -> None:
    """The page of a scored data set shows its link, which opens it anywhere."""
    body = (DEMOS / "penguins" / "data" / "held_out.csv").read_bytes()
    sent = penguins.submit("/datasets?models=tree", (), [Upload("file", body, "a.csv", "text/csv")])
    page.goto(address(penguins, sent.headers["Location"]))
    link = page.get_by_label("Link to this data set")
    expect(link).to_have_value(page.url, timeout=40_000)
    page.locator(".share").get_by_role("button", name="Copy").click()
    assert pasted(page) == page.url
    check_sound(page)
    with opened(browser) as other:
        other.goto(page.url)
        expect(other.locator(".stage")).to_have_text("All 103 rows scored")
