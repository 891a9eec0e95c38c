"""What Google's APIs take: the fields that their discovery documents name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SCHEMAS: dict[str, dict[str, Any]] = json.loads(
    Path(__file__).with_name("google_fields.json").read_text("utf-8")
)["schemas"]
PLAIN: dict[str, Any] = {
    "string": str,
    "integer": int,
    "boolean": bool,
    "number": (int, float),
    "object": dict,
}


def settled(value: Any, kind: Any, where: str = "$") -> Any:
    """Return a value as it is kept, its enums by their names; they may come as numbers.

    Raises:
        ValueError: a field is not known, or holds something else than its kind.
    """
    if isinstance(kind, list):
        _check(isinstance(value, list), where, "a list")
        return [settled(one, kind[0], f"{where}[{at}]") for at, one in enumerate(value)]
    if isinstance(kind, dict) and "map" in kind:
        _check(isinstance(value, dict), where, "a map")
        return {key: settled(one, kind["map"], f"{where}.{key}") for key, one in value.items()}
    if isinstance(kind, dict):
        return _named(value, kind["enum"], where)
    if kind.startswith("#"):
        _check(isinstance(value, dict), where, "an object")
        fields = SCHEMAS[kind[1:]]
        for key in value.keys() - fields.keys():
            raise ValueError(f'Invalid JSON payload received. Unknown name "{key}" at "{where}"')
        return {key: settled(one, fields[key], f"{where}.{key}") for key, one in value.items()}
    right = isinstance(value, PLAIN[kind]) and (kind == "boolean" or not isinstance(value, bool))
    _check(right, where, kind)
    return value


def _named(value: Any, names: list[str], where: str) -> str:
    if isinstance(value, int) and 0 <= value < len(names):
        return names[value]
    _check(value in names, where, f"one of {names}")
    return str(value)


def _check(right: bool, where: str, expected: str) -> None:
    if not right:
        raise ValueError(f"Invalid value at '{where}': expected {expected}")
