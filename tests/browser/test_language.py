"""Every text of the page stands in the catalogue: in a language of accents none is without."""

from __future__ import annotations

import calendar
import re
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Page, expect

from podium.cli import DEMOS
from tests.support.apps import write_notes
from tests.support.pseudo import LANGUAGE, accented, write_pseudo
from tests.support.server import running

_ATTRIBUTES: Final = ("aria-label", "placeholder", "alt", "title", "data-confirm", "data-said")
_READ: Final = """(names) => {
  const described = location.pathname.endsWith("/docs") ? ", [lang=en]:not(html)" : "";
  const skipped = "script, style, noscript, code, pre, [translate=no]" + described;
  const own = ".drawing [aria-label]"; // a figure's own, in the library's words
  const texts = [document.title];
  const walker = document.createTreeWalker(document.documentElement, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    if (!walker.currentNode.parentElement.closest(skipped)) texts.push(walker.currentNode.data);
  }
  for (const name of names) {
    for (const element of document.querySelectorAll(`[${name}]`)) {
      if (element.closest(skipped) || element.matches(own)) continue;
      texts.push(element.getAttribute(name));
    }
  }
  return texts.map((text) => text.replace(/\\s+/g, " ").trim());
}"""
LONG_MS: Final = 60_000
_WORD: Final = re.compile(r"[A-Za-z]{2,}")
_WRITTEN: Final = "Written by the maker"
_WRONG: Final = """\
species;Bill Length MM;bill_depth_mm;flipper_length_mm;body_mass_g;island;sex;größe;note
Adelie;39,1;18,7;181;3750;Torgersen;male;1;
Adelie;abc;17,4;186;3800;Torgersen;female;2;
Adelie;40,3;18,2;195;3250;Torgersn;female;3;
Adelie;40,3;18,2;195;3250
Penguin;99,5;18,2;195;3250;Biscoe;female;3;
Gentoo;46,1;13,2;211;4500;Biscoe;female;4;
Chinstrap;46,5;17,9;192;3500;Dream;female;"5;
Chinstrap;50,1;19,5;196;3900;Dream;;6;
"""
"""Rows of a file in Windows-1252 of which hardly one is right."""
_NAMES: Final = (
    "kB", "MB", "GB", "API", "OpenAPI", "CSV", "TSV", "Parquet", "Excel", "zip", "JSON", "UTF-8",
    *calendar.month_name[1:], "curl", "Python", "JavaScript", "max_length", "[limits] upload", "ms",
)  # fmt: skip
"""What is called the same everywhere."""


def strings(found: Any) -> Iterator[str]:
    """Yield every text in a podium.toml."""
    if isinstance(found, str):
        yield found
    elif isinstance(found, dict):
        for name, one in found.items():
            yield name
            yield from strings(one)
    elif isinstance(found, list):
        for one in found:
            yield from strings(one)


class Reader:
    """Reads what a page says, and knows what of it is the maker's."""

    def __init__(self, folder: Path, url: str) -> None:
        self.url = url
        own = set(strings(tomllib.loads((folder / "podium.toml").read_text("utf-8"))))
        own |= {line for file in folder.glob("*.txt") for line in file.read_text().splitlines()}
        own |= {name.replace("_", " ").capitalize() for name in own} | {*_NAMES, _WRITTEN}
        self.own = sorted(filter(_WORD.search, own), key=len, reverse=True)

    def english(self, page: Page, *own: str) -> list[str]:
        """Return what a page says in English that is not the maker's or the visitor's `own`."""
        said = page.evaluate(_READ, list(_ATTRIBUTES))
        return [text for text in dict.fromkeys(said) if _WORD.search(self._left(text, own))]

    def _left(self, text: str, own: tuple[str, ...]) -> str:
        for known in (*own, *self.own):
            text = re.sub(rf"(?<!\w){re.escape(known)}(?!\w)", "", text)
        return re.sub(r"\b[0-9a-f]{6,}\b", "", text)


def served(folder: Path) -> Iterator[Reader]:
    """Serve an application in the language of accents; its introduction and cards are short."""
    write_pseudo(folder)
    for file in folder.rglob("*.md"):
        file.write_text(f"# {_WRITTEN}\n")
    with running(folder.parent, "serve", str(folder)) as server:
        yield Reader(folder, f"http://127.0.0.1:{server.client.port}/")


@pytest.fixture(scope="module")
def penguins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """The penguins, of which the page keeps every answer."""
    folder = tmp_path_factory.mktemp("accents") / "penguins"
    shutil.copytree(DEMOS / "penguins", folder)
    with (folder / "podium.toml").open("a") as toml:
        toml.write("\n[history]\non = true\n")
    yield from served(folder)


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """The digits."""
    folder = tmp_path_factory.mktemp("accents") / "digits"
    shutil.copytree(DEMOS / "digits", folder)
    yield from served(folder)


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """A text model."""
    yield from served(write_notes(tmp_path_factory.mktemp("accents") / "notes"))


def press(page: Page, text: str) -> None:
    """Press a button, and wait for what comes of it."""
    with page.expect_response(lambda response: response.request.method == "POST"):
        page.get_by_role("button", name=accented(text), exact=True).click()
    expect(page.locator(".htmx-request, .htmx-swapping, .htmx-settling")).to_have_count(0)


def send(page: Page, site: Reader, name: str, content: bytes, button: str) -> None:
    """Send a data set."""
    page.goto(f"{site.url}datasets")
    page.set_input_files("#file", {"name": name, "mimeType": "text/csv", "buffer": content})
    press(page, button)


def allow_everything(page: Page) -> None:
    """Let the browser send what it would hold back: the server's words are looked for."""
    page.evaluate("""() => {
      for (const one of document.querySelectorAll("[required]")) one.required = false;
      for (const one of document.querySelectorAll("[maxlength]")) one.removeAttribute("maxlength");
    }""")


def test_one_input(bare: Page, penguins: Reader) -> None:
    """Empty, answered, compared, with wrong fields: all is translated, and says its language."""
    bare.goto(penguins.url)
    assert bare.locator("html").get_attribute("lang") == LANGUAGE
    assert penguins.english(bare) == []
    bare.locator(".examples a").first.click()
    press(bare, "Predict")
    expect(bare.locator("#answer .label")).to_be_visible()
    assert penguins.english(bare) == []
    press(bare, "Compare all models")
    expect(bare.locator("#answer .compared")).to_be_visible()
    assert penguins.english(bare) == []
    allow_everything(bare)
    bare.locator("[id=field-bill_length_mm]").first.fill("")
    press(bare, "Predict")
    expect(bare.locator(".field.wrong .error").first).to_be_visible()
    assert penguins.english(bare) == []


def test_an_answer_of_another_day(bare: Page, penguins: Reader) -> None:
    """What was kept, and is shown again under its link, is translated as well."""
    bare.goto(penguins.url)
    bare.locator(".examples a").first.click()
    press(bare, "Predict")
    bare.locator("[id=field-bill_length_mm]").first.fill("99")
    press(bare, "Predict")
    bare.goto(bare.locator("#share-link").input_value())
    expect(bare.locator("#answer div.unsure")).to_be_visible()
    assert penguins.english(bare) == []
    expect(bare.locator("body [lang=en]")).to_have_count(0)


@pytest.mark.parametrize("path", ["docs", "models/bnn", "nothing", "models/nobody", "datasets"])
def test_other_pages(bare: Page, penguins: Reader, path: str) -> None:
    """The API's description, a card, what is not there, and the form of a data set."""
    bare.goto(penguins.url + path)
    assert penguins.english(bare, "/nothing", "/docs", "nobody") == []


def draw_all(page: Page) -> None:
    """Have every figure drawn that is not folded away: those of the first model, and of all."""
    expect(page.locator("#job .results").first).to_be_visible(timeout=LONG_MS)
    for figure in page.locator("[data-figure]:visible").all():
        figure.scroll_into_view_if_needed()
        expect(figure.locator(".drawing svg")).to_be_visible(timeout=LONG_MS)


def test_a_data_set(bare: Page, penguins: Reader) -> None:
    """Chosen, checked, under way, scored by two models: all is translated, figures too."""
    own = ("penguins.csv", "year")
    bare.goto(f"{penguins.url}datasets")
    bare.set_input_files("#file", DEMOS / "penguins" / "data" / "penguins.csv")
    assert penguins.english(bare, *own) == []
    bare.get_by_role("checkbox", name="Random forest").check()
    bare.get_by_role("button", name=accented("Check the file"), exact=True).click()
    expect(bare.locator("#job[data-stage=ready]")).to_be_visible(timeout=LONG_MS)
    assert penguins.english(bare, *own) == []
    bare.locator("form[action$='/start'] button").first.click()
    expect(bare.locator("#job")).not_to_have_attribute("data-stage", "ready")
    assert penguins.english(bare, *own) == []
    draw_all(bare)
    assert penguins.english(bare, *own) == []


def test_a_data_set_with_values(bare: Page, notes: Reader) -> None:
    """A regression's metrics and figures are translated, and what is noted of so few rows."""
    rows = "".join(f"note {number},{number * 10**8}\n" for number in range(12))
    sums = f"text,checksum\n{rows}".encode()
    bare.goto(f"{notes.url}datasets")
    bare.set_input_files("#file", {"name": "sums.csv", "mimeType": "text/csv", "buffer": sums})
    press(bare, "Score at once")
    draw_all(bare)
    assert notes.english(bare, "sums.csv", "note") == []


def test_a_data_set_with_wrong_rows(bare: Page, penguins: Reader) -> None:
    """What was recognised, why rows cannot be scored, and what to know of others."""
    own = ("wrong.csv", "abc", "Torgersn", "Penguin", "Bill Length MM", "größe", "note",
           "Latin-1", "Windows-1252")  # fmt: skip
    send(bare, penguins, "wrong.csv", _WRONG.encode("latin-1"), "Check the file")
    expect(bare.locator("#job[data-stage=ready] .reasons").first).to_be_visible(timeout=LONG_MS)
    bare.locator("#job details").first.click()
    assert penguins.english(bare, *own) == []
    expect(bare.locator("body [lang=en]")).to_have_count(0)
    bare.locator("form[action$='/start'] button").first.click()
    expect(bare.locator("#job .results").first).to_be_visible(timeout=LONG_MS)
    for view in ("failed", "warned"):
        bare.goto(f"{bare.url.partition('?')[0]}?rows={view}")
        expect(bare.locator("#rows td.why").first).to_be_visible()
        assert penguins.english(bare, *own) == []
        expect(bare.locator("#rows [lang=en], .reasons [lang=en]")).to_have_count(0)


def test_a_data_set_that_fails(bare: Page, penguins: Reader) -> None:
    """A file without the columns: why it is not scored."""
    send(bare, penguins, "other.csv", b"a,b\n1,2\n", "Score at once")
    expect(bare.locator("#job .reason")).to_be_visible(timeout=LONG_MS)
    assert penguins.english(bare, "other.csv") == []
    expect(bare.locator("body [lang=en]")).to_have_count(0)


def test_a_data_set_that_is_none(bare: Page, penguins: Reader) -> None:
    """An empty file is refused in the page's language, though a script asks for it."""
    send(bare, penguins, "a.csv", b"", "Score at once")
    expect(bare.locator("#problem .problem")).to_be_visible()
    assert penguins.english(bare, "a.csv") == []


def test_an_image(bare: Page, digits: Reader) -> None:
    """Empty, answered with a map, and with a file that is no image."""
    bare.goto(digits.url)
    assert digits.english(bare) == []
    bare.get_by_role("button", name=accented("Predict"), exact=True).click()
    expect(bare.locator("#image-note.error")).to_be_visible()
    assert digits.english(bare) == []
    bare.locator(".examples a").first.click()
    expect(bare.locator("#preview")).to_be_visible()
    bare.locator("[name=include]").check()
    press(bare, "Predict")
    expect(bare.locator("#answer .label")).to_be_visible(timeout=LONG_MS)
    assert digits.english(bare, "query_image.jpg") == []


def test_a_text(bare: Page, notes: Reader) -> None:
    """Empty, answered, and without a text."""
    bare.goto(notes.url)
    assert notes.english(bare) == []
    bare.locator("textarea").fill("hello")
    press(bare, "Predict")
    expect(bare.locator("#answer .label")).to_be_visible()
    assert notes.english(bare, "hello") == []
    allow_everything(bare)
    bare.locator("textarea").fill(" ")
    press(bare, "Predict")
    expect(bare.locator("#answer .problem")).to_be_visible()
    assert notes.english(bare) == []
