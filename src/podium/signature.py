"""What an application takes and gives; it checks values and describes itself."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from podium.cells import Cell, check_cell, field_cell, printable
from podium.errors import FieldError, InvalidInput, nearest
from podium.folder import Parsed
from podium.messages import Message, after, said, said_of, told_by
from podium.prediction import Caution
from podium.spec import Feature, Image, TextInput
from podium.strict import shown

Row = tuple[Cell, ...]
"""One item of a tabular application: a value for each feature, in their order."""

_UNFIT: Final = re.compile("[\0\ud800-\udfff]")
"""NUL and half a surrogate pair: what is left of a text that was read in a wrong encoding."""

MAX_ERRORS: Final = 100
"""The most mistakes that one answer names."""


@dataclass(frozen=True)
class Signature:
    """Inputs (features, an image or a text) and outputs (a class, or a value with its unit)."""

    kind: Literal["classification", "regression"]
    target: str
    unit: str | None
    labels: tuple[str, ...]
    features: tuple[Feature, ...]
    image: Image | None = None
    text: TextInput | None = None

    @classmethod
    def of(cls, parsed: Parsed) -> Signature:
        """Return the signature that a podium.toml describes."""
        spec = parsed.spec
        target = spec.task.target or ("class" if spec.task.kind == "classification" else "value")
        task = spec.task
        inputs = (spec.features, spec.image, spec.text)
        return cls(task.kind, target, task.unit, parsed.labels, *inputs)

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
            FieldError(where + printable(name), self._not_a_feature(name))
            for name in values
            if name not in self.names
        ]
        row: list[Cell] = []
        for feature in self.features:
            try:
                row.append(check_cell(feature, values.get(feature.name)))
            except ValueError as err:
                errors.append(FieldError(where + feature.name, told_by(err)))
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
            {n: field_cell(by_name[n], text) if n in by_name else text for n, text in texts.items()}
        )

    def check_text(self, value: object) -> str:
        """Return a text of a text application.

        Raises:
            ValueError: saying in words what is wrong with it.
        """
        assert self.text is not None
        if not isinstance(value, str):
            raise ValueError(said("expected a text; found %(found)s", found=shown(value)))
        if not value.strip():
            raise ValueError(said("is empty; expected a text"))
        if len(value) > self.text.max_length:
            raise ValueError(
                said(
                    "has %(count)s characters; the limit is %(limit)s ([text] max_length)",
                    count=len(value), limit=self.text.max_length,
                )
            )  # fmt: skip
        unfit = _UNFIT.search(value)
        if unfit is not None:
            raise ValueError(
                said(
                    "character %(place)s is %(found)s, which stands in no text; is it encoded as "
                    "UTF-8?",
                    place=unfit.start() + 1, found=ascii(unfit[0]),
                )
            )  # fmt: skip
        return value

    def cautions(self, row: Row) -> list[Caution]:
        """Return a warning for each value of `row` outside the range of the training data."""
        return [
            _outside(feature, value)
            for feature, value in zip(self.features, row, strict=True)
            if feature.range is not None
            and isinstance(value, (int, float))
            and not feature.range[0] <= value <= feature.range[1]
        ]

    def _not_a_feature(self, name: str) -> Message:
        features = said("Features: %(names)s.", names=", ".join(self.names))
        hint = nearest(name, self.names) or after(features)
        return said("is not a feature.%(hint)s", hint=hint)


def _outside(feature: Feature, value: float) -> Caution:
    assert feature.range is not None
    low, high = feature.range
    told = said(
        "%(value)s is outside the training range, %(low)s to %(high)s",
        value=f"{value:.15g}", low=f"{low:.15g}", high=f"{high:.15g}",
    )  # fmt: skip
    return Caution(feature.name, "outside_training_range", told)


def merged(errors: Sequence[FieldError]) -> InvalidInput:
    """Return one error for many mistakes, at most MAX_ERRORS of them."""
    if len(errors) <= MAX_ERRORS:
        return InvalidInput(errors)
    more = len(errors) - MAX_ERRORS
    rest = said_of(more, "and %(count)s more mistake", "and %(count)s more mistakes", count=more)
    return InvalidInput([*errors[:MAX_ERRORS], FieldError("inputs", rest)])
