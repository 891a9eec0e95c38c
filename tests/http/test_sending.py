"""How pages and their files are sent: small, kept as long as they may be, with their policy."""

from __future__ import annotations

import gzip
import re

import pytest

from tests.http.conftest import GENTOO
from tests.support.client import JSON, Client

TAKES = {"Accept-Encoding": "gzip"}
PAGE_HEADERS = {
    "Permissions-Policy": "camera=(self), clipboard-write=(self), accelerometer=(), "
    "clipboard-read=(), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), "
    "microphone=(), midi=(), payment=(), serial=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}
CORP = "Cross-Origin-Resource-Policy"


@pytest.mark.parametrize("path", ["/", "/docs", "/openapi.json", "/datasets"])
def test_pages_come_compressed(penguins: Client, path: str) -> None:
    """A page and the API's description come as gzip to who takes it, and say the same."""
    plain = penguins.get(path, Accept="text/html")
    small = penguins.send("GET", path, headers={**TAKES, "Accept": "text/html"})
    assert gzip.decompress(small.body) == plain.body
    assert len(small.body) < len(plain.body) / 2
    assert "Accept-Encoding" in small.headers["Vary"]


@pytest.mark.parametrize("path", ["/", "/docs", "/nowhere"])
def test_pages_tell_what_they_may_do(penguins: Client, path: str) -> None:
    """A page may use the camera and write to the clipboard, and no other site may hold it."""
    headers = penguins.get(path, Accept="text/html").headers
    assert {name: headers[name] for name in PAGE_HEADERS} == PAGE_HEADERS


@pytest.mark.parametrize("path", ["/", "/static/page.css", "/files/data/penguins.csv", "/models"])
def test_no_other_site_shows_what_is_sent(penguins: Client, path: str) -> None:
    """A browser gives a page, a file or an answer to no page of another site."""
    assert penguins.get(path).headers[CORP] == "same-origin"


def test_predict_stays_lean(penguins: Client) -> None:
    """An answer of /predict has none of them: programs ask for it, and it is small."""
    body = b'{"inputs": [' + b", ".join([str(GENTOO).replace("'", '"').encode()] * 20) + b"]}"
    answer = penguins.send("POST", "/predict", body, {**TAKES, "Content-Type": JSON})
    assert len(answer.predictions) == 20
    assert not {*PAGE_HEADERS, CORP, "Content-Encoding", "Vary"} & set(answer.headers.keys())


def test_all_that_a_page_names_may_be_kept(penguins: Client, weights: Client) -> None:
    """Each file of a page comes from the page's own prefix, compressed, and is kept for ever."""
    for client in (penguins, weights):
        page = client.get("/").text
        found = set(re.findall(rf'"{client.base}(/static/[^"]+[^/])"', page))
        assert {name.rpartition("/")[2] for name in found} >= {
            "page.css",
            "theme.css",
            "htmx.min.js",
        }
        for address in found:
            answer = client.send("GET", address, headers=TAKES)
            kept = answer.headers["Cache-Control"]
            assert (answer.status, kept) == (200, "public, max-age=31536000, immutable"), address
            assert answer.headers["Content-Encoding"] == "gzip"


@pytest.mark.parametrize("name", ["vega.min.js", "vega-lite.min.js", "vega-embed.min.js"])
def test_what_draws_figures_is_found_in_its_folder(weights: Client, name: str) -> None:
    """The script that loads them adds their names to an address of the page, and may keep them."""
    found = re.search(r'data-vendor="/lab/weights([^"]+)"', weights.get("/").text)
    assert found is not None
    answer = weights.send("GET", found[1] + name, headers=TAKES)
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert len(gzip.decompress(answer.body)) > 2.5 * len(answer.body)


def test_a_maker_s_file_is_kept_for_a_minute(penguins: Client) -> None:
    """A file of the folder has a tag by which it is not sent twice, and is soon asked for again."""
    first = penguins.get("/files/data/penguins.csv")
    assert first.headers["Cache-Control"] == "public, max-age=60"
    again = penguins.get("/files/data/penguins.csv", **{"If-None-Match": first.headers["ETag"]})
    assert (again.status, again.body) == (304, b"")
