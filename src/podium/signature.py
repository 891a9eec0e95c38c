"""What an application takes and gives; it checks values and describes itself."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from podium.errors import FieldError, InvalidInput, nearest
from podium.prediction import Caution
from podium.spec import Feature, Image, Parsed
from podium.strict import shown

Cell = float | int | str | bool | None
Row = tuple[Cell, ...]
"""One item of a tabular application: a value for each feature, in their order."""

MAX_ERRORS: Final = 100
"""The most mistakes that one answer names."""

MAX_NUMBER: Final = 3.4e38
MAX_INTEGER: Final = 2**63 - 1
"""Numbers beyond these fit no model: single precision and 64-bit integers."""

_TRUE: Final = ("true", "yes", "on", "1")
_FALSE: Final = ("false", "no", "off", "0")


@dataclass(frozen=True)
class Signature:
    """Inputs (features, or an image) and outputs (a class, or a value with its unit)."""

    kind: Literal["classification", "regression"]
    target: str
    unit: str | None
    labels: tuple[str, ...]
    features: tuple[Feature, ...]
    image: Image | None

    @classmethod
    def of(cls, parsed: Parsed) -> Signature:
        """Return the signature that a podium.toml describes."""
        spec = parsed.spec
        target = spec.task.target or ("class" if spec.task.kind == "classification" else "value")
        return cls(spec.task.kind, target, spec.task.unit, parsed.labels, spec.features, spec.image)

    @property
    def names(self) -> tuple[str, ...]:
        """The features' names, in order; the CSV header."""
        return tuple(feature.name for feature in self.features)

    def row_of(self, values: Mapping[str, object], where: str = "") -> Row:
        """Return `values` as a row.

        Raises:
            InvalidInput: naming every unknown, missing and wrong value; `where` leads the fields.
        """
        errors = [
            FieldError(where + printable(name), f"is not a feature.{self._hint(name)}")
            for name in values
            if name not in self.names
        ]
        row: list[Cell] = []
        for feature in self.features:
            try:
                row.append(check_cell(feature, values.get(feature.name)))
            except ValueError as err:
                errors.append(FieldError(where + feature.name, str(err)))
        if errors:
            raise InvalidInput(errors)
        return tuple(row)

    def parse_row(self, texts: Mapping[str, str]) -> Row:
        """Return the texts of a form or of a command line as a row.

        Raises:
            InvalidInput: naming every field that is wrong.
        """
        by_name = {feature.name: feature for feature in self.features}
        return self.row_of(
            {n: parse_cell(by_name[n], text) if n in by_name else text for n, text in texts.items()}
        )

    def cautions(self, row: Row) -> list[Caution]:
        """Return a warning for each value of `row` outside the range of the training data."""
        return [
            _outside(feature, value)
            for feature, value in zip(self.features, row, strict=True)
            if feature.range is not None
            and isinstance(value, (int, float))
            and not feature.range[0] <= value <= feature.range[1]
        ]

    def _hint(self, name: str) -> str:
        return nearest(name, self.names) or f" Features: {', '.join(self.names)}."


def check_cell(feature: Feature, value: object) -> Cell:
    """Return `value` as the feature takes it.

    Raises:
        ValueError: saying in words what is wrong with it.
    """
    if value is None:
        if feature.optional:
            return None
        raise ValueError(f"is missing; expected {expectation(feature)}")
    if feature.kind in ("number", "integer") and _is_number(value):
        return _check_number(feature, value)
    if feature.kind == "boolean" and isinstance(value, bool):
        return value
    if feature.kind == "category" and value in feature.choices:
        return str(value)
    hint = nearest(value, feature.choices) if isinstance(value, str) else ""
    raise ValueError(f"expected {expectation(feature)}; found {shown(value)}.{hint}")


def parse_cell(feature: Feature, text: str) -> object:
    """Return the text of a form's field as a value; what is no such value stays text."""
    text = text.strip()
    if not text:
        return None
    if feature.kind in ("number", "integer"):
        try:
            return float(text)
        except ValueError:
            return text
    if feature.kind == "boolean":
        return True if text.lower() in _TRUE else False if text.lower() in _FALSE else text
    return text


def expectation(feature: Feature) -> str:
    """Return in words what values a feature takes."""
    if feature.kind == "category":
        return f"one of {', '.join(feature.choices)}"
    words = {"number": "a number", "integer": "a whole number", "boolean": "true or false"}
    return words[feature.kind] + (f" in {feature.unit}" if feature.unit else "")


def printable(text: str) -> str:
    """Return `text` with what no UTF-8 can hold escaped, cut to 80 characters."""
    return text.encode("utf-8", "backslashreplace").decode()[:80]


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _check_number(feature: Feature, value: Any) -> float | int:
    expected = f"expected {expectation(feature)}; found {shown(value)}"
    if not math.isfinite(value if isinstance(value, float) else 0):
        raise ValueError(f"{expected}, which is not finite")
    if abs(value) > (MAX_NUMBER if feature.kind == "number" else MAX_INTEGER):
        raise ValueError(f"{expected}, which is too large")
    if feature.kind == "number":
        return float(value)
    if value != int(value):
        raise ValueError(f"{expected}.")
    return int(value)


def _outside(feature: Feature, value: float) -> Caution:
    assert feature.range is not None
    low, high = feature.range
    message = f"{value:g} is outside the training range, {low:g} to {high:g}"
    return Caution(feature.name, "outside_training_range", message)


def merged(errors: Sequence[FieldError]) -> InvalidInput:
    """Return one error for many mistakes, at most MAX_ERRORS of them."""
    if len(errors) <= MAX_ERRORS:
        return InvalidInput(errors)
    rest = FieldError("inputs", f"and {len(errors) - MAX_ERRORS} more mistakes")
    return InvalidInput([*errors[:MAX_ERRORS], rest])
