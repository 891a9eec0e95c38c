"""Zip archives that would fill the disk, lead outside, or say two things at once."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pytest

from podium.errors import ModelError, UntrustedModel
from podium.runtimes.archive import FREE_BYTES, MAX_RATIO, archive_names, open_archive

Member = tuple[str | zipfile.ZipInfo, bytes]


def zipped(members: Iterable[Member], compression: int = zipfile.ZIP_STORED) -> bytes:
    """Return an archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, body in members:
            archive.writestr(name, body)
    return buffer.getvalue()


def refusal(folder: Path, body: bytes) -> str:
    """Return why an archive is refused."""
    file = folder / "m.zip"
    file.write_bytes(body)
    with pytest.raises(UntrustedModel) as caught:
        archive_names(file)
    return str(caught.value)


def test_names_in_their_order(tmp_path: Path) -> None:
    """A sound archive tells its names, folders among them."""
    file = tmp_path / "m.zip"
    file.write_bytes(zipped([("b/", b""), ("b/x.txt", b"1"), ("a..b/...", b"2"), ("c", b"")]))
    assert archive_names(file) == ["b/", "b/x.txt", "a..b/...", "c"]


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "a/../../x",
        "/etc/passwd",
        "..",
        "C:/x",
        "c:x",
        "a\\..\\..\\x",
        "\\\\host\\share",
        "a/..",
    ],
)
def test_name_that_leads_outside(name: str, tmp_path: Path) -> None:
    """A name with .., a root or a drive is refused, also in the manner of Windows."""
    told = refusal(tmp_path, zipped([("good", b"1"), (name, b"2")]))
    assert told == f"m.zip: {name!r} in it leads outside of it"


def test_symbolic_link(tmp_path: Path) -> None:
    """A member that would be unpacked as a link is refused, wherever it leads."""
    link = zipfile.ZipInfo("weights")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    assert refusal(tmp_path, zipped([(link, b"/etc/passwd")])) == (
        "m.zip: 'weights' in it leads outside of it"
    )


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_name_twice(tmp_path: Path) -> None:
    """Of a name that stands there twice, who reads it may see the one or the other."""
    assert refusal(tmp_path, zipped([("a", b"1"), ("a", b"2")])) == (
        "m.zip holds a name twice; the file is damaged or forged"
    )


def test_zip_bomb(tmp_path: Path) -> None:
    """An archive that unpacks to over 100 MB and many times its size is refused unread."""
    zeros = [(f"z{number}", bytes(FREE_BYTES // 2)) for number in range(3)]
    assert refusal(tmp_path, zipped(zeros, zipfile.ZIP_DEFLATED)) == (
        f"m.zip would unpack to 150 MB, over {MAX_RATIO} times its size: a zip bomb. Save the "
        "model again."
    )


def test_zip_bomb_whose_members_share_their_bytes(tmp_path: Path) -> None:
    """Counted are the bytes of the file, and not what each member says of its packed size."""
    body = zipped([("a", bytes(FREE_BYTES // 2))], zipfile.ZIP_DEFLATED)
    start = body.index(b"PK\x01\x02")
    entry, end = body[start : start + 46], body[body.index(b"PK\x05\x06") :]
    entries = b"".join(entry + b"%c" % (97 + number) for number in range(20))
    counted = struct.pack("<HHLL", 20, 20, len(entries), start)
    assert refusal(tmp_path, body[:start] + entries + end[:8] + counted + end[20:]).startswith(
        "m.zip would unpack to 1,000 MB"
    )


def test_small_archive_may_shrink_much(tmp_path: Path) -> None:
    """What unpacks to little is no bomb, however well it shrinks."""
    file = tmp_path / "m.zip"
    file.write_bytes(zipped([("zeros", bytes(10_000_000))], zipfile.ZIP_DEFLATED))
    assert archive_names(file) == ["zeros"]


@pytest.mark.parametrize(
    "body", [b"", b"no archive", zipped([("a", b"1" * 1000)])[:-30], b"PK\x03\x04" + bytes(40)]
)
def test_file_that_is_no_archive(body: bytes, tmp_path: Path) -> None:
    """A damaged archive is told by its file."""
    file = tmp_path / "m.zip"
    file.write_bytes(body)
    with pytest.raises(ModelError, match=r"^m\.zip is damaged: it is no zip archive \(.+\)$"):
        archive_names(file)


def test_archive_within_an_archive() -> None:
    """An archive in memory is looked at alike, and called what it is called."""
    good = open_archive(io.BytesIO(zipped([("a", b"1")])), "inner.zip")
    with good:
        assert good.read("a") == b"1"
    bad = io.BytesIO(zipped([("../a", b"1")]))
    with pytest.raises(UntrustedModel, match=r"^inner\.zip: '\.\./a' in it leads outside of it$"):
        open_archive(bad, "inner.zip")
