"""The few words of HTTP that the web layer shares: replies and the bytes of a request."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, BinaryIO, Final, NamedTuple

from podium.errors import FieldError, MalformedRequest, RequestTooLarge
from podium.messages import said
from podium.strict import Size

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

JSON: Final = "application/json"
CSV: Final = "text/csv"
PARQUET: Final = "application/vnd.apache.parquet"


class Reply(NamedTuple):
    """A whole response."""

    status: int
    content_type: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()

    def send(self, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a WSGI call with this reply."""
        headers = [
            ("Content-Type", self.content_type),
            ("Content-Length", str(len(self.body))),
            *self.headers,
        ]
        start_response(_STATUS_LINES[self.status], headers)
        return (self.body,)


_STATUS_LINES: Final = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}


class Limit(NamedTuple):
    """The most bytes of a body, and what [limits] calls them; "" where it has no say."""

    size: Size
    key: str = "upload"


class LimitedInput:
    """A body that ends in RequestTooLarge when it is, or is announced to be, over the limit."""

    def __init__(self, stream: BinaryIO, limit: Limit, announced: int | None) -> None:
        self._stream = stream
        self._limit = limit
        self._announced = announced or 0
        self._left = int(limit.size)

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes, all of them when it is negative."""
        return self._counted(self._stream.read, size)

    def readline(self, size: int = -1) -> bytes:
        """Return one line, or its first `size` bytes."""
        return self._counted(self._stream.readline, size)

    def _counted(self, read: Callable[[int], bytes], size: int) -> bytes:
        if self._announced > self._limit.size:
            raise too_large(self._limit, self._announced)
        try:
            # One byte more than allowed shows that there is more.
            data = read(self._left + 1 if size < 0 else min(size, self._left + 1))
        except (TimeoutError, BlockingIOError) as err:
            raise MalformedRequest(
                said("The body stood still for too long. Send it again.")
            ) from err
        except Exception as err:  # each server has its own errors for a body that breaks off
            raise MalformedRequest(f"The body cannot be read to its end: {err!r}") from err
        self._left -= len(data)
        if self._left < 0:
            raise too_large(self._limit)
        return data


def too_large(limit: Limit, found: int | None = None) -> RequestTooLarge:
    """Return the error for a body over the limit."""
    key = f" ([limits] {limit.key})" if limit.key else ""
    if found is None:
        message = said("The body is larger than %(limit)s, the limit of one request%(key)s",
                       limit=limit.size, key=key)  # fmt: skip
    else:
        brief = Size(float(f"{found:.3g}"))
        message = said(
            "The body of %(size)s is larger than %(limit)s, the limit of one request%(key)s",
            size=brief if brief > limit.size else Size(found), limit=limit.size, key=key,
        )  # fmt: skip
    return RequestTooLarge(message, [FieldError("body", message)])


def media_type(environ: WSGIEnvironment) -> str:
    """Return the content type without its parameters, in lower case."""
    return str(environ.get("CONTENT_TYPE", "")).partition(";")[0].strip().lower()


def read_body(environ: WSGIEnvironment) -> bytes:
    """Return the whole body.

    Raises:
        MalformedRequest: it ended before its announced length.
    """
    announced = environ.get("CONTENT_LENGTH") or ""
    stream: Any = environ["wsgi.input"]
    if not announced:
        return bytes(stream.read()) if environ.get("wsgi.input_terminated") else b""
    body = bytes(stream.read(int(announced)))
    if len(body) < int(announced):
        raise MalformedRequest(
            said("The body ended after %(found)s of %(announced)s bytes",
                 found=len(body), announced=announced)
        )  # fmt: skip
    return body


def content_length(environ: WSGIEnvironment) -> int | None:
    """Return the announced length, or None when there is none.

    Raises:
        MalformedRequest: it is no number.
    """
    text = environ.get("CONTENT_LENGTH") or ""
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise MalformedRequest(said("The Content-Length header is not a number"))
    return int(text)
