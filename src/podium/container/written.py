"""A folder that is written again in place: what is no more needed goes, what others put stays."""

from __future__ import annotations

import filecmp
import shutil
from pathlib import Path, PurePosixPath
from typing import Final

from podium.container.render import Files
from podium.errors import BundleError

LIST: Final = ".written-by-podium"
"""The file that lists what was written, one name a line."""


def write_folder(out: Path, files: Files) -> None:
    """Write files into a folder; those that are there as they should be are left alone.

    Raises:
        BundleError: a file that Podium has not written stands in the way.
    """
    before = _listed(out)
    for name in sorted(files.keys() - before):
        if (out / name).exists():
            raise BundleError(
                f"{out / name} is there, and `podium build` has not written it. Move it away, or "
                "choose another folder with --render."
            )
    for name in sorted(before - files.keys()):
        (out / name).unlink(missing_ok=True)
        _prune(out, (out / name).parent)
    # Listed before they are written: what an interrupted run leaves is known to the next.
    _put(out, LIST, "".join(f"{name}\n" for name in sorted(files)))
    for name, content in files.items():
        _put(out, name, content)


def _listed(out: Path) -> set[str]:
    file = out / LIST
    lines = file.read_text("utf-8").splitlines() if file.is_file() else []
    return {name for name in lines if ".." not in PurePosixPath(name).parts and name[:1] != "/"}


def _put(out: Path, name: str, content: str | Path) -> None:
    """Write a file that everybody may read, as its folders: in the image another user does."""
    file = out / name
    file.parent.mkdir(parents=True, exist_ok=True)
    for folder in PurePosixPath(name).parents[:-1]:
        (out / folder).chmod(0o755)
    if isinstance(content, str):
        if not file.is_file() or file.read_text("utf-8") != content:
            file.write_text(content, "utf-8")
    elif not file.is_file() or not filecmp.cmp(content, file):
        shutil.copy2(content, file)
    program = isinstance(content, Path) and content.stat().st_mode & 0o100
    file.chmod(0o755 if program else 0o644)


def _prune(out: Path, folder: Path) -> None:
    """Remove a folder, and those above it, as far as nothing lies in them."""
    while folder != out and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent
