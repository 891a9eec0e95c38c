"""The table that a scikit-learn estimator was trained on: its columns, and filling it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from podium.errors import FieldError, InvalidInput
from podium.messages import said
from podium.runtimes.base import Arrays, TensorSpec

_TEXT: Final = np.dtype(np.object_)
_FLOAT: Final = np.dtype(np.float64)
_BOOL: Final = np.dtype(np.bool_)
_SHOWN: Final = 20
"""How many known categories an error names."""


@dataclass
class Column:
    """One column: what the steps that take it say of it.

    `known` are the values of a category, in order; with `strict` no other may come. `filled` are
    those that stand for a missing one from some step on. `tolerant` has one entry for each step
    that would meet a missing value: whether it can. `marker` is the missing value as the first
    of them knows it.
    """

    name: str
    known: dict[Any, None] = field(default_factory=dict)
    filled: list[Any] = field(default_factory=list)
    strict: bool = False
    text: bool = False
    numeric: bool = False
    used: bool = False
    tolerant: list[bool] = field(default_factory=list)
    marker: Any = np.nan

    @property
    def optional(self) -> bool:
        """Whether a value may be missing."""
        return bool(self.tolerant) and all(self.tolerant)

    @property
    def spec(self) -> TensorSpec:
        """What Podium gives: texts for categories, booleans or floats."""
        return TensorSpec(self.name, self._dtype, (None,), self._choices, self.optional)

    def learn(self, categories: NDArray[Any], strict: bool) -> None:
        """Take in what an encoder knows."""
        self.numeric = categories.dtype.kind in "iuf" and (self.numeric or not self.known)
        self.known |= dict.fromkeys(one for one in categories if not is_missing(one))
        self.strict |= strict

    def tolerate(self, marker: Any, able: bool) -> None:
        """Take in whether a step can do with a missing value, and as what it knows one."""
        if able and not self.tolerant:
            # Another NaN is not the one that `values` looks for.
            self.marker = np.nan if isinstance(marker, float) and np.isnan(marker) else marker
        self.tolerant.append(able)

    def values(self, given: NDArray[Any]) -> NDArray[Any]:
        """Return what is given, shape (batch,), as the estimator takes it.

        Raises:
            InvalidInput: naming the items with a category that the estimator would refuse.
        """
        if self._dtype == _TEXT:
            return self._categories(given)
        if given.dtype == _TEXT:
            given = np.array([_number(text) for text in given], np.float64)
        missing = np.isnan(given)
        if self.marker is np.nan or not missing.any():
            return given
        found = given.astype(_FLOAT if _is_number(self.marker) else _TEXT)
        found[missing] = self.marker
        return found

    @cached_property
    def _dtype(self) -> np.dtype[Any]:
        booleans = bool(self.known) and all(isinstance(one, np.bool_ | bool) for one in self.known)
        if booleans and not self.optional:
            return _BOOL
        return _TEXT if self.known or self.text else _FLOAT

    @cached_property
    def _choices(self) -> tuple[str, ...]:
        if self._dtype != _TEXT:
            return ()
        return tuple(_spelled(one) for one in self.known if one not in self.filled)

    @cached_property
    def _meanings(self) -> dict[str, Any]:
        """The categories by their texts; "" is a missing one, where that may come."""
        found = {text: one for one in self.known for text in _spellings(one)}
        found |= {str(one): one for one in self.known}
        return found | ({"": self.marker} if self.optional or not self.strict else {})

    def _categories(self, texts: NDArray[Any]) -> NDArray[Any]:
        found = np.empty(len(texts), np.object_)
        wrong = []
        for index, text in enumerate(texts):
            try:
                found[index] = self._meaning(text)
            except ValueError:
                wrong.append(self._refusal(index, text))
        if wrong:
            raise InvalidInput(wrong)
        return found.astype(_FLOAT) if self.numeric and _is_number(self.marker) else found

    def _meaning(self, text: str) -> Any:
        if text in self._meanings:
            return self._meanings[text]
        if self.strict:
            raise ValueError(text)
        return _number(text) if self.numeric else text

    def _refusal(self, index: int, text: str) -> FieldError:
        known = ", ".join(self._choices[:_SHOWN]) + (", ..." if len(self._choices) > _SHOWN else "")
        unknown = repr(text) if text else said("a missing value")
        message = said(
            "the model does not know %(value)s; it knows %(known)s", value=unknown, known=known
        )
        return FieldError(f"inputs[{index}].{self.name}", message)


@dataclass(frozen=True)
class Table:
    """The columns of an estimator in their order; without names they are one matrix, "X"."""

    columns: tuple[Column, ...]
    named: bool

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """One input for each column that is used, or the matrix of texts."""
        if not self.named:
            return (TensorSpec("X", _TEXT, (None, len(self.columns))),)
        return tuple(column.spec for column in self.columns if column.used)

    def fill(self, inputs: Arrays) -> Any:
        """Return the inputs as a DataFrame, or as a matrix of objects where there are no names.

        A column that the estimator drops is there and empty.

        Raises:
            InvalidInput: naming the items with a category that the estimator would refuse.
        """
        if not self.named:
            parts = zip(self.columns, inputs["X"].T, strict=True)
            return np.stack([column.values(part).astype(_TEXT) for column, part in parts], axis=1)
        import pandas as pd

        rows = len(next(iter(inputs.values())))
        empty = np.full(rows, np.nan)
        filled = {column.name: column.values(inputs[column.name]) if column.used else empty
                  for column in self.columns}  # fmt: skip
        # pandas would give texts a type of its own, in which every missing value is NaN.
        return pd.DataFrame({name: pd.Series(values, dtype=values.dtype)
                             for name, values in filled.items()})  # fmt: skip


def is_missing(value: Any) -> bool:
    """Whether a category stands for a missing value: None, NaN, pandas' NA or an empty text."""
    return value is None or type(value).__name__ == "NAType" or value == "" or value != value


def is_text(values: Iterable[Any]) -> bool:
    """Whether one of the values is a text."""
    return any(isinstance(value, str) for value in values)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float))


def _spelled(value: Any) -> str:
    """Return a category as a choice of podium.toml; a gap in a column makes 1.0 of its 1."""
    whole = isinstance(value, float) and value.is_integer()
    return str(int(value)) if whole else str(value)


def _spellings(value: Any) -> Iterator[str]:
    """Yield how a category that is a number or a boolean may come as text."""
    if isinstance(value, str):
        return
    if isinstance(value, np.bool_ | bool):
        yield str(bool(value)).lower()
    yield str(float(value))
    if float(value).is_integer():
        yield str(int(value))


def _number(text: str) -> float:
    """Return the text of a cell as a number; "" as NaN."""
    words = {"": np.nan, "True": 1.0, "False": 0.0}
    return words[text] if text in words else float(text)
