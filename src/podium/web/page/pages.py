"""The page for one input: its form, and the answer of one model or all."""

from __future__ import annotations

from collections.abc import Collection

from flask import Blueprint, render_template, request
from msgspec import structs

from podium.batching import Answered
from podium.errors import InvalidInput, RequestError
from podium.options import Options
from podium.pipeline.decode import Items
from podium.web.form import Form, read_form
from podium.web.page.answer import answer_view
from podium.web.page.compared import compared_view
from podium.web.page.form import ALL_MODELS, FormView, form_view, image_preview
from podium.web.page.looked import looked_view
from podium.web.problem import problem_of
from podium.web.site import from_htmx, refuse_foreign_form, site

pages = Blueprint("pages", __name__)


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
    template = "page/changed.html" if from_htmx() else "page/index.html"
    offer = site().offer
    return render_template(template, form=form, about=offer.about, cards=offer.carded, **shown)


def _sent_form() -> Form:
    """Return the form that was sent; a file input left empty sends a nameless file."""
    form = read_form(request.environ, site().app.spec.limits.rows)
    named = {name: [one for one in files if one.filename] for name, files in form.files.items()}
    return Form(form.fields, {name: files for name, files in named.items() if files})
