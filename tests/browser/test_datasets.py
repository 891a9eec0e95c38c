"""A visitor sends a data set, follows it, and reads how good the models are."""

from __future__ import annotations

import base64
import csv
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import pytest
from playwright.sync_api import Browser, FilePayload, Locator, Page, Route, expect

from podium.cli import DEMOS
from tests.browser.conftest import opened
from tests.browser.sound import check_sound
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
    expect(page.locator("#said")).to_contain_text(DONE)


def test_the_figures_are_drawn(page: Page, scored: str) -> None:
    """The first model's are drawn though nobody scrolls to them, another's when they are opened."""
    page.goto(scored)
    groups = page.locator(".model-figures")
    for place in (0, 1):
        if place:
            groups.nth(place).locator("> summary").click()
            groups.nth(place).locator("[data-figure]").first.scroll_into_view_if_needed()
        figures = groups.nth(place).locator("[data-figure]")
        expect(groups.nth(place).locator("svg.marks")).to_have_count(figures.count())
        assert figures.count() > 4
    expect(groups.nth(2).locator("svg.marks")).to_have_count(0)


def test_figures_that_are_not_drawn_are_printed_as_numbers(bare: Page, scored: str) -> None:
    """Paper has no hole where a figure is missing, but its table."""
    bare.route("**/vega*", lambda route: route.abort())
    bare.goto(scored)
    bare.emulate_media(media="print")
    figure = bare.locator("#figures figure").first
    expect(figure.locator(".figure")).to_be_hidden()
    expect(figure.locator(".numbers table")).to_be_visible()


@pytest.mark.parametrize("width", [360, 768])
def test_an_answer_stays_beside_what_it_is_for(page: Page, scored: str, width: int) -> None:
    """Scrolled sideways, the table of rows keeps each row's answer in sight."""
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(scored)
    rows = page.locator("#rows")
    cells = rows.locator("tbody tr").first.locator("td")
    cells.first.scroll_into_view_if_needed()
    rows.locator(".scroll").evaluate("element => { element.scrollLeft = element.scrollWidth; }")
    expect(cells.last).to_be_in_viewport()
    expect(cells.first).to_be_in_viewport()
    expect(cells.nth(1)).not_to_be_in_viewport()


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


def test_the_rows_are_chosen_and_sorted(page: Page, scored: str) -> None:
    """The wrong answers of a model are two clicks away, sorted by a third; a link shows the same.

    The page is never loaded again, and the focus stays where it was.
    """
    page.goto(scored)
    page.evaluate("window.same = true")
    rows = page.locator("#rows")
    expect(rows.locator("tbody tr")).to_have_count(50)
    failed = rows.locator("tbody tr").nth(3)
    expect(failed.locator("td").first).to_have_text("no answer")
    expect(failed.locator("td").last).to_contain_text("is missing")
    rows.get_by_role("link", name="Decision tree").click()
    expect(rows.locator(".views.small [aria-current]")).to_have_text("Decision tree")
    rows.get_by_role("link", name="Wrong answers").click()
    expect(rows.locator("tbody tr")).to_have_count(13)
    expect(rows.locator(".tag.wrong")).to_have_text(["wrong"] * 13)
    rows.get_by_role("link", name="bill_length_mm", exact=True).click()
    expect(page).to_have_url(f"{scored}?rows=wrong&model=tree&sort=c1#rows")
    expect(rows.locator("[aria-sort=ascending]")).to_contain_text("bill_length_mm")
    assert page.evaluate("[window.same, document.activeElement.id]") == [True, "sort-c1"]
    expect(page.locator("#said")).to_contain_text("Sorted by bill_length_mm, the smallest first.")
    shown = rows.locator("tbody").inner_text()
    check_sound(page)
    page.goto(page.url)
    assert rows.locator("tbody").inner_text() == shown


def test_back_goes_through_the_views_of_the_rows(page: Page, scored: str) -> None:
    """Each view is a step of the history, back to the page as it was, and forward again."""
    page.goto(scored)
    page.evaluate("window.same = true")
    rows, current = page.locator("#rows"), page.locator("#rows .views:not(.small) [aria-current]")
    rows.get_by_role("link", name="Least sure first").click()
    expect(current).to_have_text("Least sure first")
    rows.get_by_role("link", name="Models disagree").click()
    expect(current).to_contain_text("Models disagree")
    heads = rows.locator("thead th")
    expect(heads.nth(1)).to_have_text(f"Answer {MODELS[0]}")
    expect(heads.nth(4)).to_have_text(f"Answer {MODELS[3]}")
    check_sound(page)
    for back, words in ((True, "Least sure first"), (True, "First rows"),
                        (False, "Least sure first")):  # fmt: skip
        page.evaluate(f"history.{'back' if back else 'forward'}()")
        expect(current).to_have_text(words)
    expect(page).to_have_url(re.compile(r"\?rows=unsure&model=\w+#rows$"))
    rows.get_by_role("link", name="First rows").click()
    expect(current).to_have_text("First rows")
    page.evaluate("history.back()")
    expect(current).to_have_text("Least sure first")
    assert page.evaluate("window.same") is True


def test_rows_page_by_page_without_javascript(plain: Page, scored: str) -> None:
    """Without scripts the least sure rows are links away, page by page, and as a file."""
    plain.goto(scored)
    rows = plain.locator("#rows")
    rows.get_by_role("link", name="Least sure first").click()
    expect(rows).to_contain_text("1 to 50 of 342. Sorted by the probability of the answer")
    rows.get_by_role("link", name="Later").click()
    expect(rows).to_contain_text("51 to 100 of 342")
    rows.get_by_role("link", name="Earlier").click()
    with plain.expect_download() as download:
        rows.get_by_role("link", name="These rows as CSV").click()
    assert download.value.suggested_filename == "penguins-unsure.csv"
    assert len(download.value.path().read_text().splitlines()) == 343


def test_figures_have_their_numbers(plain: Page, scored: str) -> None:
    """Without scripts a table tells what a figure would show."""
    plain.goto(scored)
    figure = plain.locator("figure[data-name=confusion]").first
    figure.get_by_text("The numbers").click()
    expect(figure.locator("tbody tr").nth(1)).to_contain_text("Chinstrap")
    expect(figure.locator("tbody tr").nth(1).locator("td")).to_have_text(["1", "67", "0"])


def test_the_columns_are_looked_at_first(page: Page, penguins_url: str) -> None:
    """Before it is scored one sees how columns and rows are understood, and starts it."""
    page.goto(f"{penguins_url}datasets")
    page.set_input_files("#file", PENGUINS)
    page.get_by_role("button", name="Check the file").click()
    finished(page, "Ready to be scored")
    heads = page.locator(".understood thead th")
    expect(heads.filter(has_text="bill_length_mm")).to_contain_text("Bill length in mm")
    expect(heads.filter(has_text="species")).to_contain_text("the true answers")
    expect(heads.filter(has_text="year")).to_contain_text("kept as it is")
    expect(page.locator(".understood tbody tr").first).to_contain_text("39.1")
    expect(page.locator(".warning")).to_contain_text("2 rows cannot be scored as they are")
    reason = page.locator(".warning li")
    expect(reason).to_have_count(1)
    expect(reason).to_contain_text("bill_length_mm: is missing")
    expect(reason.locator(".where")).to_have_text("2 rows: 4, 272")
    check_sound(page)
    page.get_by_role("button", name="Score the other 342 rows").click()
    finished(page)


def test_a_column_that_may_be_left_out(page: Page, penguins_url: str, tmp_path: Path) -> None:
    """A file without an optional column is taken, and the page says what is not known."""
    page.goto(f"{penguins_url}datasets")
    page.set_input_files("#file", table(tmp_path, without="sex"))
    page.get_by_role("button", name="Check the file").click()
    finished(page, "Ready to be scored")
    expect(page.locator(".noted")).to_contain_text(
        "There is no column sex, which may be left out: it is unknown in every row."
    )
    expect(page.get_by_role("button", name="Score the other 342 rows")).to_be_visible()


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


def test_a_poll_that_changes_nothing(page: Page, penguins_url: str, tmp_path: Path) -> None:
    """What a waiting data set's page has already is not sent again; the page stays as it is."""
    rows = table(tmp_path, times=600).read_bytes()
    file: FilePayload = {"name": "birds.csv", "mimeType": "text/csv", "buffer": rows}
    sent = page.request.post(f"{penguins_url}datasets", multipart={"file": file})
    before = sent.headers["location"]
    score(page, penguins_url, table(tmp_path))
    with page.expect_response(lambda answer: answer.status == 304, timeout=LONG_MS) as same:
        pass
    assert same.value.request.headers["if-none-match"].startswith(('"', "W/"))
    expect(page.locator("#progress")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    finished(page, "Cancelled")
    check_sound(page)
    page.request.delete(urljoin(penguins_url, before))


def test_a_server_that_is_away_for_a_while(
    bare: Page, penguins_url: str, tmp_path: Path
) -> None:  # fmt: skip
    """The page says that it goes on asking, and goes on by itself; so it does after a sleep."""
    score(bare, penguins_url, table(tmp_path, times=20))
    expect(bare.locator("#progress")).to_be_visible()
    bare.route("**/datasets/*", lambda route: route.abort())
    expect(bare.locator("#progress .rate")).to_contain_text("this page goes on asking")
    check_sound(bare)
    bare.unroute_all(behavior="ignoreErrors")
    finished(bare, "6,840 of 6,880 rows scored")


def test_a_page_that_is_closed(browser: Browser, penguins_url: str, tmp_path: Path) -> None:
    """The work goes on without the page; at its address one reads where it stands."""
    with opened(browser) as first:
        score(first, penguins_url, table(tmp_path, times=20))
        expect(first.locator("#progress")).to_be_visible()
        address = first.url
    with opened(browser) as second:
        second.goto(address)
        finished(second, "6,840 of 6,880 rows scored")


def test_going_back_to_a_removed_data_set(bare: Page, scored: str, penguins_url: str) -> None:
    """The browser's picture of how it was gives way to the words that it was removed."""
    bare.goto(scored)
    bare.route("**/datasets/*", lambda route: route.continue_(url=f"{scored[:-32]}{'0' * 32}"))
    bare.goto(f"{penguins_url}datasets")
    bare.go_back()
    expect(bare.locator(".notice")).to_contain_text("A data set is kept for 1 day")


def test_a_data_set_that_is_removed_meanwhile(
    bare: Page, penguins_url: str, tmp_path: Path
) -> None:
    """A page that follows it says so, and offers nothing that cannot be done any more."""
    score(bare, penguins_url, table(tmp_path, times=100))
    expect(bare.get_by_role("button", name="Cancel")).to_be_visible()
    address = bare.url
    bare.route("**/datasets/*", lambda route: route.continue_(url=f"{address[:-32]}{'0' * 32}"))
    expect(bare.locator(".problem")).to_contain_text("This data set is not here")
    expect(bare.get_by_role("button")).to_have_count(0)
    expect(bare.get_by_role("link", name="Send a data set")).to_be_visible()
    bare.unroute_all(behavior="ignoreErrors")
    assert bare.request.delete(address).status in (200, 204)


def test_the_keyboard_goes_on_from_the_heading(page: Page, penguins_url: str) -> None:
    """Who has sent a file is on the heading of its page, not before all links."""
    page.goto(f"{penguins_url}datasets")
    page.set_input_files("#file", PENGUINS)
    page.get_by_role("button", name="Check the file").press("Enter")
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
    expect(bare.get_by_role("heading")).to_have_text(["This data set is not here"])
    expect(bare.locator(".notice")).to_contain_text("A data set is kept for 1 day")
    check_sound(bare)
    bare.get_by_role("link", name="Send a data set").click()
    expect(bare.locator("#upload")).to_be_visible()


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
        figure.scroll_into_view_if_needed()
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
    for group in page.locator(".model-figures > summary").all()[1:]:
        group.click()
    last = page.locator(".model-figures").last
    last.locator("[data-figure]").first.scroll_into_view_if_needed()
    expect(last.locator("svg.marks")).to_have_count(
        last.locator("[data-figure]").count(), timeout=LONG_MS
    )
    for width in (360, 768, 1440):
        page.set_viewport_size({"width": width, "height": 800})
        page.wait_for_function("width => document.documentElement.scrollWidth === width", arg=width)
