"""What the doctor finds: one thing that was looked at, how it is, and how to mend it."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Verdict = Literal["ok", "warning", "wrong", "unknown"]


class Finding(Struct, frozen=True, kw_only=True):
    """One thing that was looked at.

    `seen` is what was found; where that is not well, `expected` is what should be, and `mend` says
    how to get there. An "unknown" could not be looked at: `mend` says what it would take.
    """

    check: str
    verdict: Verdict
    seen: str
    expected: str = ""
    mend: str = ""


def well(check: str, seen: str) -> Finding:
    """Return that something is as it should be."""
    return Finding(check=check, verdict="ok", seen=seen)


def warning(check: str, seen: str, expected: str, mend: str) -> Finding:
    """Return that something works, but could be better."""
    return Finding(check=check, verdict="warning", seen=seen, expected=expected, mend=mend)


def wrong(check: str, seen: str, expected: str, mend: str) -> Finding:
    """Return that something is not as the application needs it."""
    return Finding(check=check, verdict="wrong", seen=seen, expected=expected, mend=mend)


def unknown(check: str, seen: str, mend: str = "") -> Finding:
    """Return that something could not be looked at."""
    return Finding(check=check, verdict="unknown", seen=seen, mend=mend)
