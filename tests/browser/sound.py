"""Whether a page can be used by everybody: with a screen reader, and on a phone."""

from __future__ import annotations

from pathlib import Path

import axe_playwright_python
from playwright.sync_api import Page

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text("utf-8")
_RUN = """async () => {
  const found = await axe.run({ resultTypes: ["violations"] });
  return found.violations.flatMap(({ id, nodes }) =>
    nodes.map((node) => `${id}: ${node.html.slice(0, 200)} ${node.failureSummary}`));
}"""
_WIDE = """() => {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return [];
  return [...document.querySelectorAll("body *")]
    .filter((element) => element.getBoundingClientRect().right > width + 0.5)
    .map((element) => element.outerHTML.slice(0, 200));
}"""


def check_sound(page: Page) -> None:
    """Check a page as it is now: axe finds nothing, and at 320 pixels nothing sticks out.

    Axe waits for timers, which a page without JavaScript has not; there only the width is checked.
    """
    if page.evaluate("matchMedia('(scripting: enabled)').matches"):
        page.evaluate(AXE)
        assert page.evaluate(_RUN) == []
    before = page.viewport_size
    page.set_viewport_size({"width": 320, "height": 640})
    assert page.evaluate(_WIDE) == []
    if before:
        page.set_viewport_size(before)
