"""Releases: whole copies of a folder, named by their content."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from podium.errors import ServeError
from podium.operate import releases as module
from podium.operate.releases import Releases, contents, digest


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Return a folder with files, links and what does not belong to a release."""
    folder = tmp_path / "app"
    for name, text in {
        "podium.toml": "title", "models/m.onnx": "weights", ".git/config": "x", ".hidden": "x",
        "__pycache__/m.pyc": "x", "models/__pycache__/n.pyc": "x",
    }.items():  # fmt: skip
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "models/same.onnx").symlink_to("m.onnx")
    (folder / "outside").symlink_to(tmp_path)
    (folder / "nowhere").symlink_to("gone")
    return folder


@pytest.fixture
def releases(tmp_path: Path) -> Releases:
    """Return a place for releases."""
    return Releases(tmp_path / "state/releases")


def test_release_holds_what_belongs_to_the_application(source: Path, releases: Releases) -> None:
    """Hidden files, Python's caches and links that lead outside stay behind; links lead inside."""
    (source / "whole.onnx").symlink_to(source / "models/m.onnx")
    copy = releases.path(releases.make(source))
    there = ["models/m.onnx", "models/same.onnx", "podium.toml", "whole.onnx"]
    assert [str(path) for path in contents(copy)] == there
    assert sorted(path.name for path in copy.iterdir()) == ["models", "podium.toml", "whole.onnx"]
    for link in ("models/same.onnx", "whole.onnx"):
        assert (copy / link).resolve() == copy / "models/m.onnx"


def test_release_does_not_change_with_its_folder(source: Path, releases: Releases) -> None:
    """What is edited after the copy, also within a file, is not in the release."""
    copy = releases.path(releases.make(source))
    with (source / "models/m.onnx").open("r+") as file:
        file.write("X")
    assert (copy / "models/m.onnx").read_text() == "weights"


def test_same_content_is_the_same_release(source: Path, releases: Releases, tmp_path: Path) -> None:
    """The name tells the content, wherever it lies and whenever it was written."""
    first = releases.make(source)
    os.utime(source / "podium.toml", (0, 0))
    assert releases.make(source) == first == digest(releases.path(first))
    moved = source.rename(tmp_path / "moved")
    assert releases.make(moved) == first
    (moved / "podium.toml").rename(moved / "podium.tom")
    assert releases.make(moved) != first


def test_newest_and_needed_releases_are_kept(source: Path, releases: Releases) -> None:
    """Three are kept, and those that serve or may serve again; what was half made goes."""
    made = []
    for number in range(5):
        (source / "podium.toml").write_text(str(number))
        made.append(releases.make(source))
        os.utime(releases.path(made[-1]), (number, number))
    (releases.folder / ".half").mkdir()
    releases.sweep(needed=[made[0]])
    assert {path.name for path in releases.folder.iterdir()} == {made[0], *made[2:]}


def test_full_disk_is_told_and_leaves_nothing(
    source: Path, releases: Releases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is no room, the message says so, and no half release stays."""

    def full(_file: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ServeError, match=r"has no room for a copy of .*app: No space left"):
        releases.make(source)
    assert list(releases.folder.iterdir()) == []


def test_file_system_without_ranges_is_copied_plainly(
    source: Path, releases: Releases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the system cannot share blocks between two files, the bytes are copied."""

    def refused(*_: object) -> int:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "copy_file_range", refused)
    copy = releases.path(releases.make(source))
    assert (copy / "models/m.onnx").read_text() == "weights"


def test_folder_that_changes_meanwhile_is_no_release(
    source: Path, releases: Releases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that is edited while it is copied is told, not served half and half."""
    copied = module._copy_one

    def edited(source: Path, path: Path, copy: Path) -> None:
        (source / path).write_text("edited")
        copied(source, path, copy)

    monkeypatch.setattr(module, "_copy_one", edited)
    with pytest.raises(ServeError, match="changes while it is copied"):
        releases.make(source)
    assert list(releases.folder.iterdir()) == []


def test_state_inside_the_application_is_refused(source: Path) -> None:
    """A folder is not copied into itself."""
    with pytest.raises(ServeError, match=r"lies inside of .* Choose another with --state"):
        Releases(source / "state/releases").make(source)
