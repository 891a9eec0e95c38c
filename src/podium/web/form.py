"""The body of a form becomes fields and files, which stay in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import parse_qsl, unquote_to_bytes

from multipart import (
    MultipartSegment,
    PushMultipartParser,
    parse_options_header,
)

from podium.cells import printable
from podium.errors import MalformedRequest, UnsupportedBody
from podium.spec import RESERVED
from podium.web.http import media_type, read_body

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

MULTIPART: Final = "multipart/form-data"
URLENCODED: Final = "application/x-www-form-urlencoded"
_SPARE: Final = len(RESERVED) + 1000
"""How many fields a form may have beside its items."""


class Upload(NamedTuple):
    """One file of a form; a browser sends an empty name where none was chosen."""

    filename: str
    body: bytes


class Form(NamedTuple):
    """The fields and the files of a form, by name in the order they came."""

    fields: dict[str, list[str]]
    files: dict[str, list[Upload]]

    @property
    def values(self) -> dict[str, str]:
        """The first value of each field."""
        return {name: texts[0] for name, texts in self.fields.items()}


def read_form(environ: WSGIEnvironment, items: int) -> Form:
    """Return the form in a request's body; `items` is how many items it may have.

    Raises:
        MalformedRequest: the body is no such form, or not UTF-8.
        UnsupportedBody: it is JSON that is called a form.
    """
    kind = media_type(environ)
    if kind not in (MULTIPART, URLENCODED, ""):
        raise UnsupportedBody(
            f"Content type {printable(kind)!r} is no form. Programs send to /predict."
        )
    body = read_body(environ)
    try:
        if kind == MULTIPART:
            form = _multipart(body, environ["CONTENT_TYPE"], items + _SPARE)
        else:
            form = _urlencoded(body, items + _SPARE)
    except ValueError as err:
        # Some of the parser's errors hold what the client sent; the first part is the reason.
        raise MalformedRequest(f"The form cannot be read: {(err.args or [err])[0]}") from err
    if len(form.fields) == 1 and next(iter(form.fields)).lstrip().startswith("{"):
        # What curl -d '{...}' sends without a header.
        raise UnsupportedBody(
            'The body is JSON but is called a form. Add -H "Content-Type: application/json".'
        )
    return form


def decode_utf8(body: bytes) -> str:
    """Return a text.

    Raises:
        MalformedRequest: it is not UTF-8; letters of another encoding would be replaced in silence.
    """
    try:
        return body.decode()
    except UnicodeDecodeError as err:
        wrong = f"byte {err.start + 1} is 0x{body[err.start]:02x}, {err.reason}"
        raise MalformedRequest(f"The body is not UTF-8: {wrong}. Send it as UTF-8.") from err


def _multipart(body: bytes, content_type: str, parts: int) -> Form:
    boundary = parse_options_header(content_type)[1].get("boundary", "")
    form = Form({}, {})
    # The whole body at once: searched for the boundary at the speed of memory.
    with PushMultipartParser(boundary, max_segment_count=parts) as parser:
        pieces: list[bytes] = []
        for event in parser.parse(body):
            if isinstance(event, MultipartSegment):
                segment = event
            elif event:
                pieces.append(event)
            else:
                _keep(form, segment, b"".join(pieces))
                pieces.clear()
    return form


def _keep(form: Form, segment: MultipartSegment, body: bytes) -> None:
    name = segment.name or ""
    # Some programs give an image no name, which is no text for that.
    if segment.filename is not None or (segment.content_type or "").startswith("image/"):
        form.files.setdefault(name, []).append(Upload(segment.filename or "", body))
    else:
        form.fields.setdefault(name, []).append(decode_utf8(body))


def _urlencoded(body: bytes, parts: int) -> Form:
    decode_utf8(unquote_to_bytes(body))
    fields: dict[str, list[str]] = {}
    pairs = parse_qsl(decode_utf8(body), keep_blank_values=True, max_num_fields=parts)
    for name, text in pairs:
        fields.setdefault(name, []).append(text)
    return Form(fields, {})
