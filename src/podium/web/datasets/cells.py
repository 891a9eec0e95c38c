"""Cells of the results as they are read: the numbers of a column with the same decimals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Final

from podium.rounding import percent
from podium.web.datasets.wanted import LONGEST
from podium.web.words import small

_WRITTEN: Final = {"probability": percent, "entropy": small, "aleatoric": small, "epistemic": small}
_DIGITS: Final = (4, 12)
"""With how many digits a number of a model's is written, and one of the file's own."""


def column_texts(key: str, cells: Sequence[object]) -> list[str]:
    """Return the cells of the column of this key."""
    numbers = {cell for cell in cells if isinstance(cell, float) and cell == cell}
    texts = _numbers(key, sorted(numbers))
    return [texts[cell] if isinstance(cell, float) and cell in texts else _text(cell)
            for cell in cells]  # fmt: skip


def are_numbers(texts: Iterable[str]) -> bool:
    """Whether all cells that are not empty are numbers, and there are such cells."""
    filled = [text for text in texts if text]
    return bool(filled) and all(map(_is_number, filled))


def is_own(key: str) -> bool:
    """Whether a key is that of a column of the file's own."""
    return key[:1] == "c" and key[1:].isdecimal()


def _numbers(key: str, numbers: Sequence[float]) -> dict[float, str]:
    if key in _WRITTEN:
        return {number: _WRITTEN[key](number) for number in numbers}
    texts = [f"{number:.{_DIGITS[is_own(key)]}g}" for number in numbers]
    if not any("e" in text for text in texts):
        decimals = max((len(text.partition(".")[2]) for text in texts), default=0)
        texts = [f"{number:.{decimals}f}" for number in numbers]
    return dict(zip(numbers, texts, strict=True))


def _is_number(text: str) -> bool:
    with suppress(ValueError):
        float(text.strip("<>% "))
        return True
    return False


def _text(cell: object) -> str:
    text = "" if cell is None or cell != cell else str(cell)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
