"""What a data set's rows look like before they are scored: plain data."""

from __future__ import annotations

from msgspec import Struct

from podium.messages import Message


class Sample(Struct, frozen=True):
    """A row as it is understood, a text a column, None for a missing value; `problem` if wrong."""

    cells: tuple[str | None, ...]
    problem: str | None = None


class Look(Struct, frozen=True, kw_only=True):
    """The first rows of a file, and what was found in the first `checked` ones.

    `wrong` of them cannot be scored, and `warned` have a warning; `problems` and `warnings` are the
    first few of each, by row from 1. `known` have a true answer; None where no column holds any.
    """

    checked: int
    wrong: int
    warned: int
    problems: tuple[tuple[int, Message], ...] = ()
    warnings: tuple[tuple[int, Message], ...] = ()
    known: int | None = None
    samples: tuple[Sample, ...] = ()
