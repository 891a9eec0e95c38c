"""Image files are opened by their header: which formats, and what no header may ask for."""

from __future__ import annotations

import struct
from functools import cache
from io import BytesIO
from typing import Final

from PIL import AvifImagePlugin, UnidentifiedImageError, features
from PIL import Image as pil
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.TiffImagePlugin import TiffImageFile

from podium.cpus import available_cpus
from podium.errors import INSTALL
from podium.messages import Message, said

FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "HEIF")
"""Pillow's names of the formats that are read where their codec is installed; see `readable`."""
MAX_READS: Final = 100_000
"""Into how many pieces a file may be cut: Pillow spends some microseconds of Python on each."""
MAX_STRIPS: Final = 65_536
"""Into how many strips or tiles a TIFF may be cut, for the same reason."""
MAX_SCANS: Final = 30
"""How often a JPEG may go over its pixels; programs that write progressive ones do so 6 to 14
times, others once a colour at most, and a scan of 14 bytes can cost as much as a whole picture."""
MAX_TILE: Final = 64_000_000
"""How large a tile of a TIFF may be, which can be larger than the picture it is of."""

_HEIC: Final = {
    b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1",
}  # fmt: skip
_STRIPS: Final = (273, 324)  # StripOffsets and TileOffsets, TIFF 6.0

AvifImagePlugin.DEFAULT_MAX_THREADS = available_cpus()  # the container's, not the machine's


@cache
def readable() -> tuple[str, ...]:
    """Return the formats that this installation reads."""
    codecs = {"WEBP": features.check("webp"), "AVIF": features.check("avif"), "HEIF": _heif()}
    return tuple(name for name in FORMATS if codecs.get(name, True))


def open_header(body: bytes) -> ImageFile:
    """Return an image file of which only the header is read.

    Raises:
        ValueError: it is empty, of no known format, damaged, or made to keep a server busy.
    """
    if not body:
        raise ValueError(said("is empty (0 bytes); expected an image file"))
    try:
        if body[:2] in (b"II", b"MM") and _strips(body) > MAX_STRIPS:
            raise ValueError(f"it is a TIFF of more than {MAX_STRIPS} strips")
        image = pil.open(_Pieces(body), formats=readable())
        if isinstance(image, JpegImageFile) and body.count(b"\xff\xda") > MAX_SCANS:
            raise ValueError(f"it is a JPEG of more than {MAX_SCANS} scans")
        if isinstance(image, TiffImageFile) and _tile(image) > MAX_TILE:
            raise ValueError(f"it is a TIFF with tiles of more than {MAX_TILE} pixels")
    except UnidentifiedImageError as err:
        raise ValueError(_unknown(body)) from err
    except Exception as err:  # Pillow passes on whatever a damaged file causes
        raise ValueError(
            said("cannot be read as an image; it may be damaged: %(reason)s", reason=err)
        ) from err
    return image


class _Pieces(BytesIO):
    """A file in memory that may be read in so many pieces only."""

    _left = MAX_READS

    def read(self, size: int | None = -1, /) -> bytes:
        self._left -= 1
        if self._left < 0:
            raise ValueError(f"it has more than {MAX_READS} pieces")
        return super().read(size)


def _tile(image: TiffImageFile) -> int:
    """Return how many pixels a tile has (TileWidth and TileLength of TIFF 6.0); 0 without tiles."""
    width, height = (image.tag_v2.get(tag, 0) for tag in (322, 323))
    return int(width) * int(height)


def _strips(body: bytes) -> int:
    """Return how many strips or tiles the first picture of a TIFF has (TIFF 6.0, BigTIFF)."""
    order = "<" if body[:2] == b"II" else ">"
    big = body[2:4] in (b"+\0", b"\0+")
    start, many, entry = ("8xQ", "Q", "HHQ8x") if big else ("4xL", "H", "HHL4x")
    (place,) = struct.unpack_from(order + start, body)
    (count,) = struct.unpack_from(order + many, body, place)
    place += struct.calcsize(order + many)
    size = struct.calcsize(order + entry)
    whole = min(count, max(0, len(body) - place) // size)
    entries = struct.iter_unpack(order + entry, body[place : place + whole * size])
    return max((number for tag, _, number in entries if tag in _STRIPS), default=0)


def _unknown(body: bytes) -> Message:
    if body[4:8] == b"ftyp" and body[8:12] in _HEIC and "HEIF" not in readable():
        return said(
            "is a HEIC photo, which this server does not read. Send it as JPEG (an iPhone takes "
            "JPEG under Settings, Camera, Formats, Most Compatible), or let the server read it: "
            "%(command)s",
            command=INSTALL.format(extra="heic"),
        )
    known = ", ".join(readable())
    return said("is not an image file of a known format: %(known)s", known=known)


def _heif() -> bool:
    """Tell whether pillow-heif is installed, and let Pillow read HEIC with it."""
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        return False
    register_heif_opener(
        thumbnails=False, depth_images=False, aux_images=False, decode_threads=available_cpus()
    )
    return True
