"""What Azure's APIs take: the fields of the SDK's own models, by their names on the wire."""

from __future__ import annotations

import sys
from datetime import datetime
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

How = Literal["made", "changed", "answered"]


def checked(value: Any, kind: Any, where: str = "$", how: How = "made") -> None:
    """Hold a body against a model; what the SDK lets pass is refused.

    What is made must have all that the model requires; only an answer has what is read-only.

    Raises:
        ValueError: a field is not known, is read-only, is missing, or holds something else.
    """
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        _checked_union(value, [one for one in get_args(kind) if one is not NoneType], where, how)
    elif origin is list:
        _check(isinstance(value, list), where, "a list")
        for at, one in enumerate(value):
            # A list is replaced as a whole.
            checked(one, get_args(kind)[0], f"{where}[{at}]", "made" if how == "changed" else how)
    elif origin is dict:
        _check(isinstance(value, dict), where, "a map")
        for key, one in value.items():
            checked(one, get_args(kind)[1], f"{where}.{key}", how)
    elif hasattr(kind, "as_dict"):
        _checked_model(value, kind, where, how)
    elif kind is not Any:
        plain: Any = {float: (int, float), datetime: str}.get(kind, kind)
        right = isinstance(value, plain) and (kind is bool or not isinstance(value, bool))
        _check(right, where, kind.__name__)


def _checked_union(value: Any, kinds: list[Any], where: str, how: How) -> None:
    """An enum of the SDK stands beside a plain text; only its values are taken."""
    if value is None and how == "answered":
        return
    names = [one for one in kinds if isinstance(one, type) and issubclass(one, Enum)]
    if names:
        known = [one.value for one in names[0]]
        _check(value in known, where, f"one of {known}")
    else:
        checked(value, kinds[0], where, how)


def _checked_model(value: Any, kind: Any, where: str, how: How) -> None:
    _check(isinstance(value, dict), where, "an object")
    kind({})  # the SDK fills in a model's fields when it is first made
    hints = _hints(kind)
    fields = {field._rest_name: (name, field) for name, field in kind._attr_to_rest_field.items()}
    for key, one in value.items():
        if key not in fields:
            raise ValueError(f"Could not find member {key!r} on object at {where!r}")
        name, field = fields[key]
        if field._visibility == ["read"] and how != "answered":
            raise ValueError(f"{where}.{key} is read-only")
        checked(one, hints[name], f"{where}.{key}", how)
    for key, (name, field) in fields.items() if how == "made" else ():
        if field._visibility != ["read"] and NoneType not in get_args(hints[name]):
            _check(key in value, f"{where}.{key}", "a value, which is required")


def _hints(kind: Any) -> dict[str, Any]:
    """Return the types of a model's fields; it is told where those of its bases are, too."""
    found: dict[str, Any] = {}
    for one in reversed(kind.__mro__):
        if hasattr(one, "_attr_to_rest_field"):
            module = vars(sys.modules[one.__module__])
            package = sys.modules[one.__module__.rpartition(".")[0]]
            found |= get_type_hints(one, {**module, "_models": package})
    return found


def _check(right: bool, where: str, expected: str) -> None:
    if not right:
        raise ValueError(f"Invalid value at {where!r}: expected {expected}")
