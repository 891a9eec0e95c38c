"""Who vouches for a program vouches for its very bytes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from podium.errors import UntrustedModel
from podium.runtimes import Source
from podium.runtimes.base import folder_files
from podium.runtimes.trust import require_trust, sha256

RISK = "is a pickle, which runs code when it is loaded"
REMEDY = "Save it otherwise."


def digest_of(text: str) -> str:
    """Return a text's sha256."""
    return hashlib.sha256(text.encode()).hexdigest()


def made_folder(folder: Path) -> Path:
    """Return a folder that is a model: two files, one of them deeper."""
    (folder / "deep").mkdir(parents=True)
    (folder / "b.txt").write_text("second")
    (folder / "deep" / "a.txt").write_text("first")
    return folder


def test_hash_of_a_file(tmp_path: Path) -> None:
    """A file's hash is that of sha256sum."""
    file = tmp_path / "m.pkl"
    file.write_text("bytes")
    assert sha256(file, (file,)) == digest_of("bytes")


def test_hash_of_a_folder(tmp_path: Path) -> None:
    """A folder's hash is that of its sorted lines of path and hash, wherever it lies."""
    one, two = made_folder(tmp_path / "one"), made_folder(tmp_path / "two")
    lines = f"b.txt {digest_of('second')}\ndeep/a.txt {digest_of('first')}\n"
    assert sha256(one, folder_files(one)) == digest_of(lines)
    assert sha256(two, folder_files(two)[::-1]) == digest_of(lines)


@pytest.mark.parametrize("change", ["content", "name", "more", "less"])
def test_hash_of_a_changed_folder(change: str, tmp_path: Path) -> None:
    """Another byte, another name, a file more or less make another hash."""
    folder = made_folder(tmp_path / "m")
    before = sha256(folder, folder_files(folder))
    match change:
        case "content":
            (folder / "b.txt").write_text("Second")
        case "name":
            (folder / "b.txt").rename(folder / "c.txt")
        case "more":
            (folder / "deep" / "empty").touch()
        case "less":
            (folder / "b.txt").unlink()
    assert sha256(folder, folder_files(folder)) != before


def test_program_that_somebody_vouches_for(tmp_path: Path) -> None:
    """With the hash of these bytes nothing is said."""
    file = tmp_path / "m.pkl"
    file.write_text("bytes")
    require_trust(Source.alone(file, trust=digest_of("bytes")), (file,), RISK, REMEDY)


def test_program_that_nobody_vouches_for(tmp_path: Path) -> None:
    """Without a hash the file, the risk, the way out and the hash are told."""
    file = tmp_path / "m.pkl"
    file.write_text("bytes")
    with pytest.raises(UntrustedModel) as caught:
        require_trust(Source.alone(file), (file,), RISK, REMEDY)
    assert str(caught.value) == (
        "m.pkl is a pickle, which runs code when it is loaded. Save it otherwise. Only if you know "
        f'who made it and what is in it: trust = "{digest_of("bytes")}" in its [[models]] table.'
    )


def test_program_that_was_changed(tmp_path: Path) -> None:
    """With the hash of other bytes it is told that they are others."""
    file = tmp_path / "m.pkl"
    file.write_text("bytes")
    with pytest.raises(UntrustedModel, match=r"loaded\. It is not the one that trust names\. Save"):
        require_trust(Source.alone(file, trust=digest_of("other")), (file,), RISK, REMEDY)
