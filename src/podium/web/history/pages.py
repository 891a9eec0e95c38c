"""Kept answers over HTTP: shown as they were given, asked again, deleted."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from flask import (
    Blueprint,
    Flask,
    Response,
    current_app,
    redirect,
    render_template,
    url_for,
)
from msgspec import Struct
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as AnyResponse

from podium.app import App
from podium.web.form import Form, Upload
from podium.web.history.desk import History
from podium.web.history.given import Given, read_given
from podium.web.history.view import kept_page
from podium.web.page.form import ALL_MODELS
from podium.web.page.pages import Page, answer_form
from podium.web.site import json_response, keep_private, refuse_foreign, wants_page
from podium.web.words import lasting

if TYPE_CHECKING:
    from podium.jobs.answers import KeptAnswer
    from podium.jobs.state import StateFolder


class AnswerDocument(Struct, frozen=True, kw_only=True):
    """A kept answer for programs: times are UTC, `image` is where the picture is."""

    id: str
    created: datetime
    removed_at: datetime
    form: dict[str, list[str]]
    image: str | None
    answers: list[Given]


answers = Blueprint("answers", __name__, url_prefix="/answers")
answers.before_request(refuse_foreign)
answers.after_request(keep_private)


def add_history(flask: Flask, app: App, state: StateFolder) -> None:
    """Keep an application's answers in `state`, to serve them at /answers, if [history] is on."""
    flask.jinja_env.filters["lasting"] = lasting
    if app.spec.history.on:
        flask.extensions["podium.history"] = History(app, state)
        flask.register_blueprint(answers)


def history() -> History:
    """Return where the current application's answers are kept."""
    found: History = current_app.extensions["podium.history"]
    return found


@answers.get("/<answer_id>")
def show(answer_id: str) -> Response | str:
    """The page with an answer as it was given; for programs as JSON."""
    kept = history().answer(answer_id)
    return kept_page(kept) if wants_page() else json_response(_document(kept))


@answers.get("/<answer_id>/image")
def image(answer_id: str) -> Response:
    """The picture that was answered for, as it is kept."""
    kept = history().answer(answer_id)
    if kept.image is None:
        raise NotFound
    kind = "image/png" if kept.image.startswith(b"\x89PNG") else "image/jpeg"
    return Response(kept.image, content_type=kind)


@answers.get("/<answer_id>/again")
def asked_again(answer_id: str) -> AnyResponse:
    """Lead to the kept answer; a browser without scripts shows this address after asking again."""
    return redirect(url_for(".show", answer_id=answer_id))


@answers.post("/<answer_id>/again")
def again(answer_id: str) -> Page:
    """The page with what the models of today say of the same input."""
    kept = history().answer(answer_id)
    files = {"image": [Upload("image", kept.image)]} if kept.image else {}
    models = [name for name in kept.form.get("model", ())
              if name in (*history().app.names, ALL_MODELS)]  # fmt: skip
    model = {"model": models} if models else {}
    others = {name: texts for name, texts in kept.form.items() if name != "model"}
    return answer_form(Form(others | model, files))


@answers.post("/<answer_id>/delete")
def delete_by_form(answer_id: str) -> str:
    """What DELETE does, for forms, which only know POST; says that it is done."""
    history().remove(answer_id)
    return render_template("deleted.html")


@answers.delete("/<answer_id>")
def delete(answer_id: str) -> Response:
    """Delete an answer, with its picture."""
    history().remove(answer_id)
    return Response(status=204)


def _document(kept: KeptAnswer) -> AnswerDocument:
    return AnswerDocument(
        id=kept.id,
        created=datetime.fromtimestamp(round(kept.created), UTC),
        removed_at=datetime.fromtimestamp(round(kept.removed_at), UTC),
        form=kept.form,
        image=url_for(".image", answer_id=kept.id) if kept.image else None,
        answers=read_given(kept.answers),
    )
