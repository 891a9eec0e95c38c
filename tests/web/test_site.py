"""What all pages share: what caches are told, which hosts there are, texts that harm no page."""

from __future__ import annotations

from pathlib import Path

import pytest
from werkzeug.test import Client

from podium.app import App
from podium.jobs.state import StateFolder
from podium.web.wsgi import create_wsgi
from tests.support.apps import write_notes, write_weights
from tests.support.client import BROWSER
from tests.support.page import Page
from tests.support.pseudo import LANGUAGE, accented, write_pseudo

NASTY = "\"'<b>&amp;"


def client(folder: Path) -> Client:
    """Return a client of an application."""
    return Client(create_wsgi(App(folder), StateFolder(folder.parent), threads=2))


@pytest.mark.parametrize(
    ("path", "caching", "varies"),
    [
        ("/", None, {"Accept", "HX-Request", "Accept-Encoding"}),
        ("/models", None, {"Accept", "HX-Request", "Accept-Encoding"}),
        ("/nothing", "no-store", {"Accept", "HX-Request", "Accept-Encoding", "Accept-Language"}),
        ("/models/none", "no-store",
         {"Accept", "HX-Request", "Accept-Encoding", "Accept-Language"}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("accept", [BROWSER, "application/json"])
def test_caches_know_on_what_an_answer_depends(
    tmp_path: Path, path: str, caching: str | None, varies: set[str], accept: str
) -> None:
    """One address answers browsers, htmx and programs; an error is not kept at all."""
    answer = client(write_notes(tmp_path / "app")).get(path, headers={"Accept": accept})
    assert answer.headers.get("Cache-Control") == caching
    assert set(answer.vary) == varies


@pytest.mark.parametrize("host", ["a" * 64 + ".example", "a..example", ".example:5000"])
@pytest.mark.parametrize("path", ["/", "/healthz", "/predict", "/nothing"])
def test_a_host_that_cannot_be_is_refused(
    tmp_path: Path, path: str, host: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Its name would end every page in an error; it is the request that is wrong."""
    answer = client(write_notes(tmp_path / "app")).get(path, headers={"Host": host})
    assert (answer.status_code, answer.get_json()["detail"]) == (
        400, "The Host header is no host name",
    )  # fmt: skip
    assert caplog.text == ""


def test_only_probes_are_answered_under_any_host(tmp_path: Path) -> None:
    """A load balancer asks by an IP address, and under the prefix; the description says so."""
    asking, prefix = client(write_weights(tmp_path / "app")), "/lab/weights"
    codes = {
        path: asking.get(prefix + path, headers={"Host": "10.0.0.7:8000"}).status_code
        for path in ("/healthz", "/readyz", "/readyz?worker", "/models", "/predict", "/healthz/")
    }
    assert {path for path, code in codes.items() if code != 421} == {
        "/healthz", "/readyz", "/readyz?worker",
    }  # fmt: skip
    told = asking.get(f"{prefix}/openapi.json", headers={"Host": "weights.example"}).get_json()
    assert [path for path, item in told["paths"].items() if "421" not in str(item)] == [
        "/healthz", "/readyz",
    ]  # fmt: skip


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:5000", "[::1]:5000", "a" * 63 + ".b"])
def test_other_hosts_are_served(tmp_path: Path, host: str) -> None:
    """Names, and addresses of both kinds, with their port or without."""
    answer = client(write_notes(tmp_path / "app")).get("/", headers={"Host": host})
    assert answer.status_code == 200


def test_signs_of_html_in_a_translation_are_only_text(tmp_path: Path) -> None:
    """Neither do they end an attribute, nor begin an element; values in a text stay whole."""
    folder = write_notes(tmp_path / "app")
    write_pseudo(folder)
    file = folder / "translations" / f"{LANGUAGE}.po"
    quoted = NASTY.replace('"', '\\"')
    lines = file.read_text("utf-8").splitlines()
    for said in ("The answer", "To the content", "Served by Podium %(version)s"):
        place = lines.index(f'msgid "{said}"')
        told = lines[place + 1].removesuffix('"') + quoted + '"'
        lines[place + 1] = told
    file.write_text("\n".join(lines), "utf-8")
    text = client(folder).get("/", headers={"Accept": BROWSER}).text
    page = Page(text)
    assert page.by_id("answer").attributes["aria-label"] == accented("The answer") + NASTY
    (skip,) = page.all("a", class_="skip")
    assert skip.text == accented("To the content") + NASTY
    assert "<b>" not in text


def test_detail_of_many_mistakes_is_translated(tmp_path: Path) -> None:
    """A problem's detail is made of the mistakes, each in the language that is asked for."""
    folder = write_weights(tmp_path / "app")
    write_pseudo(folder)
    path = "/lab/weights/datasets?start=maybe&confidence_level=2"
    sent = client(folder).post(
        path, data="a\n1\n", headers={
            "Content-Type": "text/csv", "Accept-Language": LANGUAGE, "Host": "127.0.0.1",
        }
    )  # fmt: skip
    told = sent.get_json()
    assert sent.status_code == 422
    assert told["detail"] == "; ".join(f"{one['field']}: {one['message']}"
                                       for one in told["errors"])  # fmt: skip
    assert accented("expected") in told["detail"]
