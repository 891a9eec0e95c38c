"""A folder is written again in place, and nothing of others is lost."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from podium.container.written import write_folder
from podium.errors import BundleError


def content(folder: Path) -> dict[str, str]:
    """Return the files of a folder, but for the list of what was written."""
    return {path.relative_to(folder).as_posix(): path.read_text()
            for path in folder.rglob("*") if path.is_file() and path.name[0] != "."}  # fmt: skip


def test_what_is_no_more_needed_goes(tmp_path: Path) -> None:
    """Folders that are empty then go with it; what others have put there stays."""
    out = tmp_path / "out"
    write_folder(out, {"a/b/old": "1", "a/kept": "2", "gone/x": "3"})
    (out / "gone" / "mine").write_text("4")
    (out / ".env").write_text("PODIUM_DOMAIN=birds.example.org")
    write_folder(out, {"a/kept": "5"})
    assert content(out) == {"a/kept": "5", "gone/mine": "4"}
    assert not (out / "a" / "b").exists()
    assert (out / ".env").read_text() == "PODIUM_DOMAIN=birds.example.org"


def test_what_has_not_changed_is_not_touched(tmp_path: Path) -> None:
    """Neither text nor copy is written again; a copy of the same size is, once it differs."""
    source = tmp_path / "model.onnx"
    source.write_text("one")
    files: dict[str, str | Path] = {"a": "text", "models/m.onnx": source}
    write_folder(tmp_path / "out", files)
    before = {name: (tmp_path / "out" / name).stat().st_mtime_ns for name in files}
    source.touch()
    write_folder(tmp_path / "out", files)
    assert {name: (tmp_path / "out" / name).stat().st_mtime_ns for name in files} == before
    source.write_text("two")
    write_folder(tmp_path / "out", files)
    assert content(tmp_path / "out") == {"a": "text", "models/m.onnx": "two"}


def test_another_user_may_read_all(tmp_path: Path) -> None:
    """In the image it is nobody's, whatever its mode was here; programs stay programs."""
    for name, mode in (("secret", 0o600), ("program", 0o700)):
        (tmp_path / name).write_text("x")
        (tmp_path / name).chmod(mode)
    out = tmp_path / "out"
    write_folder(out, {name: tmp_path / name for name in ("secret", "program")})
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in out.glob("[a-z]*")}
    assert modes == {"secret": 0o644, "program": 0o755}


def test_another_user_may_enter_all_folders(tmp_path: Path) -> None:
    """Also where this user's new folders are nobody else's."""
    before = os.umask(0o077)
    try:
        write_folder(tmp_path / "out", {"app/models/a": "x"})
    finally:
        os.umask(before)
    modes = [
        stat.S_IMODE((tmp_path / "out" / name).stat().st_mode) for name in ("app", "app/models")
    ]
    assert modes == [0o755, 0o755]


def test_what_others_wrote_is_not_overwritten(tmp_path: Path) -> None:
    """A Dockerfile of the maker's own stays, and nothing is written beside it."""
    (tmp_path / "Dockerfile").write_text("FROM scratch")
    with pytest.raises(BundleError, match="Dockerfile is there, and `podium build` has not"):
        write_folder(tmp_path, {"Dockerfile": "FROM python", "a": "x"})
    assert content(tmp_path) == {"Dockerfile": "FROM scratch"}


def test_list_that_leads_elsewhere(tmp_path: Path) -> None:
    """Nothing outside of the folder is removed, whatever its list says."""
    out = tmp_path / "out"
    write_folder(out, {"a": "x"})
    (tmp_path / "other").write_text("mine")
    (out / ".written-by-podium").write_text(f"../other\n{tmp_path}/other\na\n")
    write_folder(out, {"b": "y"})
    assert (tmp_path / "other").read_text() == "mine"
    assert content(out) == {"b": "y"}
