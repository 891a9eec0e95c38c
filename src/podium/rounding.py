"""Numbers rounded for people, so that rounding never says what the numbers do not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

_MOST: Final = 12
"""Digits beyond which numbers count as the same."""


def percent(share: float) -> str:
    """Return a share in percent; never 0 or 100 for what is neither."""
    if 0 < share < 0.001:
        return "< 0.1%"
    if 0.999 < share < 1:
        return "> 99.9%"
    return f"{share:.1%}"


def level_percent(share: float) -> str:
    """Return a level in percent, as many digits as were asked for."""
    return f"{100 * share:.6g}%"


def percents(*shares: float) -> list[str]:
    """Return shares side by side in percent; those that differ are told apart, as from 0 and 1."""
    whole = {0.0, 1.0} - set(shares)
    told = _told_apart((*shares, *whole), lambda share, digits: f"{share:.{digits}%}", 1)
    return told[: len(shares)]


def numbers(*values: float) -> list[str]:
    """Return numbers side by side, with three digits or as many more as tell them apart."""
    return _told_apart(values, lambda value, digits: f"{value:.{digits}g}", 3)


def decimals(value: float) -> str:
    """Return a number with three decimals, or as many more as tell it from 0 and 1."""
    return _told_apart((value, *({0.0, 1.0} - {value})), lambda one, n: f"{one:.{n}f}", 3)[0]


def beside(value: float, limit: float) -> str:
    """Return a number with two digits, or as many more as show on which side of a limit it is."""
    return _told_apart((value, limit), lambda one, digits: f"{one:.{digits}g}", 2)[0]


def _told_apart(
    values: tuple[float, ...], told: Callable[[float, int], str], least: int
) -> list[str]:
    for digits in range(least, _MOST):
        texts = [told(value, digits) for value in values]
        if len({float(text.rstrip("%")) for text in texts}) == len(set(values)):
            break
    return texts
