"""The page for people, and the addresses that describe the application."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from http import HTTPStatus

import msgspec
from flask import (
    Blueprint,
    Flask,
    Response,
    current_app,
    render_template,
    request,
    send_from_directory,
)
from msgspec import structs
from werkzeug.exceptions import HTTPException

from podium.app import App
from podium.batching import Answered
from podium.errors import InvalidInput, RequestError, UnknownModel
from podium.options import Options
from podium.pipeline.decode import Items
from podium.web.body import BodyReader
from podium.web.calls import curl_calls, dataset_calls
from podium.web.compared import compared_view
from podium.web.files import Offer
from podium.web.form import Form, read_form
from podium.web.http import JSON, Reply
from podium.web.looked import looked_view
from podium.web.openapi import openapi
from podium.web.problem import problem_of, reply_of, status_problem
from podium.web.view import ALL_MODELS, FormView, answer_view, form_view, image_preview

log = logging.getLogger("podium")


class Site:
    """What the pages of one application show; made once."""

    def __init__(self, app: App, reader: BodyReader) -> None:
        self.app = app
        self.reader = reader
        self.offer = Offer(app)
        self.openapi = msgspec.json.encode(openapi(app))


def create_pages(app: App, reader: BodyReader) -> Flask:
    """Return the Flask application behind every address but /predict."""
    flask = Flask("podium.web", static_folder="static", template_folder="templates")
    flask.extensions["podium"] = Site(app, reader)
    flask.jinja_env.trim_blocks = flask.jinja_env.lstrip_blocks = True
    flask.jinja_env.globals.update(app=app, spec=app.spec, signature=app.signature)
    # Limits of bodies stand in the middleware, for every address alike.
    flask.config["MAX_CONTENT_LENGTH"] = None
    flask.config["MAX_FORM_MEMORY_SIZE"] = None
    flask.register_blueprint(pages)
    flask.register_error_handler(Exception, _answer_error)
    return flask


pages = Blueprint("pages", __name__)


def site() -> Site:
    """Return what the current application's pages show."""
    found: Site = current_app.extensions["podium"]
    return found


@pages.get("/")
def index() -> str:
    """The page, its form filled with what the address says."""
    return _page(form_view(site().app, request.args.to_dict()))


@pages.post("/")
def predict() -> tuple[str, int]:
    """The page with the answer to its form."""
    refuse_foreign_form()
    app = site().app
    sent = _sent_form()
    try:
        shown = _compare(sent) if sent.values.get("model") == ALL_MODELS else _answer(sent)
    except RequestError as err:
        form = form_view(app, sent.values, err.errors if isinstance(err, InvalidInput) else ())
        return _page(form, problem=problem_of(err)[0]), err.status
    return _page(form_view(app, sent.values), **shown), 200


@pages.get("/models")
def models() -> Response:
    """The models to choose from."""
    app = site().app
    listed = [
        {"name": spec.name, "title": spec.title or spec.name,
         "version": app.version(spec.name), "default": spec.name == app.names[0],
         "calibration": _calibration(spec.name)}
        for spec in app.spec.models
    ]  # fmt: skip
    return json_response({"models": listed})


@pages.get("/healthz")
def healthz() -> Response:
    """Whether this process is alive."""
    return json_response({"status": "alive"})


@pages.get("/readyz")
def readyz() -> Response:
    """Whether every model is loaded and warm."""
    app = site().app
    if app.ready:
        return json_response({"status": "ready"})
    if app.failures:
        return json_response({"status": "failed", "errors": app.failures}, 503)
    return json_response({"status": "loading"}, 503, {"Retry-After": "1"})


@pages.get("/openapi.json")
def openapi_json() -> Response:
    """The API's description (OpenAPI 3.1)."""
    return Response(site().openapi, content_type=JSON)


@pages.get("/docs")
def docs() -> str:
    """The API's description for people."""
    api = msgspec.json.decode(site().openapi)
    app = site().app
    calls = curl_calls(app.signature, request.url_root)
    sets = dataset_calls(app.signature, request.url_root, len(app.names))
    return render_template("docs.html", api=api, calls=calls, dataset_calls=sets)


@pages.get("/models/<name>")
def card(name: str) -> str:
    """The card of one model."""
    app = site().app
    spec = next((spec for spec in app.spec.models if spec.name == name), None)
    if spec is None:
        raise UnknownModel(name, app.names)
    html = site().offer.card_of(spec)
    return render_template("card.html", model=spec, card=html, calibration=_calibration(name))


@pages.get("/theme.css")
def theme() -> Response:
    """The application's colour and font."""
    return Response(render_template("theme.css"), content_type="text/css; charset=utf-8")


@pages.get("/files/<path:name>")
def file(name: str) -> Response:
    """A file that podium.toml or the introduction offers."""
    known = site().offer.files
    if name not in known:
        message = f"There is no file {name!r}. Offered: {', '.join(sorted(known)) or 'none'}."
        return _respond(reply_of(status_problem(404, message)))
    return send_from_directory(site().app.folder, name)


def _answer(sent: Form) -> dict[str, object]:
    """Return what the page shows of the one chosen model's answer."""
    app = site().app
    items, answer = _answered(sent, {"samples"})
    looked = looked_view(app, answer, items)
    return {"answer": answer_view(app, answer)._replace(looked=looked), "preview": _preview(items)}


def _compare(sent: Form) -> dict[str, object]:
    """Return what the page shows of every model's answer; one that fails hides no other.

    Raises:
        Exception: what the first model raised, when none answered.
    """
    app = site().app
    outcomes: list[tuple[str, Answered | Exception]] = []
    for name in app.names:
        one = Form(sent.fields | {"model": [name]}, sent.files)
        try:
            outcomes.append((name, _answered(one)))
        except Exception as err:  # whatever a model raises stays in its row
            outcomes.append((name, err))
    answered = [found for _, found in outcomes if not isinstance(found, Exception)]
    if not answered:
        raise next(found for _, found in outcomes if isinstance(found, Exception))
    rows = [
        (name, problem_of(found)[0] if isinstance(found, Exception) else found.answer)
        for name, found in outcomes
    ]
    return {"compared": compared_view(app, rows), "preview": _preview(answered[0].items)}


def _answered(sent: Form, include: Collection[str] | None = None) -> Answered:
    """Return the answer to a form, which includes what is given beside what the form asks for.

    Without `include` the form's own wishes for more are left out.
    """
    app = site().app
    received = site().reader.receive_form(sent, {})
    app.await_model(received.model)

    def decode() -> tuple[Items, Options]:
        items, options = received.decode()
        more = frozenset() if include is None else options.include | set(include)
        return items, structs.replace(options, include=more)

    return app.answer(decode)


def _preview(items: Items) -> str | None:
    return image_preview(items[0]) if site().app.signature.image else None


def _page(form: FormView, **shown: object) -> str:
    """Return the page, or only what changes in it when htmx asks."""
    template = "changed.html" if from_htmx() else "page.html"
    offer = site().offer
    return render_template(template, form=form, about=offer.about, cards=offer.carded, **shown)


def from_htmx() -> bool:
    """Whether htmx asks, for a part of a page."""
    return request.headers.get("HX-Request") == "true"


def _calibration(name: str) -> dict[str, object] | None:
    """Return what a model's prediction sets or intervals rest on; None without a calibration."""
    found = site().app.kept(name).calibration
    if found is None:
        return None
    measured = found.coverage
    return {
        "method": found.fit.method, "confidence_level": found.confidence_level,
        "temperature": found.fit.temperature, "coverage": measured.coverage,
        "coverage_interval": (measured.low, measured.high), "rows": found.rows,
        "date": found.date, "data": found.data, "sha256": found.sha256,
    }  # fmt: skip


def _sent_form() -> Form:
    """Return the form that was sent; a file input left empty sends a nameless file."""
    form = read_form(request.environ, site().app.spec.limits.rows)
    named = {name: [one for one in files if one.filename] for name, files in form.files.items()}
    return Form(form.fields, {name: files for name, files in named.items() if files})


def wants_page() -> bool:
    """Whether a browser asks, or part of a page that htmx replaces; programs get JSON."""
    best = request.accept_mimetypes.best_match([JSON, "text/html"], JSON)
    return best == "text/html" or from_htmx()


def refuse_foreign_form() -> None:
    """Refuse a form that another site's page sent; browsers tell where it came from."""
    origin = request.headers.get("Origin")
    foreign = origin is not None and origin.partition("://")[2] != request.host
    if foreign or request.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site"):
        raise _ForeignForm


class _ForeignForm(HTTPException):
    code = HTTPStatus.FORBIDDEN
    description = "The form was sent from another site. Open this page itself and send it again."


def _answer_error(error: Exception) -> Response:
    """Answer an error as a problem document, or as a page where the browser asks for one."""
    headers: tuple[tuple[str, str], ...] = ()
    if isinstance(error, HTTPException) and error.code:
        problem = status_problem(error.code, _told(error))
        allowed = getattr(error, "valid_methods", None)
        headers = (("Allow", ", ".join(sorted(allowed))),) if allowed else ()
    else:
        problem, headers = problem_of(error)
    if wants_page():
        page = render_template("problem.html" if from_htmx() else "error.html", problem=problem)
        return Response(page, problem.status, dict(headers))
    return _respond(reply_of(problem, headers))


def _told(error: HTTPException) -> str:
    known: dict[int, Callable[[], str]] = {
        404: lambda: f"There is nothing at {request.path}. The page is at /, the API at /docs.",
        405: lambda: f"{request.method} does not work here.{_instead(error)}",
    }
    say = known.get(error.code or 0)
    return say() if say else error.description or ""


def _instead(error: HTTPException) -> str:
    """Return what to do where curl -T, which sends a file with PUT, is refused."""
    takes_files = request.method == "PUT" and "POST" in getattr(error, "valid_methods", ())
    return " POST does; curl sends it with -X POST." if takes_files else ""


def json_response(
    value: object, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """Return a value as JSON."""
    return Response(msgspec.json.encode(value), status, headers, content_type=JSON)


def _respond(reply: Reply) -> Response:
    return Response(reply.body, reply.status, dict(reply.headers), content_type=reply.content_type)
