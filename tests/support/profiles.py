"""Colour profiles, made here so that the right colours are known (ICC.1:2001-04, version 2.4)."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Sequence

D50 = (0.9642, 1.0, 0.8249)
GAMMA = 2.2

# From SMPTE RP 431-2's and Adobe's primaries, adapted to D50; a column each of red, green, blue.
DISPLAY_P3 = ((0.51512, 0.2412, -0.00105), (0.29198, 0.69225, 0.04189), (0.1571, 0.06657, 0.78407))
ADOBE_RGB = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))


def display_p3() -> bytes:
    """Return a profile with the primaries of Display P3, which phones use, and a plain gamma."""
    return _rgb(DISPLAY_P3)


def adobe_rgb() -> bytes:
    """Return a profile with the primaries of Adobe RGB (1998) and a plain gamma."""
    return _rgb(ADOBE_RGB)


def linear_grey() -> bytes:
    """Return a profile of grey whose levels are proportional to the light."""
    return _profile(b"GRAY", {b"wtpt": _xyz(D50), b"kTRC": _curve(1.0)})


def ink() -> bytes:
    """Return a profile of a printer whose inks are grey: each of C, M and Y takes a third of L*.

    Black takes what is left in proportion; in between, L* is interpolated.
    """
    corners = itertools.product((0, 1), repeat=4)
    lightness = (round(255 * (1 - k) * (1 - (c + m + y) / 3)) for c, m, y, k in corners)
    table = b"".join(bytes([level, 128, 128]) for level in lightness)
    straight = bytes(range(256))
    unit = b"".join(map(_fixed, (1, 0, 0, 0, 1, 0, 0, 0, 1)))
    lut = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + unit + straight * 4 + table + straight * 3
    return _profile(b"CMYK", {b"wtpt": _xyz(D50), b"A2B0": lut}, b"prtr", b"Lab ")


def _rgb(primaries: Sequence[Sequence[float]]) -> bytes:
    names = (b"rXYZ", b"gXYZ", b"bXYZ")
    tags = {name: _xyz(column) for name, column in zip(names, primaries, strict=True)}
    curves = dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), _curve(GAMMA))
    return _profile(b"RGB ", {b"wtpt": _xyz(D50), **tags, **curves})


def _profile(
    space: bytes, tags: dict[bytes, bytes], kind: bytes = b"mntr", connection: bytes = b"XYZ "
) -> bytes:
    start = 128 + 4 + 12 * len(tags)
    table, data = struct.pack(">I", len(tags)), b""
    for name, tag in tags.items():
        table += name + struct.pack(">II", start + len(data), len(tag))
        data += tag + b"\0" * (-len(tag) % 4)
    size, version = start + len(data), 0x02400000
    head = struct.pack(">I4xI4s4s4s12x4s24x", size, version, kind, space, connection, b"acsp")
    light = struct.pack(">I", 0) + b"".join(map(_fixed, D50))
    return (head + light).ljust(128, b"\0") + table + data


def _xyz(values: Sequence[float]) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(map(_fixed, values))


def _curve(gamma: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))


def _fixed(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))
