"""The text of a first podium.toml."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from typing import Any

import pytest

from podium.init.draft import MAX_LABELS, draft
from podium.init.guess import Guess
from podium.spec import Example, Feature, Image, ModelSpec, Reference, Spec, TextInput
from podium.strict import read

MODEL = ModelSpec(name="net", file="models/net.onnx")
CLASSES = Guess(
    "Net", "classification", ("a", "b"), (Feature(name="x0"), Feature(name="x1")),
    why={"title": "from the file's name", "features[1].name": "the file names no columns"},
)  # fmt: skip
VALUES = Guess("Net", features=(Feature(name="x", range=(0, 1)),))


def spec_of(text: str) -> Spec:
    """Return what a text says; it has no mistakes."""
    spec, mistakes = read(Spec, tomllib.loads(text))
    assert mistakes == []
    assert spec is not None
    return spec


def test_text_of_a_classifier() -> None:
    """The text reads well: what is known, guesses marked, and as comments what may be added."""
    assert draft(CLASSES, MODEL) == {
        "podium.toml": """\
title = "Net"  # guessed: from the file's name
summary = ""

[task]
kind = "classification"
labels = ["a", "b"]

[[features]]
name = "x0"
kind = "number"
# label = "..."  # what the page calls it
# unit = "..."
# range = [0, 1]  # least and greatest value in the training data

[[features]]
name = "x1"  # guessed: the file names no columns
kind = "number"

[[models]]
name = "net"
file = "models/net.onnx"
"""
    }


def test_text_of_all_that_may_be_there() -> None:
    """Features of every kind, references and examples, each with what is known of it."""
    guess = Guess(
        "Net", "regression", (),
        (Feature(name="a b", kind="integer", range=(1, 2.5), optional=True),
         Feature(name="c", kind="category", choices=("x", "y"))),
        target="mass", unit="g", why={"examples[0].tolerance": "off by 0.1"},
        examples=(Example(title="1 g", inputs={"a b": 1, "c": "x"}, expected=1.5, tolerance=0.2),),
    )  # fmt: skip
    model = ModelSpec(name="net", file="models/n.pt", factory="net:build", trust="0" * 64)
    text = draft(guess, model, [Reference(title="The data set", file="data/d.csv")])["podium.toml"]
    assert (
        text.partition("[task]")[2]
        == f"""
kind = "regression"
target = "mass"
unit = "g"

[[features]]
name = "a b"
kind = "integer"
range = [1, 2.5]
optional = true
# label = "..."  # what the page calls it
# unit = "..."

[[features]]
name = "c"
kind = "category"
choices = ["x", "y"]

[[models]]
name = "net"
file = "models/n.pt"
factory = "net:build"
trust = "{"0" * 64}"

[[references]]
title = "The data set"
file = "data/d.csv"

[[examples]]
title = "1 g"
inputs = {{ "a b" = 1, c = "x" }}
expected = 1.5
tolerance = 0.2  # guessed: off by 0.1
"""
    )


def test_text_of_images_and_texts() -> None:
    """Guessed keys of an image are written and marked; a text has a table without keys."""
    image = Image(size=(8, 9))
    marked = Guess("I", image=image, why={"image.scale": "check it", "image.mean": "check it"})
    text = draft(marked, MODEL)["podium.toml"]
    assert (
        text.partition("[image]")[2].partition("[[")[0]
        == """
size = [8, 9]
colour = "rgb"
scale = 0.00392156862745098  # guessed: check it
mean = []  # guessed: check it
layout = "NCHW"

"""
    )
    assert spec_of(text).image == image
    texts = draft(Guess("T", text=TextInput()), MODEL)["podium.toml"]
    assert "\n[text]\n" in texts
    assert spec_of(texts).text == TextInput()


@pytest.mark.parametrize("guess", [CLASSES, VALUES, Guess("M", image=Image(size=(8, 8)))])
def test_comments_are_right_when_uncommented(guess: Guess) -> None:
    """What stands in comments can be uncommented."""
    lines = draft(guess, MODEL)["podium.toml"].splitlines()
    spec_of("\n".join(line.removeprefix("# ") for line in lines))


@pytest.mark.parametrize("name", ['a"b', "a\\b", "größe\n", "tab\tx", "'''", "# x", "\x7f", "\x00"])
def test_any_name_round_trips(name: str) -> None:
    """TOML gives a name back whatever is in it; a feature is named without quote and backslash."""
    plain = name.replace('"', "").replace("\\", "")
    feature = Feature(name=plain, kind="category", choices=(name, "b"))
    example = Example(title=name, inputs={plain: name}, expected=name)
    guess = replace(CLASSES, title=name, labels=(name, "b"), features=(feature,), target=name,
                    examples=(example,))  # fmt: skip
    spec = spec_of(draft(guess, MODEL)["podium.toml"])
    assert (spec.title, spec.task.labels, spec.task.target) == (name, (name, "b"), name)
    assert (spec.features, spec.examples) == ((feature,), (example,))


@pytest.mark.parametrize(
    "value", [0.1, 1e-07, 1e300, -5.0, 123456789.123, 3.4e38, True, False, 7, 2**62]
)
def test_any_number_round_trips(value: Any) -> None:
    """Numbers come back as they were."""
    example = Example(title="E", inputs={"x": value}, expected=value)
    found = spec_of(draft(replace(VALUES, examples=(example,)), MODEL)["podium.toml"])
    assert found.examples[0].expected == value
    assert found.examples[0].inputs == {"x": value}


def test_many_labels_have_a_file_of_their_own() -> None:
    """More labels than a line can hold stand in labels.txt, if each fits a line."""
    labels = tuple(f"label {index}" for index in range(MAX_LABELS + 1))
    files = draft(replace(CLASSES, labels=labels), MODEL)
    assert spec_of(files["podium.toml"]).task.labels == "labels.txt"
    assert tuple(files["labels.txt"].splitlines()) == labels
    odd = (*labels[:-1], "two\nlines")
    assert list(draft(replace(CLASSES, labels=odd), MODEL)) == ["podium.toml"]
