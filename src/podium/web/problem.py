"""Errors become answers here: application/problem+json (RFC 9457), never a traceback."""

from __future__ import annotations

import logging
from http import HTTPStatus

import msgspec

from podium.cells import printable
from podium.errors import ModelError, Overloaded, RequestError
from podium.web.http import Reply

PROBLEM = "application/problem+json"

log = logging.getLogger("podium")


class Detail(msgspec.Struct, frozen=True):
    """One mistake: the field it is in and what to do about it."""

    field: str
    message: str


class Problem(msgspec.Struct, frozen=True):
    """Why a request was not answered (RFC 9457)."""

    title: str
    status: int
    detail: str
    errors: list[Detail] = []
    type: str = "about:blank"


def problem_of(error: Exception) -> tuple[Problem, tuple[tuple[str, str], ...]]:
    """Return what to tell of an error, and the headers that go with it.

    What is not a RequestError is this side's fault: it is logged whole and told in brief.
    """
    if isinstance(error, RequestError):
        details = [Detail(printable(e.field), _text(e.message)) for e in error.errors]
        retry = (("Retry-After", str(error.retry_after)),) if isinstance(error, Overloaded) else ()
        return Problem(error.title, error.status, _text(str(error)), details), retry
    log.error("A request failed", exc_info=error)
    title, reason = "The request failed", "The server's log says why."
    if isinstance(error, ModelError):
        title, reason = "The prediction failed", str(error)
    return Problem(title, HTTPStatus.INTERNAL_SERVER_ERROR, _text(reason)), ()


def problem_reply(error: Exception) -> Reply:
    """Return the reply to a request that ended in `error`."""
    problem, headers = problem_of(error)
    return reply_of(problem, headers)


def status_problem(status: int, detail: str) -> Problem:
    """Return the problem that an HTTP status alone describes."""
    return Problem(HTTPStatus(status).phrase, status, detail)


def reply_of(problem: Problem, headers: tuple[tuple[str, str], ...] = ()) -> Reply:
    """Return a problem as a reply."""
    return Reply(problem.status, PROBLEM, msgspec.json.encode(problem), headers)


def _text(message: str) -> str:
    """Return a message that UTF-8 can hold; it may quote what came in a request."""
    return message.encode("utf-8", "backslashreplace").decode()
