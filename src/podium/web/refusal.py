"""Why a whole page is not shown, in a visitor's words, and what to do then.

What programs read of the same problem speaks of HTTP and of podium.toml.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import NamedTuple

from flask import request
from flask_babel import gettext as _

from podium.web.problem import Problem
from podium.web.words import without_keys


class Refusal(NamedTuple):
    """A title, what happened, what to do, and the address that the page's one button asks again.

    `again` is "" where asking again is of no use: the button leads to the first page then.
    """

    title: str
    told: tuple[str, ...]
    advice: str
    again: str


def refusal_of(problem: Problem) -> Refusal:
    """Return what the page that takes the place of the one asked for says."""
    passing = problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR or problem.status == 429
    again = request.full_path.rstrip("?") if passing and request.method == "GET" else ""
    if again:
        again = request.script_root + again
    title, told, advice = _words(problem)
    return Refusal(title, told, advice, again)


def _words(problem: Problem) -> tuple[str, tuple[str, ...], str]:
    if problem.title == "Not Found":
        return (_("There is no such page"), (_("Nothing is at %(path)s.", path=request.path),),
                _("Look whether the address is complete, or begin at the first page."))  # fmt: skip
    if problem.title == "Unknown answer":
        return (_("This answer is not here"),
                (_("It was deleted, or its time is over; the address may also be incomplete."),),
                _("Ask again on the first page."))  # fmt: skip
    if problem.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        return (_("This did not work"), (_("The mistake is the server's, not yours."),),
                _("If it happens again, tell who runs this page, and quote the request %(id)s.",
                  id=request.environ.get("podium.request_id", "")))  # fmt: skip
    mistakes = tuple(without_keys(one.message) for one in problem.errors)
    return without_keys(problem.title), mistakes or (without_keys(problem.detail),), ""
