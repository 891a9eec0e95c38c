"""The bodies of forms, in either encoding."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest

from podium.errors import MalformedRequest, UnsupportedBody
from podium.web.form import MULTIPART, URLENCODED, Form, Upload, read_form

PARTS = (
    b'--b\r\nContent-Disposition: form-data; name="text"\r\n\r\ncaf\xc3\xa9\r\n'
    b'--b\r\nContent-Disposition: form-data; name="text"\r\n\r\n\r\n'
    b'--b\r\nContent-Disposition: form-data; name="image"; filename="a \xc3\xa9.jpg"\r\n'
    b"Content-Type: image/jpeg\r\n\r\n\xff\xd8\r\n--a\r\n\xff\r\n--b--\r\n"
)
TYPE = f"{MULTIPART}; boundary=b"


def environ(body: bytes, content_type: str) -> dict[str, Any]:
    """Return a request as WSGI passes it."""
    length = str(len(body))
    return {"CONTENT_TYPE": content_type, "CONTENT_LENGTH": length, "wsgi.input": BytesIO(body)}


def test_fields_and_files_of_a_multipart_form() -> None:
    """Fields are texts and files bytes, repeated ones in their order; none is cut or mixed up."""
    image = Upload("a \u00e9.jpg", b"\xff\xd8\r\n--a\r\n\xff")
    form = read_form(environ(PARTS, TYPE), 1)
    assert form == Form({"text": ["caf\u00e9", ""]}, {"image": [image]})
    assert form.values == {"text": "caf\u00e9"}


def test_quoted_boundary() -> None:
    """A boundary may stand in quotes, and the type in capitals."""
    form = read_form(environ(PARTS, 'Multipart/Form-Data; Boundary="b"'), 1)
    assert list(form.files) == ["image"]


def test_urlencoded_form() -> None:
    """Fields are decoded, repeated ones in their order, empty ones kept."""
    form = read_form(environ(b"a=1%2C5&b=&a=x+y", URLENCODED), 1)
    assert form == Form({"a": ["1,5", "x y"], "b": [""]}, {})


BROKEN = {
    "no end": (PARTS[:-8], TYPE),
    "no head": (PARTS[:60], TYPE),
    "another boundary": (PARTS, f"{MULTIPART}; boundary=other"),
    "no boundary": (PARTS, MULTIPART),
    "empty": (b"", TYPE),
    "attachment": (PARTS.replace(b"form-data", b"attachment"), TYPE),
    "wrong length": (PARTS.replace(b"jpeg\r\n", b"jpeg\r\nContent-Length: 99\r\n"), TYPE),
    "many parts": (b"--b\r\nContent-Disposition: form-data; name=x\r\n\r\n\r\n" * 2000, TYPE),
    "many fields": (b"x=1&" * 2000, URLENCODED),
}


@pytest.mark.parametrize(("body", "content_type"), BROKEN.values(), ids=BROKEN)
def test_broken_forms_are_malformed(body: bytes, content_type: str) -> None:
    """A form that is cut, has no boundary, or too many parts is told as such."""
    with pytest.raises(MalformedRequest, match=r"The form cannot be read: ."):
        read_form(environ(body, content_type), 1)


def test_a_name_in_another_encoding_is_told_without_its_bytes() -> None:
    """What cannot be decoded is not sent back."""
    with pytest.raises(MalformedRequest, match=r"read: Segment header failed to decode$"):
        read_form(environ(PARTS.replace(b"a \xc3\xa9", b"<b>\xe9"), TYPE), 1)


def test_no_form() -> None:
    """Another type of body is no form."""
    with pytest.raises(UnsupportedBody, match="'text/csv' is no form"):
        read_form(environ(b"a,b", "text/csv"), 1)
