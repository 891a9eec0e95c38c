"""The wheel of the running Podium, as pip and the build backend see one."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import os
import shutil
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

import podium
from podium.bundle.wheel import podium_wheel, requires_of
from podium.errors import BundleError

NAME = f"podium-{podium.__version__}-py3-none-any.whl"
INFO = f"podium-{podium.__version__}.dist-info"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a wheel of the running Podium."""
    return podium_wheel(tmp_path_factory.mktemp("wheel"))


def contents(wheel: Path) -> dict[str, bytes]:
    """Return a wheel's files by their names."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_it_is_the_same_each_time(wheel: Path, tmp_path: Path) -> None:
    """Neither the time nor the folder it is made in is told by its bytes."""
    again = podium_wheel(tmp_path / "new" / "folder")
    assert again == tmp_path / "new" / "folder" / NAME
    assert again.read_bytes() == wheel.read_bytes()


def test_it_holds_the_package_whole(wheel: Path) -> None:
    """All files of the package but bytecode, and what tells of it, are in it as they are here."""
    top = Path(podium.__file__).parent
    package = {f"podium/{path.relative_to(top).as_posix()}": path.read_bytes()
               for path in top.rglob("*")
               if path.is_file() and "__pycache__" not in path.parts}  # fmt: skip
    told = metadata.distribution("podium")
    found = contents(wheel)
    assert {name: found[name] for name in found if name.startswith("podium/")} == package
    assert {name for name in found if not name.startswith("podium/")} == {
        f"{INFO}/{name}"
        for name in ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE")
    }
    assert found[f"{INFO}/METADATA"].decode() == told.read_text("METADATA")


def test_its_record_is_right(wheel: Path) -> None:
    """RECORD tells of every file its hash and its size, and of itself its name alone."""
    found = contents(wheel)
    record = {name: (digest, size) for name, digest, size in
              csv.reader(io.StringIO(found[f"{INFO}/RECORD"].decode()))}  # fmt: skip
    expected = {name: (_hash(content), str(len(content))) for name, content in found.items()}
    assert record == {**expected, f"{INFO}/RECORD": ("", "")}


def test_pip_installs_it_and_it_runs(wheel: Path, tmp_path: Path) -> None:
    """The wheel goes in with pip, and what it installs is the command line."""
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index",
               "--no-compile", "--target", str(tmp_path), str(wheel)]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, timeout=120)  # noqa: S603
    done = subprocess.run(  # noqa: S603
        [sys.executable, tmp_path / "bin" / "podium", "--version"], cwd=tmp_path, text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)}, capture_output=True, timeout=60,
        check=True,
    )  # fmt: skip
    assert done.stdout == f"podium, version {podium.__version__}\n"
    found = metadata.Distribution.at(tmp_path / INFO)
    assert found.requires == metadata.requires("podium")


def test_a_given_wheel_is_copied(wheel: Path, tmp_path: Path) -> None:
    """Another wheel of Podium goes along as it is; where it lies there already, it stays."""
    copy = podium_wheel(tmp_path, wheel)
    assert copy == tmp_path / NAME
    assert copy.read_bytes() == wheel.read_bytes()
    assert podium_wheel(tmp_path, copy) == copy
    assert copy.read_bytes() == wheel.read_bytes()


@pytest.mark.parametrize("given", [False, True])
def test_who_reads_it_meanwhile_reads_it_whole(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: bool
) -> None:
    """Made again, it takes the place of the one before at once; where that fails, that one stays.

    Another process may be copying it.
    """
    made = podium_wheel(tmp_path, wheel)
    content = made.read_bytes()
    seen = []

    def look(*_: object) -> None:
        seen.append(made.read_bytes() == content)
        raise OSError("No space left on device")

    if given:
        monkeypatch.setattr(shutil, "copyfile", lambda _, to: look(to.write_bytes(b"PK")))
    else:
        monkeypatch.setattr(zipfile.ZipFile, "writestr", look)
    with pytest.raises(OSError, match="No space"):
        podium_wheel(tmp_path, wheel if given else None)
    assert seen == [True]
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
    assert made.read_bytes() == content
    with made.open("rb") as reading:
        monkeypatch.undo()
        podium_wheel(tmp_path, wheel if given else None)
        assert reading.read() == content
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


def test_a_wheel_tells_what_it_requires(wheel: Path) -> None:
    """The requirements of a file of Podium are those of the running one it was made from."""
    assert requires_of(wheel) == requires_of(None) == tuple(metadata.requires("podium") or ())


@pytest.mark.parametrize(
    ("name", "told", "message"),
    [
        ("podium-1.0-py3-none-any.whl", None, "There is no wheel {file}."),
        ("podium.zip", "podium", "{file} is no wheel of Podium; `pip wheel --no-deps SOURCE` "
         "makes one of its source. Its name is podium-VERSION-py3-none-any.whl."),
        ("podium-1.0-py3-none-any.whl", "other",
         "{file} is a wheel of 'other'; expected one of Podium."),
        ("podium-1.0-py3-none-any.whl", "", "{file} is no wheel of Podium; `pip wheel "
         "--no-deps SOURCE` makes one of its source."),
    ],
    ids=["missing", "name", "another package", "empty"],
)  # fmt: skip
def test_what_is_no_wheel_of_podium_is_refused(
    tmp_path: Path, name: str, told: str | None, message: str
) -> None:
    """A wrong file is told before anything is written."""
    file = tmp_path / name
    if told is not None:
        with zipfile.ZipFile(file, "w") as archive:
            if told:
                archive.writestr(f"{told}-1.0.dist-info/METADATA", f"Name: {told}\n")
    with pytest.raises(BundleError) as caught:
        podium_wheel(tmp_path / "out", file)
    assert str(caught.value) == message.format(file=file)
    assert list((tmp_path / "out").glob("*")) == []


def test_an_outdated_installation_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the source is newer than what pip knows of it, its requirements may be others."""
    monkeypatch.setattr(podium, "__version__", "99.0")
    with pytest.raises(BundleError, match=r"^Podium 99\.0 runs here, but .* is installed\."):
        podium_wheel(tmp_path)


def _hash(content: bytes) -> str:
    digest = hashlib.sha256(content).digest()
    return "sha256=" + base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
