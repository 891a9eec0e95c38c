"""What a file is is told by its content; what is not taken says what it is, and the way out."""

from __future__ import annotations

import gzip
import json
import sqlite3
import struct
import tarfile
from io import BytesIO
from pathlib import Path

import pytest

from podium.signature import Signature
from podium.spec import Limits, TextInput
from podium.strict import Size
from tests.support.archives import zipped
from tests.support.pictures import RED, encoded, plain, png
from tests.support.staging import COLOURS, refusal, take
from tests.support.workbooks import sheet, workbook

CSV = b"length,count,wet\n1.5,2,true\n"
ROW = [("1.5", "2", "true", None)]
TAKES = (
    "Expected rows of numbers and words: a CSV, TSV, Parquet or .xlsx file, "
    "or a zip archive of one such CSV."
)
PICTURES = "Expected a zip archive of pictures, as this application is asked about pictures."


def compound(stream: str) -> bytes:
    """Return the beginning of an OLE file with one stream in its directory."""
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".ljust(30, b"\0") + struct.pack("<H", 9)
    header = header.ljust(48, b"\0") + struct.pack("<I", 0)
    return header.ljust(512, b"\0") + ("Root Entry" + stream).encode("utf-16-le").ljust(512, b"\0")


def tar() -> bytes:
    """Return a tar archive."""
    buffer = BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.csv"))
    return buffer.getvalue()


def sqlite() -> bytes:
    """Return an SQLite database."""
    with sqlite3.connect(":memory:") as database:
        database.execute("CREATE TABLE t (a)")
        made = database.serialize()
    database.close()
    return made


FOREIGN = {
    "png": (png(RED), "is a PNG image. Put pictures into a zip archive."),
    "jpeg": (encoded(plain(RED), "JPEG"), "is a JPEG image. Put pictures into a zip archive."),
    "webp": (encoded(plain(RED), "WEBP"), "is a WebP image. Put pictures into a zip archive."),
    "heic": (encoded(plain(RED), "HEIF"),
             "is a HEIC or AVIF image. Put pictures into a zip archive."),
    "bmp": (encoded(plain(RED), "BMP"), "is a BMP image. Put pictures into a zip archive."),
    "pdf": (b"%PDF-1.7\n", "is a PDF file. Export its table as CSV."),
    "gz": (gzip.compress(CSV), "is a gzip archive. Unpack it, and send the file in it."),
    "7z": (b"7z\xbc\xaf\x27\x1c\0\4", "is a 7z archive. Unpack it, or make it anew as .zip."),
    "rar": (b"Rar!\x1a\x07\x01\0", "is a RAR archive. Unpack it, or make it anew as .zip."),
    "tar": (tar(), "is a tar archive. Unpack it, or make it anew as .zip."),
    "xls": (compound("Workbook"), "is an old Excel file (.xls). Save it as .xlsx or as CSV."),
    "protected": (compound("EncryptedPackage"),
                  "is protected by a password. Save it without a password."),
    "sqlite": (sqlite(), "is an SQLite database. Export the data as CSV or Parquet."),
    "json": (json.dumps([{"length": 1}]).encode(), "is JSON. Write it as CSV: one line an item."),
    "html": (b"<html><table>", "is a web page or XML. Save it as .xlsx or as CSV."),
    "program": (b"\x7fELF\2\1\1\0", "is a program. Send the data."),
}  # fmt: skip


@pytest.mark.parametrize("kind", FOREIGN)
def test_foreign_file_is_named_with_the_way_out(tmp_path: Path, kind: str) -> None:
    """However it is called, it is known by its content."""
    content, reason = FOREIGN[kind]
    assert refusal(tmp_path, content, "penguins.csv") == f"{reason} {TAKES}"


DOCUMENTS = {
    "xlsb": ({"xl/workbook.bin": b""}, "is a binary workbook (.xlsb). Save it as .xlsx or as CSV."),
    "ods": ({"mimetype": b"application/vnd.oasis.opendocument.spreadsheet", "content.xml": b""},
            "is an OpenDocument file (.ods). Save it as .xlsx or as CSV."),
    "docx": ({"word/document.xml": b""}, "is a Word document. Save its table as CSV."),
}  # fmt: skip


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_documents_that_are_zip_archives_are_named(tmp_path: Path, kind: str) -> None:
    """An office document is none of loose files."""
    members, reason = DOCUMENTS[kind]
    assert refusal(tmp_path, zipped(members.items()), "table.xlsx") == reason


def test_kind_is_told_by_the_content_and_another_name_is_noted(tmp_path: Path) -> None:
    """A CSV that is called .xlsx is read as what it is, and so is the reverse."""
    taken = take(tmp_path, CSV, "data.xlsx")
    assert taken.rows == ROW
    assert taken.staged.notes[0] == "The name ends in .xlsx; by its content it is read as csv."
    made = workbook({"S": sheet([["length", "count", "wet"], [1.5, 2, True]])})
    taken = take(tmp_path, made, "data.csv")
    assert (taken.staged.kind, taken.rows) == ("xlsx", ROW)
    assert taken.staged.notes == ("The name ends in .csv; by its content it is read as xlsx.",)


@pytest.mark.parametrize("start", [b"BMI", b"MZ", b"ORC", b"GIF8"])
def test_column_may_begin_as_a_format_does(tmp_path: Path, start: bytes) -> None:
    """A CSV whose first column is called BMI is no BMP image."""
    taken = take(tmp_path, start + b"," + CSV.replace(b"\n1.5", b"\n7,1.5"), "data.csv")
    assert taken.rows == [("7", *ROW[0])]


def test_empty_file_is_told(tmp_path: Path) -> None:
    """Nothing was sent."""
    assert refusal(tmp_path, b"") == f"is empty (0 bytes). {TAKES}"


def test_application_says_what_it_takes(tmp_path: Path) -> None:
    """Pictures are no rows, rows are no pictures, and a text application takes texts."""
    archive = zipped([("red/1.png", png(RED)), ("notes.txt", b"")])
    assert refusal(tmp_path, archive) == f"is a zip archive of red/1.png, notes.txt. {TAKES}"
    assert refusal(tmp_path, CSV, signature=COLOURS) == f"holds no pictures. {PICTURES}"
    texts = Signature("regression", "value", None, (), (), text=TextInput())
    assert refusal(tmp_path, png(RED), signature=texts).endswith(TAKES.replace(
        "rows of numbers and words", "texts"))  # fmt: skip


def test_zip_of_one_table_is_unpacked(tmp_path: Path) -> None:
    """What the system put beside it does not count, and the copy is gone afterwards."""
    archive = zipped([("__MACOSX/._a.csv", b"x"), ("deep/a.csv", CSV), ("README.md", b"x")])
    taken = take(tmp_path, archive, "a.zip")
    assert taken.rows == ROW
    assert (taken.staged.kind, taken.staged.notes[0]) == (
        "csv", "deep/a.csv in the archive is taken.",
    )  # fmt: skip
    assert [path.name for path in (tmp_path / "work").iterdir()] == ["work.duckdb"]


def test_zip_of_several_tables_or_of_archives_is_refused(tmp_path: Path) -> None:
    """Which of them is meant cannot be known, and nothing is unpacked twice."""
    two = zipped([("a.csv", CSV), ("b.csv", CSV)])
    assert refusal(tmp_path, two) == f"is a zip archive of a.csv, b.csv. {TAKES}"
    nested = zipped([("a.zip", zipped([("a.csv", CSV)]))])
    assert refusal(tmp_path, nested) == (
        f"is a zip archive, as .xlsx files are. Unpack it, and send the file in it. {TAKES}"
    )


def test_table_that_unpacks_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    """The copy ends at [limits] dataset, and is gone."""
    archive = zipped([("a.csv", CSV + b"1,2,true\n" * 100_000)])
    assert refusal(tmp_path, archive, limits=Limits(dataset=Size(50_000))) == (
        "a.csv in it unpacks to more than 50 kB"
    )


def test_error_tells_the_name_that_was_sent_not_where_it_lies(tmp_path: Path) -> None:
    """A message that goes to a visitor holds no path of the server."""
    assert refusal(tmp_path, b"\x00\x01\x02\x03" * 100, "my\ndata.csv".replace("\n", "-")) != ""
    assert str(tmp_path) not in refusal(tmp_path, zipped([("a.csv", b"")]), "a.zip")
