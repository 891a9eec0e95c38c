"""A labelled CSV file becomes items with their answers; all that is wrong with it is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from podium.errors import DataError, Mistake
from podium.labelled import (
    Labelled,
    Line,
    lines_also_in,
    lines_twice,
    place_of,
    read_labelled,
)
from podium.signature import MAX_ERRORS, Signature
from podium.spec import Feature, Image, TextInput

FEATURES = (
    Feature(name="length", unit="mm"),
    Feature(name="count", kind="integer", optional=True),
    Feature(name="wet", kind="boolean", optional=True),
    Feature(name="colour", kind="category", choices=("red", "None"), optional=True),
)
CLASSES = Signature("classification", "kind", None, ("Oak", "Pine"), FEATURES)
VALUES = Signature("regression", "weight", "kg", (), FEATURES[:1])
TEXTS = Signature("classification", "kind", None, ("Oak", "Pine"), (), None, TextInput())
IMAGES = Signature("classification", "kind", None, ("1", "2"), (), Image(size=(4, 4)))

NO_TEXT = "is no text: it holds bytes that stand in no CSV file. Is it another file?"


def written(folder: Path, text: str, name: str = "data.csv") -> Path:
    """Write a labelled file."""
    file = folder / name
    file.write_text(text, "utf-8")
    return file


def wrong(file: Path, signature: Signature) -> list[tuple[str, str]]:
    """Return what is wrong with a labelled file."""
    with pytest.raises(DataError) as caught:
        read_labelled(file, signature)
    assert caught.value.file == file
    return [(one.key, one.message) for one in caught.value.mistakes]


def test_rows_and_answers(tmp_path: Path) -> None:
    """Columns stand in any order, others are ignored, and gaps are missing values."""
    text = "id,kind,wet,colour,count,length\n7,Oak,yes,red,3,1.5\n\n8,Pine,,NA,nan,2\n"
    file = written(tmp_path, text)
    assert read_labelled(file, CLASSES) == Labelled(file, (
        Line(2, (1.5, 3, True, "red"), "Oak"), Line(4, (2.0, None, None, None), "Pine"),
    ))  # fmt: skip


def test_what_pandas_takes_for_missing_may_be_a_choice(tmp_path: Path) -> None:
    """A choice that is called None is that choice."""
    file = written(tmp_path, "length,count,wet,colour,kind\n1,,,None,Oak\n")
    assert read_labelled(file, CLASSES).lines[0].item == (1.0, None, None, "None")


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_decimal_commas_stand_between_semicolons_or_tabs(delimiter: str, tmp_path: Path) -> None:
    """Where no comma is between the cells, a number and an answer may have a decimal comma."""
    file = written(tmp_path, "length;weight\n1,5;0,25\n".replace(";", delimiter))
    assert read_labelled(file, VALUES).lines == (Line(2, (1.5,), 0.25),)


def test_rows_without_an_answer_are_counted(tmp_path: Path) -> None:
    """A row without an answer is left out, whatever else is in it."""
    file = written(tmp_path, "length,weight\n1,2\nlong,NA\n3,\n")
    assert read_labelled(file, VALUES) == Labelled(file, (Line(2, (1.0,), 2.0),), left_out=2)


def test_a_file_without_any_answer(tmp_path: Path) -> None:
    """A file whose rows all lack an answer is a mistake."""
    assert wrong(written(tmp_path, "length,weight\n1,\n"), VALUES) == [
        ("weight", "no row has an answer in this column")
    ]


def test_every_wrong_value_is_told_by_its_line_and_column(tmp_path: Path) -> None:
    """Values and labels that are wrong are told at once, alike ones together, with a hint."""
    rows = '1,2.5,,red,Oak\n"a\nb",1,maybe,blue,Oakk\n,1,,,Fir\n'
    file = written(tmp_path, "length,count,wet,colour,kind\n" + rows)
    assert wrong(file, CLASSES) == [
        ("line 2, count", "expected a whole number; found 2.5."),
        ("line 3, length", "expected a number in mm; found 'a\\nb'."),
        ("line 3, wet", "expected true or false; found 'maybe'."),
        ("line 3, colour", "expected one of red, None; found 'blue'."),
        ("line 3, kind", "expected one of the labels; found 'Oakk'. Did you mean 'Oak'?"),
        ("line 5, kind", "expected one of the labels; found 'Fir'. Labels: Oak, Pine."),
        ("line 5, length", "is missing; expected a number in mm"),
    ]


def test_mistakes_of_one_kind_are_told_together(tmp_path: Path) -> None:
    """Of each kind in a column five are told in full, of the others the first lines."""
    rows = "".join(f"{'' if number == 9 else number},{'x' * (number < 6)},Fir\n"
                   for number in range(20))  # fmt: skip
    file = written(tmp_path, "length,count,kind,wet,colour\n" + rows.replace("\n", ",,\n"))
    told = wrong(file, CLASSES)
    assert [key for key, _ in told] == [
        *(f"line {line}, count" for line in range(2, 7)), "and 1 more like this in count",
        *(f"line {line}, kind" for line in range(2, 7)), "and 15 more like this in kind",
        "line 11, length",
    ]  # fmt: skip
    assert told[5][1] == "line 7"
    assert told[11][1] == "lines 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, ..."
    with pytest.raises(DataError, match=r"data\.csv: 27 mistakes\n  line 2, count: expected a "):
        read_labelled(file, CLASSES)


@pytest.mark.parametrize("answer", ["heavy", "1e999", "1_000"])
def test_an_answer_that_is_no_value(answer: str, tmp_path: Path) -> None:
    """The answer of a regression is a finite number."""
    ((place, message),) = wrong(written(tmp_path, f"length,weight\n1,{answer}\n"), VALUES)
    assert place == "line 2, weight"
    assert message.startswith("expected a number in kg; found ")


def test_many_mistakes_are_counted(tmp_path: Path) -> None:
    """Of mistakes in very many columns the first are told, and how many there are."""
    names = [f"x{index}" for index in range(MAX_ERRORS + 5)]
    wide = replace(VALUES, features=tuple(Feature(name=name) for name in names))
    header = f"{','.join(names)},weight\n"
    file = written(tmp_path, header + ("?," * len(names) + "1\n") * 2)
    with pytest.raises(DataError) as caught:
        read_labelled(file, wide)
    assert (len(caught.value.mistakes), caught.value.count) == (MAX_ERRORS + 1, 2 * len(names))
    lines = str(caught.value).splitlines()
    assert (lines[0], lines[-1]) == (
        f"{file}: 210 mistakes", "  and 110 more: in other columns or of other kinds",
    )  # fmt: skip


def test_missing_columns_are_told_with_the_nearest(tmp_path: Path) -> None:
    """Each column that there is not is told, with the nearest one; at last all are."""
    file = written(tmp_path, "lenght,weigth\n1,2\n")
    assert wrong(file, VALUES) == [
        ("length", "there is no such column. Did you mean 'lenght'? Then rename it to length."),
        (
            "weight",
            "there is no such column. Did you mean 'weigth'? Then rename it to weight. "
            "Columns: lenght, weigth.",
        ),
    ]
    other = written(tmp_path, "a,weight\n1,2\n")
    assert wrong(other, VALUES) == [("length", "there is no such column. Columns: a, weight.")]


def test_names_of_columns_are_few_and_printable(tmp_path: Path) -> None:
    """Of many columns ten are named, each cut short, control characters escaped."""
    long = "y" * 200
    header = ",".join(["a\x1b[31m", long, *map(str, range(20)), "weight"])
    ((_, message),) = wrong(written(tmp_path, header + "\n"), VALUES)
    assert message == (
        f"there is no such column. Columns: a\\x1b[31m, {long[:80]}, "
        "0, 1, 2, 3, 4, 5, 6, 7 and 13 more."
    )


def test_columns_in_another_case_are_taken(tmp_path: Path) -> None:
    """A column that differs in case or outer spaces alone is taken, and a note says so."""
    file = written(tmp_path, '" Length ",WEIGHT,weight2\n1,2,3\n')
    data = read_labelled(file, VALUES)
    assert data.lines == (Line(2, (1.0,), 2.0),)
    assert data.notes == (
        "Columns of data.csv are taken that are written otherwise: "
        "'Length' for 'length', 'WEIGHT' for 'weight'.",
    )
    spaced = replace(VALUES, target=" weight")
    assert read_labelled(written(tmp_path, "length,weight\n1,2\n"), spaced).notes == (
        "Columns of data.csv are taken that are written otherwise: 'weight' for ' weight'.",
    )
    images = read_labelled(written(tmp_path, "Image,kind\ndata.csv,1\n"), IMAGES)
    assert images.notes == (
        "Columns of data.csv are taken that are written otherwise: 'Image' for 'image'.",
    )


def test_columns_that_differ_in_case_alone_are_told_apart(tmp_path: Path) -> None:
    """The very name goes first; of two that are alike but for it, none is taken for another."""
    assert read_labelled(written(tmp_path, "Length,length,weight\n1,2,3\n"), VALUES) == Labelled(
        tmp_path / "data.csv", (Line(2, (2.0,), 3.0),)
    )
    for header in ("Length,LENGTH,weight", "Lengths,x,weight"):
        ((key, _),) = wrong(written(tmp_path, f"{header}\n1,2,3\n"), VALUES)
        assert key == "length"
    both = replace(VALUES, features=(Feature(name="a"), Feature(name="A")))
    file = written(tmp_path, "a,weight\n1,2\n")
    assert [key for key, _ in wrong(file, both)] == ["A"]


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("length,weight\n1,2,3\n", Mistake("line 2", "3 cells; the header has 2")),
        ("", Mistake("CSV", "is empty; expected one header line, and one line an item")),
        (None, Mistake("CSV", "cannot be read: No such file or directory")),
    ],
)
def test_a_file_that_is_no_csv(text: str | None, mistake: Mistake, tmp_path: Path) -> None:
    """A file that cannot be read is told with the line, where there is one."""
    file = tmp_path / "none.csv" if text is None else written(tmp_path, text)
    assert wrong(file, VALUES) == [mistake]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (bytes(range(1, 256)) * 300, NO_TEXT),
        (b"\x80\x04\x95\x01\x02,\n", NO_TEXT),
        (b"PK\x03\x04\0\0\0\0data.pkl",
         "is no text but a zip archive, as .xlsx files are. Save the table as CSV"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_text(content: bytes, told: str, tmp_path: Path) -> None:
    """A binary file is told as such, in one line that holds nothing of it."""
    file = tmp_path / "weights.csv"
    file.write_bytes(content)
    assert wrong(file, VALUES) == [("CSV", told)]


def test_texts_have_a_column_of_that_name(tmp_path: Path) -> None:
    """Texts stand in the column "text"; one that is empty is a mistake."""
    file = written(tmp_path, 'kind,text\nOak,"a, b"\n')
    assert read_labelled(file, TEXTS).lines == (Line(2, "a, b", "Oak"),)
    assert wrong(written(tmp_path, "kind,text\nOak,\n"), TEXTS) == [
        ("line 2, text", "is empty; expected a text")
    ]


@pytest.mark.parametrize("column", ["image", "file"])
def test_images_are_named_from_the_files_folder(column: str, tmp_path: Path) -> None:
    """Images are files beside the labelled one, in the column "image" or "file"."""
    (tmp_path / "img").mkdir()
    (tmp_path / "img/a.png").touch()
    file = written(tmp_path, f"{column},kind\nimg/a.png,1.0\n")
    assert read_labelled(file, IMAGES).lines == (Line(2, tmp_path / "img/a.png", "1"),)
    assert wrong(written(tmp_path, f"{column},kind\nb.png,2\n"), IMAGES) == [
        (f"line 2, {column}", f"there is no file 'b.png' in {tmp_path}")
    ]


def test_place_of_a_label() -> None:
    """A label is found by its very name first, else by its number or in another case."""
    assert place_of("1.0", ("0", "1")) == 1
    assert place_of("TRUE", ("false", "true")) == 1
    assert place_of("b", ("B", "b")) == 1
    assert place_of("c", ("a", "b")) is None


def test_rows_are_known_by_their_values(tmp_path: Path) -> None:
    """Rows of equal values and answer are the same, however they are written; others are not."""
    training = written(tmp_path, "kind,count,wet,colour,length\noak,3.0,true,,1.50\n?,1,,,1\n")
    text = (
        "length,count,wet,colour,kind\n"
        "1.5,3,yes,NA,Oak\n1.5,3,yes,NA,Pine\n1.5,3,yes,red,Oak\n1.5,3,1,,Oak\n"
    )
    data = read_labelled(written(tmp_path, text, "other.csv"), CLASSES)
    assert lines_also_in(data, training, CLASSES) == [2, 5]
    assert [line.number for line in data.without({2, 5}).lines] == [3, 4]


def test_texts_and_images_are_known_whatever_their_answer(tmp_path: Path) -> None:
    """A text that was trained on stays known under another label, and so do an image's bytes."""
    training = written(tmp_path, "text,kind\na b,Oak\n", "training.csv")
    data = read_labelled(written(tmp_path, "text,kind\na b,Pine\nc,Oak\n"), TEXTS)
    assert lines_also_in(data, training, TEXTS) == [2]
    for name, content in (("a", b"same"), ("b", b"same"), ("c", b"else"), ("d", b"long")):
        (tmp_path / name).write_bytes(content)
    training = written(tmp_path, "image,kind\na,1\nd,1\ngone,2\n", "training.csv")
    data = read_labelled(written(tmp_path, "file,kind\nc,1\nb,2\n"), IMAGES)
    assert lines_also_in(data, training, IMAGES) == [3]


def test_rows_that_stand_there_twice(tmp_path: Path) -> None:
    """Rows of equal values and answer, equal texts and images of equal bytes stand there twice."""
    rows = "length,weight\n1,2\n1.0,3\n1,2.0\n2,2\n"
    assert lines_twice(read_labelled(written(tmp_path, rows), VALUES)) == [2, 4]
    texts = written(tmp_path, "text,kind\na,Oak\nb,Oak\na,Pine\n")
    assert lines_twice(read_labelled(texts, TEXTS)) == [2, 4]
    for name, content in (("a", b"same"), ("b", b"else"), ("c", b"same")):
        (tmp_path / name).write_bytes(content)
    images = written(tmp_path, "image,kind\na,1\nb,1\nc,2\n")
    assert lines_twice(read_labelled(images, IMAGES)) == [2, 4]


def test_a_column_that_may_be_left_out(tmp_path: Path) -> None:
    """Of an optional feature without a column nothing is known; others must be there."""
    file = written(tmp_path, "kind,length,wet\nOak,3,yes\n")
    assert read_labelled(file, CLASSES).lines == (Line(2, (3.0, None, True, None), "Oak"),)
    assert [key for key, _ in wrong(written(tmp_path, "kind,wet\nOak,yes\n"), CLASSES)] == [
        "length"
    ]
