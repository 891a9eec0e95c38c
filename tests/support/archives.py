"""Zip archives as people and attackers make them."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterable
from io import BytesIO

LINK = 0o120777 << 16
"""The attributes of a symbolic link."""


def zipped(
    members: Iterable[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED, attributes: int = 0
) -> bytes:
    """Return an archive of members by their names, which may stand there twice."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, body in members:
            info = zipfile.ZipInfo(name)
            info.compress_type, info.external_attr = method, attributes
            archive.writestr(info, body)
    return buffer.getvalue()


def changed(archive: bytes, name: str, at: int, value: int, width: int = 4) -> bytes:
    """Return an archive whose list of members says something else of one.

    `at` is the place in the member's entry (APPNOTE.TXT, 4.3.12): 8 flags, 10 method, 20 packed
    size, 24 size, 42 where it begins.
    """
    made = bytearray(archive)
    place = made.index(b"PK\x01\x02")
    while made[place + 46 : place + 46 + len(name)] != name.encode():
        place = made.index(b"PK\x01\x02", place + 1)
    made[place + at : place + at + width] = value.to_bytes(width, "little")
    return bytes(made)


def listed_only(count: int) -> bytes:
    """Return an archive whose list has many members, of 47 bytes each, and that holds none."""
    entry = struct.pack("<4s6H3L5H2L", b"PK\x01\x02", *[0] * 9, 1, *[0] * 6) + b"a"
    directory = entry * count
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, len(directory), 4, 0)
    return b"PK\x03\x04" + directory + end
