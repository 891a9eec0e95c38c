"""Zip archives are looked at before anything in them is read."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Iterable
from os import SEEK_END
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, Final

from podium.errors import ModelError, UntrustedModel

MAX_RATIO: Final = 50
"""How many times its packed size an archive may unpack to; weights shrink little."""
FREE_BYTES: Final = 100_000_000
"""What any archive may unpack to, however small it is."""


def archive_names(file: Path) -> list[str]:
    """Return the names in a zip archive that unpacks to a sane size, inside of itself.

    Raises:
        UntrustedModel: it is a zip bomb, or a name in it leads outside or stands there twice.
        ModelError: it is no zip archive.
    """
    with open_archive(file, file.name) as archive:
        return archive.namelist()


def open_archive(source: Path | IO[bytes], name: str) -> zipfile.ZipFile:
    """Open a zip archive, or one within another, as `archive_names` accepts it.

    `name` is what messages call it.
    """
    try:
        archive = zipfile.ZipFile(source)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as err:
        raise ModelError(f"{name} is damaged: it is no zip archive ({err})") from err
    try:
        _check(archive, name)
    except UntrustedModel:
        archive.close()
        raise
    return archive


def _check(archive: zipfile.ZipFile, name: str) -> None:
    members = archive.infolist()
    # What members say of their packed size may count the same bytes many times over.
    packed = archive.fp.seek(0, SEEK_END) if archive.fp else 0
    if is_bomb(members, packed):
        unpacked = sum(member.file_size for member in members)
        raise UntrustedModel(
            f"{name} would unpack to {unpacked / 1e6:,.0f} MB, over {MAX_RATIO} times its "
            "size: a zip bomb. Save the model again."
        )
    for member in members:
        # A colon names a stream of another file on Windows.
        if leads_outside(member.filename) or ":" in member.filename or is_link(member):
            raise UntrustedModel(f"{name}: {member.filename!r} in it leads outside of it")
    if len({member.filename for member in members}) != len(members):
        raise UntrustedModel(f"{name} holds a name twice; the file is damaged or forged")


def leads_outside(name: str) -> bool:
    """Return whether a name in an archive leads out of the folder that it would be unpacked to."""
    path = PurePosixPath(name.replace("\\", "/"))
    return path.is_absolute() or ".." in path.parts or bool(PureWindowsPath(name).drive)


def is_link(member: zipfile.ZipInfo) -> bool:
    """Return whether a member of an archive is a symbolic link."""
    return stat.S_ISLNK(member.external_attr >> 16)


def is_bomb(members: Iterable[zipfile.ZipInfo], packed: int) -> bool:
    """Return whether members say that they unpack to far more than the archive's own size."""
    return sum(member.file_size for member in members) > max(FREE_BYTES, MAX_RATIO * packed)
