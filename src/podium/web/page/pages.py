"""The page for one input: its form, and the answer of one model or all."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from flask import Blueprint, Response, current_app, render_template, request
from flask_babel import gettext as _
from msgspec import structs

from podium.batching import Answered
from podium.errors import FieldError, InvalidInput, RequestError
from podium.options import Options
from podium.pipeline.decode import Items
from podium.web.form import Form, read_form
from podium.web.noted import noted
from podium.web.page.answer import MOST_BARS, answer_view
from podium.web.page.compared import Outcome, compared_view
from podium.web.page.failed import failed_view
from podium.web.page.form import (
    ALL_MODELS,
    FormView,
    form_calls,
    form_view,
    image_preview,
    sent_values,
)
from podium.web.page.looked import looked_view
from podium.web.problem import problem_of
from podium.web.share import ShareView
from podium.web.site import from_htmx, json_response, refuse_foreign_form, site

Page = tuple[str, int, dict[str, str]]
"""A page, its status and its headers."""


class Keeper(Protocol):
    """What keeps answers, in the extension "podium.history" of the application."""

    def keep(self, sent: Form, outcomes: Sequence[Outcome], items: Items) -> ShareView:
        """Keep what models said of the first of the items, and return the link to it."""


pages = Blueprint("pages", __name__)


@pages.get("/")
def index() -> str:
    """The page, its form filled with what the address says."""
    return render_page(form_view(site().app, request.args.to_dict()))


@pages.post("/calls")
def calls() -> Response:
    """The calls of the API that send what the form holds now, by the id of their language."""
    refuse_foreign_form()
    sent = _sent_form().values
    form = form_view(site().app, sent)
    found = form_calls(site().app, form, request.url_root, sent.get("image", ""))
    return json_response({call.id: call.code for call in found})


@pages.post("/")
def predict() -> Page:
    """The page with the answer to its form, or with why there is none."""
    refuse_foreign_form()
    try:
        sent = _sent_form()
    except RequestError as err:
        return _failed(Form({}, {}), err)
    return answer_form(sent)


def answer_form(sent: Form) -> Page:
    """Return the page with the answer to a form, or with why there is none; it stays filled."""
    try:
        filled = site().reader.filled(sent)
        _check_image(filled)
        shown = _compare(filled) if _wants_all(sent) else _answer(filled)
    except Exception as err:  # a model may raise anything
        return _failed(sent, err)
    return render_page(form_view(site().app, sent.values), **shown), 200, {}


def _check_image(form: Form) -> None:
    """Ask for the image in a visitor's words; programs are told what to write instead.

    Raises:
        InvalidInput: the form lacks the image that the application reads.
    """
    if site().app.signature.image is not None and not form.files.get("image"):
        raise InvalidInput([FieldError("image", _("There is no image yet. Choose one first."))])


def _wants_all(sent: Form) -> bool:
    return ALL_MODELS in sent.fields.get("model", ())


def _failed(sent: Form, error: Exception) -> Page:
    """Return the page that says why there is no answer, beside the fields where it can."""
    problem, headers = problem_of(error)
    wrong = error.errors if isinstance(error, InvalidInput) else ()
    form = form_view(site().app, sent.values, wrong)
    request_id = request.environ.get("podium.request_id", "")
    failed = failed_view(form, problem, headers, request_id)._replace(every=_wants_all(sent))
    return render_page(form, failed=failed), problem.status, dict(headers)


def _answer(sent: Form) -> dict[str, object]:
    """Return what the page shows of the one chosen model's answer."""
    app = site().app
    items, answer = _answered(sent, app.ends(), {"samples"})
    looked = looked_view(app, answer, items)
    return {
        "answer": answer_view(app, answer)._replace(looked=looked),
        "preview": _preview(items),
        **_keep(sent, [(answer.model, answer)], items),
    }


def _compare(sent: Form) -> dict[str, object]:
    """Return what the page shows of every model's answer; one that fails hides no other.

    Raises:
        Exception: what the first model raised, when none answered.
    """
    app = site().app
    ends = app.ends()
    outcomes: list[tuple[str, Answered | Exception]] = []
    for name in app.names:
        one = Form(sent.fields | {"model": [name]}, sent.files)
        try:
            outcomes.append((name, _answered(one, ends)))
        except Exception as err:  # whatever a model raises stays in its row
            outcomes.append((name, err))
    answered = [found for _, found in outcomes if not isinstance(found, Exception)]
    if not answered:
        raise next(found for _, found in outcomes if isinstance(found, Exception))
    rows = [
        (name, problem_of(found)[0] if isinstance(found, Exception) else found.answer)
        for name, found in outcomes
    ]
    items = answered[0].items
    return {
        "compared": compared_view(app, rows),
        "preview": _preview(items),
        **_keep(sent, rows, items),
    }


def _answered(sent: Form, ends: float, include: Collection[str] | None = None) -> Answered:
    """Return the answer to a form, which includes what is given beside what the form asks for.

    Then it has as many classes as the page shows. Without `include` the form's own wishes for more
    are left out.
    """
    app = site().app
    received = site().reader.receive_form(sent, {})
    app.await_model(received.model)

    def decode() -> tuple[Items, Options]:
        items, options = received.decode()
        if include is None:
            return items, structs.replace(options, include=frozenset())
        top = options.top or MOST_BARS
        return items, structs.replace(options, include=options.include | set(include), top=top)

    return app.answer(noted(request.environ, app, decode), ends)


def _keep(sent: Form, outcomes: Sequence[Outcome], items: Items) -> dict[str, object]:
    """Return what the page shows of the link to an answer; nothing where none is kept."""
    keeper: Keeper | None = current_app.extensions.get("podium.history")
    return {} if keeper is None else {"share": keeper.keep(sent, outcomes, items)}


def _preview(items: Items) -> str | None:
    return image_preview(items[0]) if site().app.signature.image else None


def render_page(form: FormView, **shown: object) -> str:
    """Return the page, or only what changes in it when htmx asks."""
    template = "page/changed.html" if from_htmx() else "page/index.html"
    offer = site().offer
    calls = form_calls(site().app, form, request.url_root)
    return render_template(
        template, form=form, calls=calls, about=offer.about, cards=offer.carded, **shown
    )


def _sent_form() -> Form:
    """Return the form that was sent; a file input left empty sends a nameless file.

    Of several models the last counts: a button's, after the one that is chosen in the form. The
    button for all models leaves the choice as it is.
    """
    form = read_form(request.environ, site().app.spec.limits.rows)
    models = form.fields.get("model", [])
    if models and models[-1] != ALL_MODELS:
        form.fields["model"] = models[-1:]
    named = {name: [one for one in files if one.filename] for name, files in form.files.items()}
    fields = sent_values(site().app.signature, form.fields)
    return Form(fields, {name: files for name, files in named.items() if files})
