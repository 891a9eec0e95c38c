"""`python -m podium.deploy.vm_there FOLDER VERSION`: a version's turn, on the server.

Its own Python runs it. An application has a folder there:

    app/                 the application as it serves, which `podium` commands there are given
    podium               a link to the Podium that serves
    current              a link to the version that serves
    versions/VERSION/    what was sent: app/, settings.json, requirements.txt, a wheel; beside it
                         `variables` (secrets among them) and, once it has served, `served`
    environments/NAME/   packages; versions with the same ones share them
    state/               what outlives versions: data sets, kept answers, keys, logs
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from podium.errors import PodiumError
from podium.jobs.state import StateFolder, state_folder
from podium.operate.home import Home
from podium.operate.links import turn_link
from podium.operate.up import bring_up

KEPT: Final = 3
"""How many versions stay, the one that serves included."""


class Settings(Struct, frozen=True, kw_only=True):
    """How a version is served: the name of its environment, and what `podium up` is told."""

    environment: str
    up: dict[str, Any]


class There:
    """The folder of an application on the server."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.app = self.folder / "app"

    def version(self, version: str) -> Path:
        """Return where a version lies."""
        return self.folder / "versions" / version

    def settings(self, version: str) -> Settings:
        """Return how a version is served."""
        text = (self.version(version) / "settings.json").read_bytes()
        return msgspec.json.decode(text, type=Settings)

    @property
    def state(self) -> StateFolder:
        """What outlives versions."""
        return state_folder(self.app, self.folder / "state")

    def serve(self, version: str, say: Callable[[str], None]) -> None:
        """Let a version serve, as `podium up` does it: what serves goes on where it cannot.

        Raises:
            PodiumError: it cannot.
        """
        settings = self.settings(version)
        given = {**settings.up, "env_file": self.version(version) / "variables"}
        with self._in_place(self.version(version) / "app"):
            bring_up(self.app, self.state, given, say)
        record = Home(self.state).record
        assert record is not None
        (self.version(version) / "served").write_text(record.release)
        turn_link(self.folder / "podium", f"environments/{settings.environment}/bin/podium")
        turn_link(self.folder / "current", f"versions/{version}")
        self.sweep()

    def sweep(self) -> None:
        """Remove what is no longer needed: all but the versions that served last, and their files.

        Packages stay as long as a program runs from them.
        """
        served = sorted((self.folder / "versions").glob("*/served"), key=_time, reverse=True)
        kept = [file.parent.name for file in served[:KEPT]]
        needed = {self.settings(version).environment for version in kept}
        _remove_all_but(kept, self.folder / "versions")
        environments = self.folder / "environments"
        used = {path.name for path in environments.iterdir() if _is_used(path)}
        _remove_all_but({*needed, *used}, environments)

    @contextmanager
    def _in_place(self, source: Path) -> Iterator[None]:
        """Let a copy of a folder be the application; what was there comes back where it fails."""
        new, old = self.folder / "app.new", self.folder / "app.old"
        if old.exists() and not self.app.exists():  # a change was killed between two renames
            old.rename(self.app)
        for left in (new, old):
            shutil.rmtree(left, ignore_errors=True)
        shutil.copytree(source, new, copy_function=os.link)
        if self.app.exists():
            self.app.rename(old)
        new.rename(self.app)
        try:
            yield
        except BaseException:
            shutil.rmtree(self.app)
            if old.exists():
                old.rename(self.app)
            raise
        shutil.rmtree(old, ignore_errors=True)


def _time(file: Path) -> int:
    return file.stat().st_mtime_ns


def _remove_all_but(names: list[str] | set[str], folder: Path) -> None:
    for path in folder.iterdir():
        if path.name not in names:
            shutil.rmtree(path, ignore_errors=True)


def _is_used(environment: Path) -> bool:
    """Whether a process was started from an environment."""
    words = os.fsencode(f"{environment}/")
    return any(words in _command(entry) for entry in Path("/proc").glob("[0-9]*"))


def _command(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:  # it has ended meanwhile
        return b""


def main(folder: Path, version: str) -> int:
    """Let a version serve; return the exit status."""

    def say(line: str) -> None:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    try:
        There(folder).serve(version, say)
    except (PodiumError, OSError) as err:
        sys.stderr.write(f"{err}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
