"""The files of an application folder that go along, and those that never may."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

from pathspec import GitIgnoreSpec

from podium.app import sources_of
from podium.bundle.secrets import risk_of
from podium.errors import BundleError, MissingExtra, UntrustedModel
from podium.folder import FILE, Parsed, named_files
from podium.jobs.state import OWN
from podium.runtimes import Source, check_trust, model_files

IGNORE: Final = ".podiumignore"
DEFAULTS: Final = (
    ".*",
    "__pycache__/", "*.py[cod]", "*.egg-info/", "lost+found/", "node_modules/",
    "*~", "#*#", "*.sw[op]", "*.orig", "*.rej", "*.bak", "Thumbs.db", "desktop.ini",
)  # fmt: skip
"""What stays behind unless .podiumignore says otherwise, as .gitignore has it."""
_HISTORY: Final = frozenset((".git", ".hg", ".svn"))
_MADE: Final = ("pyvenv.cfg", OWN)
"""Files that tell a folder for what a program has made: a virtual environment, Podium's state."""


class BundleFile(NamedTuple):
    """A file that goes along: its name in the bundle (POSIX, relative), where it lies, its size."""

    name: str
    path: Path
    size: int


class Bundle(NamedTuple):
    """The files that go along, sorted by name, and what stays behind; a folder ends in a slash."""

    files: tuple[BundleFile, ...]
    left_out: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """The bytes of all files."""
        return sum(file.size for file in self.files)

    def largest(self, count: int = 10) -> tuple[BundleFile, ...]:
        """Return the largest files, the largest first."""
        return tuple(sorted(self.files, key=lambda file: (-file.size, file.name))[:count])


def bundle_files(folder: Path, parsed: Parsed) -> Bundle:
    """Return the files of the application in `folder` that go along.

    What podium.toml names and its models consist of always does; links are followed.

    Raises:
        BundleError: naming each file that must not leave this machine or is needed and left out
            by .podiumignore, and the way out.
        ModelError: the files of a model cannot be told.
    """
    folder = folder.resolve()
    sources = [one for spec in parsed.spec.models for one in sources_of(folder, spec)]
    needed = frozenset(_needed(folder, parsed, sources))
    walk = _Walk(folder, needed)
    names = sorted(walk.names(folder, ""))
    wrong = [*walk.wrong, *_left_behind(needed, names), *_programs(sources)]
    files = tuple(BundleFile(name, path := folder / name, path.stat().st_size) for name in names)
    wrong += [f"{file.name} {why}" for file in files if (why := risk_of(file.name, file.path))]
    if wrong:
        listed = "\n".join(f"  {one}" for one in dict.fromkeys(wrong))
        raise BundleError(f"{folder} cannot go along as it is:\n{listed}")
    return Bundle(files, tuple(sorted(walk.left_out)))


class _Walk:
    """A walk through an application folder; it gathers what stays behind and what is wrong."""

    def __init__(self, folder: Path, needed: frozenset[str]) -> None:
        self.folder = folder
        self.needed = needed
        self.holders = {f"{up}/" for name in needed for up in map(str, Path(name).parents)}
        self.left_out: list[str] = []
        self.wrong: list[str] = []
        file = folder / IGNORE
        own = file.read_text("utf-8").splitlines() if file.is_file() else []
        self._spec = GitIgnoreSpec.from_lines([*DEFAULTS, *own])

    def names(self, folder: Path, within: str) -> Iterator[str]:
        """Yield the names of the files in a folder, itself called `within` (with its slash)."""
        for path in sorted(folder.iterdir()):
            name = f"{within}{path.name}"
            if self._refused(path, name):
                continue
            if path.is_dir():
                yield from self._below(path, f"{name}/")
            elif not path.is_file() or self._stays(name) or self._leads_to_ignored(path, name):
                self.left_out.append(name)
            else:
                yield name

    def _below(self, path: Path, name: str) -> Iterator[str]:
        made = any((path / one).is_file() for one in _MADE)
        if name not in self.holders and (made or self._stays(name)):
            self.left_out.append(name)
        else:
            yield from self.names(path, name)

    def _stays(self, name: str) -> bool:
        """Whether a file or folder stays behind; by a default, no file that is a secret does.

        That one was put into the folder to be used, and leaving it out silently would mislead.
        """
        found = self._spec.check_file(name)
        if not found.include or found.index is None:
            return False
        if found.index >= len(DEFAULTS):
            return True
        return name not in self.needed and not (
            not name.endswith("/") and risk_of(name, self.folder / name)
        )

    def _leads_to_ignored(self, path: Path, name: str) -> bool:
        """Whether links on the way to a file lead to one that .podiumignore itself leaves out.

        What podium.toml names goes along by whichever name it has there.
        """
        target = path.resolve()
        if name in self.needed or not target.is_relative_to(self.folder):
            return False
        found = self._spec.check_file(target.relative_to(self.folder).as_posix())
        return bool(found.include and found.index is not None and found.index >= len(DEFAULTS))

    def _refused(self, path: Path, name: str) -> bool:
        """Note a link that leads outside or into a folder that holds it, and history in a model."""
        if path.is_symlink() and path.exists() and not self._ignored(name):
            target = path.resolve()
            if not target.is_relative_to(self.folder):
                self.wrong.append(f"{name} is a link that leads outside, to {target}. Put the file "
                                  f"itself there, or name it in {IGNORE}.")  # fmt: skip
                return True
            if target in self._above(name):
                self.wrong.append(f"{name} is a link to a folder that holds it. Remove it.")
                return True
        if path.name in _HISTORY and f"{name}/" in self.holders:
            self.wrong.append(f"{name} is version control's, in the folder of a model. Remove it.")
            return True
        return False

    def _above(self, name: str) -> set[Path]:
        """Return the folders on the way to a file or folder, links followed."""
        return {(self.folder / up).resolve() for up in PurePosixPath(name).parents}

    def _ignored(self, name: str) -> bool:
        if name in self.needed or f"{name}/" in self.holders:
            return False  # by a default, it is not
        return bool(self._spec.match_file(name) or self._spec.match_file(f"{name}/"))


def _needed(folder: Path, parsed: Parsed, sources: list[Source]) -> Iterator[str]:
    """Yield the names of the files without which the application does not work as it does here."""
    yield FILE
    for _key, name in named_files(parsed.spec):
        if (folder / name).is_file():
            yield _plain(name)
    for source in sources:
        for file in model_files(source.file, source.runtime):
            if file.is_relative_to(folder):
                yield _plain(file.relative_to(folder).as_posix())


def _plain(name: str) -> str:
    """Return a name without ".", ".." and double slashes, as a walk tells it."""
    return posixpath.normpath(name)


def _left_behind(needed: frozenset[str], names: list[str]) -> Iterator[str]:
    for name in sorted(needed.difference(names)):
        yield f"{name} is needed, and {IGNORE} leaves it out. Change {IGNORE}."


def _programs(sources: list[Source]) -> Iterator[str]:
    for source in sources:
        try:
            check_trust(source)
        except UntrustedModel as err:
            yield str(err)
        except MissingExtra:
            continue  # nothing of it can be looked into here; it is looked into where it is loaded
