"""`podium demo`: a demo that comes with Podium, made ready to be served.

A demo is an application folder in the package. One whose models would make the package large has a
`make.py` in place of them. It is run once, in a process of its own, on a copy of the folder, which
then stays in the user's cache under a name that tells what it was made of.
"""

from __future__ import annotations

import hashlib
import runpy
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from importlib import metadata
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import Final

from platformdirs import user_cache_path

from podium.errors import MissingExtra, ServeError

MAKER: Final = "make.py"
"""What makes a demo's models: run with the folder to complete, it prints a line for each.

Its PACKAGES are those that it needs, which the extra of the demo's name brings."""

LEFTOVER_S: Final = 86_400.0
"""After this long an unfinished folder is one that a killed command left."""

Say = Callable[[str], None]


def ready_folder(demo: Path, cache: Path | None, say: Say) -> Path:
    """Return the folder to serve: the demo's own, or its copy in the cache, with the models.

    Raises:
        MissingExtra: there is no such copy yet, and the packages to make one are missing.
        ServeError: the cache cannot be written, or the models cannot be made.
    """
    if not (demo / MAKER).is_file():
        return demo
    demos = (cache or user_cache_path("podium", appauthor=False)).absolute() / "demos"
    files = f"{demo.name}-{_digest_of_files(demo)}"
    versions = _versions(runpy.run_path(str(demo / MAKER))["PACKAGES"])
    if versions is None:
        folder = _latest(demos.glob(f"{files}-*"))
        if folder is None:
            raise MissingExtra(f"Making the models of the demo {demo.name!r}", demo.name)
    else:
        folder = demos / f"{files}-{_digest(versions)}"
        if not folder.is_dir():
            say(f"Making the models of the demo {demo.name!r}, once.")
            _make(demo, folder, say)
    say(f"The demo {demo.name!r} lies in {folder}\n")
    return folder


def _digest_of_files(demo: Path) -> str:
    files = (demo / MAKER, *_shipped(demo))
    named = ((file.relative_to(demo).as_posix().encode(), file.read_bytes()) for file in files)
    return _digest(chain.from_iterable(named))


def _shipped(demo: Path) -> list[Path]:
    """Return the files of the application in the package, without the code that makes them."""
    return sorted(f for f in demo.rglob("*") if f.is_file() and f.suffix not in (".py", ".pyc"))


def _versions(packages: Iterable[str]) -> list[bytes] | None:
    """Return what is installed of the packages, or None when one is missing."""
    try:
        return [f"{name}=={metadata.version(name)}".encode() for name in packages]
    except metadata.PackageNotFoundError:
        return None


def _digest(parts: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()[:8]


def _latest(folders: Iterable[Path]) -> Path | None:
    return max(folders, key=lambda folder: folder.stat().st_mtime, default=None)


def _make(demo: Path, folder: Path, say: Say) -> None:
    """Make `folder`, which is there at once and whole: no other command sees it unfinished."""
    prefix = f".{demo.name}-"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _sweep(folder.parent.glob(f"{prefix}*"))
        with TemporaryDirectory(prefix=prefix, dir=folder.parent) as unfinished:
            copy = Path(unfinished) / demo.name
            _copy(demo, copy)
            _run(demo, copy, say)
            _rename(copy, folder)
    except OSError as err:
        raise ServeError(
            f"{folder.parent} cannot be written: {err.strerror}. "
            "Choose another folder with --cache or PODIUM_CACHE."
        ) from err


def _sweep(unfinished: Iterable[Path]) -> None:
    for folder in unfinished:
        with suppress(FileNotFoundError):  # another command is just done with it
            if time.time() - folder.stat().st_mtime > LEFTOVER_S:
                shutil.rmtree(folder, ignore_errors=True)


def _copy(demo: Path, copy: Path) -> None:
    # Not copytree, which would keep the modes of a package that is read-only.
    for file in _shipped(demo):
        target = copy / file.relative_to(demo)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)


def _run(demo: Path, copy: Path, say: Say) -> None:
    """Complete a copy, in a process of its own for the frameworks; pass on what it prints."""
    command = [sys.executable, str(demo / MAKER), str(copy)]
    with (
        TemporaryFile("w+") as errors,
        subprocess.Popen(  # noqa: S603  the arguments are a list, not a shell's text
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as making,
    ):
        assert making.stdout is not None
        for line in making.stdout:
            say(line.rstrip())
        if making.wait():
            errors.seek(0)
            told = errors.read().strip().splitlines() or [f"exit code {making.returncode}"]
            raise ServeError(f"The models of the demo {demo.name!r} cannot be made: {told[-1]}")


def _rename(copy: Path, folder: Path) -> None:
    try:
        copy.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
        # Another command was faster; what it made is the same.
