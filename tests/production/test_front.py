"""A real nginx before a real server: what passes, what is refused, and what the server is told."""

from __future__ import annotations

import gzip
import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from podium.production.nginx import FORM_BYTES
from podium.production.site import Site
from tests.support.apps import write_notes
from tests.support.client import BROWSER, PROBLEM, raw
from tests.support.front import Told, ask, fronted, served_at, site_of
from tests.support.waiting import until

BASE = "/notes"
UPLOAD, DATASET = 100_000, 300_000
JSON = ("-H", "Content-Type: application/json")


class Fronts(NamedTuple):
    """One server, and sites before it: with TLS, with a proxy before it, with nobody behind it."""

    tls: Site
    proxied: Site
    rated: Site
    gone: Site
    log: Path


@pytest.fixture(scope="module")
def fronts() -> Iterator[Fronts]:
    """A server of texts under a path prefix, in a folder with a short path, as sockets need it."""
    with tempfile.TemporaryDirectory(prefix="podium-") as made:
        folder = Path(made)
        app = write_notes(folder / "app")
        toml = app / "podium.toml"
        toml.write_text(toml.read_text() + 'dataset = "300 kB"\n')
        sites = {
            name: site_of(app, folder / name / "site", base_path=BASE, **facts)
            for name, facts in _FACTS.items()
        }
        toml.write_text(toml.read_text() + '[access]\nrate = "3/min"\n')
        sites["rated"] = site_of(app, folder / "rated" / "site", base_path=BASE)
        toml.write_text(toml.read_text().partition("[access]")[0])
        options = ("--proxies", "1", "--base-path", BASE)
        with (
            served_at(app, folder, *options) as server,
            fronted(sites["tls"], server),
            fronted(sites["proxied"], server),
            fronted(sites["rated"], server),
            fronted(sites["gone"], None),
        ):
            yield Fronts(**sites, log=folder / "server.log")


_FACTS: dict[str, dict[str, Any]] = {"tls": {"tls": True}, "proxied": {"proxies": 1}, "gone": {}}


def body_of(size: int, folder: Path) -> str:
    """Return curl's option for a file of so many bytes, a question in JSON."""
    text = json.dumps({"inputs": [{"text": "hello"}]})
    file = folder / f"{size}.json"
    file.write_text(text[:-1] + " " * (size - len(text)) + text[-1])
    return f"@{file}"


def assert_refused(told: Told, status: int, detail: str) -> None:
    """Check a refusal of nginx's own, as programs get it."""
    assert (told.status, told.headers["Content-Type"]) == (status, PROBLEM), told.body
    document = json.loads(told.body)
    assert (document["status"], document["detail"]) == (status, detail)
    assert set(document) == {"title", "status", "detail", "errors", "type"}
    assert told.headers["X-Request-Id"]
    assert told.headers["X-Content-Type-Options"] == "nosniff"


def seen_by_server(fronts: Fronts, request_id: str) -> tuple[str, str, int]:
    """Return what the server logged of a request: its client, its path and the status."""
    until(lambda: request_id in fronts.log.read_text())
    line = next(one for one in fronts.log.read_text().splitlines() if request_id in one)
    told = json.loads(line)
    return told["client"], told["path"], told["status"]


def test_http_is_sent_to_https_on_the_right_port(fronts: Fronts) -> None:
    """Who comes by HTTP is sent on with the whole address, and its POST stays one."""
    told = ask(fronts.tls, f"{BASE}/docs?a=1", scheme="http")
    expected = f"https://example.org:{fronts.tls.https_port}{BASE}/docs?a=1"
    assert (told.status, told.headers["Location"]) == (308, expected)


def test_http_on_the_port_of_https_is_sent_on(fronts: Fronts) -> None:
    """Plain HTTP where TLS is spoken is no error, but sent on."""
    told = ask(fronts.tls, f"{BASE}/docs", scheme="http", port=fronts.tls.https_port)
    expected = f"https://example.org:{fronts.tls.https_port}{BASE}/docs"
    assert (told.status, told.headers["Location"]) == (308, expected)


def test_page_by_http2_with_hsts(fronts: Fronts) -> None:
    """The page comes by HTTP/2 over TLS; browsers are told to stay with HTTPS."""
    told = ask(fronts.tls, f"{BASE}/", "-H", f"Accept: {BROWSER}")
    assert (told.status, told.version) == (200, "2")
    assert told.headers["Strict-Transport-Security"] == "max-age=63072000"
    assert b"Notes" in told.body


@pytest.mark.parametrize("version", ["--tlsv1.2", "--tlsv1.3"])
def test_tls_versions(version: str, fronts: Fronts) -> None:
    """TLS 1.2 and 1.3 are spoken."""
    top = "--tls-max", version[-3:]
    assert ask(fronts.tls, f"{BASE}/healthz", version, *top).status == 200


def test_prefix_scheme_and_port_reach_the_page(fronts: Fronts) -> None:
    """The calls that the page shows have the address that the visitor sees."""
    told = ask(fronts.tls, f"{BASE}/docs", "-H", f"Accept: {BROWSER}")
    called = set(re.findall(r"https?://[^\s&<\"]+/predict", told.body.decode()))
    assert called == {f"https://example.org:{fronts.tls.https_port}{BASE}/predict"}


def test_address_that_a_client_claims_is_not_believed(fronts: Fronts) -> None:
    """Without a proxy before nginx, X-Forwarded-For is what the client made up."""
    ask(fronts.tls, f"{BASE}/healthz", "-H", "X-Request-Id: claims", "-H",
        "X-Forwarded-For: 203.0.113.7")  # fmt: skip
    assert seen_by_server(fronts, "claims") == ("127.0.0.1", f"{BASE}/healthz", 200)


def test_address_behind_a_proxy_is_the_one_it_saw(fronts: Fronts) -> None:
    """With one proxy before nginx, the last address of X-Forwarded-For is the client's."""
    ask(fronts.proxied, f"{BASE}/healthz", "-H", "X-Request-Id: behind", "-H",
        "X-Forwarded-For: 198.51.100.1, 203.0.113.7:4711")  # fmt: skip
    assert seen_by_server(fronts, "behind") == ("203.0.113.7", f"{BASE}/healthz", 200)


@pytest.mark.parametrize("claimed", ["", "unknown", "x" * 4000])
def test_address_behind_a_proxy_that_tells_none(claimed: str, fronts: Fronts) -> None:
    """Where the proxy tells no address, its own stands for the client's."""
    name = f"none-{len(claimed)}"
    ask(fronts.proxied, f"{BASE}/healthz", "-H", f"X-Request-Id: {name}", "-H",
        f"X-Forwarded-For: {claimed}")  # fmt: skip
    assert seen_by_server(fronts, name) == ("127.0.0.1", f"{BASE}/healthz", 200)


def test_scheme_behind_a_proxy_is_the_one_it_tells(fronts: Fronts) -> None:
    """A proxy's X-Forwarded-Proto counts; a host and a prefix that are claimed do not."""
    told = ask(fronts.proxied, f"{BASE}/docs", "-H", f"Accept: {BROWSER}",
               "-H", "X-Forwarded-Proto: https", "-H", "X-Forwarded-Host: evil.example",
               "-H", "X-Forwarded-Prefix: /evil", "-H", "Forwarded: host=evil.example")  # fmt: skip
    called = set(re.findall(r"https?://[^\s&<\"]+/predict", told.body.decode()))
    assert called == {f"https://example.org:{fronts.proxied.http_port}{BASE}/predict"}
    assert b"evil" not in told.body


def test_body_at_the_limit_is_answered(fronts: Fronts, tmp_path: Path) -> None:
    """A request of exactly [limits] upload gets its answer."""
    told = ask(fronts.tls, f"{BASE}/predict", *JSON, "--data-binary", body_of(UPLOAD, tmp_path))
    assert (told.status, len(json.loads(told.body)["predictions"])) == (200, 1)


def test_body_one_byte_above_the_limit_is_refused_in_the_server_s_words(
    fronts: Fronts, tmp_path: Path
) -> None:
    """One byte more is refused by the server, which names the limit and its key."""
    body = body_of(UPLOAD + 1, tmp_path)
    told = ask(fronts.tls, f"{BASE}/predict", *JSON, "--data-binary", body)
    assert (told.status, told.headers["Content-Type"]) == (413, PROBLEM)
    assert "100 kB, the limit of one request ([limits] upload)" in json.loads(told.body)["detail"]


def test_body_far_above_the_limit_is_refused_by_nginx(fronts: Fronts, tmp_path: Path) -> None:
    """What is far too large ends at nginx, in the same shape."""
    body = body_of(UPLOAD + FORM_BYTES + 1, tmp_path)
    told = ask(fronts.tls, f"{BASE}/predict", *JSON, "--data-binary", body)
    assert_refused(told, 413, "The body is larger than this server takes.")


@pytest.mark.parametrize(("size", "status"), [(DATASET, 202), (DATASET + 1, 413)])
def test_data_sets_have_a_limit_of_their_own(
    size: int, status: int, fronts: Fronts, tmp_path: Path
) -> None:
    """A data set may be larger than a request of /predict, up to [limits] dataset."""
    file = tmp_path / "texts.csv"
    file.write_bytes((b"text\n" + b"aaa bbb\n" * DATASET)[:size])
    told = ask(fronts.tls, f"{BASE}/datasets?start=false", "-H", "Content-Type: text/csv",
               "--data-binary", f"@{file}")  # fmt: skip
    assert told.status == status, told.body
    if status == 413:
        assert "([limits] dataset)" in json.loads(told.body)["detail"]


def test_chunked_data_set_passes(fronts: Fronts, tmp_path: Path) -> None:
    """A data set whose length is not told arrives whole."""
    file = tmp_path / "texts.csv"
    file.write_bytes(b"text\n" + b"aaa bbb\n" * 20_000)
    told = ask(fronts.proxied, f"{BASE}/datasets?start=false", "-H", "Content-Type: text/csv",
               "-H", "Transfer-Encoding: chunked", "-T", str(file), "-X", "POST")  # fmt: skip
    assert told.status == 202, told.body


def test_answers_are_compressed_once(fronts: Fronts) -> None:
    """The page, compressed by the server, and a long answer, by nginx, are gzip, and only once."""
    page = ask(fronts.tls, f"{BASE}/", "-H", "Accept-Encoding: gzip", "-H", f"Accept: {BROWSER}")
    inputs = json.dumps({"inputs": [{"text": "a"}] * 5})
    answer = ask(fronts.tls, f"{BASE}/predict", *JSON, "-H", "Accept-Encoding: gzip", "-d", inputs)
    for told, start in ((page, b"<!doctype html>"), (answer, b'{"model":"crc"')):
        assert told.headers.get_all("Content-Encoding") == ["gzip"]
        assert gzip.decompress(told.body).lower().startswith(start)


def test_static_files_come_from_nginx_once_it_has_them(fronts: Fronts) -> None:
    """A file with a fingerprint is asked of the server once; nginx keeps each coding apart."""
    page = ask(fronts.tls, f"{BASE}/", "-H", f"Accept: {BROWSER}").body.decode()
    found = re.search(rf"{BASE}/static/[0-9a-f]{{12}}/page\.css", page)
    assert found is not None
    for coding in ("gzip", "identity"):
        ids = [f"{coding}-{number}" for number in range(3)]
        told = [ask(fronts.tls, found[0], "-H", f"Accept-Encoding: {coding}", "-H",
                    f"X-Request-Id: {one}") for one in ids]  # fmt: skip
        assert [one.status for one in told] == [200] * 3
        assert len({one.body for one in told}) == 1
        assert [one.headers.get("Content-Encoding") for one in told] == [
            "gzip" if coding == "gzip" else None
        ] * 3
        assert [one.headers.get_all("X-Request-Id") for one in told] == [[one] for one in ids]
        log = fronts.log.read_text()
        assert [one in log for one in ids] == [True, False, False]


def test_request_id_is_passed_on_or_made(fronts: Fronts) -> None:
    """A plain id of the client's is kept; another is replaced."""
    given = ask(fronts.tls, f"{BASE}/healthz", "-H", "X-Request-Id: mine-1")
    odd = ask(fronts.tls, f"{BASE}/healthz", "-H", 'X-Request-Id: a"b c')
    assert given.headers.get_all("X-Request-Id") == ["mine-1"]
    assert re.fullmatch("[0-9a-f]{32}", odd.headers["X-Request-Id"])


def test_log_tells_no_secret(fronts: Fronts) -> None:
    """A line of nginx's log is JSON, without queries, and without whole ids of data sets."""
    whole = "0123456789abcdef0123456789abcdef"
    ask(fronts.tls, f"{BASE}/datasets/{whole}/rows?token=secret", "-H", "X-Request-Id: logged")
    log = fronts.tls.folder / "logs" / "access.log"
    until(lambda: '"logged"' in log.read_text())
    line = next(one for one in log.read_text().splitlines() if '"logged"' in one)
    told = json.loads(line)
    assert {key: told[key] for key in ("client", "method", "path", "status", "protocol")} == {
        "client": "127.0.0.1", "method": "GET", "path": f"{BASE}/datasets/01234567.../rows",
        "status": 404, "protocol": "HTTP/2.0",
    }  # fmt: skip
    assert told["seconds"] >= 0
    assert "secret" not in log.read_text()


@pytest.mark.parametrize("path", ["/predict", "/", "/datasets", "/static/0123456789ab/page.css"])
def test_server_that_is_gone_is_told_in_a_problem_document(path: str, fronts: Fronts) -> None:
    """With no server behind it nginx answers 502, with when to try again."""
    told = ask(fronts.gone, f"{BASE}{path}", *(["-d", "{}"] if path == "/predict" else []))
    words = "The application is not there at this moment. Try again soon."
    assert_refused(told, 502, words)
    assert told.headers["Retry-After"] == "5"


def test_server_that_is_gone_is_told_to_browsers_as_a_page(fronts: Fronts) -> None:
    """A browser gets a small page, which is not nginx's."""
    told = ask(fronts.gone, f"{BASE}/", "-H", f"Accept: {BROWSER}")
    assert (told.status, told.headers["Content-Type"]) == (502, "text/html")
    assert b"<h1>Bad Gateway</h1>" in told.body
    assert b"nginx" not in told.body


@pytest.mark.parametrize(
    ("options", "status", "detail"),
    [
        (("-H", "X-Long: " + "x" * 9000), 431, "The headers of the request are too long."),
        (("-X", "TRACE"), 405, "This address does not take that method."),
    ],
)
def test_what_is_no_request_is_refused(
    options: tuple[str, ...], status: int, detail: str, fronts: Fronts
) -> None:
    """Heads that are too long and methods that are unknown never show nginx's pages."""
    assert_refused(ask(fronts.proxied, f"{BASE}/", *options), status, detail)


@pytest.mark.parametrize("request_line", [b"NONSENSE", b"GET / HTTP/1.1"])
def test_what_is_no_http_is_refused(request_line: bytes, fronts: Fronts) -> None:
    """A line that is none, or a head without a host, gets a problem document as well."""
    received = raw(fronts.proxied.http_port, request_line + b"\r\n\r\n")
    assert json.loads(received.rpartition(b"\r\n\r\n")[2])["status"] == 400
    assert b"<html" not in received


def test_address_that_is_too_long_is_refused(fronts: Fronts) -> None:
    """An address of more than a line's length is told so."""
    told = ask(fronts.proxied, f"{BASE}/?a=" + "x" * 9000)
    words = "The address is too long. Send long inputs in the body of a POST request."
    assert_refused(told, 414, words)


def test_address_just_below_the_length_reaches_the_server(fronts: Fronts) -> None:
    """The longest address that nginx takes is no error of the server's, either."""
    path = f"{BASE}/healthz?a="
    path += "x" * (8190 - len(f"GET {path} HTTP/1.1"))
    assert ask(fronts.proxied, path).status == 200


def test_rate_is_kept(fronts: Fronts) -> None:
    """Requests that send something are refused beyond [access] rate; looking is free."""
    question = json.dumps({"inputs": [{"text": "a"}]})
    told = [ask(fronts.rated, f"{BASE}/predict", *JSON, "-d", question) for _ in range(5)]
    assert [one.status for one in told] == [200, 200, 200, 200, 429]
    assert_refused(told[-1], 429, "Too many requests at once. Try again in a moment.")
    assert told[-1].headers["Retry-After"] == "1"
    assert ask(fronts.rated, f"{BASE}/healthz").status == 200


def test_proof_for_certbot_is_served(fronts: Fronts) -> None:
    """What certbot lays down is answered by plain HTTP."""
    proof = fronts.tls.folder / "acme" / ".well-known" / "acme-challenge" / "token"
    proof.parent.mkdir(parents=True)
    proof.write_text("proof")
    told = ask(fronts.tls, "/.well-known/acme-challenge/token", scheme="http")
    assert (told.status, told.body) == (200, b"proof")
