"""What the page says where there is no answer, and where there are very many classes."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import render_template
from flask.testing import FlaskClient

from podium.app import App
from podium.errors import Overloaded
from podium.web.page.failed import FailedView
from tests.support.page import Page
from tests.support.pages import pages_of

CODE = """
def guess(texts):
    if texts[0] == "fail":
        raise RuntimeError("no tea")
    return [[0.05] + [0.95 / 999] * 999 for _ in texts]
"""
TOML = """title = "Birds"
[task]
kind = "classification"
target = "bird"
labels = "labels.txt"
[text]
[[models]]
name = "first"
python = "guesses:guess"
[[models]]
name = "second"
python = "guesses:guess"
"""


@pytest.fixture
def app(tmp_path: Path) -> App:
    """Return an application with 1,000 classes and two models, which fail on the text "fail"."""
    (tmp_path / "guesses.py").write_text(CODE)
    (tmp_path / "podium.toml").write_text(TOML)
    (tmp_path / "labels.txt").write_text("\n".join(f"bird {number}" for number in range(1000)))
    return App(tmp_path)


@pytest.fixture
def client(app: App) -> FlaskClient:
    """Return a client of the application's pages, whose requests have the id "r1"."""
    client = pages_of(app).test_client()
    client.environ_base["podium.request_id"] = "r1"
    return client


def panel(page: Page) -> str:
    """Return what the answer's panel says."""
    return " ".join(page.by_id("answer").text.split())


def retry(page: Page) -> dict[str, str]:
    """Return the attributes of the button that sends the form again."""
    (button,) = (one for one in page.by_id("answer").inside if one.tag == "button")
    return button.attributes


def test_a_failing_model(client: FlaskClient) -> None:
    """It is told with the request's id; the text stays, and the form can be sent again."""
    answer = client.post("/", data={"text": "fail", "model": "second"})
    page = Page(answer.text)
    assert answer.status_code == 500
    assert panel(page) == (
        "The prediction failed 'guesses:guess' raises RuntimeError: no tea (guesses.py, line 4) "
        "If it happens again, tell who runs this page, and quote the request r1. Try again"
    )
    assert page.by_id("text").text.strip() == "fail"
    assert retry(page)["data-retry"] == "0"
    assert "name" not in retry(page)


def test_failing_models_are_compared_again(client: FlaskClient) -> None:
    """Where every model fails, trying again asks them all."""
    page = Page(client.post("/", data={"text": "fail", "model": ["second", "*"]}).text)
    assert (retry(page)["name"], retry(page)["value"]) == ("model", "*")
    (chosen,) = (one for one in page.all("option") if "selected" in one.attributes)
    assert chosen.attributes["value"] == "second"


def test_a_server_that_is_busy(
    app: App, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says when to try again, in the page and in its headers; no id is needed."""

    def refuse(_decode: object, _ends: float) -> None:
        raise Overloaded("Too many requests wait", retry_after=7)

    monkeypatch.setattr(app, "answer", refuse)
    answer = client.post("/", data={"text": "hello"})
    page = Page(answer.text)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "7")
    assert panel(page) == "Try again later Too many requests wait Try again"
    assert retry(page)["data-retry"] == "7"


def test_a_kept_answer_that_fails_is_asked_again(app: App) -> None:
    """Its button sends what is kept, not the form, which may lack the picture."""
    pages = pages_of(app)
    failed = FailedView("Try again later", "Too much", wait=7)
    pages.add_url_rule("/answers/1/again", "answers.again",
                       lambda: render_template("page/failed.html", failed=failed))  # fmt: skip
    page = Page(pages.test_client().get("/answers/1/again").text)
    (form,) = page.all("form")
    assert form.attributes["hx-post"] == form.attributes["action"] == "/answers/1/again"
    (button,) = page.all("button")
    assert (button.attributes["data-retry"], "form" in button.attributes) == ("7", False)


def test_a_wrong_text(client: FlaskClient) -> None:
    """A mistake that is said beside its field is only led to, and trying again would not help."""
    answer = client.post("/", data={"text": " "})
    page = Page(answer.text)
    assert answer.status_code == 422
    assert panel(page) == "Look at the marked fields Text"
    assert page.by_id("text-note").text.strip() == "Enter a text."


def test_an_unknown_model(client: FlaskClient) -> None:
    """What belongs to no field is told in the panel."""
    page = Page(client.post("/", data={"text": "hello", "model": "thrid"}).text)
    assert panel(page) == ("Unknown model There is no model 'thrid'. Known: first, second.")


def test_a_thousand_classes(client: FlaskClient) -> None:
    """The five likeliest are seen, 95 unfold, and the rest is left to the API."""
    text = client.post("/", data={"text": "hello"}).text
    page = Page(text)
    tables = [one for one in page.by_id("answer").inside if one.tag == "table"]
    assert [sum(one.tag == "tr" for one in table.inside) for table in tables] == [5, 95]
    told = panel(page)
    assert "The next 95 of 1,000 classes" in told
    assert "These are the likeliest of 1,000 classes; the API tells all of them." in told
    assert len(text) < 60_000
