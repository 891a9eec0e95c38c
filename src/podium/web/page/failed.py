"""Why there is no answer, as the page tells it, and what a visitor can do about it."""

from __future__ import annotations

from http import HTTPStatus
from typing import NamedTuple

from flask_babel import gettext as _

from podium.web.page.form import FormView
from podium.web.problem import Detail, Problem


class ControlLink(NamedTuple):
    """A field of the form that has something wrong said beside it; `id` is its control's."""

    id: str
    name: str


class FailedView(NamedTuple):
    """What went wrong: fields that are marked in the form, and mistakes that stand nowhere else.

    `wait` is after how many seconds it may be sent again, None where that would not help; `every`
    says that it is for all models. `request_id` is what to quote; "" where the visitor alone can
    mend it.
    """

    title: str
    detail: str
    marked: tuple[ControlLink, ...] = ()
    mistakes: tuple[Detail, ...] = ()
    wait: int | None = None
    request_id: str = ""
    every: bool = False


def failed_view(
    form: FormView, problem: Problem, headers: tuple[tuple[str, str], ...], request_id: str
) -> FailedView:
    """Return what the page shows of a problem; `headers` are those that go with it."""
    links = _links(form)
    ours = problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR
    wait = dict(headers).get("Retry-After")
    return FailedView(
        problem.title,
        problem.detail,
        tuple(links.values()),
        tuple(error for error in problem.errors if error.field not in links),
        int(wait) if wait else 0 if ours else None,
        request_id if ours and not wait else "",
    )


def _links(form: FormView) -> dict[str, ControlLink]:
    """Return the form's marked fields, by their names in a request."""
    links = {
        field.feature.name: ControlLink(field.id, field.feature.label or field.feature.name)
        for field in form.fields
        if field.error
    }
    if form.image_error:
        links["image"] = ControlLink("image", _("Image"))
    if form.image_url_error:
        links["image_url"] = ControlLink("image_url", _("Address of an image"))
    if form.text_error:
        links["text"] = ControlLink("text", _("Text"))
    return links
