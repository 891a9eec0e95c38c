"""What a file is, told from its first bytes."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import Final

from podium.datasets.reading.archive import Archive
from podium.datasets.reading.workbook import BOOK
from podium.filekinds import AS_CSV, OLE, Known, foreign
from podium.messages import said

ZIP: Final = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
PARQUET: Final = b"PAR1"
_START: Final = 512
_JSON: Final = re.compile(rb'(\xef\xbb\xbf)?\s*(\{\s*"|\[\s*[\[{])')
_MARKUP: Final = re.compile(rb"(\xef\xbb\xbf)?\s*<(!doctype html|html|\?xml)", re.IGNORECASE)


def is_zip(file: Path) -> bool:
    """Return whether a file begins as a zip archive does."""
    return _beginning(file).startswith(ZIP)


def is_parquet(file: Path) -> bool:
    """Return whether a file begins as a Parquet file does."""
    return _beginning(file).startswith(PARQUET)


def told_apart(file: Path) -> Known | None:
    """Return what a file is that is neither text, Parquet nor zip; None for what may be text."""
    start = _beginning(file)
    if start.startswith(OLE):
        return _ole(file, start)
    if _JSON.match(start):
        return Known(said("JSON"), said("Write it as CSV: one line an item."))
    if _MARKUP.match(start):
        return Known(said("a web page or XML"), AS_CSV)
    return foreign(start)


def is_workbook(archive: Archive) -> bool:
    """Return whether an archive is an .xlsx file."""
    return any(map(BOOK.fullmatch, archive.members))


def document(archive: Archive) -> Known | None:
    """Return what an archive is that is a document of a program; None for one of plain files."""
    names = archive.members
    if "xl/workbook.bin" in names:
        return Known(said("a binary workbook (.xlsb)"), AS_CSV)
    if "content.xml" in names and "mimetype" in names:
        return Known(said("an OpenDocument file (.ods)"), AS_CSV)
    if "word/document.xml" in names:
        return Known(said("a Word document"), said("Save its table as CSV."))
    if "ppt/presentation.xml" in names:
        return Known(said("a PowerPoint presentation"), said("Save its table as CSV."))
    if "Index/Document.iwa" in names:
        return Known(said("a Numbers document"), said("Export it as .xlsx or as CSV."))
    return None


def _beginning(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.read(_START)


def _ole(file: Path, start: bytes) -> Known:
    """Tell a protected .xlsx from an old .xls by the directory of the compound file.

    Source: [MS-CFB] 2.2, 2.6: at 30 the power of 2 of a sector's size, at 48 the directory's.
    """
    (power,), (sector,) = struct.unpack_from("<H", start, 30), struct.unpack_from("<I", start, 48)
    with file.open("rb") as stream:
        stream.seek((sector + 1) << min(power, 12))
        directory = stream.read(4096)
    if "EncryptedPackage".encode("utf-16-le") in directory:
        return Known(said("protected by a password"), said("Save it without a password."))
    return Known(said("an old Excel file (.xls)"), AS_CSV)
