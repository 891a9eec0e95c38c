"""A model's calibration on the page, and its card, to which the page leads."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask.testing import FlaskClient
from msgspec import structs

from podium.app import App
from podium.calibrated import write_calibration
from tests.conformance.cases import build
from tests.conformance.onnx_cases import CASES
from tests.support.page import Page
from tests.support.pages import client_of
from tests.test_calibrated import FIT, calibration, current, keep

PLAIN = {case.name: case for case in CASES}["onnx-logits"]
ROW = {"a": "1", "b": "2", "c": "3"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an application of the model m, called Model, without a card."""
    build(PLAIN, tmp_path)
    (tmp_path / "podium.toml").write_text(f'{PLAIN.toml}title = "Model"\n')
    return tmp_path


def cards(client: FlaskClient) -> list[tuple[str, str]]:
    """Return the title and address of each card that the page lists."""
    links = Page(client.get("/").text).all("a")
    return [
        (link.text, link.attributes["href"])
        for link in links
        if "/models/" in link.attributes["href"]
    ]


def test_an_answer_leads_to_its_calibration(folder: Path) -> None:
    """The answer says on what its coverage rests, with a link to all of it."""
    keep(folder)
    page = Page(client_of(folder).post("/", data=ROW).text)
    (link,) = (one for one in page.by_id("answer").inside if one.tag == "a")
    told = "Calibrated on 80 rows: at 80% confidence it held the truth in 82.5% of them"
    assert (link.text, link.attributes["href"]) == (told, "/models/m")


def test_a_calibration_alone_makes_a_card(folder: Path) -> None:
    """A calibrated model without a card has its title, then the calibration."""
    keep(folder)
    client = client_of(folder)
    (article,) = Page(client.get("/models/m").text).all("article")
    assert cards(client) == [("Model", "/models/m")]
    assert [(one.tag, one.text) for one in article.inside][:2] == [
        ("h1", "Model"),
        ("h2", "Calibration"),
    ]
    assert "no card" not in article.text


def test_a_model_without_card_and_calibration(folder: Path) -> None:
    """Such a model is not listed, and its address says that there is none."""
    client = client_of(folder)
    (article,) = Page(client.get("/models/m").text).all("article")
    assert [one.text for one in article.inside] == ["Model", "This model has no card."]
    assert cards(client) == []


def test_a_card_of_its_own(folder: Path) -> None:
    """A card stands for itself, with no title before it."""
    (folder / "podium.toml").write_text(f'{PLAIN.toml}card = "card.md"\n')
    (folder / "card.md").write_text("# About m\n\nIt is small.\n")
    client = client_of(folder)
    (article,) = Page(client.get("/models/m").text).all("article")
    assert (cards(client), article.text) == ([("m", "/models/m")], "About m It is small.")


def test_an_empty_set_is_told_once(folder: Path) -> None:
    """The page says in a sentence that no class fits; the warning for programs stays theirs."""
    keep(folder, fit=structs.replace(FIT, scores=(0.0,) * 40))
    page = Page(client_of(folder).post("/", data=ROW).text)
    (told,) = page.all("p", class_="coverage")
    assert told.text.startswith("No class fits at 80% confidence: the model is surer of most cases")
    assert page.all("p", class_="warning") == []


@pytest.mark.parametrize(
    ("other", "head", "levels", "note"),
    [
        (0.8, "Prediction set at 80%", ["", ""],
         "Of such prediction sets 80% hold the truth, averaged over all answers."),
        (0.7, "Prediction set", ["(at 80%)", "(at 70%)"],
         "Of prediction sets at 90%, say, 90% hold the truth, averaged over all answers."),
    ],
    ids=["one level", "two levels"],
)  # fmt: skip
def test_levels_of_a_comparison(
    folder: Path, other: float, head: str, levels: list[str], note: str
) -> None:
    """One level stands over all prediction sets, several each beside its own; one line explains."""
    model = PLAIN.toml[PLAIN.toml.index("[[models]]") :]
    (folder / "podium.toml").write_text(PLAIN.toml + model.replace('"m"', '"n"', 1))
    keep(folder)
    again = calibration(**current(App(folder)), model="n", confidence_level=other)
    write_calibration(folder / "models/n.calibration.json", again)
    page = Page(client_of(folder).post("/", data=ROW | {"model": "*"}).text)
    sets = [one.text.partition("(") for one in page.all("td", **{"data-head": head})]
    assert head in [one.text for one in page.all("th", scope="col")]
    assert [bracket + level for _, bracket, level in sets] == levels
    (told,) = (one for one in page.all("p", class_="help") if "Entropy" in one.text)
    assert told.text.endswith(note)


def test_a_single_model_is_no_choice(folder: Path) -> None:
    """Where there is one model, the form sends it without asking."""
    page = Page(client_of(folder).get("/").text)
    (hidden,) = page.all("input", name="model")
    assert (hidden.attributes["type"], hidden.attributes["value"]) == ("hidden", "m")
    assert page.all("select") == []
