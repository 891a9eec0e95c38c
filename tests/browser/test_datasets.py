"""A visitor sends a data set, follows it, and reads how good the models are."""

from __future__ import annotations

import base64
import csv
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from podium.cli import DEMOS
from tests.browser.conftest import opened
from tests.browser.test_page import DROP

PENGUINS = DEMOS / "penguins" / "data" / "penguins.csv"
MODELS = ["Bayesian neural network", "Random forest", "Decision tree", "Naive Bayes"]
DONE = "344 rows scored"
LONG_MS = 60_000


def table(folder: Path, *, times: int = 1, without: str = "") -> Path:
    """Write the penguins several times over, without one of their columns."""
    with PENGUINS.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    names = [name for name in rows[0] if name != without]
    file = folder / "birds.csv"
    with file.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, names, extrasaction="ignore")
        writer.writeheader()
        for _ in range(times):
            writer.writerows(rows)
    return file


def score(page: Page, url: str, file: Path) -> None:
    """Send a data set to the model that is chosen, and press the button."""
    page.goto(f"{url}datasets")
    page.set_input_files("#file", file)
    page.get_by_role("button", name="Score").click()


def finished(page: Page, words: str = DONE) -> None:
    """Wait for what the page says in the end, without loading it again."""
    expect(page.locator("#job .stage")).to_contain_text(words, timeout=LONG_MS)


def heads(page: Page) -> Locator:
    """Return the head of the first table of metrics."""
    return page.locator(".scores").first.locator("thead th")


@pytest.fixture(scope="module")
def followed(browser: Browser, penguins_url: str) -> Iterator[Page]:
    """A page on which the penguins were sent, and followed until all four models had scored them.

    From the first page by its tab; where its results are, `window.same` is true if the page of
    the data set was never loaded again.
    """
    with opened(browser) as page:
        page.goto(penguins_url)
        page.get_by_role("link", name="A whole data set").click()
        page.set_input_files("#file", PENGUINS)
        expect(page.locator("#drop")).to_contain_text("penguins.csv")
        page.get_by_role("button", name="Choose all").click()
        page.get_by_role("button", name="Score").click()
        page.wait_for_url(re.compile(r"/datasets/[0-9a-f]{32}$"))
        page.evaluate("window.same = true")
        finished(page)
        yield page


@pytest.fixture(scope="module")
def scored(followed: Page) -> str:
    """The address of the penguins, scored by all four models."""
    return followed.url


def test_a_data_set_is_sent_and_its_results_appear(followed: Page) -> None:
    """A visitor sends a file to all models, and reads the results without a reload."""
    page = followed
    assert page.evaluate("window.same") is True
    expect(page.locator("#job")).to_have_count(1)
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
    expect(heads(page)).to_have_text(["Right or wrong", *MODELS])
    accuracy = page.locator(".scores tr", has_text="Accuracy").first
    expect(accuracy.locator("td .value")).to_have_count(4)
    expect(page.get_by_role("status")).to_contain_text(DONE)


def test_the_figures_are_drawn(page: Page, scored: str) -> None:
    """The first model's figures are drawn at once, another's when they are opened."""
    page.goto(scored)
    groups = page.locator(".model-figures")
    for place in (0, 1):
        if place:
            groups.nth(place).locator("summary").click()
        figures = groups.nth(place).locator("[data-figure]")
        expect(groups.nth(place).locator("svg.marks")).to_have_count(figures.count())
        assert figures.count() > 4
    expect(groups.nth(2).locator("svg.marks")).to_have_count(0)


def test_the_results_can_be_downloaded(page: Page, scored: str) -> None:
    """CSV, Parquet and report come as files, named after the data set."""
    page.goto(scored)
    names = []
    for link in page.locator(".downloads a").all():
        with page.expect_download() as download:
            link.click()
        names.append(download.value.suggested_filename)
        assert download.value.path().stat().st_size > 1000
    assert names == ["penguins-results.csv", "penguins-results.parquet", "penguins-report.html"]


def test_the_first_rows_begin_with_the_answers(page: Page, scored: str) -> None:
    """The page shows 20 rows; what the first model says stands first."""
    page.goto(scored)
    preview = page.locator(".preview")
    expect(preview.locator("tbody tr")).to_have_count(20)
    expect(preview.locator("thead th").nth(1)).to_have_text("podium_label_bnn")
    expect(preview.locator("tbody tr").first.locator("td").first).to_have_text("Adelie")
    reason = preview.locator("tbody tr").nth(3).locator("td").first
    expect(reason).to_contain_text("is missing")
    assert int(reason.get_attribute("colspan") or 1) > 8


def test_the_columns_are_looked_at_first(page: Page, penguins_url: str) -> None:
    """Before it is scored one sees what each column is taken for, and starts it."""
    page.goto(f"{penguins_url}datasets")
    page.set_input_files("#file", PENGUINS)
    page.get_by_role("button", name="Check the file first").click()
    finished(page, "Ready to be scored")
    row = page.locator(".columns-taken tr", has_text="bill_length_mm")
    expect(row.locator("td")).to_have_text(re.compile(r"Bill length\s+in mm"))
    expect(page.locator(".columns-taken tr", has_text="species").locator("td")).to_contain_text(
        "the answers"
    )
    page.get_by_role("button", name="Score 344 rows").click()
    finished(page)


def test_without_answers_they_are_counted(page: Page, penguins_url: str, tmp_path: Path) -> None:
    """A file without the target's column shows counts, and what the column would bring."""
    score(page, penguins_url, table(tmp_path, without="species"))
    finished(page)
    expect(page.locator(".scores tbody th")).to_have_text(["Adelie", "Chinstrap", "Gentoo"])
    expect(page.locator(".untold")).to_contain_text("nothing says which answers are right")


def test_a_missing_column_is_named(page: Page, penguins_url: str, tmp_path: Path) -> None:
    """What is wrong with the file is told on its page, with the way to send a better one."""
    score(page, penguins_url, table(tmp_path, without="bill_depth_mm"))
    finished(page, "Not scored")
    expect(page.locator(".reason")).to_contain_text("bill_depth_mm: there is no such column")
    page.get_by_role("link", name="Send a corrected file").click()
    expect(page.locator("#upload")).to_be_visible()


def test_an_empty_file_is_refused_in_the_form(
    bare: Page, penguins_url: str, tmp_path: Path
) -> None:
    """The server's reason stands in the form, which keeps what was chosen."""
    empty = tmp_path / "nothing.csv"
    empty.touch()
    bare.goto(f"{penguins_url}datasets")
    bare.get_by_label("Decision tree").check()
    bare.set_input_files("#file", empty)
    bare.get_by_role("button", name="Score").click()
    expect(bare.get_by_role("alert")).to_contain_text(
        "The file is empty: there is nothing to score"
    )
    expect(bare.get_by_label("Decision tree")).to_be_checked()
    expect(bare.get_by_role("button", name="Score")).to_be_enabled()


def test_a_file_over_the_limit_is_not_sent(page: Page, penguins_url: str) -> None:
    """The browser knows the limit, and tells it before gigabytes are sent for nothing."""
    page.route("**/upload.js", _with_small_limit)
    page.goto(f"{penguins_url}datasets")
    page.set_input_files("#file", PENGUINS)
    page.get_by_role("button", name="Score").click()
    expect(page.get_by_role("alert")).to_contain_text("penguins.csv has 15 kB; at most 2 GB")
    expect(page).to_have_url(f"{penguins_url}datasets")


def _with_small_limit(route: Route) -> None:
    script = route.fetch().text()
    route.fulfill(
        body=script.replace("Number(form.dataset.limit)", "1000"), content_type="text/javascript"
    )


def test_a_busy_server_says_when_to_try_again(bare: Page, penguins_url: str) -> None:
    """A refusal for the moment is told with the time to wait."""
    bare.goto(f"{penguins_url}datasets")
    bare.route("**/datasets", lambda route: route.fulfill(
        status=503, headers={"Retry-After": "10"}, content_type="application/problem+json",
        body='{"title": "Overloaded", "status": 503, "detail": "Too many are being sent"}',
    ))  # fmt: skip
    bare.set_input_files("#file", PENGUINS)
    bare.get_by_role("button", name="Score").click()
    alert = bare.get_by_role("alert")
    expect(alert).to_contain_text("Overloaded")
    expect(alert).to_contain_text("Too many are being sent")
    expect(alert).to_contain_text("Try again in 10 s")


def test_sending_can_be_stopped(page: Page, penguins_url: str) -> None:
    """While a file is sent one sees how much of it, and can stop; the form is as before."""
    page.goto(f"{penguins_url}datasets")
    page.route("**/datasets", lambda _: None)  # never answered
    page.set_input_files("#file", PENGUINS)
    page.get_by_role("button", name="Score").click()
    expect(page.locator("#sending")).to_contain_text("Being sent")
    expect(page.get_by_role("button", name="Score")).to_be_disabled()
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#sending")).to_be_hidden()
    expect(page.get_by_role("button", name="Score")).to_be_enabled()


def test_a_running_data_set_is_cancelled(page: Page, penguins_url: str, tmp_path: Path) -> None:
    """Progress is shown with rate and time left; cancelled, and removed, it is gone."""
    score(page, penguins_url, table(tmp_path, times=600))
    expect(page.locator("#progress .rate")).to_have_text(
        re.compile(r"at [\d.,]+ a second, (about \d+ (s|min)|a few seconds) left"), timeout=LONG_MS
    )
    expect(page.locator("#progress .words")).to_have_text(re.compile(r"^[\d,]+ of 206,400 rows"))
    page.get_by_role("button", name="Cancel").click()
    finished(page, "Cancelled")
    address = page.url
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Remove it").click()
    page.wait_for_url(f"{penguins_url}datasets")
    assert page.request.get(address).status == 404


def test_going_back_to_a_removed_data_set(bare: Page, scored: str, penguins_url: str) -> None:
    """The browser's picture of how it was gives way to the words that it was removed."""
    bare.goto(scored)
    bare.route("**/datasets/*", lambda route: route.continue_(url=f"{scored[:-32]}{'0' * 32}"))
    bare.goto(f"{penguins_url}datasets")
    bare.go_back()
    expect(bare.locator(".problem")).to_contain_text("It may have been removed")


def test_a_data_set_that_is_removed_meanwhile(
    bare: Page, penguins_url: str, tmp_path: Path
) -> None:
    """A page that follows it says so, and offers nothing that cannot be done any more."""
    score(bare, penguins_url, table(tmp_path, times=100))
    expect(bare.get_by_role("button", name="Cancel")).to_be_visible()
    address = bare.url
    bare.route("**/datasets/*", lambda route: route.continue_(url=f"{address[:-32]}{'0' * 32}"))
    expect(bare.locator(".problem")).to_contain_text("It may have been removed")
    expect(bare.get_by_role("button")).to_have_count(0)
    bare.unroute_all(behavior="ignoreErrors")
    assert bare.request.delete(address).status in (200, 204)


def test_the_keyboard_goes_on_from_the_heading(page: Page, penguins_url: str) -> None:
    """Who has sent a file is on the heading of its page, not before all links."""
    page.goto(f"{penguins_url}datasets")
    page.set_input_files("#file", PENGUINS)
    page.get_by_role("button", name="Check the file first").press("Enter")
    expect(page.locator("h1.file")).to_be_focused()


def test_one_model_at_least(page: Page, penguins_url: str) -> None:
    """Where none is checked, nothing is sent and the form says why."""
    page.goto(f"{penguins_url}datasets")
    page.set_input_files("#file", PENGUINS)
    page.get_by_label(MODELS[0]).uncheck()
    page.get_by_role("button", name="Score").click()
    expect(page.get_by_role("alert")).to_contain_text("Choose at least one")
    expect(page).to_have_url(f"{penguins_url}datasets")


def test_a_removed_data_set_is_told_of(bare: Page, penguins_url: str) -> None:
    """An address that holds nothing any more says so in words."""
    bare.goto(f"{penguins_url}datasets/{'0' * 32}")
    expect(bare.locator(".problem")).to_contain_text("data set")
    expect(bare.get_by_role("link", name="To the page")).to_be_visible()


def test_a_dropped_file_and_the_example_are_taken(page: Page, penguins_url: str) -> None:
    """A file dropped on the zone is chosen, and so is the data set that is offered."""
    page.goto(f"{penguins_url}datasets")
    body = base64.b64encode(b"a,b\n1,2\n").decode()
    page.locator("#drop").evaluate(DROP, {"name": "dropped.csv", "base64": body})
    expect(page.locator("#drop")).to_contain_text("dropped.csv 8 B")
    page.get_by_role("link", name="Available data set").click()
    expect(page.locator("#drop")).to_contain_text("penguins.csv 15 kB")
    assert page.evaluate("document.querySelector('#file').files[0].size") == PENGUINS.stat().st_size


def test_the_template_has_the_columns(page: Page, penguins_url: str) -> None:
    """The empty table holds the header that the file needs."""
    page.goto(f"{penguins_url}datasets")
    with page.expect_download() as download:
        page.get_by_role("link", name="An empty table").click()
    assert download.value.path().read_text().splitlines() == [
        "bill_length_mm,bill_depth_mm,flipper_length_mm,body_mass_g,island,sex,species"
    ]


def test_it_works_without_javascript(browser: Browser, penguins_url: str) -> None:
    """With scripts off, the form is sent, the page asks again by itself, and shows the results."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{penguins_url}datasets")
    page.set_input_files("#file", PENGUINS)
    page.get_by_label("Decision tree").check()
    page.get_by_role("button", name="Score").click()
    finished(page)
    expect(heads(page)).to_have_text(["Right or wrong", MODELS[0], MODELS[2]])
    page.get_by_role("button", name="Remove it").click()
    expect(page.locator("#upload")).to_be_visible()
    context.close()


def test_names_fit_into_narrow_figures(page: Page, scored: str) -> None:
    """On a small telephone no label is cut, and none touches another."""
    page.set_viewport_size({"width": 320, "height": 800})
    page.goto(scored)
    for name in ("metrics", "confusion", "spread"):
        figure = page.locator(f"figure[data-name={name}]").first
        expect(figure.locator("svg.marks")).to_be_visible()
        edge = figure.bounding_box()
        assert edge is not None
        for text in figure.locator(".role-legend-label text, .role-axis-label text").all():
            box = text.bounding_box()
            assert box is not None
            assert edge["x"] <= box["x"] + 0.5
            assert box["x"] + box["width"] <= edge["x"] + edge["width"] + 0.5
    predicted = page.locator("figure[data-name=confusion]").first.locator("text[transform*=rotate]")
    assert {"Adelie", "Chinstrap", "Gentoo"} <= set(predicted.all_text_contents())


def test_the_pages_fit_the_width(page: Page, scored: str, penguins_url: str) -> None:
    """Neither the form nor results with figures of all models scroll sideways."""
    page.set_viewport_size({"width": 360, "height": 800})
    page.goto(f"{penguins_url}datasets")
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    page.goto(scored)
    expect(page.locator(".model-figures[open] svg.marks").first).to_be_visible()
    for group in page.locator(".model-figures summary").all()[1:]:
        group.click()
    last = page.locator(".model-figures").last
    expect(last.locator("svg.marks")).to_have_count(
        last.locator("[data-figure]").count(), timeout=LONG_MS
    )
    for width in (360, 768, 1440):
        page.set_viewport_size({"width": width, "height": 800})
        page.wait_for_function("width => document.documentElement.scrollWidth === width", arg=width)
