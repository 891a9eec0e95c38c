"""Rows that are read one by one become the `input` table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from podium.datasets.reasons import Reasons
from podium.datasets.work import Work
from podium.messages import Message

_CELLS: Final = 50_000
_CHARACTERS: Final = 8_000_000


class Filling:
    """Fills `input` with rows of `width` cells, in their order.

    What is not written yet is at most 50,000 cells, or 8 million characters and one row.
    """

    def __init__(self, work: Work, width: int) -> None:
        self.rows = 0
        self._work, self._width = work, width
        columns = ", ".join(f"c{index} VARCHAR" for index in range(width))
        work.con.execute(f"CREATE TABLE input ({columns}, problem VARCHAR)")
        self._waiting: list[tuple[str | None, ...]] = []
        self._characters = 0
        self._reasons = Reasons()

    def add(self, cells: Sequence[str | None], problem: Message | None = None) -> None:
        """Add a row, and why it cannot be read, if so."""
        self.rows += 1
        told = None if problem is None else self._reasons.noted(problem)
        self._waiting.append((*cells, told))
        self._characters += sum(len(cell) for cell in cells if cell)
        full = len(self._waiting) * self._width >= _CELLS
        if full or self._characters >= _CHARACTERS:
            self.flush()

    def widen(self) -> None:
        """Add a column, in which the rows so far have nothing."""
        self.flush()
        self._work.con.execute(f"ALTER TABLE input ADD COLUMN c{self._width} VARCHAR")
        self._width += 1

    def arrange(self, order: Sequence[int]) -> None:
        """Put the columns into another order, which names each by its place so far."""
        self.flush()
        for before, after in (("c", "d"), ("d", "c")):
            for new, old in enumerate(order):
                name = old if before == "c" else new
                rename = f"RENAME {before}{name} TO {after}{new}"
                self._work.con.execute(f"ALTER TABLE input {rename}")

    def finish(self) -> None:
        """Write what waits, and why rows cannot be read."""
        self.flush()
        self._work.keep_reasons(self._reasons)

    def flush(self) -> None:
        """Write the rows that wait."""
        if not self._waiting:
            return
        # DuckDB takes a dict of arrays for a table.
        rows = {f"c{index}": np.array(column, object)  # noqa: F841  named in the query
                for index, column in enumerate(zip(*self._waiting, strict=True))}  # fmt: skip
        names = [*(f"c{index}" for index in range(self._width)), "problem"]
        columns = ", ".join(f"CAST(c{index} AS VARCHAR) AS {name}"
                            for index, name in enumerate(names))  # fmt: skip
        self._work.con.execute(f"INSERT INTO input BY NAME SELECT {columns} FROM rows")  # noqa: S608
        self._waiting, self._characters = [], 0
