"""The columns of a file are matched to what the application takes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from podium.datasets.reading.match import MAX_COLUMNS, Matched, match
from podium.datasets.wishes import Column
from podium.errors import DataError, Mistake
from podium.messages import message_of
from podium.signature import Signature
from podium.spec import Feature, TextInput

FILE = Path("data.csv")
SIGNATURE = Signature(
    "classification", "kind", None, ("x", "y"),
    (Feature(name="bill_length_mm"), Feature(name="island")),
)  # fmt: skip
TEXTS = replace(SIGNATURE, features=(), text=TextInput())


def refused(header: list[str], target: str | None = None) -> list[Mistake]:
    """Return why a header is refused."""
    with pytest.raises(DataError) as caught:
        match(FILE, header, SIGNATURE, target)
    return list(caught.value.mistakes)


def test_the_order_is_free_and_other_columns_are_kept() -> None:
    """Each column has its use or none; that of [task] target holds the answers."""
    assert match(FILE, ["id", "island", "kind", "bill_length_mm"], SIGNATURE) == Matched(
        (Column("id"), Column("island", "island"), Column("kind", is_target=True),
         Column("bill_length_mm", "bill_length_mm")), (),
    )  # fmt: skip


def test_the_answers_may_be_absent_or_elsewhere() -> None:
    """Without the target's column nothing is judged; another one may be named."""
    header = ["island", "bill_length_mm", "species"]
    assert match(FILE, header, SIGNATURE).columns[2] == Column("species")
    assert match(FILE, header, SIGNATURE, "species").columns[2] == Column("species", None, True)
    assert match(FILE, [*header, "kind"], SIGNATURE, "species").columns[3] == Column("kind")


def test_case_and_spacing_are_forgiven_with_a_note() -> None:
    """A column that is written otherwise is taken, and a note says for which name."""
    found = match(FILE, ["Bill Length-MM", " ISLAND ", "Kind"], SIGNATURE)
    assert [(one.feature, one.is_target) for one in found.columns] == [
        ("bill_length_mm", False), ("island", False), (None, True),
    ]  # fmt: skip
    assert found.notes == (
        "Columns are taken that are written otherwise: 'Bill Length-MM' for 'bill_length_mm', "
        "' ISLAND ' for 'island', 'Kind' for 'kind'.",
    )


def test_the_very_name_goes_first() -> None:
    """Of two columns alike the one with the name is taken; of two others none is."""
    found = match(FILE, ["Island", "island", "bill_length_mm"], SIGNATURE)
    assert found == Matched(
        (Column("Island"), Column("island", "island"), Column("bill_length_mm", "bill_length_mm")),
        (),
    )
    assert refused(["Island", "ISLAND", "bill_length_mm"]) == [
        (
            "island",
            "there is no such column. Did you mean 'Island'? Then rename it to island. "
            "Columns: Island, ISLAND, bill_length_mm.",
        )
    ]


def test_missing_columns_are_told_with_the_nearest() -> None:
    """All that miss are told at once, a target that was asked for among them, the columns once."""
    assert refused(["bill_lenght_mm", "x"], "sort") == [
        (
            "bill_length_mm",
            "there is no such column. Did you mean 'bill_lenght_mm'? "
            "Then rename it to bill_length_mm.",
        ),
        ("island", "there is no such column."),
        ("sort", "there is no such column. Columns: bill_lenght_mm, x."),
    ]


def test_the_label_of_an_input_is_its_name_too() -> None:
    """It counts where no column has the name, where one label is meant, and with a note."""
    features = (Feature(name="bill_length_mm", label="Bill length"),
                Feature(name="bill_depth_mm", label="Depth", optional=True),
                Feature(name="body", label="Depth", optional=True))  # fmt: skip
    signature = replace(SIGNATURE, features=features)
    found = match(FILE, ["bill length", "depth"], signature)
    assert found.columns == (Column("bill length", "bill_length_mm"), Column("depth"))
    assert found.notes[0] == (
        "Columns are taken that are written otherwise: 'bill length' for 'bill_length_mm'."
    )
    found = match(FILE, ["bill length", "bill_length_mm"], signature)
    assert found.columns == (Column("bill length"), Column("bill_length_mm", "bill_length_mm"))


def test_a_column_that_is_taken_is_not_suggested() -> None:
    """What has its own use, the answers' too, is not what was meant by another name."""
    names = ("bill_length_mm", "bill_depth_mm", "kinds")
    signature = replace(SIGNATURE, features=tuple(Feature(name=name) for name in names))
    with pytest.raises(DataError) as caught:
        match(FILE, ["Bill length mm", "kind"], signature)
    assert list(caught.value.mistakes) == [
        ("bill_depth_mm", "there is no such column."),
        ("kinds", "there is no such column. Columns: Bill length mm, kind."),
    ]


def test_other_columns_may_differ_in_case_alone() -> None:
    """Those without a use are kept with their names."""
    found = match(FILE, ["x", "X", *SIGNATURE.names], SIGNATURE)
    assert found.columns[:2] == (Column("x"), Column("X"))


def test_an_input_is_no_answer() -> None:
    """The column of a feature cannot hold the answers too."""
    assert refused(["bill_length_mm", "Island"], "island") == [
        ("island", "holds an input, 'island'; the answers stand in another column")
    ]


def test_columns_that_stand_there_twice() -> None:
    """Each name that stands there more than once is told; columns without one may be many."""
    assert refused(["a", "b", "a", "b", "b", "", "", "island"]) == [
        ("column a", "stands there twice; give each column a name of its own"),
        ("column b", "stands there twice; give each column a name of its own"),
    ]


def test_columns_without_a_name_are_called_after_their_place() -> None:
    """A name is made that no other column has."""
    found = match(FILE, ["", "island", "bill_length_mm", "", "column_4"], SIGNATURE)
    assert [one.name for one in found.columns] == [
        "column_1", "island", "bill_length_mm", "column_4_", "column_4",
    ]  # fmt: skip
    assert found.notes == ("Columns without a name are called column_1, column_4_.",)


def test_too_many_columns() -> None:
    """What has more columns than can be read is refused with their number."""
    names = [f"x{number}" for number in range(MAX_COLUMNS - 2)]
    assert len(match(FILE, [*SIGNATURE.names, *names], SIGNATURE).columns) == MAX_COLUMNS
    assert refused([*names, *map(str, range(9502))]) == [
        ("columns", "there are 10,000; at most 500 can be read. Leave some out")
    ]


def test_a_first_line_of_numbers_is_no_header() -> None:
    """Where all names are numbers, the header is missing, not columns."""
    assert refused(["1,5", "-2e3", ""]) == [
        ("header", "holds numbers alone: is the header missing? Expected a first line with the "
                   "names of the columns: bill_length_mm, island.")
    ]  # fmt: skip


def test_texts_stand_in_a_column_of_that_name() -> None:
    """An application of texts takes the column "text"."""
    found = match(FILE, ["id", "Text", "kind"], TEXTS)
    assert found.columns == (Column("id"), Column("Text", "text"), Column("kind", is_target=True))


def test_a_column_that_may_be_left_out() -> None:
    """One of an optional feature may be absent, which is noted with the nearest name there is.

    Where no input is there at all, it is another table.
    """
    island = Feature(name="island", optional=True)
    signature = replace(SIGNATURE, features=(SIGNATURE.features[0], island))
    told = "There is no column island, which may be left out: it is unknown in every row."
    lone = Column("bill_length_mm", "bill_length_mm")
    assert match(FILE, ["bill_length_mm"], signature) == Matched((lone,), (message_of(told),))
    near = match(FILE, ["bill_length_mm", "iland"], signature)
    hint = message_of(f"{told} Did you mean 'iland'?")
    assert near == Matched((lone, Column("iland")), (hint,))
    with pytest.raises(DataError) as caught:
        match(FILE, ["a", "b"], replace(signature, features=(island,)))
    assert [one.key for one in caught.value.mistakes] == ["island"]
