"""Where data sets are off: the API says why, and so does the page."""

from __future__ import annotations

from pathlib import Path

import pytest
from werkzeug.test import Client

from podium.app import App
from podium.jobs.state import StateFolder
from podium.web.wsgi import create_wsgi
from tests.support.apps import write_notes
from tests.support.client import BROWSER
from tests.support.page import Page


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Client:
    """Return a client of an application that takes none."""
    monkeypatch.setenv("PODIUM_DATASETS", "off")
    (tmp_path / "state").mkdir()
    app = App(write_notes(tmp_path / "app"))
    return Client(create_wsgi(app, StateFolder(tmp_path / "state"), threads=2))


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/datasets"), ("POST", "/datasets"), ("GET", "/datasets/template.csv"),
     ("GET", f"/datasets/{'0' * 32}"), ("DELETE", f"/datasets/{'0' * 32}"),
     ("POST", f"/datasets/{'0' * 32}/start")],
)  # fmt: skip
def test_programs_are_told_why(client: Client, tmp_path: Path, method: str, path: str) -> None:
    """Every address of data sets is a problem that says why; nothing is kept."""
    answer = client.open(path, method=method, data=b"text\na\n", content_type="text/csv")
    problem = answer.get_json()
    assert (answer.status_code, answer.content_type) == (404, "application/problem+json")
    assert (problem["title"], problem["detail"]) == ("Data sets are off", (
        "Whole data sets are off here (PODIUM_DATASETS=off): the service that hosts this "
        "application has no disk that stays, or nothing that works between requests. /predict "
        "takes 5 rows at once."
    ))  # fmt: skip
    assert list((tmp_path / "state").iterdir()) == []


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_people_read_it_in_place_of_the_form(client: Client, method: str) -> None:
    """The page has no form to send a file with, and leads back to single inputs."""
    answer = client.open("/datasets", method=method, headers={"Accept": BROWSER})
    page = Page(answer.text)
    assert answer.status_code == 404
    assert page.all("form") == []
    assert "Whole data sets are not taken here" in answer.text
    assert "A program can ask for up to 5 rows in one request." in answer.text


def test_description_leaves_them_out(client: Client) -> None:
    """Neither the API's description nor its page tells of addresses that are not there."""
    api = client.get("/openapi.json").get_json()
    assert [path for path in api["paths"] if path.startswith("/datasets")] == []
    assert "dataset" not in api["x-podium-limits"]
    assert "/datasets" not in Page(client.get("/docs").text).by_id("content").text
