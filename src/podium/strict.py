"""Read a plain table into a frozen struct and report every mistake in it, not only the first.

msgspec stops at the first mistake, which is right for a request and wrong for a file that a
person edits. Here each key is converted on its own, and what fails is collected.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from types import NoneType, UnionType
from typing import Any, ClassVar, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from podium.errors import Mistake, nearest

_UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}
_PERIODS = {"ms": 0.001, "s": 1, "min": 60, "h": 3600, "day": 86400, "days": 86400}


class Size(int):
    """A number of bytes, written as "20 MB" or "512 KiB"."""

    expected: ClassVar[str] = 'a size such as "20 MB" or "512 KiB"'

    @classmethod
    def parse(cls, value: object) -> Size:
        """Return the bytes that `value` stands for; a bare number counts bytes."""
        number, unit = _quantity(value, cls.expected)
        if (unit or "B").upper() not in _UNITS:
            raise ValueError(cls.expected)
        return cls(number * _UNITS[(unit or "B").upper()])

    def __str__(self) -> str:
        for name in ("GB", "MB", "kB"):
            if self >= _UNITS[name.upper()]:
                return f"{self / _UNITS[name.upper()]:g} {name}"
        return f"{int(self)} B"


class Period(float):
    """A length of time in seconds, written as "60 s" or "30 days"."""

    expected: ClassVar[str] = 'a time such as "60 s", "5 min" or "30 days"'

    @classmethod
    def parse(cls, value: object) -> Period:
        """Return the seconds that `value` stands for; a bare number counts seconds."""
        number, unit = _quantity(value, cls.expected)
        if (unit or "s") not in _PERIODS:
            raise ValueError(cls.expected)
        return cls(number * _PERIODS[unit or "s"])

    def __str__(self) -> str:
        return f"{float(self):g} s"


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """A table of podium.toml. `check` yields what the types alone cannot say."""

    def check(self) -> Iterator[Mistake]:
        """Yield each mistake that concerns several keys, or a rule, of this one table."""
        yield from ()


T = TypeVar("T", bound=Table)


def read(kind: type[T], table: object, where: str = "") -> tuple[T | None, list[Mistake]]:
    """Return `table` as a `kind` and every mistake in it.

    With mistakes, the struct holds what could be read (None where a required key could not),
    so that its rules are checked all the same; it is None when `table` is no table.
    `where` is the key of the table itself, such as "models[0]"; it leads every mistake's key.
    """
    if not isinstance(table, Mapping):
        return None, [Mistake(where, f"expected a table, found {shown(table)}")]
    known = kind.__struct_encode_fields__
    mistakes = [_unknown(known, where, key) for key in table if key not in known]
    values: dict[str, Any] = {}
    types = get_type_hints(kind, include_extras=True)
    for field in msgspec.structs.fields(kind):
        key = _join(where, field.encode_name)
        if field.encode_name in table:
            value, wrong = _convert(types[field.name], table[field.encode_name], key)
            mistakes += wrong
            if value is not None or field.required:
                values[field.name] = value
        elif field.required:
            values[field.name] = None
            mistakes.append(Mistake(key, f"is missing; expected {expectation(types[field.name])}"))
    struct = kind(**values)
    rules = (Mistake(_join(where, rule.key), rule.message) for rule in struct.check())
    return struct, mistakes + [rule for rule in rules if not _known(rule, mistakes)]


def shown(value: object) -> str:
    """Return `value` as it may stand in a message: its repr, cut to 80 characters."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _quantity(value: object, expected: str) -> tuple[float, str]:
    text = str(value) if isinstance(value, (str, int, float)) else ""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", text)
    if match is None or isinstance(value, bool):
        raise ValueError(expected)
    return float(match[1]), match[2]


def _join(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def _known(rule: Mistake, mistakes: list[Mistake]) -> bool:
    """Whether a key, or an item of it, that could not be read explains why the rule is broken."""
    pattern = re.compile(re.escape(rule.key) + r"(\[\d+\])*")
    return any(pattern.fullmatch(mistake.key) for mistake in mistakes)


def _unknown(known: Collection[str], where: str, key: str) -> Mistake:
    hint = nearest(key, known) or f" Known: {', '.join(known)}."
    return Mistake(_join(where, key), f"is not a known key.{hint}")


def _convert(kind: Any, value: Any, key: str) -> tuple[Any, list[Mistake]]:
    inner = _table_type(kind)
    if inner is not None and get_origin(_bare(kind)) is tuple:
        return _convert_tables(inner, value, key)
    if inner is not None:
        return read(inner, value, key)
    try:
        return msgspec.convert(value, kind, dec_hook=_decode_special), []
    except msgspec.ValidationError as err:
        path = re.search(r" - at `\$(.*)`$", str(err))
        place = f"{key}{path[1]}" if path else key
        expected = f"expected {expectation(kind)}; found {_found(value, kind)}"
        return None, [Mistake(place, f"{expected}{_pattern_hint(kind)}")]


def _convert_tables(inner: type[Table], value: Any, key: str) -> tuple[Any, list[Mistake]]:
    if not isinstance(value, list):
        return None, [Mistake(key, f"expected [[{key}]] tables, found {shown(value)}")]
    read_ones = [read(inner, one, f"{key}[{index}]") for index, one in enumerate(value)]
    mistakes = [mistake for _, wrong in read_ones for mistake in wrong]
    return tuple(one for one, _ in read_ones if one is not None), mistakes


def _decode_special(kind: type, value: object) -> object:
    if kind in (Size, Period):
        return kind.parse(value)
    raise NotImplementedError(kind)


def _bare(kind: Any) -> Any:
    """Strip Annotated and an optional None from a type."""
    if hasattr(kind, "__metadata__"):
        kind = kind.__origin__
    if get_origin(kind) in (Union, UnionType):
        rest = [arg for arg in get_args(kind) if arg is not NoneType]
        return _bare(rest[0]) if len(rest) == 1 else kind
    return kind


def _table_type(kind: Any) -> type[Table] | None:
    bare = _bare(kind)
    if get_origin(bare) is tuple:
        bare = get_args(bare)[0]
    return bare if isinstance(bare, type) and issubclass(bare, Table) else None


_WORDS = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}


def expectation(kind: Any) -> str:
    """Return in words what a key's type admits."""
    limit = "".join(_bound(meta) for meta in getattr(kind, "__metadata__", ()))
    inner = _optional(kind)
    if not limit and inner is not kind:
        limit = "".join(_bound(meta) for meta in getattr(inner, "__metadata__", ()))
    bare = _bare(kind)
    origin, args = get_origin(bare), get_args(bare)
    if isinstance(bare, type) and issubclass(bare, (Size, Period)):
        return bare.expected
    if origin is Literal:
        return "one of " + ", ".join(map(repr, args))
    if origin in (Union, UnionType):
        return " or ".join(expectation(arg) for arg in args if arg is not NoneType) + limit
    if origin is tuple:
        many = "a list of" if args[-1] is Ellipsis else f"a list of {len(args)}, each"
        return f"{many} {expectation(args[0])}{limit}"
    if _table_type(kind) is not None or origin is dict or bare is dict:
        return "a table"
    return _WORDS.get(bare, str(bare)) + limit


def _bound(meta: Any) -> str:
    names = {"ge": "at least", "le": "at most", "gt": "above", "lt": "below"}
    bounds = [f"{word} {getattr(meta, key)}" for key, word in names.items()
              if getattr(meta, key, None) is not None]  # fmt: skip
    if getattr(meta, "min_length", None):
        bounds.append("not empty")
    return f" ({', '.join(bounds)})" if bounds else ""


def _pattern_hint(kind: Any) -> str:
    """Return a key's description where its text must follow a pattern."""
    metas = getattr(kind, "__metadata__", ())
    metas += getattr(_optional(kind), "__metadata__", ())
    patterned = any(meta.pattern for meta in metas)
    return next((f". {meta.description}" for meta in metas if meta.description), "") * patterned


def _optional(kind: Any) -> Any:
    """Return what stands inside `Annotated[kind | None, ...]`, with its own metadata."""
    union = getattr(kind, "__origin__", kind)
    if get_origin(union) not in (Union, UnionType):
        return kind
    rest = [arg for arg in get_args(union) if arg is not NoneType]
    return rest[0] if len(rest) == 1 else kind


def _found(value: object, kind: Any) -> str:
    choices = get_args(_bare(kind)) if get_origin(_bare(kind)) is Literal else ()
    hint = nearest(value, choices) if isinstance(value, str) else ""
    return f"{shown(value)}.{hint}" if hint else shown(value)
