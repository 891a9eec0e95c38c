"""Why there is no answer, as the page tells it, and what a visitor can do about it."""

from __future__ import annotations

from http import HTTPStatus
from typing import NamedTuple

from podium.web.page.form import Control, FormView
from podium.web.problem import Detail, Problem
from podium.web.words import without_keys


class FailedView(NamedTuple):
    """What went wrong: fields that are marked in the form, and mistakes that stand nowhere else.

    `wait` is after how many seconds it may be sent again, None where that would not help; `every`
    says that it is for all models. `request_id` is what to quote; "" where the visitor alone can
    mend it.
    """

    title: str
    detail: str
    marked: tuple[Control, ...] = ()
    mistakes: tuple[Detail, ...] = ()
    wait: int | None = None
    request_id: str = ""
    every: bool = False


def failed_view(
    form: FormView, problem: Problem, headers: tuple[tuple[str, str], ...], request_id: str
) -> FailedView:
    """Return what the page shows of a problem; `headers` are those that go with it."""
    links = form.marked
    ours = problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR
    wait = dict(headers).get("Retry-After")
    return FailedView(
        problem.title,
        without_keys(problem.detail),
        tuple(links.values()),
        tuple(Detail(error.field, without_keys(error.message))
              for error in problem.errors if error.field not in links),
        int(wait) if wait else 0 if ours else None,
        request_id if ours and not wait else "",
    )  # fmt: skip
