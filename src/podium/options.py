"""What a caller may ask of a prediction besides its input."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from podium.cells import printable
from podium.errors import FieldError, InvalidInput, UnknownModel, nearest
from podium.messages import Message, after, said, told_by
from podium.spec import RESERVED

INCLUDES: Final = ("samples", "map")
DEFAULT_LEVEL: Final = 0.9
ALL_UP_TO: Final = 100
"""With up to this many labels all are returned by default, else the first FEW."""
FEW: Final = 5
_MOST: Final = 100
"""Letters of a list of names; what is longer is not read."""


class Options(Struct, frozen=True):
    """One request's wishes; the defaults are those of a request that names none."""

    model: str | None = None
    seed: int | None = None
    confidence_level: float | None = None
    top: int | None = None
    include: frozenset[str] = frozenset()
    map_ms: int | None = None

    @classmethod
    def parse(cls, texts: Mapping[str, str], models: Sequence[str]) -> Options:
        """Return the options in a query string; `models` are the names there are.

        Raises:
            InvalidInput: naming every one that is unknown or wrong.
            UnknownModel: the model's name is all that is wrong.
        """
        if not texts:
            return _DEFAULT
        values: dict[str, object] = {}
        errors: list[FieldError] = []
        for name, text in texts.items():
            try:
                values[name] = _PARSERS[name](text)
            except KeyError:
                errors.append(FieldError(printable(name), _unknown(name)))
            except ValueError as err:
                wrong = {"expected": told_by(err), "found": repr(printable(text))}
                errors.append(
                    FieldError(name, said("expected %(expected)s; found %(found)s", **wrong))
                )
        unknown = UnknownModel(texts["model"], models) if _names_none(values, models) else None
        if unknown and not errors:
            raise unknown
        if errors:
            raise InvalidInput([*errors, *(unknown.errors if unknown else ())])
        return cls(**values)  # type: ignore[arg-type]

    def level(self) -> float:
        """Return the level asked for, or the usual one."""
        return DEFAULT_LEVEL if self.confidence_level is None else self.confidence_level

    def shown(self, labels: int) -> int:
        """Return how many of `labels` labels an answer names."""
        return min(self.top or (labels if labels <= ALL_UP_TO else FEW), labels)


_DEFAULT: Final = Options()


def _unknown(name: str) -> Message:
    known = said("Known: %(names)s.", names=", ".join(RESERVED))
    hint = nearest(name, RESERVED) or after(known)
    return said("is not a query parameter.%(hint)s", hint=hint)


def _names_none(values: Mapping[str, object], models: Sequence[str]) -> bool:
    return "model" in values and values["model"] not in models


def _whole(text: str, least: int, expected: str) -> int:
    if not (text.isascii() and text.strip().isdecimal()) or len(text) > 18 or int(text) < least:
        raise ValueError(expected)
    return int(text)


def _seed(text: str) -> int:
    return _whole(text, 0, said("a whole number from 0"))


def _top(text: str) -> int:
    return _whole(text, 1, said("a whole number from 1"))


def _map_ms(text: str) -> int:
    return _whole(text, 1, said("a whole number from 1"))


def _level(text: str) -> float:
    try:
        level = float(text)
    except ValueError:
        level = math.nan
    if not 0 < level < 1:
        raise ValueError(said("a number between 0 and 1, such as 0.9"))
    return level


def _include(text: str) -> frozenset[str]:
    listed = text[:_MOST].split(",")
    parts = frozenset(part.strip() for part in listed if part.strip())
    if len(text) > _MOST or not parts <= set(INCLUDES):
        raise ValueError(said("some of %(names)s, separated by commas", names=", ".join(INCLUDES)))
    return parts


_PARSERS: Final[dict[str, Callable[[str], object]]] = {
    "model": str,
    "seed": _seed,
    "confidence_level": _level,
    "top": _top,
    "include": _include,
    "map_ms": _map_ms,
}
