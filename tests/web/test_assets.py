"""The page's own files: their addresses, how long they are kept, and how small they come."""

from __future__ import annotations

import gzip
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from podium.web.assets import Asset, Assets

STYLE = "main { color: black }\n" * 100
FOR_EVER = "public, max-age=31536000, immutable"


class Made:
    """A file that is made anew each time."""

    text = ":root { --accent: #123456 }"

    def __call__(self) -> bytes:
        """Return it as it is now."""
        return self.text.encode()


@pytest.fixture
def theme() -> Made:
    """The one file that is made."""
    return Made()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of a stylesheet, a picture, and two scripts in a folder of theirs."""
    (tmp_path / "vendor").mkdir()
    (tmp_path / "page.css").write_text(STYLE)
    (tmp_path / "logo.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(5000))
    (tmp_path / "vendor" / "one.js").write_text("one()")
    (tmp_path / "vendor" / "two.js").write_text("two()")
    return tmp_path


class Site:
    """The assets of a folder, and who asks for them."""

    def __init__(self, folder: Path, theme: Made) -> None:
        self.assets = Assets(folder, {"theme.css": theme})
        self.flask = Flask(__name__, static_folder=None)
        self.flask.add_url_rule("/static/<path:address>", "static", self.assets.send)
        self.client: FlaskClient = self.flask.test_client()

    def address(self, name: str, prefix: str = "") -> str:
        """Return an asset's address as a page under a prefix has it."""
        with self.flask.test_request_context("/", environ_overrides={"SCRIPT_NAME": prefix}):
            return self.assets.address(name)


@pytest.fixture
def site(folder: Path, theme: Made) -> Site:
    """Return the assets, served."""
    return Site(folder, theme)


def test_an_address_changes_with_the_content(site: Site, folder: Path, theme: Made) -> None:
    """A file has another address as soon as it differs, and a folder as soon as one of its does."""
    names = ("page.css", "logo.png", "vendor/one.js", "vendor/", "theme.css")
    before = {name: site.address(name) for name in names}
    for name, address in before.items():
        assert re.fullmatch(f"/static/[0-9a-f]{{12}}/{name}", address)
    (folder / "page.css").write_text(STYLE + " ")
    (folder / "vendor" / "two.js").write_text("three()")
    theme.text = ""
    later = Site(folder, theme)
    changed = {name for name in names if later.address(name) != before[name]}
    assert changed == {"page.css", "vendor/", "theme.css"}


def test_an_address_starts_with_the_prefix(site: Site) -> None:
    """Under a path prefix the address has it in front."""
    assert site.address("page.css", "/lab") == "/lab" + site.address("page.css")


def test_an_unknown_name_has_no_address(site: Site) -> None:
    """A template that names a file that is not there fails, rather than to lead nowhere."""
    with pytest.raises(KeyError, match=r"pag\.css"):
        site.address("pag.css")


@pytest.mark.parametrize(
    ("name", "folder_of"),
    [("page.css", None), ("logo.png", None), ("theme.css", None), ("vendor/two.js", None),
     ("vendor/two.js", "vendor/")],
)  # fmt: skip
def test_what_fits_its_fingerprint_is_kept_for_ever(
    site: Site, name: str, folder_of: str | None
) -> None:
    """At its address, or at its folder's with its name added, a file may be kept for ever."""
    address = site.address(folder_of) + name[len(folder_of) :] if folder_of else site.address(name)
    assert site.client.get(address).headers["Cache-Control"] == FOR_EVER


@pytest.mark.parametrize(
    "address",
    ["/static/page.css", "/static/000000000000/page.css", "/static/theme.css", "{vendor}/page.css"],
)
def test_what_does_not_fit_is_asked_for_again(site: Site, address: str) -> None:
    """Without its fingerprint, or with that of another content, a file comes, but is not kept."""
    vendor = site.address("vendor/").removesuffix("/vendor/")
    answer = site.client.get(address.format(vendor=vendor))
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-cache")


def test_a_made_file_is_as_it_is_now(site: Site, theme: Made) -> None:
    """What is made anew comes as it is now, and under its old address it is not kept."""
    old = site.address("theme.css")
    theme.text = ":root { --accent: #654321 }"
    answer = site.client.get(old)
    assert (answer.text, answer.headers["Cache-Control"]) == (theme.text, "no-cache")
    assert site.client.get(site.address("theme.css")).headers["Cache-Control"] == FOR_EVER


@pytest.mark.parametrize(
    ("accepted", "compressed"),
    [("gzip", True), ("gzip, deflate, br, zstd", True), ("br, gzip;q=0.1", True), ("*", True),
     ("", False), ("identity", False), ("br", False), ("gzip;q=0", False), ("gzip;q=0, *", False),
     (None, False)],
)  # fmt: skip
def test_who_takes_gzip_gets_it(site: Site, accepted: str | None, compressed: bool) -> None:
    """A stylesheet comes compressed to who says that it takes gzip, else as it is."""
    headers = {} if accepted is None else {"Accept-Encoding": accepted}
    answer = site.client.get(site.address("page.css"), headers=headers)
    body = gzip.decompress(answer.data) if compressed else answer.data
    assert body.decode() == STYLE
    assert answer.headers.get("Content-Encoding") == ("gzip" if compressed else None)
    assert answer.headers["Content-Type"] == "text/css; charset=utf-8"
    assert answer.content_length == len(answer.data)
    assert len(answer.data) < len(STYLE) or not compressed


def test_a_picture_stays_as_it_is(site: Site) -> None:
    """What is compressed already is not compressed again."""
    answer = site.client.get(site.address("logo.png"), headers={"Accept-Encoding": "gzip"})
    assert (len(answer.data), answer.content_type) == (5008, "image/png")
    assert "Content-Encoding" not in answer.headers


def test_the_two_ways_have_tags_of_their_own(site: Site) -> None:
    """A file and its compressed form are told apart, and each is not sent twice."""
    address = site.address("page.css")
    ways: tuple[dict[str, str], ...] = ({}, {"Accept-Encoding": "gzip"})
    first, second = (site.client.get(address, headers=way) for way in ways)
    assert first.headers["ETag"] != second.headers["ETag"]
    for way, answer in zip(ways, (first, second), strict=True):
        again = site.client.get(address, headers={**way, "If-None-Match": answer.headers["ETag"]})
        assert (again.status_code, again.data) == (304, b"")
        assert again.headers["ETag"] == answer.headers["ETag"]
        assert again.headers["Cache-Control"] == FOR_EVER
    other = site.client.get(address, headers={"If-None-Match": second.headers["ETag"]})
    assert other.status_code == 200


def test_head_tells_what_get_sends(site: Site) -> None:
    """HEAD has the headers of GET, and no body."""
    headers = {"Accept-Encoding": "gzip"}
    got = site.client.get(site.address("page.css"), headers=headers)
    told = site.client.head(site.address("page.css"), headers=headers)
    assert (told.status_code, told.data) == (200, b"")
    assert dict(told.headers) == dict(got.headers)


@pytest.mark.parametrize(
    "name",
    ["nothing.css", "vendor", "vendor/", "vendor/three.js", "000000000000/", "000000000000",
     "../test_assets.py", "%2e%2e/secret", "vendor/../page.css", "a\nb", "page.css/"],
)  # fmt: skip
def test_there_is_nothing_else(site: Site, folder: Path, name: str) -> None:
    """No other address leads to a file, in the folder or outside."""
    (folder.parent / "secret").write_text("secret")
    assert site.client.get(f"/static/{name}").status_code == 404


def test_a_file_is_compressed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many ask at the same time, the work is done once, and all get the same."""
    calls: list[int] = []
    compress = gzip.compress

    def counted(body: bytes, level: int, *, mtime: int) -> bytes:
        calls.append(level)
        return compress(body, level, mtime=mtime)

    monkeypatch.setattr("podium.web.assets.gzip.compress", counted)
    asset = Asset("page.css", STYLE.encode())
    flask = Flask(__name__)

    def body(_: int) -> bytes:
        with flask.test_request_context():
            return bytes(asset.response(compressed=True).data)

    with ThreadPoolExecutor(8) as pool:
        bodies = set(pool.map(body, range(64)))
    assert calls == [9]
    assert [gzip.decompress(one).decode() for one in bodies] == [STYLE]
