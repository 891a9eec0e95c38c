"""Take the pictures of the page's main states for README and docs, from the demos as they are.

python -m scripts.screenshots [NAME...]

Without names all are taken. Each starts in a browser of its own, with the same window, fonts and
time zone, and without motion, so that a picture changes only with what it shows.
"""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright
from tests.support.server import running

from podium.cli import DEMOS

IMAGES = Path(__file__).parents[1] / "docs" / "images"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync",
         "--no-first-run", "--disable-component-update", "--font-render-hinting=none",
         "--force-color-profile=srgb"]  # fmt: skip
COLOURS = 128
"""Of a picture: enough for a page, and a third of its bytes."""
DATASET_MS = 60_000
SEVEN = ((0.3, 0.25), (0.7, 0.25), (0.45, 0.8))
"""The corners of a drawn digit, as parts of the canvas."""


class Shot(NamedTuple):
    """One picture: what leads to it, the window, and what lies at its top."""

    demo: str
    act: Callable[[Page], None]
    width: int = 1200
    height: int = 900
    scheme: str = "light"
    scale: float = 1.0
    top: str = "body"


def main(names: list[str]) -> None:
    """Take the pictures of these names, or all."""
    unknown = sorted(set(names) - SHOTS.keys())
    if unknown:
        sys.exit(f"There is no picture {', '.join(unknown)}. Known: {', '.join(SHOTS)}.")
    wanted = {name: shot for name, shot in SHOTS.items() if not names or name in names}
    IMAGES.mkdir(exist_ok=True)
    with chromium() as browser:
        for demo in dict.fromkeys(shot.demo for shot in wanted.values()):
            with (
                tempfile.TemporaryDirectory() as folder,
                running(Path(folder), "demo", demo) as server,
            ):
                url = f"http://localhost:{server.client.port}/"
                for name, shot in wanted.items():
                    if shot.demo == demo:
                        save(name, take(browser, url, shot))


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, headless."""
    with sync_playwright() as playwright:
        path = shutil.which("chromium") or sys.exit("chromium is not installed")
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


def take(browser: Browser, url: str, shot: Shot) -> bytes:
    """Return a picture as PNG."""
    context = browser.new_context(
        viewport={"width": shot.width, "height": shot.height},
        device_scale_factor=shot.scale,
        color_scheme="dark" if shot.scheme == "dark" else "light",
        reduced_motion="reduce",
        locale="en-GB",
        timezone_id="UTC",
    )
    page = context.new_page()
    page.goto(url)
    shot.act(page)
    page.wait_for_load_state("networkidle")
    page.mouse.move(0, 0)
    page.locator(shot.top).evaluate("element => element.scrollIntoView()")
    picture = page.screenshot(animations="disabled", caret="hide")
    context.close()
    return picture


def save(name: str, picture: bytes) -> None:
    """Write a picture to docs/images with few colours, which is how few bytes it takes."""
    file = IMAGES / f"{name}.png"
    few = Image.open(io.BytesIO(picture)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    few.save(file, optimize=True)
    print(f"{file.relative_to(IMAGES.parents[1])}: {file.stat().st_size / 1000:.0f} kB")


def empty(page: Page) -> None:
    """Leave the page as it comes."""


def answered(page: Page) -> None:
    """Ask about an example, and wait for the answer and its first figure."""
    fill(page)
    page.get_by_role("button", name="Predict").click()
    expect(page.locator("#answer .drawing svg").first).to_be_attached()


def compared(page: Page) -> None:
    """Ask all models about the same bird."""
    fill(page)
    page.get_by_role("button", name="Compare all models").click()
    expect(page.locator("#answer table")).to_be_visible()


def mistaken(page: Page) -> None:
    """Send a bird with a measure left out, as a browser that checks nothing would."""
    fill(page)
    page.locator("#field-bill_length_mm").fill("")
    page.locator("#form").evaluate("form => { form.noValidate = true; }")
    page.get_by_role("button", name="Predict").click()
    expect(page.locator("#form [aria-invalid=true]").first).to_be_visible()


def understood(page: Page) -> None:
    """Send the whole data set, and see what it was understood as."""
    page.goto(page.url + "datasets")
    for box in page.get_by_role("group", name="Models").get_by_role("checkbox").all():
        box.check()
    page.locator("#file").set_input_files(DEMOS / "penguins" / "data" / "penguins.csv")
    page.get_by_role("button", name="Check the file").click()
    expect(page.locator("#job[data-stage=ready]")).to_be_visible(timeout=DATASET_MS)


def scored(page: Page) -> None:
    """Let all models answer it, and look at how good they are."""
    understood(page)
    page.get_by_role("button", name="Score").click()
    expect(page.get_by_role("link", name="CSV").first).to_be_visible(timeout=DATASET_MS)
    page.wait_for_load_state("networkidle")


def drawn(page: Page) -> None:
    """Draw a seven, and see what is read and where the model looked."""
    page.get_by_role("tab", name="Draw").click()
    area = page.locator("canvas").bounding_box()
    assert area is not None
    first, *rest = [(area["x"] + x * area["width"], area["y"] + y * area["height"])
                    for x, y in SEVEN]  # fmt: skip
    page.mouse.move(*first)
    page.mouse.down()
    for corner in rest:
        page.mouse.move(*corner, steps=12)
    page.mouse.up()
    page.get_by_label("Show where it looked").check()
    page.get_by_role("button", name="Predict").click()
    expect(page.get_by_role("img", name="strongest")).to_be_visible()


def fill(page: Page) -> None:
    """Fill the form with an example of which the model is less sure."""
    page.get_by_role("link", name="A typical Chinstrap").click()
    expect(page.locator("#field-bill_length_mm")).not_to_have_value("")


SHOTS = {
    "page": Shot("penguins", answered, height=960),
    "empty": Shot("penguins", empty),
    "compared": Shot("penguins", compared, height=1150),
    "mistake": Shot("penguins", mistaken, height=760),
    "understood": Shot("penguins", understood),
    "scored": Shot("penguins", scored, height=1200, top="section:has(> h2:text('How good'))"),
    "phone-dark": Shot("penguins", answered, 390, 844, "dark", scale=2, top="#answer"),
    "drawn": Shot("digits", drawn, height=1200),
}

if __name__ == "__main__":
    main(sys.argv[1:])
