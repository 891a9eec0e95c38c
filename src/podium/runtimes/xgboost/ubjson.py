"""JSON and UBJSON (ubjson.org), as XGBoost writes them, read into one form.

Numbers in an array become a numpy array. A key that stands twice is refused: the reader that the
file is meant for might take the other one than was looked at here.
"""

from __future__ import annotations

import json
import struct
from typing import Any, Final

import numpy as np

_FORMATS: Final = {
    b"i": ">b", b"U": ">B", b"I": ">h", b"l": ">i", b"L": ">q", b"d": ">f", b"D": ">d",
}  # fmt: skip
_CONSTANTS: Final = {b"T": True, b"F": False, b"Z": None}


def read(data: bytes) -> Any:
    """Return the document in `data`, told apart by its first two bytes.

    Raises:
        ValueError: it is neither JSON nor UBJSON, or damaged.
        RecursionError: it is nested too deeply.
    """
    if data[:1] == b"{" and data[1:2] not in b' \t\r\n"}':
        return _Ubjson(data).document()
    try:
        return json.loads(data, object_pairs_hook=_table)
    except OverflowError as err:
        raise ValueError(str(err)) from err


def _table(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = {key: _array(value) for key, value in pairs}
    if len(table) != len(pairs):
        raise ValueError("a key stands there twice")
    return table


def _array(value: Any) -> Any:
    """Return a list of numbers as an array, which takes a tenth of the memory."""
    if isinstance(value, list) and value and isinstance(value[0], (int, float)):
        return np.array(value)
    return value


class _Ubjson:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def document(self) -> Any:
        found = self._value(self._take(1))
        if self._at != len(self._data):
            raise ValueError("something follows after its end")
        return found

    def _value(self, marker: bytes) -> Any:
        if marker == b"{":
            return self._object()
        if marker == b"[":
            return self._list()
        if marker == b"S":
            return self._text()
        if marker in _CONSTANTS:
            return _CONSTANTS[marker]
        return self._number(self._form(marker))

    def _form(self, marker: bytes) -> str:
        if marker not in _FORMATS:
            raise ValueError(f"{marker!r} at byte {self._at - 1} is no type that is known here")
        return _FORMATS[marker]

    def _object(self) -> dict[str, Any]:
        pairs = []
        while self._peek() != b"}":
            key = self._text()
            pairs.append((key, self._value(self._take(1))))
        self._take(1)
        return _table(pairs)

    def _list(self) -> Any:
        if self._peek() == b"$":
            self._take(1)
            kind = np.dtype(self._form(self._take(1)))
            body = self._take(self._count() * kind.itemsize)
            return np.frombuffer(body, kind)
        if self._peek() == b"#":
            return [self._value(self._take(1)) for _ in range(self._count())]
        values = []
        while (marker := self._take(1)) != b"]":
            values.append(self._value(marker))
        return values

    def _count(self) -> int:
        self._expect(b"#")
        return self._length()

    def _text(self) -> str:
        return self._take(self._length()).decode()

    def _length(self) -> int:
        self._expect(b"L")
        length: int = self._number(">q")
        return length

    def _number(self, form: str) -> Any:
        return struct.unpack(form, self._take(struct.calcsize(form)))[0]

    def _expect(self, marker: bytes) -> None:
        if self._take(1) != marker:
            raise ValueError(f"byte {self._at - 1} is not {marker!r}")

    def _peek(self) -> bytes:
        return self._data[self._at : self._at + 1]

    def _take(self, count: int) -> bytes:
        end = self._at + count
        if not self._at <= end <= len(self._data):
            raise ValueError("it ends too early")
        found = self._data[self._at : end]
        self._at = end
        return found
