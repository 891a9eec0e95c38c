"""What nginx answers itself, in the shape of the server's own answers: never a page of nginx's."""

from __future__ import annotations

import html
import json
from http import HTTPStatus
from typing import Final

SECURITY_POLICY: Final = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'"
REFUSALS: Final = {
    400: "The request is not HTTP as this server understands it.",
    403: "This address is not for you.",
    404: "There is nothing at this address.",
    405: "This address does not take that method.",
    408: "The request took too long to arrive. Send it again.",
    413: "The body is larger than this server takes.",
    414: "The address is too long. Send long inputs in the body of a POST request.",
    429: "Too many requests at once. Try again in a moment.",
    431: "The headers of the request are too long.",
    500: "The request failed. The server's log says why.",
    502: "The application is not there at this moment. Try again soon.",
    503: "The server has too much to do at this moment. Try again soon.",
    504: "The application took too long to answer. Try again, or send less at once.",
}
"""What is said for each status that nginx gives by itself."""
RETRY_S: Final = {429: 1, 502: 5, 503: 5, 504: 5}
"""When to try again: Retry-After, in seconds."""
ALIASES: Final = {494: 431, 501: 400, 505: 400}
"""Numbers that nginx gives to what the client got wrong, and what they are here: headers that are
too long, an unknown Transfer-Encoding, an unknown version of HTTP."""


def refusal_files() -> dict[str, str]:
    """Return each refusal as a problem document (RFC 9457) and as a small page, by file name."""
    files = {}
    for status, detail in REFUSALS.items():
        files[f"{status}.json"] = _problem(status, detail)
        files[f"{status}.html"] = _page(status, detail)
    return files


def _problem(status: int, detail: str) -> str:
    told = {"title": _title(status), "status": status, "detail": detail, "errors": []}
    return json.dumps({**told, "type": "about:blank"}, separators=(",", ":")) + "\n"


def _page(status: int, detail: str) -> str:
    title = html.escape(_title(status))
    return (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<h1>{title}</h1>\n<p>{html.escape(detail)}</p>\n</html>\n"
    )


def _title(status: int) -> str:
    return HTTPStatus(status).phrase
