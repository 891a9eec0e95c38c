"""What XGBoost and LightGBM have in common: columns with categories, and trees to be walked.

Both follow a tree's node numbers in compiled code without looking at their bounds. A forged file
could make them read outside their memory, so every number in it is looked at here first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from podium.runtimes.base import Arrays, Model, TensorSpec
from podium.runtimes.sklearn.columns import Column, is_text

FORGED: Final = "The file is damaged or forged. Save the model again."
BROKEN: Final = (
    ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError, OverflowError,
)  # fmt: skip
"""What reading a file that somebody else wrote may raise."""

Matrix = NDArray[np.float64]


class UnservedError(ValueError):
    """The model is sound, and of a kind that is not served."""


@dataclass(kw_only=True)
class BoostedModel(Model):
    """Boosted trees: `answer` makes the output of a matrix, shape (batch, columns).

    Categories stand in it as their codes, missing values as NaN.
    """

    columns: tuple[Column, ...]
    output: str
    answer: Callable[[Matrix], NDArray[Any]]

    def predict(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Return probabilities (batch, classes), label or value (batch,)."""
        return {self.output: np.asarray(self.answer(self._matrix(inputs)))}

    def _matrix(self, inputs: Arrays) -> Matrix:
        if len(self.inputs[0].shape) == 2:
            return np.asarray(inputs[self.inputs[0].name], np.float64)
        return np.stack([_numbers(one, inputs[one.name]) for one in self.columns], axis=1)


def columns_of(names: Sequence[str], categories: Mapping[int, Sequence[Any]]) -> tuple[Column, ...]:
    """Return the columns that `names` name; some have categories, in the order of their codes."""
    return tuple(_column(name, categories.get(index, ())) for index, name in enumerate(names))


def codes_note(file: Path, columns: Sequence[Column], coded: Iterable[int]) -> tuple[str, ...]:
    """Return a note on the columns, by their indexes, whose categories the file does not name."""
    names = [columns[index].name for index in sorted(coded) if not columns[index].known]
    if not names:
        return ()
    return (
        f"{file.name} has numbers for the categories of {', '.join(names)}, not their names. List "
        "choices in the order of these numbers, from 0 (that of pandas is the alphabet's), or "
        'write kind = "integer".',
    )


def inputs_of(columns: Sequence[Column]) -> tuple[TensorSpec, ...]:
    """Return one matrix, or, where a column takes texts, one input a column.

    All of them may be missing; that the training had missing values, no file tells.
    """
    if any(column.known for column in columns):
        return tuple(column.spec._replace(optional=False) for column in columns)
    return (TensorSpec("X", np.dtype(np.float64), (None, len(columns))),)


def reason(err: Exception) -> str:
    """Return in words why a file is damaged."""
    if isinstance(err, KeyError):
        return f"{err} is missing"
    return str(err) if isinstance(err, ValueError) else "a part of it has another form"


def output_of(name: str, groups: int) -> TensorSpec:
    """Return what a model answers whose trees add up to `groups` numbers an item."""
    width = max(2, groups) if name == "probabilities" else groups
    shape = (None, width) if width > 1 else (None,)
    return TensorSpec(name, np.dtype(np.int64 if name == "label" else np.float64), shape)


def check_answer(model: BoostedModel) -> None:
    """Run two rows of missing values; what the framework puts off until then, it says now.

    Raises:
        ValueError: the answer has another shape than the file says; whatever the framework raises.
    """
    found = model.answer(np.full((2, len(model.columns)), np.nan))
    expected = (2, *model.outputs[0].shape[1:])
    if found.shape != expected:
        raise ValueError(f"it answers {list(found.shape)} to 2 rows instead of {list(expected)}")


def lead_on(children: NDArray[Any], nodes: int) -> bool:
    """Whether these numbers of nodes exist, none twice and none the root, so that walks end."""
    if children.size == 0:
        return True
    if children.min() <= 0 or children.max() >= nodes:
        return False
    return bool(np.bincount(children).max() == 1)


def count(text: str) -> int:
    """Return a number that is written in plain digits, and that XGBoost and LightGBM read alike.

    Raises:
        ValueError: it is not.
    """
    if not re.fullmatch("[0-9]{1,9}", text):
        raise ValueError(f"{text[:40]!r} is no whole number")
    return int(text)


def softmax(margins: NDArray[Any]) -> Matrix:
    """Return probabilities, shape (batch, classes), of what the trees of each class add up to."""
    exponents = np.exp(margins - margins.max(axis=1, keepdims=True))
    return np.asarray(exponents / exponents.sum(axis=1, keepdims=True))


def two_classes(second: NDArray[Any]) -> Matrix:
    """Return the probabilities of both classes from the second one's, shape (batch,)."""
    return np.stack([1 - second, second], axis=1)


def _column(name: str, categories: Sequence[Any]) -> Column:
    known = dict.fromkeys(categories)
    numeric = not is_text(categories)
    return Column(name, known, strict=True, numeric=numeric, tolerant=[True])


def _numbers(column: Column, given: NDArray[Any]) -> Matrix:
    """Return the values of a column, shape (batch,); a category as its code."""
    values = column.values(given)
    if not column.known:
        return np.asarray(values, np.float64)
    codes: dict[Any, int] = {known: code for code, known in enumerate(column.known)}
    return np.array([codes.get(value, np.nan) for value in values], np.float64)
