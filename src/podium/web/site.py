"""What all pages share: the application they show, who asks, and errors as answers."""

from __future__ import annotations

import logging
from collections.abc import Callable
from http import HTTPStatus

import msgspec
from flask import Flask, Response, current_app, render_template, request
from werkzeug.exceptions import HTTPException

import podium
from podium.app import App
from podium.catalogue import ENGLISH
from podium.messages import after, plain, said
from podium.web.access.cors import LISTED
from podium.web.access.foreign import FOREIGN, is_foreign
from podium.web.assets import add_assets
from podium.web.body import BodyReader
from podium.web.compression import compress
from podium.web.files import Offer
from podium.web.http import JSON, Reply
from podium.web.language import add_language, translated
from podium.web.openapi import openapi
from podium.web.policy import protect
from podium.web.problem import Detail, Problem, problem_of, reply_of, status_problem
from podium.web.refusal import refusal_of
from podium.web.words import capitalised, without_keys

log = logging.getLogger("podium")


class Site:
    """What the pages of one application show; made once."""

    def __init__(self, app: App, reader: BodyReader) -> None:
        self.app = app
        self.reader = reader
        self.offer = Offer(app)
        self.openapi = msgspec.json.encode(openapi(app))


def create_site(app: App, reader: BodyReader) -> Flask:
    """Return the Flask application behind every address but /predict, without its pages."""
    flask = Flask("podium.web", static_folder=None, template_folder="templates")
    flask.extensions["podium"] = Site(app, reader)
    flask.jinja_env.trim_blocks = flask.jinja_env.lstrip_blocks = True
    flask.jinja_env.globals.update(
        app=app, spec=app.spec, signature=app.signature, podium_version=podium.__version__
    )
    flask.jinja_env.filters["number"] = "{:.15g}".format
    flask.jinja_env.filters |= {"capitalised": capitalised, "without_keys": without_keys}
    add_assets(flask, app.spec.theme)
    flask.after_request(protect)
    flask.after_request(compress)
    flask.after_request(_tell_caches)
    add_language(flask, app)
    # Limits of bodies stand in the middleware, for every address alike.
    flask.config["MAX_CONTENT_LENGTH"] = None
    flask.config["MAX_FORM_MEMORY_SIZE"] = None
    flask.register_error_handler(Exception, _answer_error)
    return flask


def site() -> Site:
    """Return what the current application's pages show."""
    found: Site = current_app.extensions["podium"]
    return found


def from_htmx() -> bool:
    """Whether htmx asks, for a part of a page."""
    return request.headers.get("HX-Request") == "true"


def wants_page() -> bool:
    """Whether a browser asks, or part of a page that htmx replaces; programs get JSON."""
    best = request.accept_mimetypes.best_match([JSON, "text/html"], JSON)
    return best == "text/html" or from_htmx()


def refuse_foreign_form() -> None:
    """Refuse a form that another site's page sent, unless its scripts may call the API."""
    if is_foreign(request.environ) and not request.environ.get(LISTED):
        raise _ForeignForm


def refuse_foreign() -> None:
    """Refuse whatever changes something and another site's page sent: before each request."""
    if request.method not in ("GET", "HEAD", "OPTIONS"):
        refuse_foreign_form()


def keep_private(response: Response) -> Response:
    """Let neither a shared cache nor a search engine keep what only who knows the id may see."""
    if not response.cache_control.no_store:
        response.headers["Cache-Control"] = "private, no-cache"
    if request.view_args:
        response.headers["X-Robots-Tag"] = "noindex"
    return response


def _tell_caches(response: Response) -> Response:
    """Say on what an answer depends, and that errors pass."""
    if response.status_code >= HTTPStatus.BAD_REQUEST:
        response.headers["Cache-Control"] = "no-store"
        response.vary.update(("Accept", "Accept-Language", "HX-Request"))
    elif response.mimetype in ("text/html", JSON):
        response.vary.update(("Accept", "HX-Request"))
    return response


class _ForeignForm(HTTPException):
    code = HTTPStatus.FORBIDDEN
    description = FOREIGN


def _answer_error(error: Exception) -> Response:
    """Answer an error as a problem document, or as a page where the browser asks for one."""
    headers: tuple[tuple[str, str], ...] = ()
    if isinstance(error, HTTPException) and error.code:
        problem = status_problem(error.code, _told(error))
        allowed = getattr(error, "valid_methods", None)
        headers = (("Allow", ", ".join(sorted(allowed))),) if allowed else ()
    else:
        problem, headers = problem_of(error)
    return answer_problem(problem, headers)


def answer_problem(problem: Problem, headers: tuple[tuple[str, str], ...]) -> Response:
    """Return a problem as a page where the browser asks for one, else as a document."""
    if wants_page():
        if from_htmx():
            page = render_template("problem.html", problem=problem)
        else:
            page = render_template("error.html", refusal=refusal_of(problem))
        return Response(page, problem.status, dict(headers))
    return respond(reply_of(_in_language(problem), headers))


def _in_language(problem: Problem) -> Problem:
    """Return a problem in the page's language if it is asked for, as the page's scripts do."""
    own = site().app.spec.language
    if request.accept_languages.best_match((ENGLISH, own), ENGLISH) == ENGLISH:
        return problem
    errors = [Detail(one.field, translated(one.message)) for one in problem.errors]
    title, detail = translated(problem.title), translated(problem.detail)
    return msgspec.structs.replace(problem, title=title, detail=detail, errors=errors)


def _told(error: HTTPException) -> str:
    known: dict[int, Callable[[], str]] = {
        404: lambda: said(
            "There is nothing at %(path)s. The page is at %(page)s, the API at %(docs)s.",
            path=request.path, page="/", docs="/docs",
        ),
        405: lambda: said("%(method)s does not work here.%(instead)s", method=request.method,
                          instead=_instead(error)),
    }  # fmt: skip
    say = known.get(error.code or 0)
    return say() if say else error.description or ""


def _instead(error: HTTPException) -> str:
    """Return what to do where curl -T, which sends a file with PUT, is refused."""
    takes_files = request.method == "PUT" and "POST" in getattr(error, "valid_methods", ())
    return after(said("POST does; curl sends it with -X POST.")) if takes_files else ""


def json_response(
    value: object, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """Return a value as JSON."""
    return Response(msgspec.json.encode(value, enc_hook=plain), status, headers, content_type=JSON)


def respond(reply: Reply) -> Response:
    """Return a reply as Flask takes it."""
    return Response(reply.body, reply.status, dict(reply.headers), content_type=reply.content_type)
