"""The file in a request goes to disk as it arrives; nothing but one part of it is in memory."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, NamedTuple

from multipart import MultipartSegment, PushMultipartParser, parse_options_header
from werkzeug.http import parse_options_header as parse_extended_header

from podium.cells import printable
from podium.errors import (
    DISK_FULL,
    FieldError,
    InvalidInput,
    MalformedRequest,
    StorageFull,
    UnsupportedBody,
    nearest,
)
from podium.messages import after, said
from podium.web.form import MULTIPART, URLENCODED, decode_utf8
from podium.web.http import JSON, content_length, media_type

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

FIELD: Final = "file"
Fields = dict[str, list[str]]

_PART_BYTES: Final = 1 << 20
_MAX_FIELD_BYTES: Final = 65536
_MAX_PARTS: Final = 1000
_MAX_NAME: Final = 200
_NAMELESS: Final = "data"
_HOW: Final = "-F file=@data.csv"


class Received(NamedTuple):
    """What came beside the file, and the name that its sender gave it."""

    name: str
    fields: Fields


def receive(
    environ: WSGIEnvironment, file: Path, check: Callable[[Fields], object]
) -> Received:  # fmt: skip
    """Write the file in a request's body, a form's or the body itself, to disk, in a new folder.

    `check` gets the fields that come before the file, so that what is wrong with them is told
    before gigabytes are sent. On an error the caller removes what is on disk.

    Raises:
        RequestError: of the kind that says what is wrong with the request.
        StorageFull: the disk has no room for it.
    """
    kind = media_type(environ)
    if kind in (JSON, URLENCODED):
        raise UnsupportedBody(
            said(
                "Content type %(kind)s is no data set. Send it as a form (%(how)s) or alone "
                '(-H "Content-Type: text/csv" --data-binary @data.csv).',
                kind=repr(kind),
                how=_HOW,
            )
        )
    try:
        file.parent.mkdir(parents=True)
        with file.open("xb") as out:
            received = (_form if kind == MULTIPART else _alone)(environ, out, check)
            size = out.tell()
    except OSError as err:
        if err.errno not in DISK_FULL:
            raise
        raise StorageFull(
            said(
                "The server's disk has no room for this data set; nothing of it was kept. Send a "
                "smaller one, or ask who runs the server to make room."
            )
        ) from err
    if not size:
        raise InvalidInput([FieldError(FIELD, said("is empty: there is nothing to score"))])
    return received


def clean_name(text: str | None) -> str:
    """Return a file's name as it may be shown: without folders and control characters."""
    last = re.split(r"[/\\]", text or "")[-1]
    return "".join(filter(str.isprintable, last)).strip()[-_MAX_NAME:] or _NAMELESS


def _alone(environ: WSGIEnvironment, out: IO[bytes], check: Callable[[Fields], object]) -> Received:
    check({})
    for part in _parts(environ):
        out.write(part)
    given = parse_extended_header(environ.get("HTTP_CONTENT_DISPOSITION"))[1].get("filename")
    return Received(clean_name(given), {})


def _form(environ: WSGIEnvironment, out: IO[bytes], check: Callable[[Fields], object]) -> Received:
    boundary = parse_options_header(environ["CONTENT_TYPE"])[1].get("boundary", "")
    form = _Form(out, check)
    try:
        with PushMultipartParser(boundary, max_segment_count=_MAX_PARTS) as parser:
            for part in _parts(environ):
                for event in parser.parse(part):
                    form.take(event)
    except ValueError as err:
        # Some of the parser's errors hold what the client sent; the first part is the reason.
        raise MalformedRequest(
            said("The form cannot be read: %(reason)s", reason=str((err.args or [err])[0]))
        ) from err
    if form.name is None:
        raise InvalidInput(
            [FieldError(FIELD, said("is missing; expected a file: %(how)s", how=_HOW))]
        )
    return Received(form.name, form.fields)


class _Form:
    """Takes the events of a form's parser: a field is kept, the file is written."""

    def __init__(self, out: IO[bytes], check: Callable[[Fields], object]) -> None:
        self.fields: Fields = {}
        self.name: str | None = None
        self._out = out
        self._check = check
        self._field = ""
        self._pieces: list[bytes] | None = None

    def take(self, event: MultipartSegment | bytes | bytearray | None) -> None:
        """Take in the beginning of a part, a piece of it, or its end."""
        if isinstance(event, MultipartSegment):
            self._begin(event)
        elif event is None:
            self._end()
        elif self._pieces is None:
            self._out.write(event)
        else:
            self._pieces.append(bytes(event))
            if sum(map(len, self._pieces)) > _MAX_FIELD_BYTES:
                raise _wrong(
                    self._field, said("is too long for a field; expected %(how)s", how=_HOW)
                )

    def _begin(self, segment: MultipartSegment) -> None:
        self._field = segment.name or ""
        is_file = segment.filename is not None
        self._pieces = None if is_file else []
        if is_file and self._field != FIELD:
            hint = nearest(self._field, (FIELD,)) or after(said("Expected %(how)s.", how=_HOW))
            raise _wrong(self._field, said("is not the file of this form.%(hint)s", hint=hint))
        if is_file and self.name is not None:
            raise _wrong(FIELD, said("is given twice; expected once: images go into one zip"))
        if not is_file and self._field == FIELD:
            raise _wrong(FIELD, said("is a text; expected a file: %(how)s", how=_HOW))
        if is_file:
            if not segment.filename:  # what browsers send where none was chosen
                raise _wrong(FIELD, said("is missing; choose one"))
            self.name = clean_name(segment.filename)
            self._check(self.fields)

    def _end(self) -> None:
        if self._pieces is not None:
            text = decode_utf8(b"".join(self._pieces))
            self.fields.setdefault(self._field, []).append(text)


def _wrong(field: str, message: str) -> InvalidInput:
    return InvalidInput([FieldError(printable(field), message)])


def _parts(environ: WSGIEnvironment) -> Iterator[bytes]:
    """Yield a request's body in parts.

    Raises:
        MalformedRequest: it ended before its announced length.
        RequestTooLarge: it is, or is announced to be, over the limit.
    """
    announced = content_length(environ)
    if announced is None and not environ.get("wsgi.input_terminated"):
        return
    read, taken = environ["wsgi.input"].read, 0
    while announced is None or taken < announced:
        part = read(_PART_BYTES if announced is None else min(_PART_BYTES, announced - taken))
        if not part:
            break
        taken += len(part)
        yield part
    if announced is not None and taken < announced:
        raise MalformedRequest(
            said("The body ended after %(found)s of %(announced)s bytes",
                 found=taken, announced=announced)
        )  # fmt: skip
