"""Zip archives are looked at before anything in them is read."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path, PurePosixPath
from typing import Final

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
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as err:
        raise ModelError(f"{file.name} is damaged: it is no zip archive ({err})") from err
    unpacked = sum(member.file_size for member in members)
    if unpacked > max(FREE_BYTES, MAX_RATIO * file.stat().st_size):
        raise UntrustedModel(
            f"{file.name} would unpack to {unpacked / 1e6:,.0f} MB, over {MAX_RATIO} times its "
            "size: a zip bomb. Save the model again."
        )
    names = [member.filename for member in members]
    for member in members:
        if _escapes(member.filename) or stat.S_ISLNK(member.external_attr >> 16):
            raise UntrustedModel(f"{file.name}: {member.filename!r} in it leads outside of it")
    if len(set(names)) != len(names):
        raise UntrustedModel(f"{file.name} holds a name twice; the file is damaged or forged")
    return names


def _escapes(name: str) -> bool:
    path = PurePosixPath(name.replace("\\", "/"))
    return path.is_absolute() or ".." in path.parts or ":" in name
