"""Kinds of files that are no data set, told from their first bytes, each with the way out."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from podium.messages import Message, said

AS_CSV: Final = said("Save it as .xlsx or as CSV.")
_UNPACK: Final = said("Unpack it, and send the file in it.")
_EXPORT: Final = said("Export the data as CSV or Parquet.")
_PICTURE: Final = said("Put pictures into a zip archive.")
_AS_ZIP: Final = said("Unpack it, or make it anew as .zip.")
OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""The beginning of a compound file: of old Office files, and of new ones with a password."""


class Known(NamedTuple):
    """A kind of file that is not read, and the way out."""

    name: Message
    way_out: Message


# The first bytes of formats; ones that share their beginning are told apart below.
_KNOWN: Final[dict[bytes, Known]] = {
    b"\x89PNG": Known(said("a PNG image"), _PICTURE),
    b"\xff\xd8\xff": Known(said("a JPEG image"), _PICTURE),
    b"GIF8": Known(said("a GIF image"), _PICTURE),
    b"BM": Known(said("a BMP image"), _PICTURE),
    b"II*\0": Known(said("a TIFF image"), _PICTURE),
    b"MM\0*": Known(said("a TIFF image"), _PICTURE),
    b"%PDF": Known(said("a PDF file"), said("Export its table as CSV.")),
    b"PARE": Known(said("an encrypted Parquet file"), said("Write it without encryption.")),
    b"PK\x03\x04": Known(said("a zip archive, as .xlsx files are"), _UNPACK),
    OLE: Known(said("an old Excel or Office file"), AS_CSV),
    b"PAR1": Known(said("a Parquet file"), said("Send it as it is, or export it as CSV.")),
    b"\x1f\x8b": Known(said("a gzip archive"), _UNPACK),
    b"BZh": Known(said("a bzip2 archive"), _UNPACK),
    b"\xfd7zXZ\0": Known(said("an xz archive"), _UNPACK),
    b"\x28\xb5\x2f\xfd": Known(said("a Zstandard archive"), _UNPACK),
    b"7z\xbc\xaf\x27\x1c": Known(said("a 7z archive"), _AS_ZIP),
    b"Rar!": Known(said("a RAR archive"), _AS_ZIP),
    b"SQLite format 3\0": Known(said("an SQLite database"), _EXPORT),
    b"ARROW1": Known(said("an Arrow file"), said("Write it as Parquet.")),
    b"ORC": Known(said("an ORC file"), said("Write it as Parquet.")),
    b"Obj\x01": Known(said("an Avro file"), _EXPORT),
    b"\x89HDF": Known(said("an HDF5 file"), _EXPORT),
    b"\x93NUMPY": Known(said("a NumPy array"), _EXPORT),
    b"$FL2": Known(said("an SPSS file"), _EXPORT),
    b"<stata_dta>": Known(said("a Stata file"), _EXPORT),
    b"\x7fELF": Known(said("a program"), said("Send the data.")),
    b"MZ": Known(said("a program"), said("Send the data.")),
}
_HEIF: Final = re.compile(rb"....ftyp(heic|heix|mif1|msf1|avif|hevc)", re.DOTALL)
_TEXTUAL: Final = (b"BM", b"BZh", b"MZ", b"ORC", b"II*\0", b"GIF8", b"Rar!", b"Obj\x01")
"""Beginnings that the name of a column could have, too."""
_START: Final = 512
_CONTROLS: Final = re.compile(rb"[\0-\x08\x0e-\x1a]")


def foreign(start: bytes) -> Known | None:
    """Return what a file is that begins so and is no text; None for what may be text."""
    for magic, known in _KNOWN.items():
        if start.startswith(magic) and (magic not in _TEXTUAL or _CONTROLS.search(start[:_START])):
            return known
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return Known(said("a WebP image"), _PICTURE)
    if _HEIF.match(start):
        return Known(said("a HEIC or AVIF image"), _PICTURE)
    return Known(said("a tar archive"), _AS_ZIP) if start[257:262] == b"ustar" else None
