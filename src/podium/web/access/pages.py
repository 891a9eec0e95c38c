"""The page where the password is given, and what pages tell who is refused."""

from __future__ import annotations

import logging
import re
import threading
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

from flask import Blueprint, Flask, Response, current_app, redirect, render_template, request
from flask_babel import gettext as _
from flask_babel import ngettext
from werkzeug.wrappers import Response as AnyResponse

from podium.spec.access import Rate
from podium.web.access.gate import REFUSED, USER, too_many
from podium.web.access.rate import Counter, client_of
from podium.web.access.ways import session_of
from podium.web.site import answer_problem, from_htmx, refuse_foreign_form, wants_page

if TYPE_CHECKING:
    from podium.keys import CredentialsFile

log = logging.getLogger("podium")

ATTEMPTS: Final = Rate(10, 60.0)
"""How often one address may give a password."""
_OWN_PATH: Final = re.compile(r"/(?![/\\])[!-\[\]-~]*")
"""A path of this site: a browser takes "//" and "/\\" for the beginning of a host's name."""

sessions = Blueprint("sessions", __name__)


class Door:
    """What the page of the password needs; scrypt is asked by one request at a time."""

    def __init__(
        self, credentials: CredentialsFile, counter: Counter, cookie: str, session_s: float
    ) -> None:
        self.credentials = credentials
        self.counter = counter
        self.cookie = cookie
        self.session_s = session_s
        self.lock = threading.Lock()


def add_refusals(flask: Flask) -> None:
    """Let the pages tell what was refused before it came to them."""
    flask.before_request(_tell_refusal)


def add_sessions(flask: Flask, door: Door) -> None:
    """Serve the page of the password."""
    flask.extensions["podium.door"] = door
    flask.jinja_env.globals["signs_in"] = True
    flask.register_blueprint(sessions)


@sessions.get("/login")
def ask() -> Response:
    """The page that asks for the password."""
    return _asked("", 200)


@sessions.post("/login")
def sign_in() -> AnyResponse:
    """Let the browser in that knows the password."""
    refuse_foreign_form()
    door = _door()
    wait = door.counter.wait(f"login {client_of(request.environ)}", ATTEMPTS)
    if wait:
        seconds = int(wait) + 1
        told = ngettext("That was too often. Try again in %(num)s second.",
                        "That was too often. Try again in %(num)s seconds.", seconds)  # fmt: skip
        page = _asked(told, 429)
        page.headers.extend(too_many(told, wait)[1])
        return page
    held = door.credentials.read()
    with door.lock:
        known = held.is_password(request.form.get("password", ""))
    if not known:
        log.warning("A wrong password from %s", request.remote_addr)
        told = (_("This is not the password.") if held.password
                else _("Nobody has set a password yet."))  # fmt: skip
        return _asked(told, 403)
    answer = redirect(request.script_root + _own_path(request.form.get("next", "")), 303)
    answer.set_cookie(
        door.cookie, session_of(held.secret), int(door.session_s), path=request.script_root or "/",
        secure=request.is_secure, httponly=True, samesite="Lax",
    )  # fmt: skip
    answer.headers["Cache-Control"] = "no-store"
    return answer


@sessions.post("/logout")
def sign_out() -> AnyResponse:
    """Let the browser forget that it was let in."""
    refuse_foreign_form()
    answer = redirect(f"{request.script_root}/login", 303)
    answer.delete_cookie(
        _door().cookie, path=request.script_root or "/", secure=request.is_secure, httponly=True,
        samesite="Lax",
    )  # fmt: skip
    return answer


def _asked(wrong: str, status: int) -> Response:
    onward = _own_path(request.values.get("next", ""))
    page = Response(render_template("login.html", wrong=wrong, next=onward), status)
    page.headers["Cache-Control"] = "no-store"
    return page


def _tell_refusal() -> AnyResponse | None:
    refused = request.environ.get(REFUSED)
    if refused is None:
        return None
    problem, headers = refused
    unknown = problem.status in (401, 403) and USER not in request.environ
    if unknown and "podium.door" in current_app.extensions and wants_page():
        return _to_login()
    return answer_problem(problem, headers)


def _to_login() -> AnyResponse:
    """Lead a browser to the password, and then back to the page that it showed."""
    root = request.script_root
    if from_htmx():
        shown = urlsplit(request.headers.get("HX-Current-URL", ""))
        onward = shown.path.removeprefix(root) + (f"?{shown.query}" if shown.query else "")
        answer = Response("", 403)
        answer.headers["HX-Redirect"] = f"{root}/login?next={quote(onward)}"
        return answer
    onward = request.full_path.rstrip("?") if request.method == "GET" else "/"
    return redirect(f"{root}/login?next={quote(onward)}", 303)


def _own_path(text: str) -> str:
    """Return a path if it is one of this site, so that no link to the login leads elsewhere."""
    return text if _OWN_PATH.fullmatch(text) else "/"


def _door() -> Door:
    found: Door = current_app.extensions["podium.door"]
    return found
