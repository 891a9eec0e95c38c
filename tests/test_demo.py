"""How a demo is made ready: once, whole or not at all, in the user's cache."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path

import pytest

from podium.cli import DEMOS
from podium.demo import LEFTOVER_S, ready_folder
from podium.errors import INSTALL_TORCH, MissingExtra, ServeError

MAKER = """
import sys
from pathlib import Path

PACKAGES = ("click",)

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    print("  writing", flush=True)
    {body}
"""
WRITES = '(folder / "models" / "m.onnx").write_text("a model")'


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    """Return a demo whose model has to be made."""
    folder = tmp_path / "package" / "tiny"
    (folder / "models").mkdir(parents=True)
    (folder / "podium.toml").write_text('title = "Tiny"')
    (folder / "models" / "m.md").write_text("# M")
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "make.pyc").write_bytes(b"")
    (folder / "make.py").write_text(MAKER.format(body=WRITES))
    return folder


def inside(folder: Path) -> list[str]:
    """Return the paths of all files below a folder."""
    return sorted(f.relative_to(folder).as_posix() for f in folder.rglob("*") if f.is_file())


def ready(demo: Path, cache: Path | None) -> Path:
    """Return the folder to serve, without a word."""
    return ready_folder(demo, cache, lambda _: None)


def test_a_demo_with_its_models_is_served_from_the_package(tmp_path: Path) -> None:
    """Penguins and digits need no cache, and nothing is said."""
    said: list[str] = []
    for name in ("penguins", "digits"):
        assert ready_folder(DEMOS / name, tmp_path / "cache", said.append) == DEMOS / name
    assert (said, (tmp_path / "cache").exists()) == ([], False)


def test_a_demo_is_made_whole_and_says_where(demo: Path, tmp_path: Path) -> None:
    """The copy has the package's files and the models, not the code; the package stays as it is."""
    before, said = inside(demo), list[str]()
    folder = ready_folder(demo, tmp_path / "cache", said.append)
    assert said == ["Making the models of the demo 'tiny', once.", "  writing",
                    f"The demo 'tiny' lies in {folder}\n"]  # fmt: skip
    assert inside(folder) == ["models/m.md", "models/m.onnx", "podium.toml"]
    assert (folder / "models" / "m.onnx").read_text() == "a model"
    assert list((tmp_path / "cache" / "demos").iterdir()) == [folder]
    assert inside(demo) == before


def test_a_demo_is_made_once(demo: Path, tmp_path: Path) -> None:
    """The second time nothing runs and nothing is written."""
    first = ready(demo, tmp_path)
    (first / "models" / "m.onnx").write_text("kept")
    said: list[str] = []
    assert ready_folder(demo, tmp_path, said.append) == first
    assert said == [f"The demo 'tiny' lies in {first}\n"]
    assert (first / "models" / "m.onnx").read_text() == "kept"


def test_other_versions_or_files_make_another_folder(
    demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an upgrade of what it is made of, or of Podium's own files, a demo is made anew."""
    folders = [ready(demo, tmp_path)]
    monkeypatch.setattr(metadata, "version", lambda name: f"99 of {name}")
    folders.append(ready(demo, tmp_path))
    for name in ("podium.toml", "models/m.md", "make.py"):
        with (demo / name).open("a") as file:
            file.write("\n# changed")
        folders.append(ready(demo, tmp_path))
    assert len(set(folders)) == 5
    assert all((folder / "models" / "m.onnx").is_file() for folder in folders)


@pytest.fixture
def without_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no package but Podium's own be installed."""

    def version(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", version)


@pytest.mark.usefixtures("without_packages")
def test_a_missing_extra_is_told_with_the_small_pytorch_first(tmp_path: Path) -> None:
    """The message leads to the build for processors, then to the extra."""
    with pytest.raises(MissingExtra) as caught:
        ready(DEMOS / "photos", tmp_path)
    assert str(caught.value) == (
        "Making the models of the demo 'photos' needs the extra 'photos': "
        f"{INSTALL_TORCH} && pip install 'podium[photos]'"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_demo_that_was_made_needs_no_extra(
    demo: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """With a filled cache the packages may be gone; the latest of its folders is served."""
    folder = ready(demo, tmp_path / "cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metadata, "version", lambda _: "99")
        newer = ready(demo, tmp_path / "cache")
    os.utime(folder, (0, 0))
    request.getfixturevalue("without_packages")
    assert ready(demo, tmp_path / "cache") == newer != folder


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ('raise ValueError("no such weights")', "ValueError: no such weights"),
        ("import podium_has_no_such_module", "No module named 'podium_has_no_such_module'"),
        ("import os; os.kill(os.getpid(), 9)", "exit code -9"),
    ],
)
def test_a_maker_that_fails_leaves_nothing(
    body: str, told: str, demo: Path, tmp_path: Path
) -> None:
    """What went wrong is told in a line, no half folder stays, and the next try may succeed."""
    (demo / "make.py").write_text(MAKER.format(body=f"{WRITES}; {body}"))
    with pytest.raises(ServeError) as caught:
        ready(demo, tmp_path / "cache")
    assert str(caught.value).startswith("The models of the demo 'tiny' cannot be made: ")
    assert str(caught.value).endswith(told)
    assert list((tmp_path / "cache" / "demos").iterdir()) == []
    (demo / "make.py").write_text(MAKER.format(body=WRITES))
    assert (ready(demo, tmp_path / "cache") / "models" / "m.onnx").is_file()


def test_ctrl_c_leaves_nothing(demo: Path, tmp_path: Path) -> None:
    """A command that is interrupted while the models are made cleans up."""

    def interrupted(line: str) -> None:
        if line == "  writing":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ready_folder(demo, tmp_path / "cache", interrupted)
    assert list((tmp_path / "cache" / "demos").iterdir()) == []


def test_two_commands_at_once_do_not_disturb_each_other(demo: Path, tmp_path: Path) -> None:
    """Both make the demo; both serve the folder of the one that was ready first."""
    (demo / "make.py").write_text(MAKER.format(body=f"import time; time.sleep(0.3); {WRITES}"))
    said: list[str] = []
    with ThreadPoolExecutor(2) as pool:
        made = [pool.submit(ready_folder, demo, tmp_path / "cache", said.append) for _ in range(2)]
        first, second = (one.result() for one in made)
    assert first == second
    assert said.count("  writing") == 2
    assert (first / "models" / "m.onnx").read_text() == "a model"
    assert list((tmp_path / "cache" / "demos").iterdir()) == [first]


def test_what_a_killed_command_left_is_removed_a_day_later(demo: Path, tmp_path: Path) -> None:
    """An unfinished folder of today may be another command's; an older one is nobody's."""
    old, new, foreign = (tmp_path / "demos" / name for name in (".tiny-1", ".tiny-2", ".other-1"))
    for folder in (old, new, foreign):
        folder.mkdir(parents=True)
    for folder in (old, foreign):
        os.utime(folder, (time.time() - LEFTOVER_S - 60,) * 2)
    made = ready(demo, tmp_path)
    assert set((tmp_path / "demos").iterdir()) == {new, foreign, made}


def test_a_cache_that_cannot_be_written_is_told_with_the_way_out(
    demo: Path, tmp_path: Path
) -> None:
    """The message names the folder, the reason, and how to choose another."""
    (tmp_path / "file").touch()
    with pytest.raises(ServeError) as caught:
        ready(demo, tmp_path / "file")
    assert str(caught.value) == (
        f"{tmp_path}/file/demos cannot be written: Not a directory. "
        "Choose another folder with --cache or PODIUM_CACHE."
    )


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty home, where nothing says where caches lie."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    return tmp_path / "home"


@pytest.mark.skipif("sys.platform != 'linux'", reason="other systems keep caches elsewhere")
def test_the_users_own_cache_is_the_default(
    demo: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """~/.cache/podium, or podium in $XDG_CACHE_HOME."""
    assert ready(demo, None).parent == home / ".cache" / "podium" / "demos"
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "xdg"))
    assert ready(demo, None).parent == home / "xdg" / "podium" / "demos"
