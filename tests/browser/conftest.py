"""Chromium, and the two demos it looks at."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.support.missing import program
from tests.support.server import running

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync",
         "--no-first-run", "--disable-component-update"]  # fmt: skip


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, headless."""
    path = program("chromium", "chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """An empty page, on which no script may fail and nothing may be blocked."""
    context = browser.new_context()
    context.set_default_timeout(15_000)
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    yield page
    context.close()
    assert said == []


@pytest.fixture(scope="session")
def penguins_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The penguins demo's page."""
    with running(tmp_path_factory.mktemp("penguins"), "demo", "penguins") as server:
        yield f"http://127.0.0.1:{server.client.port}/"


@pytest.fixture(scope="session")
def digits_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The digits demo's page."""
    with running(tmp_path_factory.mktemp("digits"), "demo", "digits") as server:
        yield f"http://127.0.0.1:{server.client.port}/"
