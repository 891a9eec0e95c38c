"""The folder in which a server keeps what outlives it: the jobs and their data sets."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from platformdirs import user_state_path

from podium.datasets.place import Place
from podium.errors import StateError
from podium.jobs.job import ID

if TYPE_CHECKING:
    from podium.jobs.answers import AnswerStore
    from podium.jobs.store import JobStore

OWN: Final = "jobs.sqlite"
"""The database of a state folder that is given no other."""


@dataclass(frozen=True)
class StateFolder:
    """The state of one application: a folder, named by its key, and the database of its jobs."""

    path: Path
    database: str | None = None

    @property
    def application(self) -> str:
        """What names the application in a database that several share."""
        return self.path.name

    @property
    def database_url(self) -> str:
        """Where the jobs are: a file of this folder, if no other database is given."""
        return self.database or f"sqlite:///{self.path / OWN}"

    @property
    def datasets(self) -> Path:
        """Where each data set has a folder."""
        return self.path / "datasets"

    def place(self, job_id: str) -> Place:
        """Return the folder of a data set, which need not be there."""
        if not ID.fullmatch(job_id):
            raise ValueError(f"{job_id!r} is not the id of a data set")
        return Place(self.datasets / job_id)

    def store(self, keep_s: float) -> JobStore:
        """Open the database; what has ended goes after `keep_s` seconds.

        Raises:
            StateError: it cannot be used, or the folder belongs to another database.
            MissingExtra: its driver is not installed.
            DatabaseDamaged: its file is damaged.
            Overloaded: it is locked, or away.
        """
        from podium.jobs.store import JobStore

        store = JobStore.open(self.database_url, self.application, keep_s)
        self._belong_to(store.database_id if self.database else OWN)
        return store

    def answers(self) -> AnswerStore:
        """Open the database for the kept answers, of which nothing lies in the folder itself.

        Raises:
            StateError: it cannot be used.
            MissingExtra: its driver is not installed.
            DatabaseDamaged: its file is damaged.
        """
        from podium.jobs.answers import AnswerStore

        return AnswerStore.open(self.database_url, self.application)

    def _belong_to(self, database: str) -> None:
        """Note which database the folder belongs to.

        With another one a worker would take all that lies here for left over, and remove it.
        """
        file = self.path / "database"
        with suppress(FileExistsError), file.open("x", encoding="ascii") as made:
            made.write(database)
        noted = file.read_text("ascii")
        if noted not in (database, ""):  # it is empty where the disk was full
            theirs = f"the file {OWN} in it" if noted == OWN else "another one"
            given = "none" if noted == OWN else "the other one"
            raise StateError(
                f"The state folder {self.path} belongs to another database of jobs: {theirs}. "
                f"Give {given} as --database and PODIUM_DATABASE, or another folder as --state. "
                f"Only if that database is gone for good, remove {file}: then the data sets of "
                "this folder are removed in time."
            )


def state_folder(
    source: Path, given: Path | None = None, database: str | None = None, key: str | None = None,
    make: bool = True,
) -> StateFolder:  # fmt: skip
    """Return the state of an application, or of a model served as it is; `make` its folder.

    It lies in the folder `given`, or in PODIUM_STATE, or where the user's programs keep their
    state; in the folder for temporary files where there is no home. `key` names the application,
    if its folder does not.

    Raises:
        StateError: it cannot be made, or belongs to someone else.
    """
    given = given or _from_environment("PODIUM_STATE")
    database = database or os.environ.get("PODIUM_DATABASE") or None
    key = key or application_key(source)
    made = _made if make else Path
    if given is not None:
        return StateFolder(made(given / key).resolve(), database)
    try:
        return StateFolder(made(_home() / key), database)
    except StateError:
        base = Path(tempfile.gettempdir()) / f"podium-{os.getuid()}"
        made(base)
        return StateFolder(made(base / key), database)


def application_key(source: Path) -> str:
    """Return what names an application: readable, and its own by where it lies."""
    source = source.resolve()
    name = re.sub(r"[^a-z0-9]+", "-", source.stem.lower()).strip("-")[:40] or "app"
    return f"{name}-{hashlib.sha256(os.fsencode(source)).hexdigest()[:7]}"


def _home() -> Path:
    path = user_state_path("podium")
    if not path.is_absolute():  # no home is known
        raise StateError(f"{path} is not a folder")
    return path


def _from_environment(name: str) -> Path | None:
    value = os.environ.get(name)
    return Path(value) if value else None


def _made(folder: Path) -> Path:
    """Make a folder that no other user looks into."""
    way_out = "Choose another with --state."
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        owner = folder.stat().st_uid
    except OSError as err:
        told = f"The state folder {folder} cannot be made: {err.strerror}. {way_out}"
        raise StateError(told) from err
    if os.geteuid() not in (owner, 0):
        raise StateError(f"The state folder {folder} belongs to another user. {way_out}")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise StateError(f"The state folder {folder} cannot be written to. {way_out}")
    return folder
