"""Options that say what a model file does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from podium.errors import FieldError, InvalidInput
from podium.init.hints import Hints
from podium.spec import Image


def mistakes(**texts: str) -> list[tuple[str, str]]:
    """Return what is wrong with options."""
    with pytest.raises(InvalidInput) as caught:
        Hints.parse(texts)
    return [(error.field, error.message) for error in caught.value.errors]


def test_options_that_are_left_out_say_nothing() -> None:
    """Options that were not given are no hints."""
    assert Hints.parse({"title": None, "labels": None}) == Hints()


@pytest.mark.parametrize(
    ("option", "text", "expected"),
    [
        ("title", " My model ", Hints(title="My model")),
        ("task", "regression", Hints(task="regression")),
        ("target", "species", Hints(target="species")),
        ("unit", "%", Hints(unit="%")),
        ("labels", "a, b,c", Hints(labels=("a", "b", "c"))),
        ("features", "bill, größe", Hints(features=("bill", "größe"))),
        ("features", "4", Hints(columns=4)),
        ("size", "224", Hints(size=(224, 224))),
        ("size", "224x320", Hints(size=(224, 320))),
        ("size", "28x28x1", Hints(size=(28, 28, 1))),
    ],
)
def test_option_is_read(option: str, text: str, expected: Hints) -> None:
    """Each option's text becomes its hint."""
    assert Hints.parse({option: text}) == expected


def test_labels_from_a_file(tmp_path: Path) -> None:
    """A file holds a label a line; blank lines count for nothing, commas are no borders."""
    file = tmp_path / "labels"
    file.write_text("cat, small\n\n dog \n")
    assert Hints.parse({"labels": str(file)}).labels == ("cat, small", "dog")


def test_size_makes_an_image() -> None:
    """One channel is grey, and three are the rule."""
    assert Hints.parse({"size": "8x9"}).image == Image(size=(8, 9))
    assert Hints.parse({"size": "8x9x1"}).image == Image(size=(8, 9), colour="grey")
    assert Hints().image is None


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    """Each wrong option is named with what was expected of it."""
    (tmp_path / "l").write_bytes(b"\xff\xfe")
    size = ("expected 224, 224x320 (height x width, at most 4096) or, with the channels, "
            "28x28x1; found '28x28x4'")  # fmt: skip
    assert mistakes(title=" ", labels="a,a", features="a,top,a", size="28x28x4") == [
        ("--title", "is empty"),
        ("--labels", "'a' stands there twice; labels must differ. Expected a,b,c or a file with "
                     "one a line"),
        ("--features", "'a' stands there twice; 'top' is a query parameter, which no feature may "
                       "be called"),
        ("--size", size),
    ]  # fmt: skip
    assert mistakes(labels=str(tmp_path / "l"))[0][1].startswith(f"{tmp_path / 'l'} cannot be read")


@pytest.mark.parametrize("size", ["0", "4097", "224x", "-1", "2²4", "224 x 224", ""])
def test_what_is_no_size(size: str) -> None:
    """A size out of bounds, or of another form, is refused."""
    assert [option for option, _ in mistakes(size=size)] == ["--size"]


@pytest.mark.parametrize("count", ["0", "10001"])
def test_number_of_columns_has_bounds(count: str) -> None:
    """No columns, or more than any form could have, are a slip."""
    message = f"expected from 1 to 10,000 columns; found {count}"
    assert mistakes(features=count) == [("--features", message)]


@pytest.mark.parametrize(
    ("text", "options", "wrong"),
    [
        (True, {"size": "8"}, ["--size"]),
        (False, {"size": "8", "features": "3"}, ["--size"]),
        (True, {"features": "a,b"}, ["--features"]),
        (True, {"features": "a"}, []),
        (False, {"task": "regression", "labels": "a,b"}, ["--labels"]),
        (False, {"task": "classification", "unit": "g"}, ["--unit"]),
        (False, {"labels": "a,b", "unit": "g"}, ["--unit"]),
    ],
)
def test_options_that_exclude_each_other(
    text: bool, options: dict[str, str | None], wrong: list[str]
) -> None:
    """Options of different inputs, or of different tasks, are told."""
    found: tuple[FieldError, ...] = ()
    try:
        Hints.parse(options, text)
    except InvalidInput as err:
        found = err.errors
    assert [error.field for error in found] == wrong


def test_another_answer_takes_the_place_of_the_first() -> None:
    """Names take the place of a number of columns, and the other way round."""
    hints: Any = Hints().having("features", "3").having("features", "a,b")
    assert (hints.columns, hints.features) == (None, ("a", "b"))
    again = hints.having("features", "2")
    assert (again.columns, again.features) == (2, ())
