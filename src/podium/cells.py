"""One value of one feature: what it may be, and reading it from text."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from podium.errors import nearest
from podium.messages import Message, after, joined, said
from podium.strict import shown

if TYPE_CHECKING:
    from podium.spec import Feature

Cell = float | int | str | bool | None

NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
"""A number as a form, a command line or a table may write it."""

MAX_NUMBER: Final = 3.4e38
MAX_INTEGER: Final = 2**63 - 1
"""Numbers beyond these fit no model: single precision and 64-bit integers."""
_LONG: Final = 21
"""Of so many characters a whole number is too large however it is read."""

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_MAX_LISTED: Final = 10
TRUE: Final = ("true", "yes", "on", "1")
FALSE: Final = ("false", "no", "off", "0")
MISSING: Final = frozenset(
    ("", "#N/A", "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null")
)
"""What pandas reads as a missing value."""


def check_cell(feature: Feature, value: object) -> Cell:
    """Return `value` as the feature takes it.

    Raises:
        ValueError: saying in words what is wrong with it.
    """
    if value is None:
        if feature.optional:
            return None
        raise ValueError(said("is missing; expected %(expected)s", expected=expectation(feature)))
    if feature.kind in ("number", "integer") and _is_number(value):
        return _check_number(feature, value)
    if feature.kind == "boolean" and isinstance(value, bool):
        return value
    if feature.kind == "category" and value in feature.choices:
        return str(value)
    hint = _hint(feature, value) if isinstance(value, str) else ""
    raise ValueError(
        said(
            "expected %(expected)s; found %(found)s.%(hint)s",
            expected=expectation(feature), found=shown(value), hint=hint,
        )
    )  # fmt: skip


def parse_cell(feature: Feature, text: str) -> object:
    """Return the text of a form's field as a value; what is no such value stays text."""
    text = text.strip()
    if not text:
        return None
    if feature.kind in ("number", "integer"):
        # Python would also take "1_000", "infinity" and the digits of other scripts.
        return float(text) if NUMBER.fullmatch(text) else text
    if feature.kind == "boolean":
        return True if text.lower() in TRUE else False if text.lower() in FALSE else text
    return text


def field_cell(feature: Feature, text: str) -> object:
    """Return what `parse_cell` does, but of a large whole number every digit."""
    value, text = parse_cell(feature, text), text.strip()
    whole = feature.kind == "integer" and len(text) < _LONG and text.lstrip("+-").isdecimal()
    return int(text) if whole and isinstance(value, float) else value


def read_cell(feature: Feature, text: str, decimal_comma: bool) -> object:
    """Return the text of a table's cell as a value; a word for a missing one is None.

    With `decimal_comma` a number may be written "3,5".
    """
    if text in MISSING and text not in feature.choices:
        return None
    if decimal_comma and feature.kind in ("number", "integer"):
        plain = text.replace(",", ".")
        text = plain if NUMBER.fullmatch(plain.strip()) else text
    return parse_cell(feature, text)


def expectation(feature: Feature) -> Message:
    """Return in words what values a feature takes."""
    if feature.kind == "category":
        return said("one of %(choices)s", choices=listed(feature.choices))
    if feature.kind == "boolean":
        return said("true or false")
    if feature.unit and feature.kind == "integer":
        return said("a whole number in %(unit)s", unit=feature.unit)
    if feature.unit:
        return said("a number in %(unit)s", unit=feature.unit)
    return said("a whole number") if feature.kind == "integer" else said("a number")


def printable(text: str) -> str:
    """Return `text` with control characters and what no UTF-8 can hold escaped, cut to 80."""
    text = _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text[:80])
    return text.encode("utf-8", "backslashreplace").decode()[:80]


def listed(names: Sequence[str]) -> str:
    """Return the first few names as they may stand in a message, and how many more there are."""
    more = len(names) - _MAX_LISTED
    first = [one if isinstance(one, Message) else printable(one) for one in names[:_MAX_LISTED]]
    told = joined(first, ", ")
    return said("%(names)s and %(more)s more", names=told, more=f"{more:,}") if more > 0 else told


def _hint(feature: Feature, text: str) -> str:
    # Also 1.234,5, whose points part the thousands.
    plain = text.replace(".", "").replace(",", ".")
    if "," in text and feature.kind in ("number", "integer") and NUMBER.fullmatch(plain):
        if "." in text:
            return after(said("Leave out what parts the thousands."))
        return after(said("Write the decimals after a point, not after a comma."))
    return nearest(text, feature.choices)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _check_number(feature: Feature, value: Any) -> float | int:
    about = {"expected": expectation(feature), "found": shown(value)}
    if not math.isfinite(value if isinstance(value, float) else 0):
        raise ValueError(
            said("expected %(expected)s; found %(found)s, which is not finite", **about)
        )
    if abs(value) > (MAX_NUMBER if feature.kind == "number" else MAX_INTEGER):
        raise ValueError(
            said("expected %(expected)s; found %(found)s, which is too large", **about)
        )
    if feature.kind == "number":
        return float(value)
    if value != int(value):
        raise ValueError(said("expected %(expected)s; found %(found)s.", **about))
    return int(value)
