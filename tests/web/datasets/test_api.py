"""Data sets over HTTP, in this process: what each state answers."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pytest
from msgspec import structs
from werkzeug.test import Client, TestResponse

from podium.app import App
from podium.cli import DEMOS
from podium.datasets.findings import (
    Comparison,
    Figure,
    Findings,
    Judged,
    Metric,
    read_findings,
)
from podium.datasets.wishes import Column, Staged, Wishes
from podium.jobs import database
from podium.jobs.job import Job, State
from podium.jobs.state import StateFolder
from podium.jobs.store import JobStore, new_id
from podium.messages import said
from podium.web.datasets import api as datasets
from podium.web.wsgi import create_wsgi
from tests.support.birds import findings, write_birds
from tests.support.client import BROWSER, Upload, multipart

STAGED = Staged(
    kind="csv",
    columns=(Column("Bill length", "bill_length_mm"), Column("species", None, True), Column("id")),
    rows=2,
    notes=(said("The delimiter is a semicolon."),),
)
BAR = Figure("bars", said("Bars"), said("How to read it."),
             {"mark": "bar", "title": said("Rows")})  # fmt: skip
DOT = Figure("dots", said("Dots"), said("How to read it."), {"mark": "point"})
ACCURACY = Metric("accuracy", said("Accuracy"), 0.5, 0.1, 0.9, better="higher")
COMPARED = Comparison(
    first="bnn", second="tree", metric="accuracy", test="McNemar", difference=0.0, low=-0.1,
    high=0.1, p_value=1.0, reading=said("No difference is seen."),
)  # fmt: skip
RESULTS = ("results.csv", "results.parquet", "report.html", "figures/x.json")
STATES: tuple[State, ...] = ("received", "ready", "queued", "running", "failed", "cancelled")


@dataclass(frozen=True)
class ClosingState(StateFolder):
    """A state folder that knows what was opened."""

    opened: list[JobStore] = field(default_factory=list)

    def store(self, keep_s: float) -> JobStore:
        """Open the database."""
        self.opened.append(super().store(keep_s))
        return self.opened[-1]


class Site:
    """The penguins' web application, its jobs and its client."""

    def __init__(self, app: App, folder: Path) -> None:
        folder.mkdir()
        self.state = ClosingState(folder)
        self.store = self.state.store(100)
        self.client = Client(create_wsgi(app, self.state, threads=2))

    def close(self) -> None:
        """Close all connections."""
        for store in self.state.opened:
            store.close()

    def add(self, state: State, **fields: Any) -> str:
        """Keep a job of two models; return its id."""
        wishes = Wishes(models=("bnn", "tree"), seed=3)
        job = Job(id=new_id(), application=self.store.application, name="my data.csv", state=state,
                  wishes=wishes, start=True, created=1.8e9, updated=1.8e9, staged=STAGED,
                  rows=2)  # fmt: skip
        self.store.add(structs.replace(job, **fields))
        self.state.place(job.id).folder.mkdir(parents=True)
        return job.id

    def add_done(self) -> str:
        """Keep a job with its results; return its id."""
        job_id = self.add("done", rows_done=2, rows_failed=1)
        place = self.state.place(job_id)
        judged = Judged(model="bnn", title="Bayes", version="abc", rows=1, judged=1,
                        counts={"Gentoo": 1}, metrics=(ACCURACY,), figures=(BAR,))  # fmt: skip
        told = Findings(
            title="Penguins", file="my data.csv", target="species", unit=None,
            labels=("Adelie", "Chinstrap", "Gentoo"), rows=2, failed=1,
            problems=((2, said("year: expected a number")),), staged=STAGED,
            wishes=Wishes(models=("bnn", "tree"), seed=3),
            models=(judged, structs.replace(judged, model="tree")), comparisons=(COMPARED,),
            figures=(DOT,), notes=(said("Few rows."),),
        )  # fmt: skip
        place.write(place.findings, told)
        place.results("csv").write_bytes(b"a,podium_label\r\n1,Gentoo\r\n2,\r\n")
        place.results("parquet").write_bytes(b"PAR1 and so on PAR1")
        return job_id


@pytest.fixture(scope="module")
def app() -> App:
    """Return the penguins; no model of theirs is loaded."""
    return App(DEMOS / "penguins")


@pytest.fixture
def site(app: App, tmp_path: Path) -> Iterator[Site]:
    """Return an application whose state is empty."""
    site = Site(app, tmp_path / "penguins")
    yield site
    site.close()


def problem(answer: TestResponse) -> tuple[int, str, str]:
    """Return the status, title and detail of a problem document."""
    assert answer.content_type == "application/problem+json"
    told = json.loads(answer.data)
    assert told["status"] == answer.status_code
    return answer.status_code, told["title"], told["detail"]


UNKNOWN = (404, "Unknown data set", (
    "There is no data set of this id. It may have been removed, by somebody or after its time; "
    "then send it again."
))  # fmt: skip


def test_done(site: Site) -> None:
    """A data set that is done tells all that was found, and where its results are."""
    job_id = site.add_done()
    answer = site.client.get(f"/datasets/{job_id}")
    here = f"/datasets/{job_id}"
    metric = structs.asdict(ACCURACY)
    known = {"version": "abc", "rows": 1, "judged": 1, "counts": {"Gentoo": 1}}
    figure = {"about": "How to read it."}
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    assert (answer.headers["Cache-Control"], answer.headers["Vary"]) == (
        "private, no-cache", "Accept, HX-Request, Accept-Encoding",
    )  # fmt: skip
    assert json.loads(answer.data) == {
        "id": job_id, "state": "done", "step": None, "name": "my data.csv",
        "created": "2027-01-15T08:00:00Z", "removed_at": None,
        "models": [{"name": "bnn", "title": "Bayesian neural network", **known},
                   {"name": "tree", "title": "Decision tree", **known}],
        "target": None, "confidence_level": None, "seed": 3,
        "columns": [{"name": "Bill length", "use": "input", "input": "bill_length_mm"},
                    {"name": "species", "use": "target", "input": None},
                    {"name": "id", "use": None, "input": None}],
        "notes": ["The delimiter is a semicolon.", "Few rows."],
        "rows": 2, "rows_done": 2, "rows_failed": 1,
        "problems": [{"row": 2, "reason": "year: expected a number"}],
        "metrics": {"bnn": [metric], "tree": [metric]},
        "comparisons": [structs.asdict(COMPARED)],
        "figures": [
            {"model": None, "name": "dots", "title": "Dots", **figure,
             "url": f"{here}/figures/dots.json"},
            {"model": "bnn", "name": "bars", "title": "Bars", **figure,
             "url": f"{here}/figures/bars.json?model=bnn"},
            {"model": "tree", "name": "bars", "title": "Bars", **figure,
             "url": f"{here}/figures/bars.json?model=tree"},
        ],
        "error": None,
        "results": {"csv": f"{here}/results.csv", "parquet": f"{here}/results.parquet"},
        "report": f"{here}/report.html",
    }  # fmt: skip


def test_polling(site: Site) -> None:
    """A poll costs nothing until something has changed."""
    job_id = site.add("running", rows_done=1, step="scoring")
    first = site.client.get(f"/datasets/{job_id}")
    known = {"If-None-Match": first.headers["ETag"]}
    again = site.client.get(f"/datasets/{job_id}", headers=known)
    assert (again.status_code, again.data) == (304, b"")
    assert site.store.claim("worker", 60) is not None
    assert site.store.update(job_id, "worker", rows_done=2)
    changed = site.client.get(f"/datasets/{job_id}", headers=known)
    assert (changed.status_code, json.loads(changed.data)["rows_done"]) == (200, 2)


def test_figures(site: Site) -> None:
    """Each figure is at the address that is told; there are no others."""
    job_id = site.add_done()
    here = f"/datasets/{job_id}/figures"
    assert json.loads(site.client.get(f"{here}/dots.json").data) == DOT.spec
    assert json.loads(site.client.get(f"{here}/bars.json?model=tree").data) == BAR.spec
    for path in ("bars.json", "bars.json?model=none", "none.json"):
        assert problem(site.client.get(f"{here}/{path}"))[:2] == (404, "Not Found")


@pytest.mark.parametrize(
    ("kind", "content_type", "body"),
    [
        ("csv", "text/csv; charset=utf-8", b"a,podium_label\r\n1,Gentoo\r\n2,\r\n"),
        ("parquet", "application/vnd.apache.parquet", b"PAR1 and so on PAR1"),
    ],
)
def test_results(kind: str, content_type: str, body: bytes, site: Site) -> None:
    """Results are files to save, named after the upload; a download that broke off goes on."""
    path = f"/datasets/{site.add_done()}/results.{kind}"
    answer = site.client.get(path, buffered=True)
    assert (answer.status_code, answer.content_type, answer.data) == (200, content_type, body)
    assert answer.headers["Cache-Control"] == "private, no-cache"
    name = f'attachment; filename="my data-results.{kind}"'
    assert answer.headers["Content-Disposition"] == name
    again = {"Range": "bytes=5-", "If-Range": answer.headers["ETag"]}
    part = site.client.get(path, headers=again, buffered=True)
    assert (part.status_code, part.data) == (206, body[5:])


def test_report(site: Site) -> None:
    """The report is a file to save, which a browser would show in a sandbox at most."""
    answer = site.client.get(f"/datasets/{site.add_done()}/report.html")
    assert (answer.status_code, answer.content_type) == (200, "text/html; charset=utf-8")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="my data-report.html"'
    assert answer.headers.getlist("Content-Security-Policy")[-1] == "sandbox"
    assert answer.data.lower().startswith(b"<!doctype html>")


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("what", RESULTS)
def test_not_done(state: State, what: str, site: Site) -> None:
    """What is not there yet is told with the state and where to look."""
    job_id = site.add(state)
    detail = f"There are no results: the data set is {state!r}. See /datasets/{job_id}."
    answer = site.client.get(f"/datasets/{job_id}/{what}")
    assert problem(answer) == (409, "Not in this state", detail)


@pytest.mark.parametrize("state", ["received", "ready", "queued", "running"])
def test_delete_cancels(state: State, site: Site) -> None:
    """DELETE cancels what has not ended; a second one removes it with all its files."""
    job_id = site.add(state)
    first = site.client.delete(f"/datasets/{job_id}")
    assert (first.status_code, json.loads(first.data)["state"]) == (200, "cancelled")
    assert site.state.place(job_id).folder.is_dir()
    second = site.client.delete(f"/datasets/{job_id}")
    assert (second.status_code, second.data) == (204, b"")
    assert not site.state.place(job_id).folder.exists()
    assert problem(site.client.get(f"/datasets/{job_id}")) == UNKNOWN


@pytest.mark.parametrize("state", ["done", "failed", "cancelled"])
def test_delete_removes(state: State, site: Site) -> None:
    """DELETE removes what has ended."""
    job_id = site.add_done() if state == "done" else site.add(state)
    assert site.client.delete(f"/datasets/{job_id}").status_code == 204
    assert list(site.state.datasets.iterdir()) == []
    assert site.store.get(job_id) is None


def test_start(site: Site) -> None:
    """What is ready is queued, with what is asked for now in place of what was."""
    job_id = site.add("ready")
    answer = site.client.post(f"/datasets/{job_id}/start?models=forest&confidence_level=0.8")
    told = json.loads(answer.data)
    assert (answer.status_code, answer.headers["Location"]) == (202, f"/datasets/{job_id}")
    assert (told["state"], [one["name"] for one in told["models"]]) == ("queued", ["forest"])
    assert (told["confidence_level"], told["seed"]) == (0.8, 3)


def test_start_what_failed(site: Site) -> None:
    """What failed goes on as it was begun; asking for something else then is refused in words."""
    job_id = site.add("failed", error="The disk is full.")
    detail = "This data set goes on as it was begun. To ask for something else, send it again."
    other = site.client.post(f"/datasets/{job_id}/start?models=forest")
    assert problem(other) == (409, "Not in this state", detail)
    told = json.loads(site.client.post(f"/datasets/{job_id}/start").data)
    assert (told["state"], told["error"], told["seed"]) == ("queued", None, 3)


@pytest.mark.parametrize("state", ["received", "queued", "running", "done", "cancelled"])
def test_start_refused(state: State, site: Site) -> None:
    """What is under way, or over, is not started; the answer says which."""
    job_id = site.add_done() if state == "done" else site.add(state)
    answer = site.client.post(f"/datasets/{job_id}/start")
    detail = f"This data set is {state}: it cannot be started now."
    assert problem(answer) == (409, "Not in this state", detail)


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ""), ("DELETE", ""), ("POST", "/start"), ("POST", "/delete"), ("GET", "/results.csv"),
     ("GET", "/report.html"), ("GET", "/figures/x.json")],
)  # fmt: skip
def test_unknown(method: str, path: str, site: Site) -> None:
    """An id that is not known is told as such: a guess, a name of a file, another application's."""
    other = JobStore.open(site.state.database_url, "another")
    foreign = Job(id=new_id(), application="another", name="a.csv", state="done", wishes=Wishes(),
                  start=True, created=0, updated=0)  # fmt: skip
    other.add(foreign)
    for job_id in (new_id(), "x", "..%2f..", foreign.id):
        answer = site.client.open(f"/datasets/{job_id}{path}", method=method)
        if "%2f" not in job_id:
            assert problem(answer) == UNKNOWN
        assert answer.status_code == 404
    assert other.get(foreign.id) == foreign
    other.close()


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://x.org"}])
def test_foreign_pages(headers: dict[str, str], site: Site) -> None:
    """A form on another site's page changes nothing."""
    job_id = site.add("ready")
    body, kind = multipart([], [Upload("file", b"a\n1\n", "a.csv")])
    for path in ("", f"/{job_id}/start", f"/{job_id}/delete"):
        sent = site.client.post(f"/datasets{path}", data=body, content_type=kind, headers=headers)
        assert sent.status_code == 403
    assert site.client.delete(f"/datasets/{job_id}", headers=headers).status_code == 403
    kept = site.store.get(job_id)
    assert (kept and kept.state, site.store.ids()) == ("ready", {job_id})


def test_browser_is_led_on(site: Site) -> None:
    """A browser's forms lead to the data set's page, and once it is removed to the upload."""
    body, kind = multipart([("models", "*"), ("start", "false")],
                           [Upload("file", b"a\n1\n", "a.csv")])  # fmt: skip
    browser = {"Accept": BROWSER}
    sent = site.client.post("/datasets", data=body, content_type=kind, headers=browser)
    (job_id,) = site.store.ids()
    job = site.store.get(job_id)
    assert job is not None
    assert (job.wishes.models, job.start) == (("bnn", "forest", "tree", "bayes"), False)
    page = f"/datasets/{job_id}"
    assert (sent.status_code, sent.headers["Location"]) == (303, page)
    for location in (page, "/datasets"):  # cancelled, then removed
        led = site.client.post(f"{page}/delete", headers=browser)
        assert (led.status_code, led.headers["Location"]) == (303, location)
    assert site.store.ids() == set()


def test_browser_is_told(site: Site) -> None:
    """A browser that sends no file gets the page again, and what is missing on it."""
    body, kind = multipart([], [Upload("file", b"", "")])
    told = site.client.post("/datasets", data=body, content_type=kind, headers={"Accept": BROWSER})
    assert (told.status_code, told.content_type) == (422, "text/html; charset=utf-8")
    assert "is missing; choose one" in told.text


def test_pages_name_no_key_of_podium_toml(site: Site, tmp_path: Path) -> None:
    """Why a row has no answer is told visitors without what only a maker can set."""
    why, key = "the answer takes longer than 60 s", "([limits] timeout)"
    job_id = site.add_done()
    place = site.state.place(job_id)
    birds = write_birds(tmp_path / "birds.parquet")
    rows = f"SELECT * REPLACE ('{why} {key}' AS podium_error) FROM '{birds}' LIMIT 2"  # noqa: S608
    duckdb.execute(f"COPY ({rows}) TO '{place.results('parquet')}'")
    problem = said(f"{why} {key}")
    place.write(place.findings, structs.replace(findings("a"), problems=((1, problem),)))
    page = site.client.get(f"/datasets/{job_id}", headers={"Accept": BROWSER}).text
    assert (page.count(why), "[limits]" in page) == (3, False)
    told = json.loads(site.client.get(f"/datasets/{job_id}").data)
    assert told["problems"] == [{"row": 1, "reason": f"{why} {key}"}]


def test_too_many_wait(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """When many wait, the next one is told when to come again, before it is read."""
    monkeypatch.setattr(datasets, "MAX_WAITING", 2)
    for _ in range(2):
        site.add("queued")
    answer = site.client.post("/datasets", data=b"a\n1\n", content_type="text/csv")
    assert answer.headers["Retry-After"] == "60"
    detail = "2 data sets are waiting already; try again later"
    assert problem(answer) == (503, "Try again later", detail)
    assert len(site.store.ids()) == 2


def test_how_many_are_before_it(site: Site) -> None:
    """The page of one that waits says how many are before it."""
    site.add("running", created=1.7e9)
    job_id = site.add("queued")
    page = site.client.get(f"/datasets/{job_id}", headers={"Accept": BROWSER})
    assert "One other data set is before it." in page.text


def test_findings_are_read_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever looks again at what was found has it read again only where the file has changed."""
    job_id, read = site.add_done(), []
    file = site.state.place(job_id).findings

    def noted(kept: bytes) -> Findings:
        read.append(len(kept))
        return read_findings(kept)

    monkeypatch.setattr(datasets, "read_findings", noted)
    titles = [figures_told(site, job_id) for _ in range(3)]
    assert titles == [titles[0]] * 3
    assert read == [file.stat().st_size]
    found = structs.replace(read_findings(file.read_bytes()), figures=())
    site.state.place(job_id).write(file, found)
    os.utime(file, ns=(0, 0))
    assert figures_told(site, job_id) == titles[0][1:]
    assert len(read) == 2


def figures_told(site: Site, job_id: str) -> list[str]:
    """Return the titles of a data set's figures as the API tells them."""
    told = json.loads(site.client.get(f"/datasets/{job_id}").data)
    return [one["title"] for one in told["figures"]]


def test_what_goes_wrong_here(site: Site) -> None:
    """A fault of the server is told in brief, and logged."""
    job_id = site.add_done()
    site.state.place(job_id).findings.write_bytes(b"no findings")
    answer = site.client.get(f"/datasets/{job_id}")
    assert problem(answer) == (500, "The request failed", "The server's log says why.")


def test_database_locked(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A locked database is told as such, with when to try again, and the upload is not kept."""
    monkeypatch.setattr(database, "BUSY_S", 0.1)
    job_id = site.add("ready")
    assert site.client.get(f"/datasets/{job_id}").status_code == 200
    other = sqlite3.connect(site.state.path / "jobs.sqlite")
    other.execute("BEGIN EXCLUSIVE")
    try:
        sent = site.client.post("/datasets", data=b"a\n1\n", content_type="text/csv")
        started = site.client.post(f"/datasets/{job_id}/start")
    finally:
        other.close()
    detail = "The database of jobs cannot be used now: database is locked"
    for answer in (sent, started):
        assert problem(answer) == (503, "Try again later", detail)
        assert answer.headers["Retry-After"] == "5"
    assert [path.name for path in site.state.datasets.iterdir()] == [job_id]
    assert site.client.post(f"/datasets/{job_id}/start").status_code == 202


def test_database_away(site: Site) -> None:
    """A database that cannot be opened is told in brief; where it lies is no one's business."""
    site.close()
    (site.state.path / "jobs.sqlite").unlink()
    (site.state.path / "jobs.sqlite").mkdir()
    answer = site.client.get(f"/datasets/{new_id()}")
    detail = "The database of jobs cannot be used now"
    assert problem(answer) == (503, "Try again later", detail)
    assert answer.headers["Retry-After"] == "5"


def test_database_damaged(site: Site) -> None:
    """A database that is damaged is told with the way out, and nobody is asked to try again."""
    site.close()
    (site.state.path / "jobs.sqlite").write_bytes(b"no database at all" * 100)
    answer = site.client.get(f"/datasets/{new_id()}")
    status, title, detail = problem(answer)
    assert (status, title) == (500, "The database of jobs is damaged")
    assert detail.startswith("jobs.sqlite, the database of jobs in the state folder, is damaged. ")
    assert "Retry-After" not in answer.headers
    assert str(site.state.path) not in detail


def test_what_is_taken(site: Site) -> None:
    """A program learns what a data set may be; no data set is listed."""
    site.add_done()
    answer = site.client.get("/datasets")
    assert json.loads(answer.data) == {
        "field": "file", "formats": ["csv", "tsv", "parquet", "xlsx"],
        "limit_bytes": 2_000_000_000, "target": "species", "kept_s": 86400.0,
        "inputs": ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g",
                   "island", "sex"],
        "models": ["bnn", "forest", "tree", "bayes"],
    }  # fmt: skip


def test_template(site: Site) -> None:
    """An empty table with the right columns can be had."""
    answer = site.client.get("/datasets/template.csv")
    assert answer.headers["Content-Disposition"] == "attachment; filename=template.csv"
    assert answer.text == (
        "bill_length_mm,bill_depth_mm,flipper_length_mm,body_mass_g,island,sex,species\r\n"
    )


def test_cancelled_twice_at_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two who cancel at the same time, the later one is told that it is cancelled."""
    job_id = site.add("running")
    running = site.store.get(job_id)
    assert site.client.delete(f"/datasets/{job_id}").status_code == 200
    seen = iter([running])
    real = datasets.Desk.job
    monkeypatch.setattr(datasets.Desk, "job", lambda *asked: next(seen, None) or real(*asked))
    answer = site.client.delete(f"/datasets/{job_id}")
    assert (answer.status_code, answer.json and answer.json["state"]) == (200, "cancelled")


def test_the_log_tells_no_whole_id(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """Who reads the log cannot open the data sets of others."""
    job_id = site.add("ready")
    assert site.client.get(f"/datasets/{job_id}").status_code == 200
    logged = capsys.readouterr().err
    assert f'"path":"/datasets/{job_id[:8]}..."' in logged
    assert job_id not in logged


def test_what_curl_sends_with_put_is_told_the_way(site: Site) -> None:
    """`curl -T FILE` is refused with the option that mends it."""
    told = "PUT does not work here. POST does; curl sends it with -X POST."
    assert problem(site.client.put("/datasets")) == (405, "Method Not Allowed", told)


@pytest.mark.parametrize(("chosen", "status"), [((), 422), (("tree",), 303)])
def test_a_form_without_a_model(site: Site, chosen: tuple[str, ...], status: int) -> None:
    """Where none is checked, the page says so; the form names the empty choice first."""
    fields = [("models", name) for name in ("", *chosen)]
    body, content_type = multipart(fields, [Upload("file", b"a,b\n", "a.csv")])
    answer = site.client.post("/datasets", data=body, content_type=content_type,
                              headers={"Accept": BROWSER})  # fmt: skip
    assert answer.status_code == status
    assert ("none is chosen; choose at least one" in answer.text) is (status == 422)


def test_little_is_read_about_a_known_data_set(site: Site) -> None:
    """How to score it is said in few words: more is refused unread."""
    answer = site.client.post(f"/datasets/{site.add('ready')}/start", data=b"a" * 70_000,
                              content_type="application/x-www-form-urlencoded")  # fmt: skip
    told = "The body of 70 kB is larger than 64 kB, the limit of one request"
    assert problem(answer) == (413, "Request too large", told)


def test_a_page_that_polls(site: Site) -> None:
    """A page's poll is answered with nothing as long as nothing has changed."""
    job_id = site.add("running", rows_done=1, step="scoring")
    headers = {"HX-Request": "true"}
    first = site.client.get(f"/datasets/{job_id}?seen=scoring", headers=headers)
    assert b"1 of 2 rows" in first.data
    known = headers | {"If-None-Match": first.headers["ETag"]}
    again = site.client.get(f"/datasets/{job_id}?seen=scoring", headers=known)
    assert (again.status_code, again.data) == (304, b"")


def test_only_what_can_be_started_again_is_offered(site: Site) -> None:
    """A job whose file was removed, since it cannot be used, leads to a corrected one alone."""
    pages = []
    for kept in (True, False):
        job_id = site.add("failed", error="The column is missing")
        if kept:
            site.state.place(job_id).upload.touch()
        page = site.client.get(f"/datasets/{job_id}", headers={"Accept": "text/html"}).data
        pages.append((b"Start again" in page, b"Send a corrected file" in page))
    assert pages == [(True, False), (False, True)]


def test_a_page_of_nothing(site: Site) -> None:
    """A browser that asks for a data set that is gone reads how long one is kept."""
    answer = site.client.get(f"/datasets/{'0' * 32}", headers={"Accept": "text/html"})
    assert answer.status_code == 404
    assert b"A data set is kept for 1 day after it was scored" in answer.data
