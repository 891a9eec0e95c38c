"""Releases: copies of an application folder, each under the hash of its content.

A worker that starts anew, days later, reads its release, never the folder that the maker is just
editing; and there is something to go back to.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from podium.errors import DISK_FULL, ServeError

KEPT: Final = 3
_DIGITS: Final = 12
_CHUNK: Final = 64 * 1024 * 1024
_SKIPPED: Final = ("__pycache__", "lost+found")
_NO_RANGE: Final = (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM)


class Releases(NamedTuple):
    """The folder of an application's releases."""

    folder: Path

    def path(self, release: str) -> Path:
        """Return the folder of a release, which need not be there."""
        return self.folder / release

    def make(self, source: Path) -> str:
        """Copy an application folder, if it is not there yet; return the name of the release.

        Raises:
            ServeError: the disk has no room, a file cannot be read, or one changes meanwhile.
        """
        try:
            release = digest(source)
            if not self.path(release).is_dir():
                self._copy(source, release)
        except OSError as err:
            raise ServeError(_told(source, err)) from err
        os.utime(self.path(release))
        return release

    def remove(self, release: str) -> None:
        """Remove a release."""
        shutil.rmtree(self.path(release), ignore_errors=True)

    def sweep(self, needed: Collection[str]) -> None:
        """Remove what was half made, and all but the newest releases and those that are needed."""
        there = sorted(self.folder.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
        whole = [path.name for path in there if not path.name.startswith(".")]
        kept = {*needed, *whole[:KEPT]}
        for path in there:
            if path.name not in kept:
                shutil.rmtree(path, ignore_errors=True)

    def _copy(self, source: Path, release: str) -> None:
        if self.folder.resolve().is_relative_to(source.resolve()):
            raise ServeError(
                f"The state folder lies inside of {source}, which is copied into it. Choose "
                "another with --state."
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        part = self.folder / f".{release}"
        shutil.rmtree(part, ignore_errors=True)
        try:
            for path in contents(source):
                _copy_one(source, path, part / path)
            if digest(part) != release:
                raise ServeError(f"{source} changes while it is copied. Try again once it is done.")
            part.rename(self.path(release))
        finally:
            shutil.rmtree(part, ignore_errors=True)


def digest(folder: Path) -> str:
    """Return what names a folder's content: a hash of its sorted paths and what lies there."""
    told = hashlib.sha256()
    for path in contents(folder):
        file = folder / path
        if file.is_symlink():
            what = f"link {_target(folder, path)}"
        else:
            with file.open("rb") as content:
                what = hashlib.file_digest(content, "sha256").hexdigest()
        told.update(os.fsencode(f"{path}\0{what}\0"))
    return told.hexdigest()[:_DIGITS]


def contents(folder: Path) -> list[Path]:
    """Return the paths of a release's files and links, sorted, relative to the folder.

    What is hidden or made by Python stays behind, and links that lead outside, which no
    application reads.
    """
    return sorted(_contents(folder, Path()))


def _contents(folder: Path, within: Path) -> Iterator[Path]:
    for entry in os.scandir(folder / within):
        path = within / entry.name
        if entry.name.startswith(".") or entry.name in _SKIPPED:
            continue
        if entry.is_symlink():
            target = (folder / path).resolve()
            if target.exists() and target.is_relative_to(folder.resolve()):
                yield path
        elif entry.is_dir():
            yield from _contents(folder, path)
        elif entry.is_file():
            yield path


def _copy_one(source: Path, path: Path, copy: Path) -> None:
    copy.parent.mkdir(parents=True, exist_ok=True)
    if (source / path).is_symlink():
        copy.symlink_to(_target(source, path))
        return
    with (source / path).open("rb") as read, copy.open("xb") as write:
        try:
            # Where the file system can, both then share their blocks until one of them changes.
            while os.copy_file_range(read.fileno(), write.fileno(), _CHUNK):
                pass
        except OSError as err:
            if err.errno not in _NO_RANGE:
                raise
            shutil.copyfileobj(read, write)
        write.flush()
        os.fsync(write.fileno())  # the name of the release vouches for what is in it
    shutil.copymode(source / path, copy)


def _target(folder: Path, path: Path) -> str:
    """Return where a link inside a folder leads, as its copy will say it."""
    link = folder / path
    return os.path.relpath(link.resolve(), link.parent.resolve())


def _told(source: Path, err: OSError) -> str:
    if err.errno in DISK_FULL:
        return (
            f"The disk of the state folder has no room for a copy of {source}: {err.strerror}. "
            "Make room, or choose another with --state."
        )
    return f"{source} cannot be copied: {err.filename or ''}: {err.strerror}"
