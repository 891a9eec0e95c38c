"""What a number in a spreadsheet means: as it stands, or as a date that its format makes of it."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Final, Literal

Shown = Literal["number", "date", "duration"]

# Built-in formats of dates and times (ECMA-376, part 1, 18.8.30), and of a duration.
_DATES: Final = frozenset((*range(14, 23), *range(27, 37), 45, 47, *range(50, 59)))
_DURATION: Final = 46
_LITERAL: Final = re.compile(r'"[^"]*"|\\.|_.|\*.')
_BRACKETS: Final = re.compile(r"\[[^\]]*\]")
_ELAPSED: Final = re.compile(r"\[(h+|m+|s+)\]", re.IGNORECASE)
_DATE_LETTERS: Final = re.compile("[dmyhs]", re.IGNORECASE)
_MS_OF_DAY: Final = 86_400_000
_LAST_DAY: Final = 2_958_466  # 1 January 10000
_LONGEST: Final = 255
"""The most characters of a format's code in Excel (Excel specifications and limits)."""
_LEAP_DAY: Final = 60  # the 29 February 1900 that Excel counts and that never was


def shown_as(number: int, code: str | None) -> Shown:
    """Return what a format shows: its number, and its code unless it is built in.

    A code that is longer than any may be is none: its numbers are shown as they are.
    """
    if code is None:
        return "duration" if number == _DURATION else "date" if number in _DATES else "number"
    if len(code) > _LONGEST:
        return "number"
    code = _LITERAL.sub("", code)
    if _ELAPSED.search(code):
        return "duration"
    return "date" if _DATE_LETTERS.search(_BRACKETS.sub("", code)) else "number"


def number_text(text: str, shown: Shown, since_1904: bool) -> str:
    """Return the text of a cell: a number as it is written best, a date in ISO 8601."""
    if shown == "number" and text.isdigit():
        return text
    try:
        value = float(text)
    except ValueError:
        return text
    if shown != "number" and 0 <= value < _LAST_DAY:
        try:
            return _date(value, since_1904) if shown == "date" else _duration(value)
        except OverflowError:
            pass  # counted from 1904, or rounded up, a day is beyond the year 9999
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def _date(days: float, since_1904: bool) -> str:
    if since_1904:
        start = datetime(1904, 1, 1)
    else:
        start = datetime(1899, 12, 31 if days < _LEAP_DAY else 30)
    moment = start + timedelta(milliseconds=round(days * _MS_OF_DAY))
    if days < 1 and not since_1904:
        return moment.time().isoformat()
    return moment.isoformat().removesuffix("T00:00:00")


def _duration(days: float) -> str:
    ms = round(days * _MS_OF_DAY)
    seconds, ms = divmod(ms, 1000)
    rest = f".{ms:03}" if ms else ""
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}{rest}"
