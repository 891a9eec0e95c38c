"""What holds for every address: methods, headers, paths, prefixes, hosts, connections."""

from __future__ import annotations

import json
import re
import time
from urllib.parse import urljoin

import pytest

from podium.cli import DEMOS
from tests.http.conftest import BEAM, GENTOO
from tests.support.client import (
    BROWSER,
    JSON,
    PROBLEM,
    Client,
    Upload,
    assert_problem,
    check_every_answer,
    exchange,
)
from tests.support.page import Page
from tests.support.pictures import RED, png

GOOD = json.dumps({"inputs": [GENTOO]}).encode()
OFFERED = "data/penguins.csv"


def test_models(penguins: Client) -> None:
    """/models lists every model with its title and version, and which one is the default."""
    answer = penguins.get("/models")
    versions = {name: penguins.predict(GENTOO, query=f"?model={name}").json()["version"]
                for name in ("bnn", "forest", "tree", "bayes")}  # fmt: skip
    titles = ("Bayesian neural network", "Random forest", "Decision tree", "Naive Bayes")
    assert (answer.status, answer.content_type) == (200, JSON)
    assert answer.json() == {"models": [
        {"name": name, "title": title, "version": version, "default": name == "bnn",
         "calibration": None}
        for title, (name, version) in zip(titles, versions.items(), strict=True)
    ]}  # fmt: skip


@pytest.mark.parametrize(("path", "status"), [("/healthz", "alive"), ("/readyz", "ready")])
def test_health(penguins: Client, path: str, status: str) -> None:
    """A server that is alive and ready says so."""
    answer = penguins.get(path)
    assert (answer.status, answer.content_type) == (200, JSON)
    assert answer.json() == {"status": status}


def test_not_ready(half_broken: Client) -> None:
    """A server with a model that cannot be loaded is alive, not ready, and tells which model."""
    answer = half_broken.get("/readyz")
    for _ in range(200):
        if answer.json()["status"] != "loading":
            break
        time.sleep(0.05)
        answer = half_broken.get("/readyz")
    assert (answer.status, answer.content_type) == (503, JSON)
    assert answer.json()["status"] == "failed"
    assert answer.json()["errors"].keys() == {"bad"}
    assert "bad.onnx" in answer.json()["errors"]["bad"]
    assert half_broken.get("/healthz").json() == {"status": "alive"}


def test_broken_model(half_broken: Client) -> None:
    """A model that cannot be loaded is told in words; the others answer."""
    broken = half_broken.post("/predict?model=bad", png(RED), "image/png")
    assert (broken.status, broken.content_type) == (500, PROBLEM)
    assert broken.json()["title"] == "The prediction failed"
    assert broken.json()["detail"].startswith("bad.onnx: ")
    (found,) = half_broken.post("/predict", png(RED), "image/png").predictions
    assert found["probabilities"]["red"] == pytest.approx(1 / 3)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_predict_takes_post(penguins: Client, method: str) -> None:
    """/predict answers another method with the one it takes, to browsers as well."""
    detail = "/predict takes POST; GET /docs shows how"
    answer = penguins.send(method, "/predict", headers={"Accept": BROWSER})
    assert_problem(answer, 405, "Method Not Allowed", [], detail)
    assert answer.headers["Allow"] == "POST"


@pytest.mark.parametrize("path", ["/models", "/healthz", "/readyz", "/openapi.json", "/docs"])
def test_others_take_get(penguins: Client, path: str) -> None:
    """The addresses that describe are got, nothing else."""
    answer = penguins.post(path, GOOD, JSON)
    assert_problem(answer, 405, "Method Not Allowed", [], "POST does not work here.")
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS"


@pytest.mark.parametrize("path", ["/nowhere", "/models/", "/predict/", "/static/", "/predict%20"])
def test_unknown_path(penguins: Client, path: str) -> None:
    """An address where nothing is tells where something is."""
    shown = path.replace("%20", " ")
    detail = f"There is nothing at {shown}. The page is at /, the API at /docs."
    assert_problem(penguins.get(path), 404, "Not Found", [], detail)


@pytest.mark.parametrize(
    ("accept", "html"),
    [(BROWSER, True), ("text/html", True), ("*/*", False), ("", False), ("application/json", False),
     ("application/json, text/html;q=0.5", False), ("text/plain", False)],
)  # fmt: skip
def test_html_where_asked_for(penguins: Client, accept: str, html: bool) -> None:
    """An error is a page only where the browser asks for one."""
    answer = penguins.get("/nowhere", Accept=accept)
    assert answer.status == 404
    assert answer.content_type == ("text/html; charset=utf-8" if html else PROBLEM)
    told = "Nothing is at /nowhere." if html else "There is nothing at /nowhere."
    assert told in answer.text


@pytest.mark.parametrize("body", [b"", b"{"], ids=["empty", "broken"])
def test_api_answers_browsers_with_json(penguins: Client, body: bytes) -> None:
    """/predict always answers with JSON."""
    headers = {"Content-Type": JSON, "Accept": BROWSER}
    answer = penguins.send("POST", "/predict", body, headers)
    assert (answer.status, answer.content_type) == (400, PROBLEM)


def test_offered_file(penguins: Client) -> None:
    """A file that podium.toml offers comes as it is."""
    answer = penguins.get("/files/data/penguins.csv")
    assert (answer.status, answer.content_type) == (200, "text/csv; charset=utf-8")
    assert answer.body == (DEMOS / "penguins" / "data" / "penguins.csv").read_bytes()


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("podium.toml", "podium.toml"), ("models/bnn.onnx", "models/bnn.onnx"),
        ("../penguins/podium.toml", "../penguins/podium.toml"),
        ("data/../podium.toml", "data/../podium.toml"),
        ("data/../data/penguins.csv", "data/../data/penguins.csv"),
        ("%2e%2e/%2e%2e/cli.py", "../../cli.py"), ("..%2f..%2fcli.py", "../../cli.py"),
        ("..%5c..%5ccli.py", "..\\\\..\\\\cli.py"),
        ("data/penguins.csv%00.md", "data/penguins.csv\\x00.md"),
        ("%2fetc%2fpasswd", None), ("/etc/passwd", None),
    ],
)  # fmt: skip
def test_other_files_stay_hidden(penguins: Client, path: str, shown: str | None) -> None:
    """No path leads to a file that is not offered, however it is written."""
    answer = penguins.get(f"/files/{path}")
    if shown is None:  # an empty part of a path may also lead to its canonical address
        assert answer.status in (301, 308, 404)
        assert b"root:" not in answer.body
    else:
        detail = f"There is no file '{shown}'. Offered: {OFFERED}."
        assert_problem(answer, 404, "Not Found", [], detail)


@pytest.mark.parametrize("path", ["../pages.py", "..%2fpages.py", "%2e%2e/pages.py", "/etc/passwd"])
def test_static_files_stay_inside(penguins: Client, path: str) -> None:
    """Nor does any path out of the folder of the page's own files."""
    answer = penguins.get(f"/static/{path}")
    assert answer.status in (301, 308, 404)
    assert b"import" not in answer.body
    assert b"root:" not in answer.body


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/"), ("GET", "/docs"), ("GET", "/static/page.css"), ("GET", "/static/theme.css"),
     ("GET", "/files/data/penguins.csv"), ("GET", "/models"), ("GET", "/nowhere"),
     ("POST", "/predict"), ("PUT", "/predict"), ("HEAD", "/"), ("OPTIONS", "/models")],
)  # fmt: skip
def test_headers_of_every_answer(penguins: Client, method: str, path: str) -> None:
    """Every answer has the security headers, an id of its own, and no cookie."""
    first, second = (penguins.send(method, path) for _ in range(2))
    check_every_answer(first)
    assert first.headers["X-Request-Id"] != second.headers["X-Request-Id"]
    policy = first.headers["Content-Security-Policy"]
    assert {part.split()[0]: part.split()[1:] for part in policy.split("; ")} == {
        "default-src": ["'none'"], "script-src": ["'self'"], "style-src": ["'self'"],
        "img-src": ["'self'", "data:", "blob:"], "font-src": ["'self'"],
        "connect-src": ["'self'"], "form-action": ["'self'"], "frame-ancestors": ["'none'"],
        "base-uri": ["'none'"], "object-src": ["'none'"],
    }  # fmt: skip


@pytest.mark.parametrize("path", ["/healthz", "/predict", "/nowhere"])
def test_request_id_of_a_proxy(penguins: Client, path: str) -> None:
    """The id that a proxy gave a request is kept, on errors as well."""
    answer = penguins.send("GET", path, headers={"X-Request-Id": "a1-b.c_9"})
    assert answer.headers["X-Request-Id"] == "a1-b.c_9"


@pytest.mark.parametrize("given", ["a b", "x" * 65, "<script>", "é", "a,b", ""])
def test_odd_request_id(penguins: Client, given: str) -> None:
    """An id that is no plain word is replaced."""
    answer = penguins.send("GET", "/healthz", headers={"X-Request-Id": given})
    assert re.fullmatch(r"[0-9a-f]{16}", answer.headers["X-Request-Id"])


@pytest.mark.parametrize(
    ("method", "path", "body", "content_type", "status"),
    [
        ("POST", "/predict", b"{", JSON, 400),
        ("POST", "/predict", b'{"inputs": [{}]}', JSON, 422),
        ("POST", "/predict", b"<a/>" * 5000, "application/xml", 415),
        ("POST", "/predict?model=none", GOOD, JSON, 404),
        ("PUT", "/predict", GOOD, JSON, 405),
        ("POST", "/nowhere", GOOD, JSON, 404),
        ("POST", "/models", GOOD * 100, JSON, 405),
        ("HEAD", "/predict", None, JSON, 405),
        ("HEAD", "/", None, JSON, 200),
    ],
)  # fmt: skip
def test_connection_goes_on(
    penguins: Client, method: str, path: str, body: bytes | None, content_type: str, status: int
) -> None:
    """After a refused request the same connection answers the next one rightly."""
    connection = penguins.connect()
    try:
        first = exchange(connection, method, path, body, {"Content-Type": content_type})
        socket = connection.sock
        second = exchange(connection, "POST", "/predict", GOOD, {"Content-Type": JSON})
        assert first.status == status
        assert (first.body == b"") == (method == "HEAD")
        assert second.predictions[0]["label"] == "Gentoo"
        assert connection.sock is socket
    finally:
        connection.close()


def _head(length: str = "", more: str = "", path: str = "/predict") -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Type: {JSON}", length, more]
    return ("\r\n".join(filter(None, lines)) + "\r\n\r\n").encode()


def test_body_shorter_than_announced(penguins: Client) -> None:
    """A body that ends before its announced length is malformed."""
    answer = penguins.raw(_head("Content-Length: 500") + GOOD[:100], half_close=True)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"Content-Type: application/problem+json" in answer
    assert b'"detail":"The body ended after 100 of 500 bytes"' in answer


@pytest.mark.parametrize(
    "chunks",
    [b"zz\r\n{}\r\n0\r\n\r\n", b"-5\r\n{}\r\n0\r\n\r\n", b"5\r\n{}", b"2\r\n{}XX0\r\n\r\n",
     b"ffffffffffffffff"],
    ids=["no size", "negative", "cut off", "no end", "endless"],
)  # fmt: skip
def test_broken_chunks(penguins: Client, chunks: bytes) -> None:
    """Chunks that are none are the client's mistake, not the server's."""
    answer = penguins.raw(_head("Transfer-Encoding: chunked") + chunks, half_close=True)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"Content-Type: application/problem+json" in answer
    assert b"Traceback" not in answer


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"BROKEN\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 40 + b"\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n", b"GET /\x01 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nBad Header: x\r\n\r\n", _head("Content-Length: abc"),
        _head("Content-Length: -1"), _head("Content-Length: 5", "Content-Length: 6"),
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
    ],
    ids=["words", "TLS", "version", "control", "header", "length", "negative", "two lengths",
         "long"],
)  # fmt: skip
def test_no_http(penguins: Client, request_bytes: bytes) -> None:
    """Bytes that are no HTTP get a 4xx or 5xx status without a traceback, and no more."""
    answer = penguins.raw(request_bytes, half_close=True)
    assert re.match(rb"HTTP/1\.1 (400|405|414|431|505) ", answer), answer[:100]
    assert b"Traceback" not in answer
    assert b"site-packages" not in answer


def test_prefix(weights: Client) -> None:
    """Under a path prefix all links stay under it, and all they lead to is there."""
    page = Page(weights.get("/").text)
    (form,) = page.all("form")
    links = [e.attributes.get("href", e.attributes.get("src", "")) for e in page.elements]
    paths = {urljoin("/lab/weights/", link) for link in links if link and "://" not in link}
    assert form.attributes["action"] == "/lab/weights/"
    assert "/lab/weights/files/beam.png" in paths
    bare = Client(weights.port)
    for path in paths:
        assert path.startswith("/lab/weights/")
        assert bare.get(path).status == 200, path


def test_prefix_of_the_form(weights: Client) -> None:
    """The form under a prefix is answered."""
    fields = [("length", "2.5"), ("count", "3"), ("wet", "true"), ("material", "pine")]
    (headline,) = Page(weights.submit("/", fields).text).all("p", class_="label")
    assert headline.text.endswith(" kg")


def test_prefix_without_its_slash(weights: Client) -> None:
    """The prefix alone leads to the page with its slash, so that relative links hold."""
    answer = Client(weights.port).get("/lab/weights")
    assert answer.status in (301, 302, 307, 308)
    location = urljoin(f"http://127.0.0.1:{weights.port}/lab/weights", answer.headers["Location"])
    assert location == f"http://127.0.0.1:{weights.port}/lab/weights/"


@pytest.mark.parametrize(
    "path", ["/", "/predict", "/healthz", "/lab", "/lab/weightsx", "/lab/weightsx/predict"]
)
def test_outside_the_prefix(weights: Client, path: str) -> None:
    """Outside the prefix is nothing; where the application is, is told."""
    answer = Client(weights.port).get(path)
    assert_problem(answer, 404, "Not Found", [], "The application is at /lab/weights/")


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", ""])
@pytest.mark.parametrize("path", ["/", "/predict", "/healthz/", "/metrics"])
def test_wrong_host(weights: Client, path: str, host: str) -> None:
    """A host name that is not served gets no answer but that."""
    detail = "This server does not answer to that host name"
    answer = weights.send("GET", path, headers={"Host": host})
    assert_problem(answer, 421, "Misdirected Request", [], detail)


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/readyz?worker"])
def test_probes_under_any_host(weights: Client, path: str) -> None:
    """A load balancer asks by an IP address whether the application is well."""
    assert weights.send("GET", path, headers={"Host": "10.0.0.7:8000"}).status == 200


@pytest.mark.parametrize("host", ["weights.example", "WEIGHTS.example:8443", "127.0.0.1"])
def test_right_host(weights: Client, host: str) -> None:
    """A host name that is served is answered, whatever its case and port."""
    body = json.dumps({"inputs": [BEAM]}).encode()
    answer = weights.send("POST", "/predict", body, {"Content-Type": JSON, "Host": host})
    assert answer.predictions[0]["value"] == 1132.5


def test_after_all_that(penguins: Client, colours: Client) -> None:
    """A hundred bad requests in a row leave the server as it was."""
    expected = penguins.predict(GENTOO).json()
    for index in range(25):
        penguins.predict_json(b"[" * 10_000 * index)
        penguins.post("/predict", b"x" * index, "text/plain")
        colours.post("/predict", png(RED)[: 3 * index], "image/png")
        colours.submit("/predict", files=[Upload("image", b"\xff\xd8\xff" * index)])
    assert penguins.predict(GENTOO).json() == expected
