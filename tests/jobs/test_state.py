"""Where the state of an application lies."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from podium.errors import StateError
from podium.jobs.state import StateFolder, application_key, state_folder
from podium.jobs.store import new_id


def test_given_folder_has_one_for_each_application(tmp_path: Path) -> None:
    """Applications that share a state folder do not meet in it; no other user looks in."""
    one = state_folder(tmp_path / "a/penguins", tmp_path / "state")
    two = state_folder(tmp_path / "b/penguins", tmp_path / "state")
    assert one.path.parent == two.path.parent == tmp_path / "state"
    assert one.application != two.application
    assert one.path.stat().st_mode & 0o777 == 0o700
    assert one.database_url == f"sqlite:///{one.path}/jobs.sqlite"


@pytest.mark.parametrize(
    ("name", "readable"),
    [("Penguins", "penguins"), ("net v2.onnx", "net-v2"), ("データ", "app"), ("a" * 99, "a" * 40)],
)
def test_key_of_an_application(name: str, readable: str, tmp_path: Path) -> None:
    """An application is named by its folder or file, and by where that lies."""
    key = application_key(tmp_path / name)
    assert key == application_key(tmp_path / "x" / ".." / name)
    assert key[:-8] == readable
    assert key != application_key(tmp_path / "elsewhere" / name)


def test_environment_chooses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PODIUM_STATE and PODIUM_DATABASE count where nothing is given."""
    monkeypatch.setenv("PODIUM_STATE", str(tmp_path / "there"))
    monkeypatch.setenv("PODIUM_DATABASE", "postgresql://host/jobs")
    found = state_folder(tmp_path / "app")
    assert found.path.parent == tmp_path / "there"
    assert found.database_url == "postgresql://host/jobs"
    assert state_folder(tmp_path / "app", tmp_path / "given").path.parent == tmp_path / "given"


def test_users_own_state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a choice it is where the user's programs keep their state."""
    monkeypatch.delenv("PODIUM_STATE", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home/state"))
    assert state_folder(tmp_path / "app").path.parent == tmp_path / "home/state/podium"


def test_folder_for_temporary_files_where_there_is_no_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user without a home is served all the same."""
    monkeypatch.delenv("PODIUM_STATE", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", "/proc/none")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    found = state_folder(tmp_path / "app")
    assert found.path.parent.parent == tmp_path
    assert found.path.parent.stat().st_mode & 0o777 == 0o700


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """A given folder that cannot be used is an error with the way out."""
    (tmp_path / "file").touch()
    with pytest.raises(StateError, match=r"cannot be made: File exists\. Choose another with"):
        state_folder(tmp_path / "app", tmp_path / "file")


def test_place_of_a_job(tmp_path: Path) -> None:
    """A job has a folder of its own; what is no id has none."""
    state = StateFolder(tmp_path)
    job = new_id()
    assert state.place(job).upload == tmp_path / "datasets" / job / "upload"
    for wrong in ("..", "", job + "/x", job.upper()):
        with pytest.raises(ValueError, match="is not the id of a data set"):
            state.place(wrong)


def test_folder_belongs_to_one_database(tmp_path: Path) -> None:
    """A state folder is refused with a database that is not its own, in either direction.

    One that was deleted is followed by a new one, where it lies in the folder itself.
    """
    given = f"sqlite:///{tmp_path / 'given.sqlite'}"
    own, other = (state_folder(tmp_path / name, tmp_path / "state") for name in ("one", "two"))
    own.store(9).close()
    Path(own.database_url.removeprefix("sqlite:///")).unlink()
    own.store(9).close()
    with pytest.raises(StateError, match=r"belongs to another .* the file jobs\.sqlite in it"):
        StateFolder(own.path, given).store(9)
    for _ in range(2):
        StateFolder(other.path, given).store(9).close()
    with pytest.raises(StateError, match=r"another database of jobs: another one\. Give the other"):
        other.store(9)
    with pytest.raises(StateError, match="belongs to another database"):
        StateFolder(other.path, given.replace("given", "third")).store(9)
