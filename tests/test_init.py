"""A model file becomes an application folder that opens and answers."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from sklearn.linear_model import LogisticRegression

from podium.app import App
from podium.errors import PodiumError
from podium.folder import parse
from podium.init import create_application, podium_toml
from podium.inspect import Guess, inspect_model
from podium.options import Options
from podium.pipeline.probe import probe_items
from tests.conformance.cases import Case, rows_of
from tests.conformance.graphs import linear
from tests.conformance.onnx_cases import CASES as ONNX
from tests.conformance.sklearn_cases import CASES as SKLEARN
from tests.conformance.sklearn_cases import save, training_set

GUESSED = (
    "logits", "probabilities", "double", "zipmap", "zipmap-whole-numbers", "regressor",
    "regressor-one-at-a-time", "label-and-probabilities", "image-nchw", "image-nhwc",
)  # fmt: skip


@pytest.mark.parametrize(
    "case",
    [case for case in (*ONNX, *SKLEARN)
     if case.name.removeprefix("onnx-") in GUESSED
     or (case in SKLEARN and "one-hot" not in case.name)],
    ids=lambda case: case.name,
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_made_application_is_what_was_guessed_and_answers(case: Case, tmp_path: Path) -> None:
    """podium.toml says what was guessed, and the application opens and answers."""
    case.write(tmp_path)
    file = tmp_path / case.file
    folder = tmp_path / "app"
    guess = inspect_model(file)
    assert create_application(file, folder) == guess.notes
    app = App(folder)
    assert (app.spec.title, app.spec.task.kind) == (guess.title, guess.kind)
    assert (app.signature.features, app.signature.image) == (guess.features, guess.image)
    assert app.signature.labels == guess.labels
    items = probe_items(app.signature)
    assert len(app.predict(items, Options()).predictions) == len(items)


def test_text_of_a_first_podium_toml(tmp_path: Path) -> None:
    """The text reads well: what is known, and as comments what the maker may add."""
    linear(tmp_path / "net.onnx", weights=np.ones((2, 3)))
    assert (
        podium_toml(inspect_model(tmp_path / "net.onnx"), tmp_path / "net.onnx")
        == """\
title = "Net"
summary = ""
# The file names no classes: write their names under [task] labels.
# The file names no features: write their names, units and ranges.

[task]
kind = "classification"
labels = ["class 0", "class 1", "class 2"]

[[features]]
name = "x0"
kind = "number"
# label = "Bill length"
# unit = "mm"
# range = [32.1, 59.6]  # of the training data

[[features]]
name = "x1"
kind = "number"

[[models]]
name = "net"
file = "models/net.onnx"
"""
    )


def test_comments_are_right_when_uncommented(tmp_path: Path) -> None:
    """What stands in comments can be uncommented."""
    for case in ONNX:
        if case.name in ("onnx-regressor", "onnx-image-nchw", "onnx-logits"):
            folder = tmp_path / case.name
            folder.mkdir()
            case.write(folder)
            create_application(folder / case.file, folder / "app")
            text = (folder / "app/podium.toml").read_text()
            lines = [
                line.removeprefix("# ") if " = " in line else line for line in text.splitlines()
            ]
            (folder / "app/podium.toml").write_text("\n".join(lines))
            parse(folder / "app")


@pytest.mark.parametrize("name", ['a"b', "a\\b", "größe\n", "tab\tx", "'''", "# x", "\x7f"])
def test_any_title_and_label_round_trips(name: str, tmp_path: Path) -> None:
    """Whatever characters a title, a label or a feature has, TOML gives them back."""
    linear(tmp_path / "m.onnx")
    guess = inspect_model(tmp_path / "m.onnx")
    odd = replace(guess, title=name, labels=(name, "b", "c"))
    table = tomllib.loads(podium_toml(odd, tmp_path / "m.onnx"))
    assert (table["title"], table["task"]["labels"]) == (name, [name, "b", "c"])


@pytest.mark.parametrize(
    ("file", "name"),
    [("my model (1).onnx", "my-model--1-"), ("_x.onnx", "x"), ("模型.onnx", "model"),
     ("v1.2-b_c.onnx", "v1.2-b_c")],
)  # fmt: skip
def test_models_name_is_one_that_requests_may_have(file: str, name: str, tmp_path: Path) -> None:
    """A file of any name makes a model of a name that is allowed."""
    linear(tmp_path / file)
    create_application(tmp_path / file, tmp_path / "app")
    spec = parse(tmp_path / "app").spec
    assert (spec.models[0].name, spec.models[0].file) == (name, f"models/{file}")


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """A folder that holds something is left alone, with the way out."""
    linear(tmp_path / "m.onnx")
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(PodiumError) as caught:
        create_application(tmp_path / "m.onnx", folder)
    message = f"{folder} exists and is not empty. Choose another with --output."
    assert str(caught.value) == message
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]
    with pytest.raises(PodiumError, match="exists and is not empty"):
        create_application(tmp_path / "m.onnx", folder / "notes.txt")


def test_empty_folder_is_filled(tmp_path: Path) -> None:
    """An empty folder is taken."""
    linear(tmp_path / "m.onnx")
    (tmp_path / "app").mkdir()
    create_application(tmp_path / "m.onnx", tmp_path / "app")
    assert (tmp_path / "app/models/m.onnx").read_bytes() == (tmp_path / "m.onnx").read_bytes()


def test_nothing_is_made_of_a_file_that_is_no_model(tmp_path: Path) -> None:
    """A file that cannot be loaded leaves no folder behind."""
    (tmp_path / "m.onnx").write_bytes(b"no model")
    with pytest.raises(PodiumError, match=r"m\.onnx"):
        create_application(tmp_path / "m.onnx", tmp_path / "app")
    assert not (tmp_path / "app").exists()


def test_guess_may_be_corrected(tmp_path: Path) -> None:
    """Whoever is asked may correct what was guessed."""
    linear(tmp_path / "m.onnx")
    seen: list[Guess] = []

    def ask(guess: Guess) -> Guess:
        seen.append(guess)
        return replace(guess, title="Penguins", labels=("p", "q", "r"))

    create_application(tmp_path / "m.onnx", tmp_path / "app", ask)
    parsed = parse(tmp_path / "app")
    assert (parsed.spec.title, parsed.labels) == ("Penguins", ("p", "q", "r"))
    assert seen == [inspect_model(tmp_path / "m.onnx")]


@pytest.mark.parametrize("location", ["m.onnx.data", "weights.bin"])
def test_weights_beside_the_graph_are_taken_along(location: str, tmp_path: Path) -> None:
    """A graph's weights in another file are copied too, whatever its name."""
    linear(tmp_path / "m.onnx")
    model: Any = onnx.load(tmp_path / "m.onnx")
    onnx.save(
        model, str(tmp_path / "m.onnx"), save_as_external_data=True, location=location,
        size_threshold=0, convert_attribute=True,
    )  # fmt: skip
    create_application(tmp_path / "m.onnx", tmp_path / "app")
    app = App(tmp_path / "app")
    assert len(app.predict(rows_of((1.0, 2.0, 3.0)), Options()).predictions) == 1


@pytest.mark.parametrize("name", ["top", "seed"])
def test_feature_of_a_reserved_name_is_told(name: str, tmp_path: Path) -> None:
    """Features of a reserved name make no folder that cannot be opened, but an error in words."""
    fitted = LogisticRegression().fit(*training_set())
    fitted.feature_names_in_ = np.array(["a", "b", name], np.object_)
    with pytest.raises(PodiumError, match=name):
        create_application(save(tmp_path, fitted), tmp_path / "app")
    assert not (tmp_path / "app").exists()
