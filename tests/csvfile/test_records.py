"""The records of a CSV file, right and wrong."""

from __future__ import annotations

import csv
import io
import random
from pathlib import Path
from typing import TextIO

import pytest

from podium.csvfile import CsvError, Records, read_text
from podium.csvfile import records as reading
from podium.csvfile.records import MAX_RECORD

NEVER = "a quote opens in cell {} and is never closed"


def written(folder: Path, text: str | bytes) -> Path:
    """Write a file and return where."""
    file = folder / "data.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def records_of(file: Path) -> list[tuple[int, list[str] | str]]:
    """Return the line of each record, and its cells or its problem."""
    return read_text(
        file,
        lambda stream: [
            (line, cells if problem is None else problem)
            for line, cells, problem in Records(file, stream)
        ],
    )


def header_of(file: Path) -> tuple[list[str], str]:
    """Return the header and the delimiter."""

    def read(stream: TextIO) -> tuple[list[str], str]:
        records = Records(file, stream)
        return records.header, records.delimiter

    return read_text(file, read)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends(end: str, tmp_path: Path) -> None:
    """Lines may end in any way; blank ones are skipped, and the last one needs no end."""
    file = written(tmp_path, end.join(["", "a,b", "1,2", "", " ", "3,4", "\x1a"]))
    assert records_of(file) == [(3, ["1", "2"]), (6, ["3", "4"])]
    assert records_of(written(tmp_path, f"a,b{end}1,2")) == [(2, ["1", "2"])]


def test_quotes(tmp_path: Path) -> None:
    """In quotes stand delimiters, line ends and doubled quotes; elsewhere a quote is data."""
    text = 'a,b\n"1,""x""","2\r\n\n3"\n5" pipe,"6"\n"",""""\n "p",q"r"\n'
    assert records_of(written(tmp_path, text)) == [
        (2, ['1,"x"', "2\r\n\n3"]), (5, ['5" pipe', "6"]), (6, ["", '"']), (7, [' "p"', 'q"r"']),
    ]  # fmt: skip


def test_a_record_of_another_width(tmp_path: Path) -> None:
    """A record with too few or too many cells has a problem; the others are read."""
    assert records_of(written(tmp_path, "a,b\n1\n1,2,3\n4,5\n")) == [
        (2, "1 cell; the header has 2"), (3, "3 cells; the header has 2"), (4, ["4", "5"]),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "records"),
    [
        ('1,"2\n3,4\n5,6\n', [(2, NEVER.format(2)), (3, ["3", "4"]), (4, ["5", "6"])]),
        ('"1,2\n"3",4\n', [(2, NEVER.format(1)), (3, ["3", "4"])]),
        ('"1,2\n"3,4\n5,6\n', [(2, NEVER.format(1)), (3, NEVER.format(1)), (4, ["5", "6"])]),
        ('1,"2\n3",x,4\n',
         [(2, "a quote that opens in this line closes in line 3, which makes 4 cells; the header "
              "has 2"),
          (3, "3 cells; the header has 2")]),
        ('1,"2"x\n3,4\n',
         [(2, "cell 2 goes on behind its closing quote; quotes in it are doubled"),
          (3, ["3", "4"])]),
        ('1,"2', [(2, NEVER.format(2))]),
    ],
)  # fmt: skip
def test_a_quote_that_is_never_closed_swallows_nothing(
    text: str, records: list[tuple[int, list[str] | str]], tmp_path: Path
) -> None:
    """The problem stands at the line where the quote opens; the next lines are records."""
    assert records_of(written(tmp_path, "a,b\n" + text)) == records


def test_a_quote_that_is_closed_too_late(tmp_path: Path) -> None:
    """A record is no longer than a line may be: a quote beyond closes nothing."""
    line = "x" * 1000 + ",1\n"
    file = written(tmp_path, 'a,b\n"' + line * 1100 + '",2\n')
    found = records_of(file)
    assert found[0] == (2, NEVER.format(1))
    assert found[1:-1] == [(number, ["x" * 1000, "1"]) for number in range(3, 1102)]
    assert found[-1] == (1102, NEVER.format(1))


def test_a_record_of_long_cells(tmp_path: Path) -> None:
    """A record is no longer than a line may be, however many cells it has."""
    cell = '"' + "x\n" * (MAX_RECORD // 3) + '"'
    found = records_of(written(tmp_path, f"a,b\n{cell},2\n{cell},{cell}\n"))
    assert found[0][1] == ["x\n" * (MAX_RECORD // 3), "2"]
    assert found[1] == (MAX_RECORD // 3 + 3, NEVER.format(2))


def test_a_chain_of_quotes_takes_no_time_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where each line opens a quote that the next one closes, lines are read twice on average."""
    monkeypatch.setattr(reading, "_IN_VAIN", 10_000)
    lines: list[str] = []
    read = Records._next

    def heard(records: Records) -> str:
        lines.append(read(records))
        return lines[-1]

    monkeypatch.setattr(Records, "_next", heard)
    count, line = 2000, 'a","b\n'
    found = records_of(written(tmp_path, "a,b\n" + line * count))
    assert [number for number, _ in found] == list(range(2, count + 2))
    assert sum(map(len, lines)) < 10_000 + 4 * count * len(line)


def test_a_wrong_record_keeps_its_cells(tmp_path: Path) -> None:
    """They are those of its line, no more than the header has, as far as quotes tell them."""
    text = 'a,b\n1\n"1,5",2,3\n4,"5\n6,\0\n7,"8\n9",0,1\n'
    file = written(tmp_path, text)
    found = read_text(file, lambda stream: [record.cells for record in Records(file, stream)])
    assert found == [["1"], ["1,5", "2"], ["4", '"5'], ["6", ""], ["7", '"8'], ['9"', "0"]]


def test_what_random_tables_hold(tmp_path: Path) -> None:
    """Whatever Python's csv writes is read as it was."""
    draw = random.Random(7)  # noqa: S311  no secret
    for _ in range(200):
        width = draw.randint(2, 5)
        rows = [["".join(draw.choices('ab ",;\n\r', k=draw.randint(0, 6))) for _ in range(width)]
                for _ in range(draw.randint(1, 8))]  # fmt: skip
        text = io.StringIO(newline="")
        csv.writer(text, quoting=csv.QUOTE_ALL).writerows([[*"vwxyz"[:width]], *rows])
        assert [cells for _, cells in records_of(written(tmp_path, text.getvalue()))] == rows


def test_many_open_quotes_take_no_time_of_their_own(tmp_path: Path) -> None:
    """What was read in vain behind an open quote is read no more than once again."""
    for line in ('"a""\n', '"a,"\n', '"a,\n'):
        found = records_of(written(tmp_path, "a,b\n" + line * 20_000))
        assert [number for number, _ in found] == list(range(2, 20_002)), line


def test_a_nul_character(tmp_path: Path) -> None:
    """A record with a NUL character has a problem; the next one is read."""
    text = "a,b\n" + "1,2\n" * 20_000 + '3,\0\n"\n\0",4\n5,6\n'
    assert records_of(written(tmp_path, text))[20_000:] == [
        (20_002, "holds a NUL character, which stands in no text"), (20_003, NEVER.format(1)),
        (20_004, "holds a NUL character, which stands in no text"), (20_005, ["5", "6"]),
    ]  # fmt: skip


def test_a_line_without_an_end(tmp_path: Path) -> None:
    """A line beyond the limit is refused by its number."""
    for text, line in (("a,b\n" + "1" * MAX_RECORD + ",2\n", 2), ("a" * MAX_RECORD + "\n1", 1)):
        with pytest.raises(CsvError) as caught:
            records_of(written(tmp_path, text))
        reason = "has more than 1,048,576 characters; is it a CSV file?"
        assert (caught.value.line, caught.value.reason) == (line, reason)


@pytest.mark.parametrize("text", ["", "\n \n", "\ufeff", "\x1a", "sep=;\n"])
def test_an_empty_file(text: str, tmp_path: Path) -> None:
    """A file without a header is told to be empty."""
    with pytest.raises(CsvError, match="is empty; expected one header line, and one line an item"):
        records_of(written(tmp_path, text))


def test_a_header_whose_quote_is_never_closed(tmp_path: Path) -> None:
    """A header that cannot be read is told by its line."""
    with pytest.raises(CsvError) as caught:
        records_of(written(tmp_path, '"a,b\n1,2\n'))
    assert (caught.value.line, caught.value.reason) == (1, NEVER.format(1))


@pytest.mark.parametrize(
    ("text", "header", "delimiter"),
    [
        ("a,b\n1,2\n", ["a", "b"], ","),
        ("a;b\n1,5;2,5\n", ["a", "b"], ";"),
        ("a\tb\n1,5\t2\n", ["a", "b"], "\t"),
        (" a | b \n1|2\n", ["a", "b"], "|"),
        ('"name, first";age\n"x;y";1\n', ["name, first", "age"], ";"),
        ("length, mm;width\n1,5;2,3\n", ["length, mm", "width"], ";"),
        ("weight|kg,height|m\n1,2\n", ["weight|kg", "height|m"], ","),
        ('"a\nb";c\n1;2\n', ["a\nb", "c"], ";"),
        ("sep=|\na;b|c\n", ["a;b", "c"], "|"),
        ('"sep=\t"\r\na,b\tc\n', ["a,b", "c"], "\t"),
    ],
)
def test_delimiters(text: str, header: list[str], delimiter: str, tmp_path: Path) -> None:
    """The first lines tell what parts the cells, or a line for Excel does."""
    assert header_of(written(tmp_path, text)) == (header, delimiter)


def test_lines_of_one_column_are_taken_whole(tmp_path: Path) -> None:
    """Where a header has one cell, delimiters are data."""
    file = written(tmp_path, 'text\nWell, "yes"; no\n"a\nb"\n\n""\n')
    assert records_of(file) == [(2, ['Well, "yes"; no']), (3, ["a\nb"]), (6, [""])]


@pytest.mark.parametrize(
    ("content", "encoding", "cell"),
    [
        ("a,é\n".encode(), "utf-8", "é"),
        ("a,é\n".encode("utf-8-sig"), "utf-8-sig", "é"),
        ("a,é\n".encode("utf-16"), "utf-16", "é"),
        ("\ufeffa,é\n".encode("utf-16-be"), "utf-16", "é"),
        ("\ufeffa,é\n".encode("utf-32-le"), "utf-32", "é"),
        ("a,€é\n".encode("cp1252"), "cp1252", "€é"),
        ("a,\x81é\n".encode("latin-1"), "latin-1", "\x81é"),
    ],
)
def test_encodings(content: bytes, encoding: str, cell: str, tmp_path: Path) -> None:
    """The bytes tell the encoding."""
    file = written(tmp_path, content)
    found = read_text(file, lambda stream: (Records(file, stream).header, stream.encoding))
    assert found == (["a", cell], encoding)


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"PK\x03\x04", "a zip archive, as .xlsx files are"),
        (b"\x89PNG\r\n\x1a\n", "a PNG image"),
        (b"PAR1", "a Parquet file"),
        (b"\xff\xd8\xff\xe0", "a JPEG image"),
        (b"%PDF-1.7", "a PDF file"),
    ],
)
def test_a_binary_file_is_told_by_what_it_is(start: bytes, kind: str, tmp_path: Path) -> None:
    """A file that is no text is refused with its kind."""
    with pytest.raises(CsvError) as caught:
        records_of(written(tmp_path, start + b"\0\1\2"))
    assert caught.value.reason == f"is no text but {kind}. Save the table as CSV"
