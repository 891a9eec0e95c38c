"""What is too large, too many or too much at once."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator

import pytest

from tests.http.conftest import BEAM, GENTOO
from tests.support.client import BROWSER, Answer, Client, Upload, assert_problem
from tests.support.page import Page
from tests.support.pictures import RED, png
from tests.support.server import Server

LIMIT = "the limit of one request ([limits] upload)"
TYPES = ["application/json", "multipart/form-data; boundary=podium-test-boundary", "image/png"]


def chunks(size: int, part: int = 65536) -> Iterator[bytes]:
    """Yield `size` bytes in parts, led by what makes them a form's file."""
    head = (b"--podium-test-boundary\r\nContent-Disposition: form-data; "
            b'name="image"; filename="a.jpg"\r\n\r\n')  # fmt: skip
    yield head
    for start in range(0, size, part):
        yield b" " * min(part, size - start)


@pytest.mark.parametrize("content_type", TYPES)
def test_upload_with_a_length(colours: Client, content_type: str) -> None:
    """A body over the limit is refused by its announced length; size and limit are named."""
    detail = f"The body of 3 MB is larger than 2 MB, {LIMIT}"
    answer = colours.post("/predict", b" " * 3_000_000, content_type)
    assert_problem(answer, 413, "Request too large", [("body", detail)], detail)


@pytest.mark.parametrize("content_type", TYPES)
def test_upload_in_chunks(colours: Client, content_type: str) -> None:
    """A body that comes in chunks is refused once it passes the limit, which is named."""
    detail = f"The body is larger than 2 MB, {LIMIT}"
    answer = colours.post("/predict", chunks(3_000_000), content_type)
    assert_problem(answer, 413, "Request too large", [("body", detail)], detail)


def test_refused_before_it_is_read(colours: Client) -> None:
    """The announced length alone is enough: the answer comes without the body."""
    request = (b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
               b"Content-Length: 99000000000\r\n\r\n")  # fmt: skip
    answer = colours.raw(request, half_close=True)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"The body of 99 GB is larger than 2 MB" in answer


def test_large_uploads_cost_no_memory(colours_server: Server, colours: Client) -> None:
    """Chunks far beyond the limit are not collected."""
    colours_server.forget_peak()
    before = colours_server.resident_bytes()
    assert colours.post("/predict", chunks(60_000_000), "image/png").status == 413
    assert colours_server.peak_bytes() - before < 20_000_000


def test_upload_at_the_limit(colours: Client) -> None:
    """A body of just the limit is read."""
    image = png(RED)
    answer = colours.post("/predict", image + b"\0" * (2_000_000 - len(image)), "image/png")
    assert answer.predictions[0]["probabilities"]["red"] == pytest.approx(1 / 3)


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunks"])
def test_page_over_the_limit(colours: Client, chunked: bool) -> None:
    """A visitor who drops too large a photo gets a page that names the limit, not JSON."""
    body = chunks(3_000_000) if chunked else b"".join(chunks(3_000_000))
    answer = colours.send("POST", "/", body, {"Content-Type": TYPES[1], "Accept": BROWSER})
    assert (answer.status, answer.content_type) == (413, "text/html; charset=utf-8")
    (told,) = Page(answer.text).all("div", role="alert")
    assert "is larger than 2 MB" in told.text


def test_rows(penguins: Client) -> None:
    """More rows than the limit are refused with their number and the limit."""
    detail = "10001 items in one request; the limit is 10000 ([limits] rows)"
    row = json.dumps(GENTOO)
    answer = penguins.predict_json(f'{{"inputs": [{",".join([row] * 10_001)}]}}'.encode())
    assert_problem(answer, 413, "Request too large", [("inputs", detail)], detail)


def test_rows_with_mistakes(weights: Client) -> None:
    """Too many rows are refused as such even where each of them is wrong."""
    detail = "6 items in one request; the limit is 5 ([limits] rows)"
    answer = weights.predict(*[{}] * 6)
    assert_problem(answer, 413, "Request too large", [("inputs", detail)], detail)


def test_rows_at_the_limit(weights: Client) -> None:
    """As many rows as the limit are answered."""
    assert len(weights.predict(*[BEAM] * 5).predictions) == 5


@pytest.mark.parametrize("form", ["multipart", "json"])
def test_images(colours: Client, form: str) -> None:
    """More images than the limit are refused with their number and the limit."""
    detail = "4 items in one request; the limit is 3 ([limits] rows)"
    if form == "multipart":
        answer = colours.submit("/predict", files=[Upload("image", png(RED))] * 4)
    else:
        answer = colours.predict(*[{"image": base64.b64encode(png(RED)).decode()}] * 4)
    assert answer.status == 413
    assert answer.json()["detail"] == detail


def test_too_much_at_once(weights: Client) -> None:
    """Without room in the queue, a request is told at once to come again, and others answered."""
    answers: list[Answer] = []
    start = threading.Barrier(3)

    def ask() -> None:
        start.wait(10)
        answers.append(weights.predict(BEAM, query="?model=slow"))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    answered = [answer for answer in answers if answer.status == 200]
    refused = [answer for answer in answers if answer.status != 200]
    assert (len(answers), len(answered) >= 1, len(refused) >= 1) == (3, True, True)
    for answer in answered:
        assert answer.predictions[0]["value"] == pytest.approx(1132.5)
    detail = "Too many requests are waiting for the model; try again shortly"
    for answer in refused:
        assert answer.headers["Retry-After"] == "1"
        assert_problem(answer, 503, "Try again later", [], detail)
