"""A report opened from the disk, without any network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from podium.web.datasets.report import render_report
from tests.support.findings import EVIL, every_figure, evil_findings

FIGURES = len(every_figure(EVIL))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of hostile findings."""
    file = tmp_path_factory.mktemp("report") / "report.html"
    file.write_text(render_report(evil_findings()), "utf-8")
    return file


@pytest.fixture
def said() -> list[str]:
    """What the page's console says, and what it asks for."""
    return []


@pytest.fixture(params=[("light", 390), ("dark", 1200)], ids=["phone", "desktop"])
def page(
    request: pytest.FixtureRequest, browser: Browser, said: list[str]
) -> Iterator[Page]:  # fmt: skip
    """A page offline, small and light or large and dark."""
    scheme, width = request.param
    context = browser.new_context(
        offline=True, color_scheme=scheme, viewport={"width": width, "height": 900}
    )
    context.set_default_timeout(30_000)
    page = context.new_page()
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda asked: said.append(asked.url))
    yield page
    context.close()


def drawn(page: Page) -> None:
    """Wait until every figure is drawn."""
    page.wait_for_function("count => document.querySelectorAll('.drawing svg').length === count",
                           arg=FIGURES)  # fmt: skip


def test_all_figures_are_drawn_offline(page: Page, file: Path, said: list[str]) -> None:
    """Every kind of figure is drawn; nothing is asked for, blocked, or run by a hostile name."""
    page.goto(file.as_uri())
    drawn(page)
    assert said == [file.as_uri()]
    assert page.evaluate("window.hacked") is None
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert page.locator("img").count() == 0
    assert "</script><scr" in (page.locator('[data-name="answers"] svg').text_content() or "")


def test_marks_have_the_scheme_s_colours(page: Page, file: Path) -> None:
    """Classes have the palette's colours, and another scheme draws them anew."""
    page.goto(file.as_uri())
    drawn(page)

    def colours() -> set[Any]:
        lines = page.locator('[data-name="roc"] svg path[stroke^="#"]')
        return set(lines.evaluate_all("all => all.map(one => one.getAttribute('stroke'))"))

    light = {"#2d6fb3", "#cf8a1b", "#a8325a"}
    dark = {"#5aa9e6", "#f0c04e", "#e8618c"}
    first, then = (light, dark) if page.viewport_size == {"width": 390, "height": 900} else (
        dark, light
    )  # fmt: skip
    assert first <= colours()
    page.emulate_media(color_scheme="dark" if first is light else "light")
    page.wait_for_function(
        """colour => document.querySelector(`[data-name="roc"] svg [stroke="${colour}"]`)""",
        arg=min(then),
    )
    assert then <= colours()
    assert not first & colours()


def test_names_of_a_legend_are_whole(page: Page, file: Path) -> None:
    """Long names are told in lines: none is cut, and none leaves its figure."""
    page.goto(file.as_uri())
    drawn(page)
    for name in ("roc", "spread", "metrics"):
        figure = page.locator(f'[data-name="{name}"] .figure')
        edge = figure.bounding_box()
        labels = figure.locator(".role-legend-label text")
        assert list(map(letters, labels.all_text_contents())) == list(map(letters, EVIL))
        boxes = [label.bounding_box() for label in labels.all()]
        assert edge is not None
        for box in boxes:
            assert box is not None
            assert edge["x"] <= box["x"]
            assert box["x"] + box["width"] <= edge["x"] + edge["width"]


def letters(text: str) -> str:
    """Return a text without what parts its words."""
    return "".join(text.split())


def test_without_scripts_words_and_tables_are_there(browser: Browser, file: Path) -> None:
    """No figure leaves a gap behind: its numbers stand in a table, and a note says why."""
    context = browser.new_context(java_script_enabled=False, offline=True)
    page = context.new_page()
    page.goto(file.as_uri())
    told = page.locator("main").inner_text()
    assert "91.2%" in told
    assert f"{EVIL[0]} is better." in told
    assert "Figures are drawn with JavaScript; without it their numbers stand in tables." in told
    figures = page.locator("[data-name]:visible")
    assert figures.count() == FIGURES
    assert figures.filter(has=page.locator("table")).count() == FIGURES
    context.close()
