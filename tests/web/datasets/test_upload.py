"""An upload goes to disk as it arrives, or leaves nothing but its reason."""

from __future__ import annotations

import io
import socket
import struct
from pathlib import Path
from typing import Any, BinaryIO, cast

import pytest

from podium.errors import InvalidInput, MalformedRequest, StorageFull, UnsupportedBody
from podium.strict import Size
from podium.web.datasets.upload import Fields, Received, clean_name, receive
from podium.web.http import Limit, LimitedInput
from tests.support.client import Upload, multipart
from tests.support.limits import files_of_at_most

TABLE = b"a,b\r\n1,2\r\n--x\r\n\r\n" * 3
FORM = [("models", "bnn"), ("models", "forest"), ("target", "")]
FILE = Upload("file", TABLE, "my data.csv", "text/csv")


class Slowly(io.RawIOBase):
    """A body that comes a few bytes at a time, whatever is asked for."""

    def __init__(self, body: bytes, step: int) -> None:
        self._body, self._step = io.BytesIO(body), step

    def read(self, size: int = -1) -> bytes:
        """Return the next few bytes."""
        return self._body.read(min(self._step, size))


class FromSocket(io.RawIOBase):
    """A body that comes from a socket, as a server reads it."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def read(self, size: int = -1) -> bytes:
        """Return what there is; wait for it."""
        return self._sock.recv(size)


def environ(body: bytes, kind: str, step: int = 1 << 20) -> dict[str, Any]:
    """Return a request with a body."""
    return {"wsgi.input": Slowly(body, step), "CONTENT_TYPE": kind,
            "CONTENT_LENGTH": str(len(body))}  # fmt: skip


def received(
    tmp_path: Path, asked: dict[str, Any], check: Any = lambda _: None
) -> tuple[Received, bytes]:
    """Return what `receive` tells, and the bytes on disk."""
    file = tmp_path / "new" / "upload"
    told = receive(asked, file, check)
    return told, file.read_bytes()


@pytest.mark.parametrize("step", [1, 7, 64, 1 << 20])
def test_form(step: int, tmp_path: Path) -> None:
    """A form's file arrives to the byte, wherever its parts are cut, and its fields beside it."""
    body, kind = multipart(FORM, [FILE])
    fields = {"models": ["bnn", "forest"], "target": [""]}
    found = received(tmp_path, environ(body, kind, step))
    assert found == (Received("my data.csv", fields), TABLE)


def test_fields_after_the_file(tmp_path: Path) -> None:
    """Fields count wherever they stand."""
    body, kind = multipart([], [FILE])
    end = b"--podium-test-boundary--\r\n"
    later = multipart([("seed", "3")])[0]
    told, data = received(tmp_path, environ(body.removesuffix(end) + later, kind))
    assert (told.fields, data) == ({"seed": ["3"]}, TABLE)


def test_fields_are_checked_before_the_file(tmp_path: Path) -> None:
    """What is wrong with the fields is told when the file begins, not when it has arrived."""
    seen: list[Fields] = []

    def check(fields: Fields) -> None:
        seen.append(dict(fields))
        raise MalformedRequest("no")

    body, kind = multipart([("seed", "x")], [Upload("file", b"x" * 100_000, "a.csv")])
    request = environ(body, kind, 300)
    with pytest.raises(MalformedRequest, match="no"):
        received(tmp_path, request, check)
    assert seen == [{"seed": ["x"]}]
    assert len(request["wsgi.input"].read(1 << 20)) > 0


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (None, "data"),
        ('attachment; filename="a b.csv"', "a b.csv"),
        ("attachment; filename*=UTF-8''na%C3%AFve.csv", "na\u00efve.csv"),
    ],
)
def test_body_alone(header: str | None, name: str, tmp_path: Path) -> None:
    """A file may be the whole body; its name then stands in Content-Disposition."""
    more = {} if header is None else {"HTTP_CONTENT_DISPOSITION": header}
    found = received(tmp_path, environ(TABLE, "text/csv") | more)
    assert found == (Received(name, {}), TABLE)


def test_body_without_a_length(tmp_path: Path) -> None:
    """A body that comes in chunks is read to its end."""
    request = environ(TABLE, "")
    del request["CONTENT_LENGTH"]
    _, data = received(tmp_path, request | {"wsgi.input_terminated": True})
    assert data == TABLE


@pytest.mark.parametrize(
    ("files", "fields", "field", "message"),
    [
        ([], [], "file", "is missing; expected a file: -F file=@data.csv"),
        ([FILE._replace(field="fil")], [], "fil",
         "is not the file of this form. Did you mean 'file'?"),
        ([FILE._replace(field="x")], [], "x",
         "is not the file of this form. Expected -F file=@data.csv."),
        ([FILE, FILE], [], "file", "is given twice; expected once: images go into one zip"),
        ([], [("file", "a,b")], "file", "is a text; expected a file: -F file=@data.csv"),
        ([FILE._replace(filename="", body=b"")], [], "file", "is missing; choose one"),
        ([FILE._replace(body=b"")], [], "file", "is empty: there is nothing to score"),
        ([FILE], [("seed", "1" * 70_000)], "seed",
         "is too long for a field; expected -F file=@data.csv"),
    ],
    ids=["none", "nearly", "other", "two", "text", "not chosen", "empty", "long field"],
)  # fmt: skip
def test_wrong_forms(
    files: list[Upload], fields: list[tuple[str, str]], field: str, message: str, tmp_path: Path
) -> None:
    """What is wrong with a form is told with the field's name and the way out."""
    body, kind = multipart(fields, files)
    with pytest.raises(InvalidInput) as wrong:
        received(tmp_path, environ(body, kind))
    assert [tuple(error) for error in wrong.value.errors] == [(field, message)]


def test_broken_off(tmp_path: Path) -> None:
    """A connection that breaks off is told with how much came."""
    body, kind = multipart(FORM[:1], [FILE])
    request = environ(body[:200], kind) | {"CONTENT_LENGTH": "341"}
    with pytest.raises(MalformedRequest) as wrong:
        received(tmp_path, request)
    assert str(wrong.value) == "The body ended after 200 of 341 bytes"


@pytest.mark.parametrize("form", [True, False])
def test_stands_still(form: bool, tmp_path: Path) -> None:
    """A sender who sends no more, but stays, is told so after a while."""
    body, kind = multipart([], [FILE]) if form else (TABLE, "text/csv")
    here, there = socket.socketpair()
    with here, there:
        there.sendall(body[:-10])
        here.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 50_000))
        limited = LimitedInput(cast(BinaryIO, FromSocket(here)), Limit(Size(1_000_000)), len(body))
        with pytest.raises(MalformedRequest) as wrong:
            received(tmp_path, environ(body, kind) | {"wsgi.input": limited})
    assert str(wrong.value) == "The body stood still for too long. Send it again."


@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=x", "multipart/form-data"])
def test_no_form(kind: str, tmp_path: Path) -> None:
    """A body that only claims to be a form is refused as such."""
    with pytest.raises(MalformedRequest, match=r"^The form cannot be read: "):
        received(tmp_path, environ(b"a,b\r\n1,2\r\n", kind))


def test_form_without_its_end(tmp_path: Path) -> None:
    """A form that lacks its last boundary is not taken, though all announced bytes came."""
    body, kind = multipart([], [FILE])
    with pytest.raises(MalformedRequest, match="The form cannot be read: "):
        received(tmp_path, environ(body[:-20], kind))


@pytest.mark.parametrize("kind", ["application/json", "application/x-www-form-urlencoded"])
def test_other_bodies(kind: str, tmp_path: Path) -> None:
    """JSON, and what curl sends without a type, are refused with the way to send a file."""
    with pytest.raises(UnsupportedBody) as wrong:
        received(tmp_path, environ(TABLE, kind))
    assert str(wrong.value) == (
        f"Content type {kind!r} is no data set. Send it as a form (-F file=@data.csv) or alone "
        '(-H "Content-Type: text/csv" --data-binary @data.csv).'
    )


@pytest.mark.parametrize("form", [True, False])
def test_disk_full(form: bool, tmp_path: Path) -> None:
    """A disk without room is told in words."""
    table = b"1,2\r\n" * 100_000
    body, kind = multipart([], [FILE._replace(body=table)]) if form else (table, "text/csv")
    with files_of_at_most(200_000), pytest.raises(StorageFull) as wrong:
        received(tmp_path, environ(body, kind))
    assert (wrong.value.status, str(wrong.value)) == (507, (
        "The server's disk has no room for this data set; nothing of it was kept. Send a smaller "
        "one, or ask who runs the server to make room."
    ))  # fmt: skip


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("a.csv", "a.csv"), (None, "data"), ("", "data"), ("C:\\data\\a.csv", "a.csv"),
        ("../../etc/passwd", "passwd"), ("a\r\nSet-Cookie: b.csv", "aSet-Cookie: b.csv"),
        ("\u00fcber \u202e.csv", "\u00fcber .csv"), ("x" * 300 + ".csv", "x" * 196 + ".csv"),
    ],
)  # fmt: skip
def test_names(given: str | None, name: str) -> None:
    """A file's name is shown without folders, control characters, or too much of it."""
    assert clean_name(given) == name
