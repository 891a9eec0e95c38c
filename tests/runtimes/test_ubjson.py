"""JSON and UBJSON are read into one form, and nothing ambiguous is read at all."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
import pytest

from podium.runtimes.xgboost.ubjson import read


def text(value: str) -> bytes:
    """Return a text as UBJSON has it, without its type."""
    return b"L" + struct.pack(">q", len(value.encode())) + value.encode()


def table(**parts: bytes) -> bytes:
    """Return an object of UBJSON."""
    return b"{" + b"".join(text(key) + value for key, value in parts.items()) + b"}"


def typed(kind: bytes, count: int, body: bytes) -> bytes:
    """Return an array of numbers of one type."""
    return b"[$" + kind + b"#L" + struct.pack(">q", count) + body


def plain(value: Any) -> Any:
    """Return a document with lists instead of arrays."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [plain(one) for one in value]
    return value.tolist() if isinstance(value, np.ndarray) else value


DOCUMENT = {
    "text": "grün", "yes": True, "no": False, "none": None, "numbers": [1, 2, 3],
    "values": [0.5, -1.0], "tables": [{"a": 1}, {"a": 2}], "empty": [], "mixed": ["x", "y"],
    "nested": {"deep": {"er": -5}},
}  # fmt: skip
UBJSON = table(
    text=b"S" + text("grün"), yes=b"T", no=b"F", none=b"Z",
    numbers=typed(b"l", 3, struct.pack(">3i", 1, 2, 3)),
    values=typed(b"d", 2, struct.pack(">2f", 0.5, -1)),
    tables=b"[#L" + struct.pack(">q", 2) + table(a=b"i\x01") + table(a=b"U\x02"),
    empty=b"[#L" + struct.pack(">q", 0), mixed=b"[S" + text("x") + b"S" + text("y") + b"]",
    nested=table(deep=table(er=b"I\xff\xfb")),
)  # fmt: skip


@pytest.mark.parametrize("body", [json.dumps(DOCUMENT).encode(), UBJSON], ids=["json", "ubjson"])
def test_both_are_read_into_one_form(body: bytes) -> None:
    """Each type of value is read; numbers side by side are an array."""
    found = read(body)
    assert plain(found) == DOCUMENT
    assert (found["numbers"].dtype.kind, found["values"].dtype.kind) == ("i", "f")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b'{"a": 1, "a": 2}', "twice"),
        (b"{" + 2 * (text("a") + b"T") + b"}", "twice"),
        (b'{"a": 1} x', "Extra data"),
        (table(a=b"T") + b"x", "follows"),
        (b'{"a": [1, [2]]}', "inhomogeneous"),
        (UBJSON[:-1], "too early"),
        (table(a=typed(b"L", 1 << 60, b"")), "too early"),
        (table(a=typed(b"L", -1, b"")), "too early"),
        (b"{L" + struct.pack(">q", -3) + b"a", "too early"),
        (table(a=b"H" + text("1")), "no type"),
        (table(a=b"[$T#L" + struct.pack(">q", 1)), "no type"),
        (b"{i\x01aT}", "is not b'L'"),
        (b"{L" + struct.pack(">q", 1) + b"\xffT}", "utf-8"),
    ],
)
def test_what_is_damaged_or_ambiguous_is_refused(body: bytes, told: str) -> None:
    """A document that two readers could read in two ways, or that ends early, is refused."""
    with pytest.raises(ValueError, match=told):
        read(body)


@pytest.mark.parametrize("body", [b'{"a":' * 100_000, (b"{" + text("a")) * 100_000])
def test_what_is_nested_too_deeply_is_refused(body: bytes) -> None:
    """Nesting ends in an error, not in the end of the stack."""
    with pytest.raises(RecursionError):
        read(body)
