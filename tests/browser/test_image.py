"""An image is chosen, dropped, pasted, drawn or named by its address, and looked at before."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Sequence
from math import cos, pi, sin
from pathlib import Path

import pytest
from playwright.sync_api import Browser, FilePayload, Page, expect

from podium.cli import DEMOS
from tests.browser.conftest import opened
from tests.browser.sound import check_sound
from tests.support.apps import write_colours
from tests.support.pictures import GREEN, RED, encoded
from tests.support.pictures import plain as filled
from tests.support.server import running

EXAMPLES = DEMOS / "digits" / "examples"
QUERY_IMAGE = EXAMPLES / "query_image.jpg"
TIFF: FilePayload = {
    "name": "scan.tiff",
    "mimeType": "image/tiff",
    "buffer": encoded(filled(GREEN), "TIFF"),
}
PNG: FilePayload = {
    "name": "red.png",
    "mimeType": "image/png",
    "buffer": encoded(filled(RED), "PNG"),
}

Stroke = list[tuple[float, float]]
"""Places on the paper, from 0 to 1 across and down."""

STROKES: dict[str, list[Stroke]] = {
    "7": [[(0.25, 0.22), (0.75, 0.22), (0.45, 0.82)]],
    "0": [[(0.5 + 0.2 * sin(t * pi / 10), 0.5 - 0.32 * cos(t * pi / 10)) for t in range(21)]],
}

GIVE = """([how, base64, name, type, text, target]) => {
  const given = new DataTransfer();
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  given.items.add(new File([bytes], name, { type }));
  if (text) given.setData("text/plain", text);
  const about = { bubbles: true, cancelable: true };
  document.querySelector(target).dispatchEvent(how === "paste"
    ? new ClipboardEvent(how, { ...about, clipboardData: given })
    : new DragEvent(how, { ...about, dataTransfer: given }));
}"""


@pytest.fixture(scope="module")
def colours_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page of the colours, which take addresses and files of 2 MB at most."""
    folder = tmp_path_factory.mktemp("colours")
    toml = write_colours(folder / "app") / "podium.toml"
    toml.write_text(toml.read_text().replace("[image]", "[image]\nurl = true"))
    with running(folder, "serve", str(toml.parent)) as server:
        yield f"http://127.0.0.1:{server.client.port}/"


def draw(page: Page, strokes: Sequence[Stroke]) -> None:
    """Draw with the mouse."""
    canvas = page.get_by_role("img", name="The drawing")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    for stroke in strokes:
        places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke]
        page.mouse.move(*places[0])
        page.mouse.down()
        for place in places[1:]:
            page.mouse.move(*place, steps=5)
        page.mouse.up()


def give(page: Page, how: str, file: Path, *, text: str = "", target: str = "body") -> None:
    """Drop or paste a file, and maybe a text with it, somewhere on the page."""
    body = base64.b64encode(file.read_bytes()).decode()
    page.evaluate(GIVE, [how, body, file.name, "image/jpeg", text, target])


def sent_files(page: Page) -> list[str]:
    """Return the names of the files that the form would send."""
    names: list[str] = page.evaluate(
        "[...new FormData(document.forms.form).values()].map((one) => one.name).filter(Boolean)"
    )
    return names


def watch(page: Page) -> list[str]:
    """Return the list to which every request of a prediction is added."""
    sent: list[str] = []
    page.on("request", lambda one: sent.append(one.url) if one.url.endswith("/") else None)
    return sent


def predict(page: Page) -> None:
    """Press the button."""
    page.get_by_role("button", name="Predict").click()


@pytest.mark.parametrize("digit", STROKES)
def test_a_drawn_digit_is_recognised(page: Page, digits_url: str, digit: str) -> None:
    """What is drawn with the mouse is sent, and the model reads it; in the dark it is white too."""
    page.emulate_media(color_scheme="dark")
    page.goto(digits_url)
    page.get_by_role("tab", name="Draw").click()
    expect(page.locator("#choose")).to_be_hidden()
    check_sound(page)
    draw(page, STROKES[digit])
    assert sent_files(page) == ["drawing.png"]
    predict(page)
    expect(page.locator("#answer .label")).to_have_text(digit)
    expect(page.locator("#preview")).to_be_hidden()
    check_sound(page)
    corner = "document.querySelector('canvas').getContext('2d').getImageData(2, 2, 1, 1).data"
    assert page.evaluate(f"[...{corner}]") == [255, 255, 255, 255]


def test_strokes_are_undone_and_cleared(page: Page, digits_url: str) -> None:
    """Undo takes one stroke away, Clear the rest; with none left there is nothing to send."""
    page.goto(digits_url)
    page.get_by_role("tab", name="Draw").click()
    undo, clear = (page.get_by_role("button", name=name) for name in ("Undo", "Clear"))
    expect(undo).to_be_disabled()
    paper = "document.querySelector('canvas').toDataURL()"
    seen = [page.evaluate(paper)]
    for stroke in ([(0.5, 0.5)], [(0.3, 0.3), (0.7, 0.7)], [(0.7, 0.3), (0.3, 0.7)]):
        draw(page, [stroke])
        seen.append(page.evaluate(paper))
    assert len(set(seen)) == 4  # a tap leaves a dot
    undo.click()
    assert page.evaluate(paper) == seen[2]
    clear.click()
    assert page.evaluate(paper) == seen[0]
    assert sent_files(page) == []
    sent = watch(page)
    predict(page)
    expect(page.get_by_role("alert")).to_have_text("Nothing is drawn yet. Draw first.")
    check_sound(page)
    draw(page, [[(0.5, 0.2), (0.5, 0.8)]])
    expect(page.get_by_text("Nothing is drawn yet")).to_be_hidden()
    assert sent == []


def test_picture_and_drawing_wait_for_each_other(page: Page, digits_url: str) -> None:
    """Arrow keys turn from one to the other, and what is seen is what is sent."""
    page.goto(digits_url)
    page.set_input_files("#image", QUERY_IMAGE)
    expect(page.locator("#preview")).to_be_visible()
    picture, drawing = page.get_by_role("tab").all()[:2]
    picture.focus()
    page.keyboard.press("ArrowRight")
    expect(drawing).to_be_focused()
    expect(drawing).to_have_attribute("aria-selected", "true")
    assert sent_files(page) == []
    draw(page, STROKES["7"])
    assert sent_files(page) == ["drawing.png"]
    drawing.focus()
    page.keyboard.press("ArrowLeft")
    expect(picture).to_be_focused()
    expect(page.locator("#preview")).to_be_visible()
    assert sent_files(page) == ["query_image.jpg"]


def test_a_finger_draws_and_a_camera_takes_on_a_phone(browser: Browser, digits_url: str) -> None:
    """On a phone a finger draws and does not scroll, and there is a button for the camera."""
    context = browser.new_context(
        viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True
    )
    page = context.new_page()
    page.goto(digits_url)
    photograph = page.get_by_role("button", name="Take a photo")
    with page.expect_file_chooser() as chooser:
        photograph.click()
    assert page.locator("#camera").get_attribute("capture") == "environment"
    chooser.value.set_files(QUERY_IMAGE)
    expect(page.get_by_role("status").filter(has_text="929 \u00d7 655")).to_be_visible()
    assert sent_files(page) == ["query_image.jpg"]
    page.get_by_role("tab", name="Draw").tap()
    canvas = page.locator("canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    top = page.evaluate("scrollY")
    touch = context.new_cdp_session(page)
    places = [{"x": box["x"] + x * box["width"], "y": box["y"] + y * box["height"]}
              for x, y in STROKES["0"][0]]  # fmt: skip
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [places[0]]})
    for place in places[1:]:
        touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [place]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    assert page.evaluate("scrollY") == top
    predict(page)
    expect(page.locator("#answer .label")).to_have_text("0")
    context.close()


def test_a_chosen_image_is_described_and_removed(page: Page, digits_url: str) -> None:
    """Name, size and pixels stand below the preview; once removed, nothing is sent."""
    page.goto(digits_url)
    check_sound(page)
    expect(page.get_by_role("button", name="Take a photo")).to_be_hidden()
    page.set_input_files("#image", QUERY_IMAGE)
    kilobytes = round(QUERY_IMAGE.stat().st_size / 1000)
    told = f"query_image.jpg, {kilobytes} kB, 929 \u00d7 655 pixels"
    expect(page.locator("#chosen [role=status]")).to_have_text(told)
    check_sound(page)
    predict(page)
    expect(page.locator("#answer .label")).to_have_text("2")
    expect(page.locator("#chosen [role=status]")).to_have_text(told)
    assert sent_files(page) == ["query_image.jpg"]
    page.get_by_role("button", name="Remove").click()
    expect(page.locator("#preview")).to_be_hidden()
    expect(page.locator("#chosen")).to_be_hidden()
    expect(page.locator("#image")).to_be_focused()
    sent = watch(page)
    predict(page)
    expect(page.get_by_role("alert")).to_have_text("There is no image yet. Choose one first.")
    expect(page.locator("#image")).to_have_attribute("aria-invalid", "true")
    check_sound(page)
    assert sent == []


@pytest.mark.parametrize("how", ["paste", "drop"])
def test_an_image_is_taken_anywhere_on_the_page(page: Page, digits_url: str, how: str) -> None:
    """An image that is pasted or dropped beside the field comes into it, and is seen."""
    page.goto(digits_url)
    page.get_by_role("tab", name="Draw").click()
    give(page, how, QUERY_IMAGE)
    expect(page.locator("#preview")).to_be_visible()
    assert sent_files(page) == ["query_image.jpg"]


def test_text_is_pasted_into_a_field(page: Page, colours_url: str) -> None:
    """A text with a picture of itself, as office programs copy it, goes into the field."""
    page.goto(colours_url)
    give(page, "paste", QUERY_IMAGE, text="https://", target="#image_url")
    assert sent_files(page) == []
    give(page, "paste", QUERY_IMAGE, target="#image_url")
    assert sent_files(page) == ["query_image.jpg"]


def test_an_image_that_the_browser_cannot_show_is_sent(page: Page, colours_url: str) -> None:
    """A TIFF has no preview in this browser, which is said; the server shows what it answered."""
    page.goto(colours_url)
    page.set_input_files("#image", TIFF)
    told = page.locator("#chosen [role=status]")
    expect(told).to_have_text(re.compile(r"^scan\.tiff, \d+ B\. No preview in this browser\.$"))
    check_sound(page)
    predict(page)
    expect(page.locator("#answer .label")).to_be_visible()
    expect(page.locator("#preview")).to_be_visible()
    expect(told).to_have_text(re.compile(r"^scan\.tiff, \d+ B$"))


WRONG = {
    "text": (b"hello", "notes.png is not an image. "
             "Choose a photo or a picture, such as a JPEG or a PNG."),
    "empty": (b"", "notes.png is empty (0 bytes). Choose another file."),
    "large": (b"\x89PNG" + bytes(2_100_000),
              "notes.png has 2.1 MB; at most 2 MB are taken. Choose a smaller image."),
}  # fmt: skip


@pytest.mark.parametrize(("body", "told"), WRONG.values(), ids=WRONG)
def test_what_is_no_image_is_told_before_it_is_sent(
    page: Page, colours_url: str, body: bytes, told: str
) -> None:
    """What the server would refuse is told beside the field at once, and does not stay in it."""
    page.goto(colours_url)
    page.set_input_files("#image", PNG)
    expect(page.locator("#preview")).to_be_visible()
    sent = watch(page)
    wrong: FilePayload = {"name": "notes.png", "mimeType": "image/png", "buffer": body}
    page.set_input_files("#image", wrong)
    expect(page.get_by_role("alert")).to_have_text(told)
    expect(page.locator("#preview")).to_be_hidden()
    check_sound(page)
    assert sent_files(page) == sent == []
    page.set_input_files("#image", PNG)
    expect(page.locator("#preview")).to_be_visible()
    expect(page.locator("#image-note")).to_be_hidden()


def test_an_address_that_cannot_be_fetched(bare: Page, colours_url: str) -> None:
    """A private address is refused beside its field, where it stays; a file takes its place."""
    bare.goto(colours_url)
    check_sound(bare)
    address = bare.get_by_label("Or the address of an image")
    bare.set_input_files("#image", PNG)
    expect(bare.locator("#preview")).to_be_visible()
    address.fill(f"{colours_url}static/icon.svg")
    expect(bare.locator("#preview")).to_be_hidden()
    assert sent_files(bare) == []
    predict(bare)
    note = bare.locator("#image_url-note")
    expect(note).to_have_text("An address with a port of its own is not fetched.")
    address.fill("http://127.0.0.1/red.png")
    predict(bare)
    expect(note).to_have_text("There is no such host on the public internet.")
    expect(address).to_have_value("http://127.0.0.1/red.png")
    expect(address).to_have_attribute("aria-invalid", "true")
    check_sound(bare)
    bare.set_input_files("#image", PNG)
    expect(address).to_have_value("")
    predict(bare)
    expect(bare.locator("#answer .label")).to_be_visible()
    expect(note).to_be_hidden()


def test_an_image_without_javascript(plain: Page, digits_url: str) -> None:
    """A plain file input is answered, and says that it wants the image again."""
    plain.goto(digits_url)
    expect(plain.get_by_role("tab", name="Draw")).to_be_hidden()
    expect(plain.get_by_role("button", name="Take a photo")).to_be_hidden()
    check_sound(plain)
    plain.set_input_files("#image", QUERY_IMAGE)
    predict(plain)
    expect(plain.locator("#answer .label")).to_have_text("2")
    expect(plain.locator("#preview")).to_be_visible()
    expect(plain.locator("#drop")).to_contain_text(
        "This image was answered. To ask once more, choose it again."
    )


def test_an_address_without_javascript(browser: Browser, colours_url: str) -> None:
    """What is wrong with an address stands beside its field, which keeps it."""
    with opened(browser, may_fail=True, scripts=False) as plain:
        plain.goto(colours_url)
        plain.get_by_label("Or the address of an image").fill("http://localhost/red.png")
        predict(plain)
        note = plain.locator("#image_url-note")
        expect(note).to_have_text("There is no such host on the public internet.")
        expect(plain.locator("#image_url")).to_have_value("http://localhost/red.png")
