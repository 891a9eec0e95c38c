"""Labelled CSV files: what their columns hold, and a sample of their rows."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from podium.errors import InvalidInput
from podium.init.table import SAMPLE, SAMPLE_OF_A_LABEL, Column, read_header, read_table

PLAIN = "width,colour,kind\n1.5,red,a\n2.5,blue,b\n"


def written(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    """Write a file of data."""
    file = folder / "data.csv"
    file.write_bytes(text.encode(encoding))
    return file


def told(folder: Path, text: str | bytes, target: str = "kind") -> str:
    """Return what is wrong with data."""
    file = folder / "data.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InvalidInput) as caught:
        read_table(file, target)
    (error,) = caught.value.errors
    return f"{error.field} {error.message}".replace(str(file), "FILE")


def test_columns_and_rows(tmp_path: Path) -> None:
    """The target stands apart from the other columns; rows are texts by their columns."""
    table = read_table(written(tmp_path, PLAIN), "kind")
    assert table.target == Column("kind", "text", 2, 0, None, ("a", "b"))
    assert table.columns == (
        Column("width", "number", 2, 0, (1.5, 2.5), ("1.5", "2.5")),
        Column("colour", "text", 2, 0, None, ("blue", "red")),
    )
    first = {"width": "1.5", "colour": "red", "kind": "a"}
    second = {"width": "2.5", "colour": "blue", "kind": "b"}
    assert table.sample == (first, second)
    assert table.by_label == {"a": (first,), "b": (second,)}
    assert table.column("width") == table.columns[0]
    assert table.column("kind") is None


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16"])
def test_encodings(encoding: str, tmp_path: Path) -> None:
    """UTF-8 with and without its mark, what Excel calls Unicode, and Latin-1 are read."""
    table = read_table(written(tmp_path, "größe,kind\n1,ä\n2,ö\n", encoding), "kind")
    assert table.target.values == ("ä", "ö")
    assert table.columns[0].name == "größe"
    assert read_header(table.file) == ("größe", "kind")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_delimiters(delimiter: str, tmp_path: Path) -> None:
    """Commas, semicolons and tabs are told apart; quotes may hold them."""
    text = '"a,b;c",kind\n"x, y;z",k\n'.replace(",kind", f"{delimiter}kind")
    text = text.replace('z",', f'z"{delimiter}')
    table = read_table(written(tmp_path, text), "kind")
    assert table.sample == ({"a,b;c": "x, y;z", "kind": "k"},)


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_decimal_commas(delimiter: str, tmp_path: Path) -> None:
    """With semicolons or tabs a comma in a number is its decimal point; in a text it stays."""
    text = "a;b;kind\n1,5;x,y;2,5\n2,25;z;3\n".replace(";", delimiter)
    table = read_table(written(tmp_path, text), "kind")
    assert (table.columns[0].kind, table.columns[0].range) == ("number", (1.5, 2.25))
    assert table.target.range == (2.5, 3.0)
    assert {"a": "1.5", "b": "x,y", "kind": "2.5"} in table.sample


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        ("1 2 -3", "integer"), ("1.0 2 3e2", "integer"), ("1.5 2", "number"), (".5 1e-3", "number"),
        ("true False", "boolean"), ("yes no", "boolean"), ("yes true", "text"), ("0 1", "integer"),
        ("1 x", "text"), ("1_000 2", "text"), ("inf 1", "text"), ("1e999 1", "text"),
        ("٣ 1", "text"), ("1,000 2", "text"),
    ],
)  # fmt: skip
def test_kinds(cells: str, kind: str, tmp_path: Path) -> None:
    """A column's kind is the narrowest that all its cells have."""
    rows = "".join(f'"{cell}";k\n' for cell in cells.split())
    text = f"a;kind\n{rows}".replace(";", ",")
    assert read_table(written(tmp_path, text), "kind").columns[0].kind == kind


def test_gaps(tmp_path: Path) -> None:
    """What pandas reads as missing is counted, and in no row; without answer, no row is kept."""
    text = "a,b,kind\n,x,k\nNA,NaN,k\n3,null,\n4,y,k\n"
    table = read_table(written(tmp_path, text), "kind")
    a, b = table.columns
    assert (a.missing, a.rows, a.range) == (2, 4, (3, 4))
    assert (b.missing, b.values) == (2, ("x", "y"))
    assert table.target.missing == 1
    assert table.sample == (
        {"b": "x", "kind": "k"}, {"kind": "k"}, {"a": "4", "b": "y", "kind": "k"},
    )  # fmt: skip


def test_numbers_are_in_order(tmp_path: Path) -> None:
    """Values that are numbers are sorted as such, others as texts."""
    table = read_table(written(tmp_path, "a,kind\n10,x\n9,X\n100,y\n"), "kind")
    assert table.columns[0].values == ("9", "10", "100")
    assert table.target.values == ("X", "x", "y")


@pytest.mark.parametrize(
    ("name", "identifies"),
    [("id", True), ("ID", True), ("PassengerId", True), ("bird_id", True), ("index", True),
     ("Unnamed: 0", True), ("width", False), ("humid", False), ("grid", False)],
)  # fmt: skip
def test_columns_that_name_the_rows(name: str, identifies: bool, tmp_path: Path) -> None:
    """A column that is called so, or whose texts all differ, tells nothing of a row."""
    text = f"{name},note,kind\n1,first,k\n2,second,k\n"
    table = read_table(written(tmp_path, text), "kind")
    assert [column.identifies for column in table.columns] == [identifies, True]
    assert table.useful == (() if identifies else (name,))


def test_columns_without_a_name_are_left_out(tmp_path: Path) -> None:
    """The index that pandas writes has no name, and is no column."""
    table = read_table(written(tmp_path, ",a,kind\n0,1,x\n1,2,y\n"), "kind")
    assert [column.name for column in table.columns] == ["a"]
    assert table.sample[0] == {"a": "1", "kind": "x"}


def test_samples_are_bounded_and_even(tmp_path: Path) -> None:
    """As many rows as the samples hold are kept, from all over the file, the same at every run."""
    rows = "".join(f"{index},{'ab'[index % 2]}\n" for index in range(5000))
    table = read_table(written(tmp_path, f"a,kind\n{rows}"), "kind")
    assert len(table.sample) == SAMPLE
    assert {label: len(kept) for label, kept in table.by_label.items()} == {
        "a": SAMPLE_OF_A_LABEL, "b": SAMPLE_OF_A_LABEL,
    }  # fmt: skip
    places = [float(row["a"]) for row in table.sample]
    assert 1500 < sum(places) / SAMPLE < 3500
    assert read_table(table.file, "kind") == table
    assert all(row["kind"] == "b" for row in table.by_label["b"])


def test_more_answers_than_labels(tmp_path: Path) -> None:
    """A target of many values is no classification: it has a sample, and no labels."""
    rows = "".join(f"{index},{index / 7}\n" for index in range(1200))
    table = read_table(written(tmp_path, f"a,kind\n{rows}"), "kind")
    assert (table.target.kind, table.target.values, table.by_label) == ("number", (), {})
    assert len(table.sample) == SAMPLE


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """A file six times as long takes no more memory."""
    peaks = []
    for count in (10_000, 60_000):
        rows = "".join(f"{index},{index % 97 / 7},text {index}\n" for index in range(count))
        file = written(tmp_path, f"id,a,kind\n{rows}")
        del rows
        tracemalloc.start()
        read_table(file, "kind")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,kid\n1,2\n", "--target FILE has no column 'kind'. Did you mean 'kid'?"),
        ("a,b\n1,2\n", "--target FILE has no column 'kind'. Columns: a, b."),
        ("a,b,a,kind\n", "--data FILE names a twice; expected one header line, and one line an "
                         "item"),
        ("", "--data FILE is empty; expected one header line, and one line an item"),
        (f"{'a' * 90},{','.join('bcdefghijkl')}\n", f"--target FILE has no column 'kind'. Columns: "
         f"{'a' * 80}, b, c, d, e, f, g, h, i, j and 2 more."),
        ("a\0,kind\n", "--data FILE is no text: it holds bytes that stand in no CSV file. Is it "
                       "another file?"),
        ("a,kind\n", "--data FILE has no row with a kind"),
        ("a,kind\n1,\n", "--data FILE has no row with a kind"),
        ("a,kind\n1,x\n\n2\n", "--data FILE, line 4: 1 cell; the header has 2"),
        ('a,kind\n1,"x\n2,y\n', "--data FILE, line 2: a quote opens in cell 2 and is never closed"),
    ],
)  # fmt: skip
def test_mistakes_in_a_file(text: str, message: str, tmp_path: Path) -> None:
    """What is wrong with a file is told with its place."""
    assert told(tmp_path, text) == message


def test_line_without_an_end(tmp_path: Path) -> None:
    """A file that is one long line is refused before it fills the memory."""
    assert told(tmp_path, b"a,kind\n" + b"1," * 6_000_000) == (
        "--data FILE, line 2: has more than 1,048,576 characters; is it a CSV file?"
    )


def test_file_that_cannot_be_read(tmp_path: Path) -> None:
    """A folder in place of a file is told."""
    with pytest.raises(InvalidInput, match=r"--data: .* cannot be read: Is a directory"):
        read_header(tmp_path)
