"""One input answered by every model side by side, without JavaScript."""

from __future__ import annotations

from tests.http.conftest import BEAM, GENTOO
from tests.support.client import Client, Upload
from tests.support.page import Page
from tests.support.pictures import RED, png

ROW = [(name, str(value)) for name, value in GENTOO.items()]


def verdict(page: Page) -> str:
    """Return the sentence over the comparison."""
    (found,) = (e for e in page.all("p") if "verdict" in e.attributes.get("class", ""))
    return found.text


def cells(page: Page, kind: str) -> list[str]:
    """Return the table's cells of a class."""
    return [cell.text for cell in page.all("td", class_=kind)]


def test_every_model_answers(penguins: Client) -> None:
    """Each model has a row with its label; the form and the choice stay as they were."""
    answer = penguins.submit("/", [*ROW, ("model", "*")])
    page = Page(answer.text)
    models = [row.text for row in page.all("th", scope="row")]
    assert answer.status == 200
    assert models == ["Bayesian neural network", "Random forest", "Decision tree", "Naive Bayes"]
    assert cells(page, "said") == ["Gentoo"] * 4
    assert verdict(page) == "All 4 models say Gentoo."
    assert page.values() == {**dict(ROW), "model": "bnn"}


def test_rows_say_what_each_model_says_alone(penguins: Client) -> None:
    """The probability in each row is the one of that model's own answer."""
    page = Page(penguins.submit("/", [*ROW, ("model", "*")]).text)
    for cell, name in zip(cells(page, "chance"), ("bnn", "forest", "tree", "bayes"), strict=True):
        alone = Page(penguins.submit("/", [*ROW, ("model", name)]).text)
        assert cell.split(", ")[0] == alone.all("span", class_="percent")[0].text


def test_values_are_compared(weights: Client) -> None:
    """A regression's values stand with their unit."""
    row = [(name, str(value).lower()) for name, value in BEAM.items()]
    page = Page(weights.submit("/", [*row, ("model", "*")]).text)
    exact, noisy, slow = cells(page, "said")
    assert (exact, slow) == ("1132.50 kg", "1132.50 kg")
    assert noisy.endswith(" kg")
    assert verdict(page).startswith("The models say between 1132")


def test_an_image_is_compared(colours: Client) -> None:
    """Every model gets the same image, which is shown again."""
    page = Page(colours.submit("/", [("model", "*")], [Upload("image", png(RED))]).text)
    assert len(cells(page, "said")) == 3
    assert page.by_id("preview").attributes["src"].startswith("data:image/png;base64,")


def test_a_broken_model_hides_no_other(half_broken: Client) -> None:
    """A model that cannot be loaded has a row that says so, beside the answer of the other."""
    page = Page(half_broken.submit("/", [("model", "*")], [Upload("image", png(RED))]).text)
    assert verdict(page).endswith("1 of 2 gave no answer.")
    assert len(cells(page, "said")) == 1
    (failed,) = cells(page, "failed")
    assert failed.startswith("No answer: ")
    assert "bad.onnx" in failed


def test_wrong_input_is_told_once(penguins: Client) -> None:
    """Where the input is wrong for all, the page says it beside the fields, with no table."""
    answer = penguins.submit("/", [("bill_length_mm", "long"), *ROW[1:], ("model", "*")])
    page = Page(answer.text)
    assert answer.status == 422
    assert page.field_errors() == {"bill_length_mm": "Expected a number in mm; found 'long'."}
    assert (page.all("table"), page.values()["model"]) == ([], "bnn")


def test_the_api_knows_no_such_model(penguins: Client) -> None:
    """The choice of all models is the page's alone."""
    assert penguins.submit("/predict", [*ROW, ("model", "*")]).status == 404
