"""Uploads that are refused: while they arrive, in words, and with nothing left on disk."""

from __future__ import annotations

import resource
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.client import BOUNDARY, Answer, Client, Upload, assert_problem
from tests.support.server import Server
from tests.support.waiting import until

LIMIT = "1 MB, the limit of one request ([limits] dataset)"
TABLE = b"length,count,wet,material\n1.5,2,true,oak\n"
DISPOSITION = "Content-Disposition: form-data"
FORM = f"multipart/form-data; boundary={BOUNDARY}"


@pytest.fixture
def kept(weights_server: Server, weights: Client) -> Iterator[Path]:
    """Return the folder of the data sets; the test must leave in it what was there before."""
    (state,) = (weights_server.log.parent / "state").glob("app-*")
    before = set(state.glob("datasets/*"))
    yield state / "datasets"
    until(lambda: set(state.glob("datasets/*")) == before)  # a sender who is gone is seen late
    assert weights.get("/readyz").status == 200


def chunks(size: int) -> Iterator[bytes]:
    """Yield a form whose file has some bytes."""
    yield f'--{BOUNDARY}\r\n{DISPOSITION}; name="file"; filename="a.csv"\r\n\r\n'.encode()
    for start in range(0, size, 10_000):
        yield b"1,2\n" * (min(10_000, size - start) // 4)
    yield f"\r\n--{BOUNDARY}--\r\n".encode()


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("content_type", [FORM, "text/csv"])
def test_over_the_limit(weights: Client, content_type: str) -> None:
    """A file over the limit is refused by its announced length, or as soon as it passes it."""
    body = b"".join(chunks(2_000_000))
    announced = weights.post("/datasets", body, content_type)
    detail = f"The body of 2 MB is larger than {LIMIT}"
    assert_problem(announced, 413, "Request too large", [("body", detail)], detail)
    chunked = weights.post("/datasets", chunks(2_000_000), content_type)
    detail = f"The body is larger than {LIMIT}"
    assert_problem(chunked, 413, "Request too large", [("body", detail)], detail)


def test_larger_than_other_requests(weights: Client) -> None:
    """The limit of data sets is their own: more than others, for that one address."""
    body = b"".join(chunks(900_000))
    taken = weights.post("/datasets?start=false", body, FORM)
    assert taken.status == 202
    path = taken.headers["Location"].removeprefix(weights.base)
    for other in ("/predict", "/", f"{path}/start"):
        assert weights.post(other, body, FORM).status == 413
    while weights.send("DELETE", path).status != 204:  # the first one may have cancelled it
        pass


@pytest.mark.usefixtures("kept")
def test_refused_before_it_is_read(weights: Client) -> None:
    """What is wrong with the query, or the announced length, is told before the body is sent."""
    for query, length, status in (("", 99_000_000_000, 413), ("?models=none", 900_000, 404),
                                  ("?confidence_level=2", 900_000, 422)):  # fmt: skip
        head = (f"POST {weights.base}/datasets{query} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                f"Content-Type: text/csv\r\nContent-Length: {length}\r\n\r\n")  # fmt: skip
        answer = weights.raw(head.encode(), half_close=True)
        assert answer.startswith(f"HTTP/1.1 {status} ".encode())


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize(
    ("query", "status", "field", "message"),
    [
        ("?models=exakt", 404, "model",
         "There is no model 'exakt'. Did you mean 'exact'? Known: exact, noisy, slow."),
        ("?confidence_level=1", 422, "confidence_level",
         "expected a number between 0 and 1, such as 0.9; found '1'"),
        ("?model=exact", 422, "model", "is not a parameter of data sets. Did you mean 'models'?"),
        ("?start=no&start=yes", 422, "start", "is given 2 times; expected once"),
    ],
)  # fmt: skip
def test_wrong_parameters(
    query: str, status: int, field: str, message: str, weights: Client
) -> None:
    """A wrong parameter is named with the way out, in the query as in the form."""
    title, detail = ("Unknown model", message) if status == 404 else ("Invalid input", "")
    answer = weights.post(f"/datasets{query}", TABLE, "text/csv")
    assert_problem(answer, status, title, [(field, message)], detail)
    fields = [(name, text) for name, _, text in
              (part.partition("=") for part in query[1:].split("&"))]  # fmt: skip
    answer = weights.submit("/datasets", fields, [Upload("file", TABLE, "a.csv")])
    assert_problem(answer, status, title, [(field, message)], detail)


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize(
    ("fields", "files", "field", "message"),
    [
        ([], [], "file", "is missing; expected a file: -F file=@data.csv"),
        ([], [("file", b"")], "file", "is empty: there is nothing to score"),
        ([], [("file", TABLE)] * 2, "file",
         "is given twice; expected once: images go into one zip"),
        ([], [("fiel", TABLE)], "fiel", "is not the file of this form. Did you mean 'file'?"),
        ([("file", "1,2")], [], "file", "is a text; expected a file: -F file=@data.csv"),
    ],
    ids=["no file", "empty", "two files", "wrong field", "text"],
)  # fmt: skip
def test_wrong_forms(
    fields: list[tuple[str, str]], files: list[tuple[str, bytes]], field: str, message: str,
    weights: Client,
) -> None:  # fmt: skip
    """A form without its one file is refused with the field's name."""
    uploads = [Upload(name, body, "a.csv") for name, body in files]
    answer = weights.submit("/datasets", fields, uploads)
    assert_problem(answer, 422, "Invalid input", [(field, message)])


@pytest.mark.usefixtures("kept")
def test_empty_body(weights: Client) -> None:
    """A body without a byte is no data set."""
    answer = weights.post("/datasets?name=a.csv", b"", "text/csv")
    assert_problem(answer, 422, "Invalid input", [("file", "is empty: there is nothing to score")])


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("content_type", ["application/json", "application/x-www-form-urlencoded"])
def test_other_types(weights: Client, content_type: str) -> None:
    """JSON, and what curl sends without a type, are refused with the way to send a file."""
    answer = weights.post("/datasets", TABLE, content_type)
    assert (answer.status, answer.json()["title"]) == (415, "Unsupported content type")
    assert "-F file=@data.csv" in answer.json()["detail"]


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("body", [TABLE, b"".join(chunks(500))[:-20]], ids=["no form", "cut"])
def test_malformed_form(weights: Client, body: bytes) -> None:
    """What is called a form and is none, or has no end, is refused as such."""
    answer = weights.post("/datasets", body, FORM)
    assert (answer.status, answer.json()["title"]) == (400, "Malformed request")
    assert answer.json()["detail"].startswith("The form cannot be read: ")


def test_broken_connection(kept: Path, weights: Client) -> None:
    """A connection that breaks off while a file arrives leaves nothing."""
    with socket.create_connection(("127.0.0.1", weights.port), 10) as sender:
        sender.sendall(start_of_upload(weights))
        until(lambda: any(kept.rglob("upload")))
    until(lambda: not any(kept.rglob("upload")))


def test_slow_senders_keep_no_one_waiting(kept: Path, weights: Client) -> None:
    """Half of the server's threads take uploads: more are sent away, and others answered."""
    senders = [socket.create_connection(("127.0.0.1", weights.port), 10) for _ in range(2)]
    try:
        for sender in senders:
            sender.sendall(start_of_upload(weights))
        until(lambda: len(list(kept.rglob("upload"))) == 2)
        answer = weights.post("/datasets", TABLE, "text/csv")
        detail = "Too many data sets are being sent at this moment; try again"
        assert_problem(answer, 503, "Try again later", [], detail)
        assert answer.headers["Retry-After"] == "10"
        assert weights.get("/models").status == 200
    finally:
        for sender in senders:
            sender.close()
    until(lambda: not any(kept.rglob("upload")))


@pytest.mark.usefixtures("kept")
def test_disk_full(weights_server: Server, weights: Client) -> None:
    """A disk without room is told in words, and what was written is removed."""
    # Files beyond a size are refused by the system, as all are on a full disk.
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        for pid in weights_server.workers:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (600_000, before[1]))
        answer = weights.post("/datasets", chunks(900_000), FORM)
    finally:
        for pid in weights_server.workers:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
    assert_problem(answer, 507, "No room left", [], (
        "The server's disk has no room for this data set; nothing of it was kept. Send a smaller "
        "one, or ask who runs the server to make room."
    ))  # fmt: skip


@pytest.mark.parametrize("path", ["0" * 32, "none", "..%2f..%2fjobs.sqlite"])
def test_unknown(weights: Client, path: str) -> None:
    """An id that is not known is 404, whatever is asked of it."""
    for method, more in (("GET", ""), ("DELETE", ""), ("POST", "/start"), ("GET", "/results.csv")):
        answer: Answer = weights.send(method, f"/datasets/{path}{more}")
        assert (answer.status, answer.content_type) == (404, "application/problem+json")


def start_of_upload(client: Client) -> bytes:
    """Return a request whose body has only begun."""
    return (f"POST {client.base}/datasets HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/csv\r\n"
            "Content-Length: 900000\r\n\r\na,b\n").encode()  # fmt: skip
