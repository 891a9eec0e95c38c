"""The pages of data sets: where one is sent, and where it is followed to its results.

Without scripts they are forms. That of `upload_page` goes to POST /datasets with the fields
`models` (repeated), `target` and `confidence_level` (both may be empty), `file`, and `start`
("true" or "false", by the button); a browser is led on to the data set's own page by 303. There,
POST /datasets/<id>/start and POST /datasets/<id>/delete, which does what DELETE does, lead on in
the same way. With scripts the upload asks for JSON, and follows `Location`.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

from flask import Response, make_response, render_template, request

from podium.datasets.findings import Findings
from podium.jobs.job import Job
from podium.web.datasets.answer import AcceptedAnswer
from podium.web.datasets.job import job_view
from podium.web.datasets.preview import preview
from podium.web.datasets.view import findings_view
from podium.web.problem import Problem
from podium.web.site import from_htmx, site


def upload_page(problem: Problem | None = None) -> str:
    """Return the page where a data set is sent; with a problem, it stands in the form."""
    return render_template("datasets/upload.html", problem=problem)


def job_page(job: Job, found: Findings | None, results: Path, before: int | None) -> Response:
    """Return the page of a data set, or what has changed in it when htmx asks.

    `results` is where its results.csv is, or will be, `before` how many are worked on before it.
    """
    view = job_view(job, site().app.spec.limits.dataset_keep, before)
    polled = from_htmx()
    # A poll says where it stands: as long as that is so, only the progress changes.
    if polled and request.args.get("seen") == view.stage:
        return make_response(render_template("datasets/progress.html", job=job, view=view))
    told: dict[str, object] = {}
    if found:
        first = preview(results, len(found.staged.columns))
        told = {"found": found, "results": findings_view(found), "first": first}
    template = "datasets/changed.html" if polled else "datasets/job.html"
    page = make_response(render_template(template, job=job, view=view, **told))
    if polled:
        page.headers["HX-Retarget"] = "#job"
    return page


def template_csv(accepted: AcceptedAnswer) -> str:
    """Return a table's header: the columns that are needed, then the target's."""
    text = io.StringIO()
    csv.writer(text).writerow([*accepted.inputs, accepted.target])
    return text.getvalue()
