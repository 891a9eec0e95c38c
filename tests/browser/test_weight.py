"""How much a visitor loads: little at first, what draws figures only with the first figure."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

FIRST_VIEW = 100_000
"""The most bytes of a first view."""
FIGURES = ["vega-embed.min.js", "vega-lite.min.js", "vega.min.js"]


@contextmanager
def loaded(page: Page) -> Iterator[dict[str, int]]:
    """Collect what a page loads: the bytes of each answer as they came, its headers with them."""
    asked: dict[str, str] = {}
    sizes: dict[str, int] = {}
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")

    def ask(event: dict[str, Any]) -> None:
        asked[event["requestId"]] = event["request"]["url"]

    def finish(event: dict[str, Any]) -> None:
        sizes[asked[event["requestId"]]] = event["encodedDataLength"]

    network.on("Network.requestWillBeSent", ask)
    network.on("Network.loadingFinished", finish)
    yield sizes
    page.wait_for_load_state("networkidle")
    network.detach()


@pytest.mark.parametrize("name", ["penguins_url", "digits_url", "notes_url", "weights_url"])
def test_the_first_view_is_light(page: Page, request: pytest.FixtureRequest, name: str) -> None:
    """All that a page loads before anything is asked stays under 100 kB, without what draws."""
    with loaded(page) as sizes:
        page.goto(request.getfixturevalue(name))
    names = sorted(urlsplit(url).path.rpartition("/")[2] for url in sizes)
    assert {"", "page.css", "htmx.min.js"} <= set(names)
    assert sum(sizes.values()) < FIRST_VIEW, sizes
    assert [name for name in names if name.startswith("vega")] == []


def test_what_draws_comes_with_the_first_figure(page: Page, penguins_url: str) -> None:
    """The first figure of an answer brings it, compressed, and the second does not again."""
    with loaded(page) as first:
        page.goto(penguins_url)
        page.get_by_role("link", name="A typical Gentoo").click()
    with loaded(page) as answered:
        page.get_by_role("button", name="Predict").click()
        expect(page.locator("#answer .drawing svg").first).to_be_attached()
    with loaded(page) as again:
        page.get_by_role("button", name="Predict").click()
        page.wait_for_load_state("networkidle")
    drawing = {url.rpartition("/")[2]: size for url, size in answered.items() if "/vega" in url}
    assert sorted(drawing) == FIGURES
    assert sum(drawing.values()) < 300_000
    assert not [url for url in (*first, *again) if "/vega" in url]


def test_a_second_page_brings_only_itself(page: Page, penguins_url: str) -> None:
    """What pages share is kept: another page of the same application loads its own text alone."""
    page.goto(penguins_url)
    page.wait_for_load_state("networkidle")
    with loaded(page) as sizes:
        page.goto(penguins_url + "docs")
    assert {urlsplit(url).path for url, size in sizes.items() if size} == {"/docs"}
