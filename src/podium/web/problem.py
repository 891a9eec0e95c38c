"""Errors become answers here: application/problem+json (RFC 9457), never a traceback."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Final

import msgspec

from podium.cells import printable
from podium.errors import ModelError, Overloaded, RequestError
from podium.messages import plain, said, told_by
from podium.web.http import Reply

PROBLEM: Final = "application/problem+json"

_TITLES: Final = {
    400: said("Bad Request"), 401: said("Unauthorized"), 403: said("Forbidden"),
    404: said("Not Found"), 405: said("Method Not Allowed"), 421: said("Misdirected Request"),
    429: said("Too Many Requests"), 503: said("Service Unavailable"),
}  # fmt: skip
"""What HTTP calls the statuses that a page may show."""

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
        return Problem(error.title, error.status, _text(told_by(error)), details), retry
    log.error("A request failed", exc_info=error)
    failed = HTTPStatus.INTERNAL_SERVER_ERROR
    if isinstance(error, ModelError):
        return Problem(said("The prediction failed"), failed, _text(told_by(error))), ()
    return Problem(said("The request failed"), failed, said("The server's log says why.")), ()


def problem_reply(error: Exception) -> Reply:
    """Return the reply to a request that ended in `error`."""
    problem, headers = problem_of(error)
    return reply_of(problem, headers)


def status_problem(status: int, detail: str) -> Problem:
    """Return the problem that an HTTP status alone describes."""
    return Problem(_TITLES.get(status, HTTPStatus(status).phrase), status, detail)


def reply_of(problem: Problem, headers: tuple[tuple[str, str], ...] = ()) -> Reply:
    """Return a problem as a reply."""
    return Reply(problem.status, PROBLEM, msgspec.json.encode(problem, enc_hook=plain), headers)


def _text(message: str) -> str:
    """Return a message that UTF-8 can hold; it may quote what came in a request."""
    escaped = message.encode("utf-8", "backslashreplace").decode()
    return message if escaped == message else escaped
