"""What is done on the server itself with the folders of versions and packages."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from podium.deploy import vm_there
from podium.deploy.vm_there import There, main
from podium.errors import ServeError
from podium.jobs.state import StateFolder
from podium.operate.home import Home, Options, Record


@pytest.fixture
def there(tmp_path: Path) -> There:
    """Return a server's folder with nothing in it."""
    return There(tmp_path)


def write(there: There, version: str, environment: str = "packages", served: int = 0) -> Path:
    """Write a version with its packages; `served` is when it has served last, in seconds."""
    folder = there.version(version)
    (folder / "app").mkdir(parents=True)
    (folder / "app" / "file").write_text(version)
    told = {"environment": environment, "up": {"domain": "example.org"}}
    (folder / "settings.json").write_text(json.dumps(told))
    (there.folder / "environments" / environment / "bin").mkdir(parents=True, exist_ok=True)
    if served:
        (folder / "served").write_text("release")
        os.utime(folder / "served", (served, served))
    return folder


def names(folder: Path) -> set[str]:
    """Return the names in a folder."""
    return {path.name for path in folder.iterdir()}


def test_versions_that_served_last_stay_with_their_packages(there: There) -> None:
    """Three of them; what never served, or came in part, goes, and packages that nobody needs."""
    for number in range(1, 6):
        write(there, f"v{number}", f"e{number}", served=number)
    write(there, "failed", "e6")
    (there.folder / "versions" / ".part").mkdir()
    there.sweep()
    assert names(there.folder / "versions") == {"v3", "v4", "v5"}
    assert names(there.folder / "environments") == {"e3", "e4", "e5"}


def test_version_that_serves_makes_room(there: There, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its turn it counts as the last that served, and the oldest goes."""
    for number in range(1, 4):
        write(there, f"v{number}", f"e{number}", served=number)
    write(there, "new", "e4")
    record = Record(source=there.app, options=Options(), slot="a", release="r", since=0.0,
                    podium="1", stop_s=1)  # fmt: skip

    def serve(_app: Path, state: StateFolder, *_: object) -> None:
        (state.path / "site").mkdir(parents=True)
        Home(state).write(record)

    monkeypatch.setattr(vm_there, "bring_up", serve)
    there.serve("new", print)
    assert names(there.folder / "versions") == {"v2", "v3", "new"}
    assert names(there.folder / "environments") == {"e2", "e3", "e4"}
    assert (there.folder / "current").resolve() == there.version("new")


def test_packages_stay_while_a_program_runs_from_them(there: There) -> None:
    """A program may still import of them, such as the supervisor that an old version started."""
    write(there, "new", "new", served=1)
    old = there.folder / "environments" / "old" / "bin"
    old.mkdir(parents=True)
    words = [sys.executable, "-c", "input()", f"{old}/python"]
    with subprocess.Popen(words, stdin=subprocess.PIPE) as program:  # noqa: S603  a list
        there.sweep()
        assert names(there.folder / "environments") == {"new", "old"}
        program.communicate()
    there.sweep()
    assert names(there.folder / "environments") == {"new"}


def test_version_that_fails_leaves_the_application_as_it_was(
    there: There, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it takes its turn the application is the new one, and the old one where it fails."""
    write(there, "new")
    there.app.mkdir()
    (there.app / "file").write_text("old")
    seen = []

    def refuse(app: Path, _state: object, given: dict[str, Any], _say: object) -> None:
        seen.append(((app / "file").read_text(), given))
        raise ServeError("It does not start.")

    monkeypatch.setattr(vm_there, "bring_up", refuse)
    with pytest.raises(ServeError):
        there.serve("new", print)
    variables = there.version("new") / "variables"
    assert seen == [("new", {"domain": "example.org", "env_file": variables})]
    assert (there.app / "file").read_text() == "old"
    assert names(there.folder) >= {"app", "versions"}
    assert not names(there.folder) & {"app.new", "app.old", "podium", "current"}


def test_change_that_was_killed_is_mended(there: There, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two renames the application is only app.old; the next change finds it."""
    write(there, "new")
    (there.folder / "app.old").mkdir()
    (there.folder / "app.old" / "file").write_text("old")
    (there.folder / "app.new").mkdir()

    def refuse(*_: object) -> None:
        raise ServeError("It does not start.")

    monkeypatch.setattr(vm_there, "bring_up", refuse)
    with pytest.raises(ServeError):
        there.serve("new", print)
    assert (there.app / "file").read_text() == "old"


def test_exit_status_tells_what_went_wrong(
    there: There, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The reason goes to standard error, for whoever has asked over ssh."""
    write(there, "new")

    def refuse(*_: object) -> None:
        raise ServeError("It does not start.")

    monkeypatch.setattr(vm_there, "bring_up", refuse)
    assert main(there.folder, "new") == 1
    assert capsys.readouterr() == ("", "It does not start.\n")
