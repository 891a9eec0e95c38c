"""Pieces of SQL that several steps write."""

from __future__ import annotations

from podium.cells import MISSING


def quoted(text: str) -> str:
    """Return a text as SQL has it."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Return the name of a column or a table, whatever stands in it."""
    return '"' + name.replace('"', '""') + '"'


def is_missing(text: str) -> str:
    """Return whether a text is a word for a missing value, or NULL."""
    # A list with IN would become a join, which does not keep the order of the rows.
    words = ", ".join(map(quoted, sorted(MISSING)))
    return f"coalesce(list_contains([{words}], trim({text})), true)"


def between(start: int, stop: int) -> str:
    """Return the condition for the rows from `start` on, without `stop`."""
    return f"rowid >= {start} AND rowid < {stop}"


def answers_table(index: int) -> str:
    """Return the name of the table with the answers of a model, by its place among those asked."""
    return f"answers_{index}"
