"""The page for people, and the addresses that describe the application."""

from __future__ import annotations

import logging
from collections.abc import Callable
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
from werkzeug.exceptions import HTTPException

from podium.app import App
from podium.errors import InvalidInput, RequestError, UnknownModel
from podium.web.body import BodyReader
from podium.web.calls import curl_calls
from podium.web.files import Offer
from podium.web.form import Form, read_form
from podium.web.http import JSON, Reply
from podium.web.looked import looked_view
from podium.web.openapi import openapi
from podium.web.problem import Problem, problem_of, reply_of, status_problem
from podium.web.view import AnswerView, FormView, answer_view, form_view, image_preview

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
    _refuse_foreign_form()
    app = site().app
    sent = _sent_form()
    values = sent.values
    try:
        received = site().reader.receive_form(sent, {})
        app.await_model(received.model)
        items, answer = app.answer(received.decode)
    except RequestError as err:
        form = form_view(app, values, err.errors if isinstance(err, InvalidInput) else ())
        return _page(form, problem=problem_of(err)[0]), err.status
    form = form_view(app, values)
    preview = image_preview(items[0]) if app.signature.image else None
    view = answer_view(app, answer)._replace(looked=looked_view(app, answer, items))
    return _page(form, view, preview=preview), 200


@pages.get("/models")
def models() -> Response:
    """The models to choose from."""
    app = site().app
    listed = [
        {"name": spec.name, "title": spec.title or spec.name,
         "version": app.version(spec.name), "default": spec.name == app.names[0]}
        for spec in app.spec.models
    ]  # fmt: skip
    return _json({"models": listed})


@pages.get("/healthz")
def healthz() -> Response:
    """Whether this process is alive."""
    return _json({"status": "alive"})


@pages.get("/readyz")
def readyz() -> Response:
    """Whether every model is loaded and warm."""
    app = site().app
    if app.ready:
        return _json({"status": "ready"})
    if app.failures:
        return _json({"status": "failed", "errors": app.failures}, 503)
    return _json({"status": "loading"}, 503, {"Retry-After": "1"})


@pages.get("/openapi.json")
def openapi_json() -> Response:
    """The API's description (OpenAPI 3.1)."""
    return Response(site().openapi, content_type=JSON)


@pages.get("/docs")
def docs() -> str:
    """The API's description for people."""
    api = msgspec.json.decode(site().openapi)
    calls = curl_calls(site().app.signature, request.url_root)
    return render_template("docs.html", api=api, calls=calls)


@pages.get("/models/<name>")
def card(name: str) -> str:
    """The card of one model."""
    app = site().app
    spec = next((spec for spec in app.spec.models if spec.name == name), None)
    if spec is None:
        raise UnknownModel(name, app.names)
    html = site().offer.card_of(spec)
    return render_template("card.html", model=spec, card=html)


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


def _page(
    form: FormView,
    answer: AnswerView | None = None,
    problem: Problem | None = None,
    preview: str | None = None,
) -> str:
    return render_template(
        "page.html", form=form, answer=answer, problem=problem, preview=preview,
        about=site().offer.about,
    )  # fmt: skip


def _sent_form() -> Form:
    """Return the form that was sent; a file input left empty sends a nameless file."""
    form = read_form(request.environ, site().app.spec.limits.rows)
    named = {name: [one for one in files if one.filename] for name, files in form.files.items()}
    return Form(form.fields, {name: files for name, files in named.items() if files})


def _refuse_foreign_form() -> None:
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
    if request.accept_mimetypes.best_match([JSON, "text/html"], JSON) == "text/html":
        page = render_template("error.html", problem=problem)
        return Response(page, problem.status, dict(headers))
    return _respond(reply_of(problem, headers))


def _told(error: HTTPException) -> str:
    known: dict[int, Callable[[], str]] = {
        404: lambda: f"There is nothing at {request.path}. The page is at /, the API at /docs.",
        405: lambda: f"{request.method} does not work here.",
    }
    say = known.get(error.code or 0)
    return say() if say else error.description or ""


def _json(value: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(value), status, headers, content_type=JSON)


def _respond(reply: Reply) -> Response:
    return Response(reply.body, reply.status, dict(reply.headers), content_type=reply.content_type)
