"""Texts: each way to send one comes through to the last byte, or is refused in words."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import zlib
from pathlib import Path
from typing import Any

import pytest

from tests.http.test_page import page_of
from tests.support.apps import LONG_NOTE, SHORT_NOTE
from tests.support.client import Client, Upload, assert_problem
from tests.support.missing import program
from tests.support.server import Server

PLAIN = "text/plain"
LIMIT = 10_000
TEXTS = {
    "plain": "It works well.",
    "lines": "\none\n\n two\t\n",
    "quotes": """It's "5 < 6 & 7 > 6"; $HOME `id` \\ {0} %s %41+""",
    "markup": "</textarea><script>alert(1)</script><!-- &amp;",
    "right to left": "مرحبا\u202eabc\u2066",
    "beyond the basic plane": "👩‍👩‍👧 \U0001d4b3 \ufeff\u0301",
    "controls": "a\u0001\u001f\u007f\u0085\u2028b",
    "longest": "ß" * LIMIT,
    "not json": '{"inputs": 1}',
    "true": "true",
}


def checksums(predictions: list[dict[str, Any]]) -> list[float]:
    """Return the values of an answer."""
    return [one["value"] for one in predictions]


def checksum(text: str) -> int:
    """Return what the model answers for a text that came through."""
    return zlib.crc32(text.encode())


@pytest.mark.parametrize("kind", TEXTS)
def test_every_way_to_send_a_text(notes: Client, kind: str) -> None:
    """JSON, escaped or not, both forms and the bare text bring the very same characters."""
    text, sent = TEXTS[kind], [checksum(TEXTS[kind])]
    assert checksums(notes.predict({"text": text}).predictions) == sent
    raw = json.dumps({"inputs": [{"text": text}]}, ensure_ascii=False).encode()
    assert checksums(notes.predict_json(raw).predictions) == sent
    assert checksums(notes.submit("/predict", [("text", text)]).predictions) == sent
    assert checksums(notes.submit_urlencoded("/predict", [("text", text)]).predictions) == sent
    assert checksums(notes.post("/predict", text.encode(), PLAIN).predictions) == sent


def test_several_texts(notes: Client) -> None:
    """Several texts are answered in their order, as JSON and as repeated fields."""
    texts = ["one", "two", "one"]
    sent = [checksum(text) for text in texts]
    fields = [("text", text) for text in texts]
    assert checksums(notes.predict(*({"text": text} for text in texts)).predictions) == sent
    assert checksums(notes.submit("/predict", fields).predictions) == sent
    assert checksums(notes.submit_urlencoded("/predict", fields).predictions) == sent


def test_ends_of_lines_in_a_form(notes: Client) -> None:
    """A form sends CR LF for each end of a line; the model gets what was typed."""
    found = notes.submit("/predict", [("text", "one\r\ntwo")])
    assert checksums(found.predictions) == [checksum("one\ntwo")]


@pytest.mark.parametrize("content_type", [PLAIN, "Text/Plain; charset=utf-8", "text/plain;a=b"])
def test_bare_text(notes: Client, content_type: str) -> None:
    """A bare text is known by its media type; a byte order mark is no part of it."""
    expected = [checksum("café\r\n")]
    for body in (b"caf\xc3\xa9\r\n", b"\xef\xbb\xbfcaf\xc3\xa9\r\n"):
        assert checksums(notes.post("/predict", body, content_type).predictions) == expected
    pieces = iter([b"caf\xc3", b"\xa9\r\n"])
    assert checksums(notes.post("/predict", pieces, content_type).predictions) == expected


def test_options_beside_a_text(notes: Client) -> None:
    """Options stand in the query, or among the fields of a form."""
    assert notes.post("/predict?model=crc", b"a", PLAIN).status == 200
    message = "There is no model 'x'. Known: crc."
    for answer in (
        notes.post("/predict?model=x", b"a", PLAIN),
        notes.submit("/predict", [("text", "a"), ("model", "x")]),
    ):
        assert_problem(answer, 404, "Unknown model", [("model", message)], message)


EMPTY = "is empty; expected a text"
NUL = "character 2 is '\\x00', which stands in no text; is it encoded as UTF-8?"
HALF = "character 1 is '\\ud83d', which stands in no text; is it encoded as UTF-8?"


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"text": ""}, EMPTY),
        ({"text": " \n\t\u2003"}, EMPTY),
        ({"text": "a\0b"}, NUL),
        ({"text": "\ud83d"}, HALF),
        ({"text": None}, "expected a text; found None"),
        ({"text": 5}, "expected a text; found 5"),
        ({"text": ["a"]}, "expected a text; found ['a']"),
        ({"text": "x" * (LIMIT + 1)}, "has 10001 characters; the limit is 10000 "
                                      "([text] max_length)"),
        ({}, 'expected {"text": "..."}; found {}'),
        ({"txt": "a"}, 'expected {"text": "..."}; found {\'txt\': \'a\'}'),
        ({"text": "a", "more": 1},
         'expected {"text": "..."}; found {\'text\': \'a\', \'more\': 1}'),
        ("a", 'expected {"text": "..."}; found \'a\''),
    ],
    ids=["empty", "blank", "NUL", "half a character", "null", "number", "list", "too long",
         "nothing", "other key", "more keys", "bare"],
)  # fmt: skip
def test_each_wrong_text_is_named(notes: Client, item: object, message: str) -> None:
    """A wrong text is told with its number and what is wrong; right ones beside it are not."""
    answer = notes.predict({"text": "good"}, item)
    assert_problem(answer, 422, "Invalid input", [("inputs[1].text", message)])


def test_all_wrong_texts_together(notes: Client) -> None:
    """Every wrong text of a request is told at once."""
    found = notes.predict({"text": ""}, {"text": "a"}, {"text": "\0"}, 7)
    assert [field for field, _ in found.errors] == [f"inputs[{n}].text" for n in (0, 2, 3)]


@pytest.mark.parametrize(
    ("fields", "errors"),
    [
        ([], [("text", "is missing; expected --data-urlencode 'text=...'")]),
        ([("text", "")], [("text", EMPTY)]),
        ([("text", "a\0b")], [("text", NUL)]),
        ([("text", "a"), ("text", ""), ("text", "a\0")], [("text[1]", EMPTY), ("text[2]", NUL)]),
        ([("txet", "a")], [("txet", "is not a field of this form. Did you mean 'text'?")]),
        ([("text", "a"), ("note", "b")],
         [("note", "is not a field of this form. Expected text.")]),
        ([("text", "a"), ("top", "0")],
         [("top", "expected a whole number from 1; found '0'")]),
    ],
    ids=["none", "empty", "NUL", "several", "misspelt", "more", "option"],
)  # fmt: skip
def test_wrong_forms(
    notes: Client, fields: list[tuple[str, str]], errors: list[tuple[str, str]]
) -> None:
    """Each mistake of a form is told with its field, in either encoding of the form."""
    for answer in (notes.submit("/predict", fields), notes.submit_urlencoded("/predict", fields)):
        assert_problem(answer, 422, "Invalid input", errors)


def test_file_of_a_form(notes: Client) -> None:
    """A text sent as a file is told how to be sent as a field."""
    answer = notes.submit("/predict", files=[Upload("text", b"a", "query.txt", PLAIN)])
    message = "is a file; expected a text: -F 'text=<query.txt'"
    assert_problem(answer, 422, "Invalid input", [("text", message)])


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        (b"caf\xe9", "byte 4 is 0xe9, unexpected end of data"),
        ("größe".encode("utf-16"), "byte 1 is 0xff, invalid start byte"),
        (b"\xed\xa0\x80", "byte 1 is 0xed, invalid continuation byte"),
    ],
    ids=["latin-1", "utf-16", "surrogate"],
)
def test_text_in_another_encoding(notes: Client, body: bytes, wrong: str) -> None:
    """A bare text that is no UTF-8 is malformed, and told which byte shows it."""
    message = f"The body is not UTF-8: {wrong}. Send it as UTF-8."
    answer = notes.post("/predict", body, PLAIN)
    assert_problem(answer, 400, "Malformed request", [("body", message)], message)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b'--b\r\nContent-Disposition: form-data; name="text"\r\n\r\ncaf\xe9\r\n--b--\r\n',
         "multipart/form-data; boundary=b"),
        (b"text=caf%E9", "application/x-www-form-urlencoded"),
        (b"text=caf\xe9", "application/x-www-form-urlencoded"),
    ],
    ids=["multipart", "urlencoded", "urlencoded bytes"],
)  # fmt: skip
def test_form_in_another_encoding(notes: Client, body: bytes, content_type: str) -> None:
    """A form that is no UTF-8 is malformed: no letter of a text is replaced in silence."""
    answer = notes.post("/predict", body, content_type)
    assert (answer.status, answer.json()["title"]) == (400, "Malformed request")
    assert "is 0xe9," in answer.errors[0][1]


def test_too_many_texts(notes: Client) -> None:
    """More texts than [limits] rows are refused with both numbers."""
    message = "6 items in one request; the limit is 5 ([limits] rows)"
    fields = [("text", "a")] * 6
    for answer in (
        notes.predict(*[{"text": "a"}] * 6),
        notes.submit("/predict", fields),
        notes.submit_urlencoded("/predict", fields),
    ):
        assert_problem(answer, 413, "Request too large", [("inputs", message)], message)
    assert len(notes.submit("/predict", fields[:5]).predictions) == 5


@pytest.mark.parametrize("content_type", [PLAIN, "application/x-www-form-urlencoded"])
def test_too_many_bytes(notes: Client, content_type: str) -> None:
    """A body over [limits] upload is refused, however it is sent."""
    answer = notes.post("/predict", b"text=" + b"a" * 100_000, content_type)
    message = "The body of 100.005 kB is larger than 100 kB, the limit of one request"
    assert answer.status == 413
    assert answer.json()["detail"].startswith(message)


@pytest.mark.parametrize("content_type", ["text/html", "image/png", "application/octet-stream", ""])
def test_other_content_types(notes: Client, content_type: str) -> None:
    """A content type that is not read is told with those that are."""
    message = (
        f"Content type {content_type!r} is not read. Send JSON (-H \"Content-Type: "
        "application/json\"), a form (--data-urlencode 'text=...') or the text alone "
        '(-H "Content-Type: text/plain" --data-binary @query.txt).'
    )  # fmt: skip
    answer = notes.post("/predict", b"a", content_type)
    assert_problem(answer, 415, "Unsupported content type", [("Content-Type", message)], message)


def test_json_called_a_form(notes: Client) -> None:
    """JSON without its header is told the header, as in every application."""
    answer = notes.post("/predict", b'{"inputs": []}', "application/x-www-form-urlencoded")
    assert (answer.status, answer.json()["title"]) == (415, "Unsupported content type")
    assert "is JSON but is called a form" in answer.json()["detail"]


def test_shown_calls_work(notes: Client, notes_server: Server, tmp_path: Path) -> None:
    """Calls of /predict on /docs work in a shell; the first is the one that `serve` prints."""
    (tmp_path / "query.txt").write_text("It works well, and I would buy it again.")
    page = page_of(notes.get("/docs"))
    shown = [e.text for e in page.all("code") if e.text.startswith("curl ")]
    calls = [call for call in shown if "/predict" in call]
    (printed,) = re.findall(r"^  (curl .*)$", notes_server.log.read_text(), re.M)
    assert printed.replace("localhost", "127.0.0.1") == calls[0]
    program("curl", "curl")
    for call in calls:
        command = ["sh", "-c", f"{call} --silent --show-error"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True, timeout=30)  # noqa: S603  our own line
        (found,) = json.loads(done.stdout)["predictions"]
        assert found["value"] == checksum("It works well, and I would buy it again.")
    assert [shlex.split(call)[0] for call in calls] == ["curl"] * 3


def test_text_page(notes: Client) -> None:
    """The page has a labelled area for a text, and says how long it may be."""
    page = page_of(notes.get("/"))
    labels = {e.attributes["for"]: e.text for e in page.all("label") if "for" in e.attributes}
    area = page.by_id("text")
    assert labels == {"text": "Text"}
    assert (area.tag, area.attributes["name"]) == ("textarea", "text")
    assert area.attributes["dir"] == "auto"
    assert "required" in area.attributes
    assert area.attributes["aria-describedby"] == "text-note text-help"
    assert page.by_id("text-help").text == "At most 10,000 characters. Ctrl+Enter sends it."
    assert page.values() == {"text": "", "model": "crc"}


@pytest.mark.parametrize("kind", [kind for kind in TEXTS if kind != "longest"])
def test_text_on_the_page_is_kept(notes: Client, kind: str) -> None:
    """A text that was answered stands in the form again, character for character."""
    typed = TEXTS[kind].replace("\n", "\r\n")
    page = page_of(notes.submit("/", [("text", typed), ("model", "crc")]))
    (headline,) = page.all("p", class_="label")
    assert headline.text == f"{checksum(TEXTS[kind]):,.0f}"
    assert page.values()["text"].replace("\r\n", "\n") == TEXTS[kind]
    assert page.field_errors() == {}
    assert not [e for e in page.all("script") if "src" not in e.attributes]


def test_wrong_text_on_the_page_is_kept(notes: Client) -> None:
    """A text that is too long is told beside its field, and not lost."""
    text = "<b>" * 3334
    page = page_of(notes.submit("/", [("text", text)]), 422)
    message = "The text has 10,002 characters; at most 10,000 fit."
    assert page.field_errors() == {"text": message}
    assert page.by_id("text").attributes["aria-invalid"] == "true"
    assert page.values()["text"] == text
    assert not page.all("b")


def test_empty_text_on_the_page(notes: Client) -> None:
    """An empty text is told beside its field."""
    assert page_of(notes.submit("/", [("text", " ")]), 422).field_errors() == {
        "text": "Enter a text."
    }


@pytest.fixture
def chips(notes: Client) -> dict[str, str]:
    """The addresses of the examples on the page."""
    links = page_of(notes.get("/")).all("a", class_="chip")
    return {link.text: link.attributes["href"] for link in links}


@pytest.mark.parametrize(("title", "text"), [("Short", SHORT_NOTE), ("Long", LONG_NOTE)])
def test_example_fills_the_text(
    notes: Client, chips: dict[str, str], title: str, text: str
) -> None:
    """An example is a link that fills the area, also when its text fits into no address."""
    page = page_of(notes.get(chips[title]))
    assert page.values() == {"text": text, "model": "crc"}
    assert len(chips[title]) < 2100


@pytest.mark.parametrize("number", ["2", "-1", "x", "", "9" * 3000])
def test_unknown_example(notes: Client, number: str) -> None:
    """A number that is no example's leaves the area empty."""
    assert page_of(notes.get(f"/?example={number}")).values()["text"] == ""
