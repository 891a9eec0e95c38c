"""The pages of data sets: where one is sent, and where it is followed to its results.

Without scripts they are forms. That of `upload_page` goes to POST /datasets with the fields
`models` (repeated), `target` and `confidence_level` (both may be empty), `file`, and `start`
("true" or "false", by the button); a browser is led on to the data set's own page by 303. There,
POST /datasets/<id>/start and POST /datasets/<id>/delete, which does what DELETE does, lead on in
the same way. With scripts the upload asks for JSON, and follows `Location`.

The page of a data set that is done takes `rows`, `model`, `sort` and `page` for which of its rows
are shown: a link shows the same.
"""

from __future__ import annotations

import csv
import io

import msgspec
from flask import Response, make_response, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from podium.datasets.findings import Findings
from podium.datasets.look import Look
from podium.datasets.place import Place
from podium.jobs.job import Job
from podium.messages import heard
from podium.web.datasets.answer import AcceptedAnswer
from podium.web.datasets.job import job_view
from podium.web.datasets.numbers import numbers_of
from podium.web.datasets.table import rows_table
from podium.web.datasets.view import by_reason, findings_view
from podium.web.datasets.wanted import asked_rows
from podium.web.problem import Problem
from podium.web.share import share_of_dataset
from podium.web.site import from_htmx, site
from podium.web.words import lasting


def upload_page(problem: Problem | None = None) -> str:
    """Return the page where a data set is sent; with a problem, it stands in the form."""
    return render_template("datasets/upload.html", problem=problem)


def job_page(job: Job, found: Findings | None, place: Place, before: int | None) -> AnyResponse:
    """Return the page of a data set, or what has changed in it when htmx asks.

    `before` is how many are worked on before it.
    """
    view = job_view(job, site().app.spec.dataset_keep, before, place.upload.exists())
    # A poll says where it stands: as long as that is so, only the progress changes.
    if from_htmx() and request.args.get("seen") == view.stage:
        return _if_changed(render_template("datasets/progress.html", job=job, view=view))
    look = _look(place) if job.state == "ready" else None
    told: dict[str, object] = {"look": look, "by_reason": by_reason}
    if found:
        rows = rows_table(job.id, place, found, asked_rows(request.args))
        told |= {"found": found, "results": findings_view(found), "table": rows,
                 "numbers_of": numbers_of,
                 "share": share_of_dataset(job)}  # fmt: skip
    if from_htmx() and "rows" in request.args:
        return make_response(render_template("datasets/rows.html", job=job, **told))
    template = "datasets/changed.html" if from_htmx() else "datasets/job.html"
    page = make_response(render_template(template, job=job, view=view, **told))
    if from_htmx():
        page.headers["HX-Retarget"] = "#job"
    return page


def gone_page() -> Response:
    """Return the page of an address at which there is no data set, or none any more."""
    kept = lasting(site().app.spec.dataset_keep)
    template = "datasets/gone.html" if from_htmx() else "datasets/gone_page.html"
    return make_response(render_template(template, kept=kept), 404)


def off_page() -> Response:
    """Return the page in place of all others where no data set is taken."""
    return make_response(render_template("datasets/off.html"), 404)


def template_csv(accepted: AcceptedAnswer) -> str:
    """Return a table's header: the columns that are needed, then the target's."""
    text = io.StringIO()
    csv.writer(text).writerow([*accepted.inputs, accepted.target])
    return text.getvalue()


def _if_changed(text: str) -> AnyResponse:
    """Return what is polled; nothing if the browser has it already."""
    part = make_response(text)
    part.add_etag()
    return part.make_conditional(request)


def _look(place: Place) -> Look | None:
    """Return what the rows of a data set look like; None where nobody has looked."""
    try:
        return msgspec.json.decode(place.look.read_bytes(), type=Look, dec_hook=heard)
    except FileNotFoundError:
        return None
