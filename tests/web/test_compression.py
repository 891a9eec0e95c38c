"""Which answers are sent compressed, and what their headers then say."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from io import BytesIO

import pytest
from flask import Flask, Response, request, send_file
from flask.testing import FlaskClient

from podium.web.compression import compress

LONG = "A long text that says the same again. " * 100
TAKES = {"Accept-Encoding": "gzip, br"}


@pytest.fixture
def client() -> FlaskClient:
    """Return a client of addresses that answer as the query says."""
    flask = Flask(__name__)
    flask.after_request(compress)

    @flask.get("/whole")
    def whole() -> Response:
        asked = request.args
        body = LONG[: int(asked.get("bytes", len(LONG)))]
        return Response(body, content_type=asked.get("type", "text/html; charset=utf-8"))

    @flask.get("/tagged")
    def tagged() -> Response:
        answer = Response(LONG)
        answer.add_etag()
        answer.make_conditional(request)
        return answer

    @flask.get("/streamed")
    def streamed() -> Response:
        def parts() -> Iterator[str]:
            yield LONG

        return Response(parts(), mimetype="text/csv")

    @flask.get("/file")
    def file() -> Response:
        return send_file(BytesIO(LONG.encode()), "text/csv")

    return flask.test_client()


@pytest.mark.parametrize(
    "kind",
    ["text/html; charset=utf-8", "application/json", "application/problem+json", "image/svg+xml",
     "text/plain", "text/javascript; charset=utf-8"],
)  # fmt: skip
def test_text_is_compressed(client: FlaskClient, kind: str) -> None:
    """A page and what programs read come smaller, and as they were."""
    answer = client.get("/whole", query_string={"type": kind}, headers=TAKES)
    assert gzip.decompress(answer.data).decode() == LONG
    assert (answer.headers["Content-Encoding"], answer.headers["Vary"]) == (
        "gzip",
        "Accept-Encoding",
    )
    assert answer.content_type == kind
    assert answer.content_length == len(answer.data) < len(LONG) / 10


def test_who_takes_no_gzip_gets_text(client: FlaskClient) -> None:
    """Without the header, or where it refuses gzip, the text comes as it is; caches know why."""
    for headers in ({}, {"Accept-Encoding": "gzip;q=0, *;q=0.1"}, {"Accept-Encoding": "br"}):
        answer = client.get("/whole", headers=headers)
        assert answer.text == LONG
        assert answer.headers["Vary"] == "Accept-Encoding"
        assert "Content-Encoding" not in answer.headers


@pytest.mark.parametrize(("size", "compressed"), [(999, False), (1000, True)])
def test_a_short_answer_stays_as_it_is(client: FlaskClient, size: int, compressed: bool) -> None:
    """What fits into one packet is not worth the work."""
    answer = client.get(f"/whole?bytes={size}", headers=TAKES)
    assert ("Content-Encoding" in answer.headers) == compressed
    assert answer.headers["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize("kind", ["image/png", "application/octet-stream", "font/woff2"])
def test_other_kinds_stay_as_they_are(client: FlaskClient, kind: str) -> None:
    """Pictures and the like are compressed already."""
    answer = client.get("/whole", query_string={"type": kind}, headers=TAKES)
    assert answer.text == LONG
    assert not {"Content-Encoding", "Vary"} & set(answer.headers.keys())


@pytest.mark.parametrize("address", ["/streamed", "/file"])
def test_streams_stay_streams(client: FlaskClient, address: str) -> None:
    """What is sent in parts, or from a file, is never held in memory."""
    answer = client.get(address, headers=TAKES)
    assert answer.text == LONG
    assert "Content-Encoding" not in answer.headers


def test_a_compressed_answer_keeps_its_tag_weakly(client: FlaskClient) -> None:
    """Its ETag says "the same answer", not "the same bytes", with 304 as with 200."""
    plain = client.get("/tagged").headers["ETag"]
    small = client.get("/tagged", headers=TAKES).headers["ETag"]
    assert small == f"W/{plain}"
    again = client.get("/tagged", headers={**TAKES, "If-None-Match": small})
    assert (again.status_code, again.data) == (304, b"")
    assert (again.headers["ETag"], again.headers["Vary"]) == (small, "Accept-Encoding")


def test_head_tells_what_get_sends(client: FlaskClient) -> None:
    """HEAD has the headers of GET, and no body."""
    told = client.head("/whole", headers=TAKES)
    assert (told.status_code, told.data) == (200, b"")
    assert dict(told.headers) == dict(client.get("/whole", headers=TAKES).headers)
