"""What the Content-Security-Policy lets run: the page's own files, and nothing that was put in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import opened

PUT_IN = """async () => {
  const told = [];
  document.addEventListener("securitypolicyviolation", ({ effectiveDirective }) =>
    told.push(effectiveDirective));
  const put = (html) => document.body.append(
    document.createRange().createContextualFragment(html));
  put("<script>window.ran = true</script>");
  put('<p id="styled" style="color: rgb(1, 2, 3)">styled</p>');
  put("<style>#ruled { color: rgb(1, 2, 3) }</style><p id='ruled'>ruled</p>");
  put('<button id="pressed" onclick="window.ran = true">press</button>');
  document.querySelector("#pressed").click();
  setTimeout(() => new Function("window.ran = true")()); // later: the policy spares who drives
  await new Promise((resolve) => setTimeout(resolve, 200));
  const colour = (id) => getComputedStyle(document.getElementById(id)).color;
  return { told: [...new Set(told)].sort(), ran: window.ran === true,
    coloured: ["styled", "ruled"].filter((id) => colour(id) === "rgb(1, 2, 3)") };
}"""
BLOCKED = {
    "told": ["script-src", "script-src-attr", "script-src-elem", "style-src-attr",
             "style-src-elem"],
    "ran": False, "coloured": [],
}  # fmt: skip
"""What is told of scripts, their attributes and evaluation, and of styles; and nothing has run."""


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """An empty page whose violations are looked at, not taken for a failure."""
    context = browser.new_context()
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("address", ["", "docs", "datasets", "models/bnn", "nowhere"])
def test_what_was_put_in_is_blocked(page: Page, penguins_url: str, address: str) -> None:
    """Were there a way to put HTML into a page, its scripts and styles would still do nothing."""
    page.goto(penguins_url + address)
    assert page.evaluate(PUT_IN) == BLOCKED


def test_nothing_is_loaded_from_elsewhere(page: Page, penguins_url: str) -> None:
    """Scripts, pictures, frames and answers of another origin are refused."""
    page.goto(penguins_url)
    told = page.evaluate("""async () => {
      const told = [];
      document.addEventListener("securitypolicyviolation", (e) => told.push(e.effectiveDirective));
      for (const [tag, key] of [["script", "src"], ["img", "src"], ["iframe", "src"],
                                ["object", "data"]]) {
        document.body.append(Object.assign(document.createElement(tag),
          { [key]: "http://localhost:9/x" }));
      }
      await fetch("http://localhost:9/x").catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, 200));
      return told.sort();
    }""")
    assert told == ["connect-src", "frame-src", "img-src", "object-src", "script-src-elem"]


@pytest.mark.parametrize("address", ["", "docs", "datasets", "models/bnn"])
def test_no_page_breaks_its_own_policy(browser: Browser, penguins_url: str, address: str) -> None:
    """A page's own scripts and styles are all let through."""
    with opened(browser) as page:
        page.add_init_script(
            'window.told = []; document.addEventListener("securitypolicyviolation",'
            " (event) => window.told.push(event.violatedDirective));"
        )
        page.goto(penguins_url + address)
        page.wait_for_load_state("networkidle")
        assert page.evaluate("window.told") == []


def test_another_site_cannot_frame_the_page(
    browser: Browser, penguins_url: str, tmp_path: Path
) -> None:
    """A page of another origin that frames this one shows nothing of it."""
    (tmp_path / "frame.html").write_text(f'<iframe src="{penguins_url}"></iframe>')
    page = browser.new_page()
    page.goto((tmp_path / "frame.html").as_uri())
    page.wait_for_load_state("networkidle")
    assert [frame.url for frame in page.frames if penguins_url in frame.url] == []
    page.close()
