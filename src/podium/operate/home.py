"""Where a site lives on this host: what is up, as a file says it, its releases and its units."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from msgspec import Struct

from podium.errors import ServeError
from podium.jobs.state import StateFolder
from podium.operate.account import give
from podium.operate.locked import locked
from podium.operate.releases import Releases
from podium.operate.supervised import Supervised
from podium.operate.systemd import Systemd, runs_systemd
from podium.operate.units import Units
from podium.production.render import FOLDERS


class Options(Struct, frozen=True, kw_only=True):
    """What the command line says of a site, and counts until it is brought up otherwise."""

    domain: str = "localhost"
    tls_cert: Path | None = None
    tls_key: Path | None = None
    tls_self_signed: bool = False
    tls_off: bool = False
    http_port: int = 80
    https_port: int = 443
    base_path: str | None = None
    workers: int | None = None
    database: str | None = None
    env_file: Path | None = None


class Record(Struct, frozen=True, kw_only=True):
    """What is up: where it comes from, and which release a slot serves since when.

    `podium` is the version of Podium that serves; `before` is the release of a rollback, and
    `variables` the digest of what the file of variables held. Told to end, the slot has `stop_s`
    seconds to finish what it has.
    """

    source: Path
    options: Options
    slot: str
    release: str
    since: float
    podium: str
    stop_s: int
    before: str | None = None
    variables: str = ""


class Home:
    """The folder of a site."""

    def __init__(self, state: StateFolder) -> None:
        self.state = state.path
        self.folder = state.path / "site"
        self.releases = Releases(self.folder / "releases")
        self.units: Units = Systemd(self.folder) if runs_systemd() else Supervised(self.folder)

    @property
    def record(self) -> Record | None:
        """What is up, if anything is."""
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=Record,
                                       dec_hook=lambda kind, text: kind(text))  # fmt: skip
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError) as err:
            raise ServeError(
                f"{self._file} cannot be read: {err}. Remove it, and bring the site up again."
            ) from err

    def write(self, record: Record) -> None:
        """Note what is up; there is the old file or the new one."""
        part = self._file.with_suffix(".part")
        part.touch(mode=0o600)  # the database's address may hold a password
        with part.open("wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(record, enc_hook=str)))
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._file)

    def forget(self) -> None:
        """Note that nothing is up."""
        self._file.unlink(missing_ok=True)

    @property
    def logs(self) -> Path:
        """Where all output goes."""
        return self.folder / "logs"

    def log(self, name: str) -> Path:
        """Where a unit's output goes."""
        return self.logs / f"{name}.log"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the site: nobody else changes it meanwhile.

        Raises:
            ServeError: somebody does already, or a file of the site cannot be written.
        """
        try:
            make_folders(self.folder)
            with locked(self.folder / "run" / "change.lock") as mine, _undone_when_told_to_end():
                if not mine:
                    raise ServeError("Another `podium up`, `down`, `reload` or `rollback` of this "
                                     "application is under way. Wait for its end.")  # fmt: skip
                yield
        except OSError as err:
            raise ServeError(f"{err.filename or self.folder}: {err.strerror or err}") from err

    def give(self) -> None:
        """Give what was made to the owner of the state, as whom the servers run."""
        give(self.folder, self.state)

    @property
    def _file(self) -> Path:
        return self.folder / "site.json"


def make_folders(folder: Path) -> None:
    """Make what must be there beside a site's files."""
    for name in FOLDERS:
        (folder / name).mkdir(parents=True, exist_ok=True)


@contextmanager
def _undone_when_told_to_end() -> Iterator[None]:
    """Take SIGTERM as Ctrl+C: as an exception, so that what was begun is undone."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def is_there(record: Record | None, source: Path) -> Record:
    """Return what is up.

    Raises:
        ServeError: nothing is.
    """
    if record is None:
        raise ServeError(f"{source} is not up. Bring it up first: podium up {source}")
    return record


def ago(since: float) -> str:
    """Return how long something has been so, in words."""
    seconds = max(0, int(time.time() - since))
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            number = seconds // length
            return f"{number} {unit}" + ("s" if number > 1 else "")
    return f"{seconds} second" + ("" if seconds == 1 else "s")
