"""From a folder to files and archives that are the same each time."""

from __future__ import annotations

import hashlib
import os
import tarfile
import time
import zipfile
from pathlib import Path

import pytest

from podium.deploy.prepare import prepare, write_files
from podium.deploy.steps import Secret
from podium.deploy.target import Deployment, Files
from podium.errors import BundleError, DeployError
from tests.deploy.conftest import write_rule
from tests.deploy.shelf import Shelf


def prepared(folder: Path, place: Path, wheel: Path) -> Deployment:
    """Return an application on its way to the shelf."""
    return prepare(Shelf(), folder, place, wheel)


def test_version_is_content_and_settings(app: Path, tmp_path: Path, wheel: Path) -> None:
    """Times and places make no difference; a file, a setting and Podium itself do."""
    first = prepared(app, tmp_path / "a", wheel).version
    os.utime(app / "rule.py", (1, 1))
    (app / "__pycache__").mkdir()
    (app / "__pycache__" / "rule.pyc").write_bytes(b"x")
    assert prepared(app, tmp_path / "b", wheel).version == first
    assert len(first) == 12

    other = tmp_path / "podium-0.0-1-py3-none-any.whl"
    other.write_bytes(wheel.read_bytes())
    with zipfile.ZipFile(other, "a") as archive:
        archive.writestr("podium/more.py", "")
    versions = {first, prepared(app, tmp_path / "c", other).version}
    write_rule(app, 1, 'memory = "4 GB"')
    versions.add(prepared(app, tmp_path / "d", wheel).version)
    write_rule(app, 2)
    versions.add(prepared(app, tmp_path / "e", wheel).version)
    assert len(versions) == 4


def test_name(app: Path, tmp_path: Path, wheel: Path) -> None:
    """It is made from the folder's, if podium.toml gives none; platforms take no others."""
    folder = app.rename(tmp_path / "My Rule_2")
    assert prepared(folder, tmp_path / "s", wheel).name == "my-rule-2"
    write_rule(folder, 1, 'name = "given"')
    assert prepared(folder, tmp_path / "s", wheel).name == "given"
    write_rule(folder, 1)
    folder = folder.rename(tmp_path / "2026")
    with pytest.raises(DeployError, match=r"'2026' makes no name.*\n  \[deploy.cloud-run\]\n  nam"):
        prepared(folder, tmp_path / "s", wheel)


@pytest.mark.parametrize("name", [".env", "keys/id_ed25519"])
def test_secrets_do_not_go_along(app: Path, tmp_path: Path, wheel: Path, name: str) -> None:
    """A folder with such a file in it is refused with the file's name."""
    (app / name).parent.mkdir(exist_ok=True)
    (app / name).write_text("TOKEN=1")
    with pytest.raises(BundleError, match=rf"cannot go along as it is:\n  {name} "):
        prepared(app, tmp_path / "s", wheel)


def test_untrusted_pickle_does_not_go_along(app: Path, tmp_path: Path, wheel: Path) -> None:
    """A model that is a program and that nobody vouched for is refused with the file's name."""
    (app / "m.pkl").write_bytes(b"\x80\x04N.")
    text = (app / "podium.toml").read_text()
    (app / "podium.toml").write_text(text.replace('python = "rule:predict"', 'file = "m.pkl"'))
    with pytest.raises(BundleError, match=r"cannot go along as it is:\n  m\.pkl is a pickle"):
        prepared(app, tmp_path / "s", wheel)


def test_environment(app: Path, tmp_path: Path, wheel: Path) -> None:
    """A server reads from it which version it is and what its platform lowers or lacks."""
    write_rule(app, 1, 'variables = { A = "b", PODIUM_RELEASE = "x" }\nsecrets = ["S"]')
    made = prepared(app, tmp_path / "s", wheel)
    assert made.environment("/state") == {
        "A": "b", "PODIUM_RELEASE": made.version, "PODIUM_STATE": "/state", "S": Secret("S"),
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_archives_are_the_same_each_time(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the order, the times and the owner of the files: the same bytes."""
    own = tmp_path / "own"
    own.write_bytes(b"model")
    own.chmod(0o600)
    files: Files = {f"bundle.{kind}/b/c.txt": "é", f"bundle.{kind}/a": own, "plain.txt": b"\xff"}
    written = write_files(files, tmp_path / "one")
    os.utime(own, (1, 1))
    later = time.time() + 3600
    monkeypatch.setattr(time, "time", lambda: later)
    again = write_files(dict(reversed(files.items())), tmp_path / "two")
    assert list(written) == [f"bundle.{kind}", "plain.txt"]
    digests = {hashlib.sha256(one[f"bundle.{kind}"].read_bytes()).hexdigest()
               for one in (written, again)}  # fmt: skip
    assert len(digests) == 1
    path = written[f"bundle.{kind}"]
    if kind == "zip":
        with zipfile.ZipFile(path) as packed:
            found = {name: packed.read(name) for name in packed.namelist()}
    else:
        with tarfile.open(path) as unpacked:
            found = {one.name: unpacked.extractfile(one).read() for one in unpacked}  # type: ignore[union-attr]
    assert list(found.items()) == [("a", b"model"), ("b/c.txt", "é".encode())]
    assert (tmp_path / "one" / "plain.txt").read_bytes() == b"\xff"
