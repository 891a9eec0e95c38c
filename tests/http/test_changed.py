"""What htmx gets in place of the whole page."""

from __future__ import annotations

import json

import pytest

from tests.http.conftest import GENTOO
from tests.support.client import Client
from tests.support.page import Page

ROW = [(name, str(value)) for name, value in GENTOO.items()]
HTMX = {"HX-Request": "true", "Accept": "text/html, */*"}


def specs(page: Page) -> list[dict[str, object]]:
    """Return the figures' specifications."""
    return [json.loads(one.raw) for one in page.all("script", type="application/json")]


def test_only_what_changes_is_sent(penguins: Client) -> None:
    """A swap gets the answer and the notes of all fields, no page around them."""
    answer = penguins.submit("/", [*ROW, ("model", "tree")], headers=HTMX)
    page = Page(answer.text)
    assert answer.status == 200
    assert [e.text for e in page.all("p", class_="label")] == ["Gentoo"]
    swapped = [e.attributes["id"] for e in page.elements if "hx-swap-oob" in e.attributes]
    assert swapped == [f"note-field-{name}" for name in GENTOO]
    assert [e.tag for e in page.elements if e.tag in ("html", "head", "form", "input")] == []


def test_mistakes_come_beside_their_fields(penguins: Client) -> None:
    """A mistake stands in the answer's place and in its field's note; the others keep theirs."""
    fields = [("bill_length_mm", "long"), *ROW[1:], ("model", "tree")]
    answer = penguins.submit("/", fields, headers=HTMX)
    page = Page(answer.text)
    notes = {e.attributes["id"]: e for e in page.elements if "hx-swap-oob" in e.attributes}
    assert answer.status == 422
    assert notes["note-field-bill_length_mm"].attributes["class"] == "error"
    assert notes["note-field-bill_length_mm"].text == "Expected a number in mm; found 'long'."
    assert notes["note-field-body_mass_g"].text == ""
    assert len(page.all("div", role="alert")) == 1


def test_an_error_elsewhere_is_a_fragment_too(penguins: Client) -> None:
    """A refusal of the whole request comes without a page around it."""
    headers = {**HTMX, "Origin": "https://evil.example"}
    answer = penguins.submit("/", ROW, headers=headers)
    assert answer.status == 403
    assert [e.tag for e in Page(answer.text).elements if e.tag in ("html", "main")] == []
    assert "sent from another site" in answer.text


@pytest.mark.parametrize(("model", "figures"), [("bnn", 4), ("forest", 4), ("tree", 0)])
def test_passes_bring_figures(penguins: Client, model: str, figures: int) -> None:
    """Passes bring their spread and a histogram a class; a single answer brings none."""
    page = Page(penguins.submit("/", [*ROW, ("model", model)], headers=HTMX).text)
    found = specs(page)
    assert len(found) == figures
    assert {one["$schema"] for one in found} <= {"https://vega.github.io/schema/vega-lite/v6.json"}
    drawings = [one for place in page.all("div") if "data-figure" in place.attributes
                for one in place.inside if one.tag == "svg"]  # fmt: skip
    assert len(drawings) == figures  # the server's own, for who has no script


def test_figures_do_not_change_the_api(penguins: Client) -> None:
    """The page asks for the passes itself; a program gets them only when it asks."""
    (found,) = penguins.predict(GENTOO, query="?model=bnn").predictions
    assert "sample_probabilities" not in found["uncertainty"]
