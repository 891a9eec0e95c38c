"""The page in place of one that cannot be shown: what happened, what to do, one button."""

from __future__ import annotations

import pytest
from flask import Flask
from flask_babel import Babel

from podium.errors import Overloaded, RequestTooLarge
from podium.web.problem import Problem, problem_of, status_problem
from podium.web.refusal import Refusal, refusal_of

TOO_LARGE = "The body is larger than 1 MB, the limit of one request"


def refused(problem: Problem, method: str = "GET") -> Refusal:
    """Return what the page says of a request for /lab/a?b=1 that ended in a problem."""
    flask = Flask("refusals")
    Babel(flask)
    environ = {"SCRIPT_NAME": "/lab", "podium.request_id": "17"}
    with flask.test_request_context("/a?b=1", method=method, environ_overrides=environ):
        return refusal_of(problem)


def test_a_page_that_is_not_there() -> None:
    """Where nothing is, without a word of the API; asking again is of no use."""
    assert refused(status_problem(404, "There is nothing at /a. The API is at /docs.")) == Refusal(
        "There is no such page", ("Nothing is at /a.",),
        "Look whether the address is complete, or begin at the first page.", "",
    )  # fmt: skip


def test_a_mistake_of_the_server() -> None:
    """Whose it is, what to quote to whom, and a way to ask again."""
    assert refused(problem_of(ValueError("x"))[0]) == Refusal(
        "This did not work", ("The mistake is the server's, not yours.",),
        "If it happens again, tell who runs this page, and quote the request 17.", "/lab/a?b=1",
    )  # fmt: skip


def test_what_only_a_maker_can_change_is_not_named() -> None:
    """The key of podium.toml stays in what programs read."""
    problem, _ = problem_of(RequestTooLarge(f"{TOO_LARGE} ([limits] upload)"))
    assert problem.detail == f"{TOO_LARGE} ([limits] upload)"
    assert refused(problem) == Refusal("Request too large", (TOO_LARGE,), "", "")


@pytest.mark.parametrize(("method", "again"), [("GET", "/lab/a?b=1"), ("POST", "")])
def test_what_passes_can_be_asked_again(method: str, again: str) -> None:
    """Of an address alone: what a form sent is not sent twice by a link."""
    refusal = refused(problem_of(Overloaded("Too many; try again", 2))[0], method)
    assert refusal == Refusal("Try again later", ("Too many; try again",), "", again)
