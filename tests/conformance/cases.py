"""Every runtime's cases: a model written to a folder, and what it must answer.

A new runtime adds its cases to CASES; the tests of this folder then hold for it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from podium.app import App
from podium.options import Options
from podium.pipeline.decode import JsonReader
from podium.prediction import ClassPrediction, Prediction, ValuePrediction
from podium.signature import Row

Input = Mapping[str, object]
Inputs = Sequence[Input]
Oracle = Callable[[Inputs], NDArray[Any]]
"""The framework's own answer: probabilities (batch, classes) in the order of the application's
labels, or values (batch,); a classifier without probabilities answers 0 and 1."""

LABELS = ("left", "middle", "right")
NUMBERS = """
[[features]]
name = "a"
[[features]]
name = "b"
[[features]]
name = "c"
"""


@dataclass(frozen=True)
class Case:
    """One model file and the application around it.

    `write` writes the file into a folder and returns the oracle. `names_labels` is true when
    the file itself names the classes, so that the application may list them in another order;
    `tells_inputs` when it says how many features it takes.
    """

    name: str
    file: str
    write: Callable[[Path], Oracle]
    inputs: Callable[[int], list[dict[str, object]]]
    inputs_toml: str = NUMBERS
    kind: str = "classification"
    labels: tuple[str, ...] = LABELS
    model_toml: str = ""
    tolerance: float = 1e-5
    names_labels: bool = False
    tells_inputs: bool = True
    graded: bool = True
    depends_on_row: bool = False

    @property
    def toml(self) -> str:
        """The text of podium.toml."""
        told = f"labels = {json.dumps(self.labels)}" if self.labels else 'unit = "mm"'
        return f"""
title = "{self.name}"
[task]
kind = "{self.kind}"
{told}
{self.inputs_toml}
[[models]]
name = "m"
file = "{self.file}"
{self.model_toml}
"""


@dataclass(frozen=True)
class Built:
    """A case in a folder, ready to be asked."""

    case: Case
    app: App
    oracle: Oracle

    def ask(self, inputs: Inputs, options: Options | None = None) -> list[Prediction]:
        """Return the predictions for inputs that come as a JSON body."""
        limit = self.app.spec.limits.rows
        reader = JsonReader(self.app.signature, limit)
        items = reader.read(msgspec.json.encode({"inputs": inputs}))
        return list(self.app.predict(items, options or Options(top=100)).predictions)

    def scores(self, inputs: Inputs, options: Options | None = None) -> NDArray[np.float64]:
        """Return the predictions as the oracle gives them."""
        return as_array(self.ask(inputs, options), self.case.labels)


def build(case: Case, folder: Path) -> Built:
    """Write a case into `folder` and open it."""
    folder.mkdir(parents=True, exist_ok=True)
    oracle = case.write(folder)
    (folder / "podium.toml").write_text(case.toml, "utf-8")
    return Built(case, App(folder), oracle)


def rows_of(*rows: Row) -> list[Row]:
    """Return rows as a list that may be given to an application."""
    return list(rows)


def as_array(predictions: Sequence[Prediction], labels: Sequence[str]) -> NDArray[np.float64]:
    """Return probabilities in the order of `labels`, or values; 0 and 1 for labels alone."""
    return np.array([_numbers(prediction, labels) for prediction in predictions], np.float64)


def _numbers(prediction: Prediction, labels: Sequence[str]) -> object:
    if isinstance(prediction, ValuePrediction):
        return prediction.value
    assert isinstance(prediction, ClassPrediction)
    if prediction.probabilities is None:
        return [float(label == prediction.label) for label in labels]
    return [prediction.probabilities[label] for label in labels]


def numbers(count: int) -> list[dict[str, object]]:
    """Return inputs for NUMBERS."""
    rng = np.random.default_rng(1)
    return [dict(zip("abc", row, strict=True)) for row in rng.normal(size=(count, 3)).tolist()]


def matrix(inputs: Inputs, names: Sequence[str] = ("a", "b", "c")) -> NDArray[np.float64]:
    """Return numeric inputs as a matrix."""
    return np.array([[one[name] for name in names] for one in inputs], np.float64)


def reversed_labels(case: Case) -> Case:
    """Return a case whose application lists the labels the other way round."""
    return replace(case, labels=case.labels[::-1])


MIXED = """
[[features]]
name = "width"
[[features]]
name = "count"
kind = "integer"
range = [0, 9]
[[features]]
name = "flag"
kind = "boolean"
[[features]]
name = "colour"
kind = "category"
choices = ["red", "green", "blue"]
"""
MIXED_NAMES = ("width", "count", "flag", "colour")
COLOURS = ("red", "green", "blue")


def mixed(count: int) -> list[dict[str, object]]:
    """Return inputs for MIXED."""
    rng = np.random.default_rng(2)
    return [
        {
            "width": float(rng.normal()),
            "count": int(rng.integers(10)),
            "flag": bool(rng.integers(2)),
            "colour": COLOURS[int(rng.integers(3))],
        }
        for _ in range(count)
    ]


def with_gaps(count: int) -> list[dict[str, object]]:
    """Return inputs for MIXED of which every third lacks its colour, every fourth its width."""
    inputs = mixed(count)
    for index, one in enumerate(inputs):
        if index % 3 == 0:
            del one["colour"]
        if index % 4 == 0:
            one["width"] = None
    return inputs


def encoded(inputs: Inputs) -> NDArray[np.float64]:
    """Return MIXED inputs by the rule: a category's index, a missing value NaN."""
    codes: dict[object, object] = {name: index for index, name in enumerate(COLOURS)}
    codes |= {None: np.nan}
    return np.array(
        [
            [
                np.nan if one.get("width") is None else one["width"],
                one["count"],
                1.0 if one["flag"] else 0.0,
                codes[one.get("colour")],
            ]
            for one in inputs
        ],
        np.float64,
    )


OPTIONAL_MIXED = MIXED.replace('name = "width"', 'name = "width"\noptional = true').replace(
    'name = "colour"', 'name = "colour"\noptional = true'
)
