"""Files and bodies that are meant to do harm: named, answered, and nothing of them is left."""

from __future__ import annotations

import gzip
import struct
import zlib

import pytest

from tests.http.test_datasets import followed, sent
from tests.security.conftest import Serve
from tests.security.unharmed import unharmed
from tests.support.archives import LINK, zipped
from tests.support.client import JSON, Upload
from tests.support.pictures import RED, encoded, plain, png

TEXTS = b"text\nhello\n"
PICTURE = png(RED)
LONG = "x" * 10_000 + ".png"

NAMES = {
    "../../../escaped.png": "escaped.png",
    "/tmp/escaped.png": "escaped.png",  # noqa: S108  a name that must lead nowhere
    "..\\..\\escaped.png": "escaped.png",
    "C:\\escaped.png": "escaped.png",
    "a.png\0.php": "a.png.php",
    "a\u202egnp.exe": "agnp.exe",
    "a.png.php": "a.png.php",
    "<img src=x onerror=alert(1)>.csv": "<img src=x onerror=alert(1)>.csv",
    "$(touch escaped).csv": "$(touch escaped).csv",
    "-rf": "-rf",
}
"""Names of files, and as what they are shown: without folders, controls and marks of direction."""


@pytest.mark.parametrize("name", NAMES)
def test_names_lead_nowhere(name: str, serve: Serve) -> None:
    """Whatever a file is called, it is read for what it holds; its name is cleaned where shown."""
    pictures, texts = serve("colours"), serve("notes")
    with unharmed(pictures), unharmed(texts):
        answer = pictures.client.submit("/predict", files=[Upload("image", PICTURE, name)])
        assert answer.predictions[0]["probabilities"]["red"] == pytest.approx(1 / 3)
        taken = texts.client.submit("/datasets", files=[Upload("file", TEXTS, name, "text/csv")])
        told = followed(texts.client, sent(taken))
        assert (told["state"], told["rows_done"], told["name"]) == ("done", 1, NAMES[name])
        results = texts.client.get(told["results"]["csv"])
        assert results.status == 200
        shown = results.headers["Content-Disposition"]
        assert not {"/", "\\", "\0", "\u202e"} & set(shown)
        report = texts.client.get(told["report"])
        assert b"<img src=x" not in report.body


@pytest.mark.parametrize("app", ["colours", "notes"])
@pytest.mark.parametrize("path", ["/predict", "/datasets", "/"])
def test_name_of_ten_thousand_characters(path: str, app: str, serve: Serve) -> None:
    """A part whose head is longer than any is refused."""
    server = serve(app)
    field = "file" if path == "/datasets" else "image" if app == "colours" else "text"
    with unharmed(server):
        answer = server.client.submit(path, files=[Upload(field, PICTURE, LONG)])
        assert answer.status == 400
        assert b"Maximum segment header length exceeded" in answer.body


def test_head_of_a_part_ends_where_it_ends(serve: Serve) -> None:
    """A line end in a file's name makes no header of what follows."""
    server = serve("notes")
    with unharmed(server):
        upload = Upload("file", TEXTS, "a\r\nX-Evil: y", "text/csv")
        answer = server.client.submit("/datasets", files=[upload])
        assert (answer.status, answer.headers.get("X-Evil")) == (422, None)


def _chunk(kind: bytes, body: bytes) -> bytes:
    """Return a chunk of a PNG (PNG specification, 5.3)."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _png_with(chunk: bytes) -> bytes:
    """Return a sound picture with one more chunk behind its header."""
    return PICTURE[:33] + chunk + PICTURE[33:]


NOTHING = zlib.compress(bytes(50_000_000), 9)

POLYGLOTS = {
    "GIF and JavaScript": encoded(plain(RED), "GIF") + b"/*;alert(1)//",
    "JPEG and PDF": encoded(plain(RED), "JPEG", comment=b"%PDF-1.7 1 0 obj"),
    "PNG and zip": PICTURE + zipped([("../../escaped", b"x")]),
    "PNG and HTML": _png_with(_chunk(b"tEXt", b"Comment\0<script>alert(1)</script>")),
}
"""Sound pictures that are something else as well."""

NO_PICTURES = {
    "GIF that is JavaScript": b"GIF89a=1;alert(1)//",
    "PDF": b"%PDF-1.7\n",
    "PHP": b"<?php system($_GET[0]);",
    "HTML": b"<!doctype html><script>alert(1)</script>",
    "SVG with a script": b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    "zip": zipped([("a.png", PICTURE)]),
    "text that unpacks to 50 MB": _png_with(_chunk(b"zTXt", b"a\0\0" + NOTHING)),
    "profile that unpacks to 50 MB": _png_with(_chunk(b"iCCP", b"a\0\0" + NOTHING)),
}
"""What is called a picture, and is none that can be read safely."""


@pytest.mark.parametrize("kind", POLYGLOTS)
def test_polyglots_are_pictures_and_nothing_else(kind: str, serve: Serve) -> None:
    """A picture that is something else as well is answered as the picture; nothing of it is kept.

    As a data set it is none, whatever it holds besides.
    """
    server = serve("colours")
    with unharmed(server):
        answer = server.client.submit(
            "/predict", files=[Upload("image", POLYGLOTS[kind], "a.html")]
        )
        assert set(answer.predictions[0]["probabilities"]) == {"red", "green", "blue", "rest"}
        told = followed(
            server.client,
            sent(
                server.client.submit(
                    "/datasets", files=[Upload("file", POLYGLOTS[kind], "a.zip", "application/zip")]
                )
            ),
        )
        assert told["state"] == "failed"
        assert "Put pictures into a zip archive" in told["error"]


@pytest.mark.parametrize("kind", NO_PICTURES)
def test_what_is_no_picture_is_refused(kind: str, serve: Serve) -> None:
    """A file that is no picture, or is a bomb, is named as that, whatever it is called."""
    server = serve("colours")
    with unharmed(server):
        for answer in (
            server.client.submit("/predict", files=[Upload("image", NO_PICTURES[kind], "a.png")]),
            server.client.post("/predict", NO_PICTURES[kind], "image/png"),
        ):
            ((field, _),) = answer.errors
            assert (answer.status, field) == (422, "image")


EMPTY = bytes(10_000_000)
ARCHIVES = {
    "zip in a zip": (zipped([("a.zip", zipped([("a.png", PICTURE)]))]), "are not opened: a.zip"),
    "zip bomb": (zipped([(f"{i}.png", EMPTY) for i in range(30)]), "as a zip bomb does"),
    "gzip": (gzip.compress(bytes(1_000_000)), "is a gzip archive"),
}


@pytest.mark.parametrize("kind", ARCHIVES)
def test_archives_that_unpack_to_too_much(kind: str, serve: Serve) -> None:
    """What hides its size is not unpacked: the data set fails, and says why."""
    body, reason = ARCHIVES[kind]
    server = serve("colours")
    with unharmed(server):
        upload = Upload("file", body, "a.zip", "application/zip")
        told = followed(server.client, sent(server.client.submit("/datasets", files=[upload])))
        assert told["state"] == "failed"
        assert reason in told["error"]


@pytest.mark.parametrize(
    ("archive", "reason"),
    [
        (zipped([("../../escaped.png", PICTURE)]), "its name leads outside of the archive"),
        (zipped([("/tmp/escaped.png", PICTURE)]), "its name leads outside of the archive"),  # noqa: S108
        (zipped([("..\\escaped.png", PICTURE)]), "its name leads outside of the archive"),
        (zipped([("a.png", b"/etc/passwd")], attributes=LINK), "is a symbolic link"),
    ],
    ids=["parents", "absolute", "Windows", "link"],
)
def test_members_lead_nowhere(archive: bytes, reason: str, serve: Serve) -> None:
    """A member of an archive that leads elsewhere is a row without an answer."""
    server = serve("colours")
    with unharmed(server):
        upload = Upload("file", archive, "a.zip", "application/zip")
        told = followed(server.client, sent(server.client.submit("/datasets", files=[upload])))
        assert told["rows_failed"] == 1
        assert reason in told["problems"][0]["reason"]


def test_endless_line_is_a_failed_data_set(serve: Serve) -> None:
    """A table of one line without an end is told by its length."""
    server = serve("notes")
    with unharmed(server):
        taken = server.client.post("/datasets?name=a.csv", b"x" * 3_000_000, "text/csv")
        told = followed(server.client, sent(taken))
        assert told["state"] == "failed"
        assert "line 1: has more than 1,048,576 characters" in told["error"]


BODIES = {
    "packed": (gzip.compress(b'{"inputs": [{"text": "a"}]}'), 400),
    "lists in lists": (b"[" * 90_000, 400),
    "a text of lists": (b'{"inputs":[{"text":' + b"[" * 40_000 + b"]" * 40_000 + b"}]}", 400),
    "objects in objects": (b'{"a":' * 15_000 + b"1" + b"}" * 15_000, 400),
    "number of 90,000 digits": (b'{"inputs":[{"text":' + b"9" * 90_000 + b"}]}", 422),
    "number beyond all": (b'{"inputs":[{"text":1e999999999}]}', 422),
    "prototype": (b'{"__proto__":{},"inputs":[{"text":"a"}]}', 400),
    "half a character": (b'{"inputs":[{"text":"\\ud800"}]}', 422),
    "NUL": (b'{"inputs":[{"text":"a\\u0000b"}]}', 422),
}


@pytest.mark.parametrize("kind", BODIES)
def test_hostile_json(kind: str, serve: Serve) -> None:
    """JSON that is deep, huge or packed is refused; nothing is unpacked that says it is."""
    body, status = BODIES[kind]
    server = serve("notes")
    with unharmed(server):
        headers = {"Content-Type": JSON, "Content-Encoding": "gzip"}
        assert server.client.send("POST", "/predict", body, headers).status == status


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("multipart/form-data", 400),
        ("multipart/form-data; boundary=" + "x" * 5000, 400),
        ('multipart/form-data; boundary=a"b', 400),
    ],
    ids=["no boundary", "long", "quote"],
)
@pytest.mark.parametrize("path", ["/predict", "/datasets"])
def test_hostile_content_types(path: str, content_type: str, status: int, serve: Serve) -> None:
    """A form without a boundary that can be one is refused, as soon as it is there."""
    server = serve("notes")
    with unharmed(server):
        headers = {"Content-Type": content_type}
        assert server.client.send("POST", path, b"--a\r\n", headers).status == status


@pytest.mark.parametrize(
    ("query", "status"),
    [("?model=crc&model=crc", 422), ("?model[]=crc", 422), ("?model=%00", 404),
     ("?model=%ff", 404), ("?__proto__=1", 422), ("?" + "&".join(f"a{i}" for i in range(900)), 422),
     ("?" + "seed=1&" * 900, 422)],
    ids=["twice", "list", "NUL", "no UTF-8", "prototype", "many", "one many times"],
)  # fmt: skip
def test_hostile_queries(query: str, status: int, serve: Serve) -> None:
    """A parameter that is unknown or stands there twice is named, however many there are."""
    server = serve("notes")
    with unharmed(server):
        assert server.client.predict({"text": "a"}, query=query).status == status


def test_form_of_very_many_fields(serve: Serve) -> None:
    """Each field that is unknown is named, and no 5xx comes of many."""
    server = serve("notes")
    with unharmed(server):
        answer = server.client.submit("/predict", [(f"f{i}", "") for i in range(1000)])
        assert (answer.status, len(answer.errors)) == (422, 1000)
