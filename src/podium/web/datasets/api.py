"""Data sets over HTTP: sent, followed, started, cancelled, their results taken away."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from io import BytesIO
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import parse_qs

from flask import (
    Blueprint,
    Flask,
    Response,
    current_app,
    redirect,
    request,
    send_file,
    url_for,
)
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as AnyResponse

from podium.app import App
from podium.datasets.findings import Findings, read_findings
from podium.errors import (
    DatasetsOff,
    FieldError,
    InvalidInput,
    Overloaded,
    RequestError,
    UnknownDataset,
    WrongState,
)
from podium.jobs.job import WAITING, Job
from podium.jobs.sweep import end
from podium.messages import said
from podium.web.datasets.answer import accepted_of, answer_of, figures_of
from podium.web.datasets.pages import gone_page, job_page, off_page, template_csv, upload_page
from podium.web.datasets.table import rows_file
from podium.web.datasets.upload import Fields, Received, clean_name, receive
from podium.web.datasets.wanted import asked_rows
from podium.web.datasets.wishes import OF_THE_FILE, WISHES, Asked, read_wishes
from podium.web.form import read_form
from podium.web.http import CSV, PARQUET
from podium.web.opened import Opened
from podium.web.problem import problem_of, reply_of
from podium.web.site import json_response, keep_private, refuse_foreign, respond, wants_page

if TYPE_CHECKING:
    from podium.jobs.state import StateFolder
    from podium.jobs.store import JobStore

MAX_WAITING: Final = 100
"""So many data sets may wait for a worker."""
_TYPES: Final = {"csv": CSV, "parquet": PARQUET}


class Desk:
    """Where one application's data sets are taken in and asked after.

    A file that is sent holds a thread for as long as that takes: half of a worker's threads at
    most, so that a few slow senders never keep others from their answers.
    """

    def __init__(self, app: App, state: StateFolder, threads: int) -> None:
        self.app = app
        self.state = state
        self._uploads = threading.BoundedSemaphore(max(1, threads // 2))
        self._store = Opened(
            lambda: state.store(app.spec.dataset_keep),
            said("The database of jobs cannot be used now"),
        )

    @property
    def store(self) -> JobStore:
        """The jobs.

        Raises:
            Overloaded: the database cannot be used now.
        """
        return self._store.get()

    def states(self) -> dict[str, int]:
        """Return how many data sets are in each state; nothing where none has ever come.

        Raises:
            Overloaded: the database cannot be used now.
        """
        came = self.state.database or any(self.state.datasets.glob("*"))
        return self.store.count_by_state() if came else {}

    @contextmanager
    def taking(self) -> Iterator[str]:
        """Hold a place for one upload, and yield its id; what fails leaves nothing on disk.

        Raises:
            Overloaded: there is none.
        """
        from podium.jobs.store import new_id

        if self.store.count_waiting() >= MAX_WAITING:
            told = said("%(count)s data sets are waiting already; try again later",
                        count=MAX_WAITING)  # fmt: skip
            raise Overloaded(told, 60)
        if not self._uploads.acquire(blocking=False):
            told = said("Too many data sets are being sent at this moment; try again")
            raise Overloaded(told, 10)
        job_id = new_id()
        try:
            yield job_id
        except BaseException:
            shutil.rmtree(self.state.place(job_id).folder, ignore_errors=True)
            raise
        finally:
            self._uploads.release()

    def job(self, job_id: str) -> Job:
        """Return a job.

        Raises:
            UnknownDataset: there is none of this id, or it is another application's.
        """
        return _known(self.store.get(job_id))

    def findings(self, job: Job) -> Findings | None:
        """Return what was found; None until the job is done."""
        if job.state != "done":
            return None
        file = self.state.place(job.id).findings
        try:
            return _found(file, file.stat().st_mtime_ns)
        except FileNotFoundError as err:  # removed meanwhile
            raise UnknownDataset from err


@lru_cache(maxsize=4)
def _found(file: Path, _changed_ns: int) -> Findings:
    """Return what a file tells: who pages through rows asks again and again, at 20 ms a time."""
    return read_findings(file.read_bytes())


def add_datasets(flask: Flask, app: App, state: StateFolder, threads: int) -> None:
    """Serve an application's data sets at /datasets, in a worker of so many threads."""
    flask.extensions["podium.datasets"] = Desk(app, state, threads)
    flask.register_blueprint(datasets)


datasets = Blueprint("datasets", __name__, url_prefix="/datasets")
datasets.before_request(refuse_foreign)
datasets.after_request(keep_private)


def desk() -> Desk:
    """Return where the current application's data sets are."""
    found: Desk = current_app.extensions["podium.datasets"]
    return found


@datasets.before_request
def refuse_all_if_off() -> Response | None:
    """Say that no data set is taken, where that is so."""
    app = desk().app
    if app.takes_datasets:
        return None
    if wants_page():
        return off_page()
    raise DatasetsOff(app.spec.limits.rows)


@datasets.errorhandler(UnknownDataset)
def _tell_gone(error: UnknownDataset) -> Response:
    """Answer what is not here any more: browsers with a way on, programs with a problem."""
    if wants_page():
        return gone_page()
    problem, headers = problem_of(error)
    return respond(reply_of(problem, headers))


@datasets.get("")
def index() -> Response | str:
    """The page where a data set is sent; for programs, what is taken."""
    if wants_page():
        return upload_page()
    return json_response(accepted_of(desk().app))


@datasets.get("/template.csv")
def template() -> Response:
    """An empty table with the columns that are expected."""
    sheet = Response(template_csv(accepted_of(desk().app)), mimetype=CSV)
    sheet.headers.set("Content-Disposition", "attachment", filename="template.csv")
    return sheet


@datasets.post("")
def create() -> AnyResponse | tuple[str, int]:
    """Take a data set in."""
    try:
        job = _take(desk())
    except RequestError as err:
        if not wants_page():
            raise
        return upload_page(problem_of(err)[0]), err.status
    return _led(job) if wants_page() else _told(job, 202)


@datasets.get("/<job_id>")
def show(job_id: str) -> AnyResponse:
    """Where a data set stands, and what was found in it."""
    here = desk()
    job = here.job(job_id)
    if wants_page():
        before = here.store.count_before(job) if job.state in WAITING else None
        return job_page(job, here.findings(job), here.state.place(job.id), before)
    answer = _told(job, 200)
    answer.add_etag()
    return answer.make_conditional(request)


@datasets.post("/<job_id>/start")
def start(job_id: str) -> AnyResponse:
    """Start a data set that waits for it, or one that failed where it was left."""
    job = desk().job(job_id)
    sent = read_form(request.environ, 0).fields
    wishes = _asked(_query(), sent, WISHES).over(job.wishes)
    if job.state == "failed" and wishes != job.wishes:
        raise WrongState(
            said("This data set goes on as it was begun. To ask for something else, send it again.")
        )
    job = _known(desk().store.start(job.id, wishes))
    return _led(job) if wants_page() else _told(job, 202)


@datasets.post("/<job_id>/delete")
def delete_by_form(job_id: str) -> AnyResponse:
    """What DELETE does, for forms, which only know POST."""
    left = _end(job_id)
    if wants_page():
        return _led(left) if left else redirect(url_for(".index"), 303)
    return _told(left, 200) if left else Response(status=204)


@datasets.delete("/<job_id>")
def delete(job_id: str) -> AnyResponse:
    """Cancel a data set that has not ended; remove one that has."""
    left = _end(job_id)
    return _told(left, 200) if left else Response(status=204)


@datasets.get("/<job_id>/results.<any(csv, parquet):kind>")
def results(job_id: str, kind: Literal["csv", "parquet"]) -> Response:
    """The results as a file."""
    job = _done(job_id)
    file = desk().state.place(job.id).results(kind)
    if not file.is_file():  # removed meanwhile
        raise UnknownDataset
    name = f"{PurePath(job.name).stem}-results.{kind}"
    return send_file(file, _TYPES[kind], as_attachment=True, download_name=name)


@datasets.get("/<job_id>/rows.csv")
def rows_csv(job_id: str) -> Response:
    """Some rows of the results as a file: those of the page's table, on all its pages."""
    job = _done(job_id)
    findings = desk().findings(job)
    assert findings is not None
    wanted = asked_rows(request.args)
    file = rows_file(desk().state.place(job.id), findings, wanted)
    name = f"{PurePath(job.name).stem}-{wanted.view}.csv"
    return send_file(file, CSV, as_attachment=True, download_name=name)


@datasets.get("/<job_id>/report.html")
def report(job_id: str) -> Response:
    """All that was found as one file for offline reading; a browser never shows it from here."""
    from podium.web.datasets.report import render_report

    job = _done(job_id)
    findings = desk().findings(job)
    assert findings is not None
    name = f"{PurePath(job.name).stem}-report.html"
    page = BytesIO(render_report(findings).encode())
    response = send_file(page, "text/html", as_attachment=True, download_name=name)
    response.headers["Content-Security-Policy"] = "sandbox"
    return response


@datasets.get("/<job_id>/figures/<name>.json")
def figure(job_id: str, name: str) -> Response:
    """A figure as a Vega-Lite specification; `?model=` for one of a single model."""
    findings = desk().findings(_done(job_id))
    assert findings is not None
    figures = figures_of(findings)
    model = request.args.get("model")
    if (model, name) not in figures:
        raise NotFound
    return json_response(figures[model, name].spec)


def _take(here: Desk) -> Job:
    """Receive an upload and return its job.

    Raises:
        RequestError: of the kind that says what is wrong with the request.
    """
    query = _query()
    with here.taking() as job_id:
        file = here.state.place(job_id).upload
        received = receive(request.environ, file, lambda fields: _asked(query, fields))
        asked = _asked(query, received.fields)
        job = _new_job(here, job_id, received, asked)
        here.store.add(job)
    return job


def _new_job(here: Desk, job_id: str, received: Received, asked: Asked) -> Job:
    now = time.time()
    return Job(
        id=job_id,
        application=here.store.application,
        name=clean_name(asked.name) if asked.name else received.name,
        state="received",
        wishes=asked.wishes,
        start=asked.start,
        created=now,
        updated=now,
    )


def _asked(query: Fields, fields: Fields, names: tuple[str, ...] = WISHES + OF_THE_FILE) -> Asked:
    """Return what the query or the fields ask for; a field counts more.

    Raises:
        InvalidInput: naming every one that is unknown or wrong.
        UnknownModel: the name of a model is all that is wrong.
    """
    if wants_page() and fields.get("models") == [""]:  # the form, in which none is checked
        raise InvalidInput([FieldError("models", said("none is chosen; choose at least one"))])
    return read_wishes({**query, **fields}, desk().app.names, names)


def _query() -> Fields:
    return parse_qs(request.query_string.decode("latin-1"), keep_blank_values=True)


def _end(job_id: str) -> Job | None:
    """Cancel a job, or remove it if it has ended: then None is left."""
    here = desk()
    try:
        return end(here.store, here.state, here.job(job_id))
    except WrongState:
        job = here.job(job_id)
        if job.state != "cancelled":
            raise
        return job  # somebody else has cancelled it just now


def _known(job: Job | None) -> Job:
    if job is None:
        raise UnknownDataset
    return job


def _done(job_id: str) -> Job:
    """Return a job that is done.

    Raises:
        WrongState: it is not.
    """
    job = desk().job(job_id)
    if job.state != "done":
        where = url_for(".show", job_id=job.id)
        told = said("There are no results: the data set is %(state)s. See %(address)s.",
                    state=repr(job.state), address=where)  # fmt: skip
        raise WrongState(told)
    return job


def _told(job: Job, status: int) -> Response:
    """Return a job as JSON."""
    response = json_response(answer_of(desk().app, job, desk().findings(job)), status)
    if status == 202:
        response.headers["Location"] = url_for(".show", job_id=job.id)
    return response


def _led(job: Job) -> AnyResponse:
    return redirect(url_for(".show", job_id=job.id), 303)
