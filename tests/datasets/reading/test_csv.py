"""A CSV file, however it is written, becomes the `input` table."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from podium.csvfile import Records, read_text
from podium.datasets.reading import csv as reading
from podium.datasets.reading.csv import stage_csv
from podium.datasets.reading.intake import Intake
from podium.datasets.reading.plain import plain
from podium.datasets.wishes import Column, Plain, Staged
from podium.datasets.work import Work
from podium.errors import DataError, Mistake
from podium.signature import Signature
from podium.spec import Feature

CLASSES = Signature(
    "classification", "kind", None, ("x", "y"), (Feature(name="a"), Feature(name="b"))
)
VALUES = replace(CLASSES, kind="regression", target="v", labels=())
DECIMAL = 'Numbers have a decimal comma: "3,5" is 3.5.'
SEMICOLONS = "The cells are parted by semicolons."
TABS = "The cells are parted by tabs."


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Work]:
    """A data set's work."""
    with Work(tmp_path / "work" / "work.duckdb") as work:
        yield work


def written(folder: Path, text: str | bytes) -> Path:
    """Write a file and return where."""
    file = folder / "data.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def rows_of(work: Work) -> list[tuple[str | None, ...]]:
    """Return the `input` table, in the order of its rows."""
    return work.con.execute("SELECT * FROM input ORDER BY rowid").fetchall()


def staged(work: Work, folder: Path, text: str | bytes, signature: Signature = CLASSES) -> Staged:
    """Take in a file, of which nothing may be left beside its work."""
    found = stage_csv(written(folder, text), Intake(work, signature))
    assert {file.name for file in work.file.parent.iterdir()} <= {work.file.name, "work.duckdb.wal"}
    return found


def refused(work: Work, folder: Path, text: str | bytes) -> list[Mistake]:
    """Return why a file is refused."""
    with pytest.raises(DataError) as caught:
        stage_csv(written(folder, text), Intake(work, CLASSES))
    return list(caught.value.mistakes)


def looks(folder: Path, text: str | bytes) -> Plain | None:
    """Return what is known of a file that is read as it is; None for any other."""
    file = written(folder, text)
    return read_text(file, lambda stream: plain(file, Records(file, stream), lambda _: None))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", ["", "end"])
def test_a_plain_file(end: str, last: str, tmp_path: Path, work: Work) -> None:
    """A plain file is read as it is, and there is nothing to tell."""
    text = end.join(["b,a,extra", " 1,2,ä", ",4,", "5,6,x y"]) + (end if last else "")
    assert looks(tmp_path, text)
    columns = (Column("b", "b"), Column("a", "a"), Column("extra"))
    assert staged(work, tmp_path, text) == Staged(
        kind="csv", columns=columns, rows=3, plain=Plain(ascii=False, signs=False)
    )
    assert rows_of(work) == [
        (" 1", "2", "ä", None), (None, "4", None, None), ("5", "6", "x y", None),
    ]  # fmt: skip


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    ("cells", "found"),
    [
        ("1,x-y", Plain(ascii=True, signs=False)), ("1,ä", Plain(ascii=False, signs=False)),
        ("1_000,2", Plain(ascii=True, signs=True)), ("1,+-2", Plain(ascii=True, signs=True)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("before", [0, 300_000])
def test_what_is_known_of_a_plain_file(
    end: str, cells: str, found: Plain, before: int, tmp_path: Path
) -> None:
    """What is beyond ASCII, or no number's sign, is found on any row but the header."""
    text = end.join(["ä_b,+-", *["1,2"] * before, cells, ""])
    assert looks(tmp_path, text) == found


@pytest.mark.parametrize(
    "text",
    ['a,b\n1,"2"\n', "a,b\n1,2,3\n", "a,b\n1,2\n\n3,4\n", "a,b\n1,2\r\n", "a\n1\n", "sep=,\na,b\n",
     "\na,b\n1,2\n", "a,b\n1,2\n\x1a", "a,b\n" + "1,2\n" * 9 + "1,\0\n", "a,b", "a,b\n1\n",
     "a,b\n1,2\n3,4,", "a,b\n" + "1,2\n" * 200_000 + "1" * (1 << 20) + ",2\n"],
)  # fmt: skip
def test_what_is_not_plain(text: str, tmp_path: Path) -> None:
    """Quotes, blank lines, other widths or line ends: such files are mended before."""
    assert not looks(tmp_path, text)


def test_both_ways_read_the_same(tmp_path: Path, work: Work) -> None:
    """A file that is read as it is holds what its mended copy would, whatever its cells are."""
    draw = random.Random(3)  # noqa: S311  no secret
    for _ in range(12):
        lines = [",".join("".join(draw.choices("12 .'#\\|;\tä\u2028e-", k=draw.randint(0, 5)))
                          for _ in range(3)) for _ in range(draw.randint(1, 30))]  # fmt: skip
        text = "\n".join(["a,b,c", *lines]) + "\n"
        assert looks(tmp_path, text)
        staged(work, tmp_path, text)
        quick = rows_of(work)
        staged(work, tmp_path, text.replace("c\n", '"c"\n', 1))
        assert rows_of(work) == quick


def test_a_quoted_file_keeps_its_cells(tmp_path: Path, work: Work) -> None:
    """What Python's csv writes is read as it was, line ends and quotes in cells too."""
    draw = random.Random(5)  # noqa: S311  no secret
    table = [["".join(draw.choices('ab ",;\n\r\t', k=draw.randint(0, 6))) for _ in range(3)]
             for _ in range(300)]  # fmt: skip
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows([["a", "b", "c"], *table])
    assert staged(work, tmp_path, text.getvalue()).rows == 300
    assert rows_of(work) == [(*(cell or None for cell in row), None) for row in table]


def test_wrong_rows_keep_their_place(tmp_path: Path, work: Work) -> None:
    """A row that cannot be read keeps its cells and says why, with its line; so do the others."""
    text = 'a,b\n1,2\n\n3,4,5\n"6,7\n"x\ny",8\n9,10\n11\n'
    assert staged(work, tmp_path, text).rows == 6
    assert rows_of(work) == [
        ("1", "2", None), ("3", "4", "line 4: 3 cells; the header has 2"),
        ('"6', "7", "line 5: a quote opens in cell 1 and is never closed"),
        ("x\ny", "8", None), ("9", "10", None),
        ("11", None, "line 9: 1 cell; the header has 2"),
    ]  # fmt: skip


def test_a_file_of_wrong_rows(tmp_path: Path, work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where too many rows cannot be read, the file is refused with the reason of one."""
    monkeypatch.setattr(reading, "_MOST_WRONG", 3)
    assert staged(work, tmp_path, "a,b\n" + "1\n" * 3 + "1,2\n").rows == 4
    assert refused(work, tmp_path, "a,b\n" + "1\n" * 4 + "1,2\n") == [
        ("line 5", "more than 3 rows cannot be read; this one: 1 cell; the header has 2")
    ]


@pytest.mark.parametrize(
    ("content", "note"),
    [
        ("a,b,é\n1,2,ü\n".encode("utf-8-sig"), "The encoding is UTF-8 with a byte order mark."),
        ("a,b,é\n1,2,ü\n".encode("utf-16"), "The encoding is UTF-16."),
        ("\ufeffa,b,é\n1,2,ü\n".encode("utf-16-be"), "The encoding is UTF-16."),
        ("a,b,é\n1,2,ü\n".encode("latin-1"), "The encoding is Latin-1 (Windows-1252)."),
        ("a,b,é,\x81\n1,2,ü,3\n".encode("latin-1"), "The encoding is Latin-1."),
    ],
)
def test_encodings_are_told(content: bytes, note: str, tmp_path: Path, work: Work) -> None:
    """An encoding other than UTF-8 is recognised, and a note says so."""
    found = staged(work, tmp_path, content)
    assert (found.notes, found.columns[2].name) == ((note,), "é")
    assert rows_of(work)[0][:3] == ("1", "2", "ü")


def test_what_is_no_utf8_far_below(tmp_path: Path, work: Work) -> None:
    """One byte that stands in no UTF-8 file makes it Latin-1, wherever it is."""
    content = b"a,b,c\n" + b"1,2,3\n" * 20_000 + b"4,5,\xe9\n"
    assert staged(work, tmp_path, content).notes == ("The encoding is Latin-1 (Windows-1252).",)
    assert (len(rows_of(work)), rows_of(work)[-1]) == (20_001, ("4", "5", "é", None))


@pytest.mark.parametrize(
    ("text", "notes"),
    [
        ("a;b\n1,5;2\n", (SEMICOLONS, DECIMAL)),
        ("a;b\n1.5;2\n", (SEMICOLONS,)),
        ("a;b\n1,234;2\n", (SEMICOLONS, DECIMAL)),
        ("a;b;c\n1;2;3,5\n", (SEMICOLONS,)),
        ("a\tb\n1,25\t2\n", (TABS, DECIMAL)),
        ("a\tb\n1,234\t12,345\n", (TABS,)),
        ("a\tb\n0,234\t12,345\n", (TABS, DECIMAL)),
        ("a\tb\n1,234.5\t2.5\n", (TABS,)),
        ("a|b\n1|2\n", ("The cells are parted by vertical bars.",)),
        ('a,b\n"1,5",2\n"-,5e3","2.5"\n', (DECIMAL,)),
        ('a,b\n"1,5",2.5\n1,3.5\n"1,5",2.5\n', ()),
    ],
)
def test_delimiters_and_decimal_commas_are_told(
    text: str, notes: tuple[str, ...], tmp_path: Path, work: Work
) -> None:
    """The cells of the features tell whether a comma is a decimal one; else numbers have points."""
    found = staged(work, tmp_path, text)
    assert (found.notes, found.decimal_comma) == (notes, DECIMAL in notes)


def test_decimal_commas_of_the_answers(tmp_path: Path, work: Work) -> None:
    """The values of a regression tell it too."""
    assert staged(work, tmp_path, "a;b;v\n1;2;3,5\n", VALUES).decimal_comma


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("", ("CSV", "is empty; expected one header line, and one line an item")),
        ("a,b\n\n", ("CSV", "has a header and no rows; expected one line an item")),
        (b"PK\3\4\0\0",
         ("CSV", "is no text but a zip archive, as .xlsx files are. Save the table as CSV")),
        (bytes(range(256)),
         ("CSV", "is no text: it holds bytes that stand in no CSV file. Is it another file?")),
        ("a,b\n1,2\n" + "3" * 1_100_000,
         ("line 3", "has more than 1,048,576 characters; is it a CSV file?")),
        ("1.5,-2\n3,4\n",
         ("header", "holds numbers alone: is the header missing? Expected a first line with the "
                    "names of the columns: a, b.")),
    ],
)  # fmt: skip
def test_files_that_cannot_be_read(
    text: str | bytes, mistake: tuple[str, str], tmp_path: Path, work: Work
) -> None:
    """A file that is no table is refused in words, with the line where there is one."""
    assert refused(work, tmp_path, text) == [mistake]


def test_a_copy_is_gone_when_the_reading_fails(
    tmp_path: Path, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is written beside the work is removed, whatever happens."""

    def full(*_: object, **__: object) -> int:
        assert work.file.with_suffix(".csv").is_file()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(reading, "create_input", full)
    with pytest.raises(OSError, match="No space left"):
        stage_csv(written(tmp_path, 'a,b\n"1",2\n'), Intake(work, CLASSES))
    assert not work.file.with_suffix(".csv").exists()


@pytest.mark.parametrize("quote", ["", '"'])
def test_the_progress_is_heard_and_may_end_the_reading(
    quote: str, tmp_path: Path, work: Work
) -> None:
    """The part that is read only grows; who hears it may end the reading, which begins anew."""
    text = f"a,{quote}b{quote}\n" + "1,2\n" * 100_000
    heard: list[float] = []
    stage_csv(written(tmp_path, text), Intake(work, CLASSES, told=heard.append))
    assert heard == sorted(heard)
    assert 0 <= heard[0] <= heard[-1] <= 1

    def ended(_: float) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        stage_csv(tmp_path / "data.csv", Intake(work, CLASSES, told=ended))
    assert stage_csv(tmp_path / "data.csv", Intake(work, CLASSES)).rows == 100_000
    assert len(rows_of(work)) == 100_000


def test_the_path_is_no_pattern(tmp_path: Path, work: Work) -> None:
    """A file's folders may have names that mean something to DuckDB."""
    folder = tmp_path / "k=3" / "[a]*"
    folder.mkdir(parents=True)
    assert staged(work, folder, "a,b\n1,2\n").rows == 1
    assert rows_of(work) == [("1", "2", None)]


def test_a_wide_file_fits_in_memory(work: Work, tmp_path: Path) -> None:
    """DuckDB holds whole groups of rows of all columns: of 400 columns small ones."""
    header = ",".join([*CLASSES.names, *(f"x{number}" for number in range(397))])
    row = ",".join(["1"] * (len(CLASSES.names) + 397))
    file = written(tmp_path, f"{header}\n" + f"{row}\n" * 60_000)
    found = stage_csv(file, Intake(work, CLASSES))
    assert (found.rows, found.columns[-1].name) == (60_000, "x396")
