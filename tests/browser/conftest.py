"""Chromium, and the pages it looks at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.support.missing import program
from tests.support.server import Server

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


@contextmanager
def opened(browser: Browser, *, may_fail: bool = False, scripts: bool = True) -> Iterator[Page]:
    """Open an empty page: no script may fail, nothing be blocked, no other host be asked.

    Requests may fail if that is said, and the browser and htmx tell of them.
    """
    context = browser.new_context(java_script_enabled=scripts)
    context.set_default_timeout(15_000)
    page = context.new_page()
    said: list[str] = []
    hosts: set[str | None] = set()
    page.on("request", lambda request: hosts.add(urlsplit(request.url).hostname))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    yield page
    context.close()
    failed = ("Failed to load resource", "htmx:") if may_fail else ()
    assert [one for one in said if not one.startswith(failed)] == []
    assert hosts <= {"127.0.0.1", None}


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """An empty page."""
    with opened(browser) as page:
        yield page


@pytest.fixture
def bare(browser: Browser) -> Iterator[Page]:
    """An empty page on which requests may fail."""
    with opened(browser, may_fail=True) as page:
        yield page


@pytest.fixture
def plain(browser: Browser) -> Iterator[Page]:
    """An empty page of a browser without JavaScript."""
    with opened(browser, scripts=False) as page:
        yield page


@pytest.fixture(scope="session")
def penguins_url(penguins_server: Server) -> str:
    """The penguins demo's page."""
    return f"http://127.0.0.1:{penguins_server.client.port}/"


@pytest.fixture(scope="session")
def digits_url(digits_server: Server) -> str:
    """The digits demo's page."""
    return f"http://127.0.0.1:{digits_server.client.port}/"


@pytest.fixture(scope="session")
def weights_url(weights_server: Server) -> str:
    """A regression's page, under a path prefix."""
    return f"http://127.0.0.1:{weights_server.client.port}{weights_server.client.base}/"


@pytest.fixture(scope="session")
def notes_url(notes_server: Server) -> str:
    """The page of the notes, whose answers are checksums."""
    return f"http://127.0.0.1:{notes_server.client.port}/"
