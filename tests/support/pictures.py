"""Image files of many kinds, made here so that their right colours are known."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as pil
from PIL.Image import Image, Transpose

from podium.pipeline.files import readable
from tests.support.apps import SIDE

readable()  # lets Pillow write HEIC too

Colour = tuple[int, int, int]

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
QUARTERS = (RED, GREEN, BLUE, WHITE)
"""Top left, top right, bottom left and bottom right of `quartered`."""

# What a viewer does for each EXIF orientation, undone (TIFF 6.0, tag 274).
_UNDO = {2: Transpose.FLIP_LEFT_RIGHT, 3: Transpose.ROTATE_180, 4: Transpose.FLIP_TOP_BOTTOM,
         5: Transpose.TRANSPOSE, 6: Transpose.ROTATE_90, 7: Transpose.TRANSVERSE,
         8: Transpose.ROTATE_270}  # fmt: skip


def plain(colour: Any, mode: str = "RGB") -> Image:
    """Return an image of one colour."""
    return pil.new(mode, (SIDE, SIDE), colour)


def encoded(image: Image, form: str, **options: Any) -> bytes:
    """Return an image as a file."""
    buffer = BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def png(colour: Colour) -> bytes:
    """Return a PNG of one colour."""
    return encoded(plain(colour), "PNG")


def frames(form: str, colours: Sequence[Colour], **options: Any) -> bytes:
    """Return a file of several images, one of each colour."""
    first, *rest = (plain(colour) for colour in colours)
    return encoded(first, form, save_all=True, append_images=rest, **options)


def noise(form: str) -> bytes:
    """Return an image with so much in it that half of the file is clearly too little."""
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    return encoded(pil.fromarray(pixels), form)


def quartered() -> Image:
    """Return an image with a colour of its own in each quarter."""
    image = plain(QUARTERS[0])
    half = SIDE // 2
    for index, colour in enumerate(QUARTERS):
        x, y = index % 2 * half, index // 2 * half
        image.paste(colour, (x, y, x + half, y + half))
    return image


def turned_jpeg(orientation: int) -> bytes:
    """Return `quartered` as a camera stores it that is held in another way."""
    image = quartered()
    if orientation in _UNDO:
        image = image.transpose(_UNDO[orientation])
    exif = pil.Exif()
    exif[274] = orientation
    return encoded(image, "JPEG", quality=95, subsampling=0, exif=exif)


def deep_png(samples: Sequence[int], colour_type: int, transparent: bytes = b"") -> bytes:
    """Return a 16-bit PNG whose pixels all have `samples`; Pillow writes only grey ones."""
    row = b"\0" + struct.pack(f">{len(samples)}H", *samples) * SIDE
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 16, colour_type, 0, 0, 0)
    extra = [_chunk(b"tRNS", transparent)] if transparent else []
    data = _chunk(b"IDAT", zlib.compress(row * SIDE))
    return _signature(header) + b"".join(extra) + data + _chunk(b"IEND", b"")


def huge_png(side: int) -> bytes:
    """Return a PNG whose header promises `side` x `side` pixels."""
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return _signature(header) + _chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + _chunk(b"IEND", b"")


def tiff(tags: Mapping[int, Sequence[int]], pixels: bytes, order: str = "<") -> bytes:
    """Return a TIFF whose tags have values of 32 bits; its pixels begin at byte 8."""
    start = 8 + len(pixels)
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", start)
    far = start + 2 + 12 * len(tags) + 4
    entries, rest = struct.pack(f"{order}H", len(tags)), b""
    for tag, values in sorted(tags.items()):
        body = struct.pack(f"{order}{len(values)}I", *values)
        place = body if len(values) == 1 else struct.pack(f"{order}I", far + len(rest))
        entries += struct.pack(f"{order}HHI", tag, 4, len(values)) + place
        rest += body if len(values) > 1 else b""
    return head + pixels + entries + bytes(4) + rest


def palette_png(transparency: int | bytes) -> bytes:
    """Return a PNG with a palette: left half black (entry 0), right half blue (entry 1)."""
    pixels: NDArray[np.uint8] = np.zeros((SIDE, SIDE), np.uint8)
    pixels[:, SIDE // 2 :] = 1
    image = pil.fromarray(pixels).convert("P")
    image.putpalette([0, 0, 0, 0, 0, 255])
    return encoded(image, "PNG", transparency=transparency)


def _signature(header: bytes) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header)


def _chunk(name: bytes, body: bytes) -> bytes:
    check = zlib.crc32(name + body)
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", check)
