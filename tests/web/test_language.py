"""Pages speak the application's language; programs hear English unless they ask for it."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from podium.app import App
from podium.messages import said, said_of
from podium.web.body import BodyReader
from podium.web.language import translated
from podium.web.wsgi import create_pages
from tests.support.apps import write_weights
from tests.support.pseudo import LANGUAGE, accented, write_pseudo


@pytest.fixture(scope="module")
def flask(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    """The pages of a regression in the language of accents."""
    folder = write_weights(tmp_path_factory.mktemp("accents") / "app")
    write_pseudo(folder)
    app = App(folder)
    return create_pages(app, BodyReader(app.signature, app.spec.limits, app.names, app.image_of))


@pytest.fixture
def client(flask: Flask) -> FlaskClient:
    """A program that asks the pages."""
    return flask.test_client()


def test_messages_are_translated_with_what_stands_in_them(flask: Flask) -> None:
    """So are those in lists and tables; on no page all stays English."""
    message = said("expected %(expected)s; found %(found)s.", expected=said("a number"), found="x")
    rows = said_of(2, "and %(count)s more mistake", "and %(count)s more mistakes", count=2)
    assert translated([message]) == ["expected a number; found x."]
    with flask.app_context():
        assert translated({"told": [message, rows, "plain", 1]}) == {
            "told": [
                f"{accented('expected')} {accented('a number')}; {accented('found')} x.",
                f"{accented('and')} 2 {accented('more mistakes')}", "plain", 1,
            ]
        }  # fmt: skip


def test_scripts_get_their_texts(client: FlaskClient) -> None:
    """They stand in the page, as data that the policy allows."""
    page = client.get("/", headers={"Accept": "text/html"}).get_data(as_text=True)
    assert f'<html lang="{LANGUAGE}">' in page
    assert '<script type="application/json" id="texts">{' in page


@pytest.mark.parametrize(
    ("asked", "title"),
    [(None, "Not Found"), ("fr, en;q=0.5", "Not Found"), (LANGUAGE, accented("Not Found"))],
)
def test_a_problem_is_english_unless_the_language_is_asked_for(
    client: FlaskClient, asked: str | None, title: str
) -> None:
    """The page's scripts ask for it, and show what they get."""
    headers = {"Accept": "application/json"} | ({"Accept-Language": asked} if asked else {})
    answer = client.get("/nothing", headers=headers)
    assert (answer.status_code, answer.get_json()["title"]) == (404, title)
