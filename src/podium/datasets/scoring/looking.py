"""The rows of a data set are looked at before any is scored: its sender sees how they are read."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final

import numpy as np

from podium.cells import Cell
from podium.datasets.look import Look, Sample
from podium.datasets.reasons import reason_of
from podium.datasets.scoring.rows import Chunk, RowReader
from podium.datasets.wishes import Staged
from podium.datasets.work import Work
from podium.messages import Message
from podium.signature import Signature

SAMPLES: Final = 5
LOOK_S: Final = 2.0
"""How long rows are checked: for as long people wait gladly."""
_ROWS: Final = 20_000
_NAMED: Final = 100
_COLUMNS: Final = 60
_LONGEST: Final = 200
"""How much of a text is kept."""


def look(signature: Signature, staged: Staged, work: Work) -> Look:
    """Return the first rows as they are understood, and what is wrong in as many as time allows."""
    reader, until = RowReader(signature, staged, work), time.monotonic() + LOOK_S
    samples: tuple[Sample, ...] = ()
    problems: list[tuple[int, Message]] = []
    warnings: list[tuple[int, Message]] = []
    kept = work.reasons
    wrong = warned = known = checked = 0
    while checked < staged.rows and (not checked or time.monotonic() < until):
        chunk = reader.read(checked, checked + _ROWS)
        samples = samples or _samples(chunk, signature, staged, work)
        wrong, warned = wrong + len(chunk.problems), warned + len(chunk.warnings)
        problems += _first(chunk, chunk.problems, kept, _NAMED - len(problems))
        warnings += _first(chunk, chunk.warnings, kept, _NAMED - len(warnings))
        known += 0 if chunk.truth is None else int(np.count_nonzero(~np.isnan(chunk.truth)))
        checked = chunk.stop
    return Look(
        checked=checked, wrong=wrong, warned=warned, problems=tuple(problems),
        warnings=tuple(warnings), known=None if staged.target is None else known, samples=samples,
    )  # fmt: skip


def _first(
    chunk: Chunk, told: dict[int, str], kept: Mapping[str, str], most: int
) -> list[tuple[int, Message]]:
    """Return what is told of the first rows; why rows cannot be read is `kept` in the work."""
    return [(chunk.start + row + 1, chunk.reasons.get(told[row]) or reason_of(told[row], kept))
            for row in sorted(told)[:most]]  # fmt: skip


def _samples(
    chunk: Chunk, signature: Signature, staged: Staged, work: Work
) -> tuple[Sample, ...]:  # fmt: skip
    """Return the first rows; what is no input stays as it is, and so does all of a wrong row."""
    count = min(SAMPLES, chunk.stop)
    columns = staged.columns[:_COLUMNS]
    texts = work.read(0, count, {f"c{index}": f"left(CAST(c{index} AS VARCHAR), {_LONGEST})"
                                 for index in range(len(columns))})  # fmt: skip
    raw = [np.ma.MaskedArray(texts[f"c{index}"]).tolist() for index in range(len(columns))]
    items = dict(zip(chunk.places[:count].tolist(), chunk.items, strict=False))
    made = []
    for row in range(count):
        cells = [column[row] for column in raw]
        if signature.features and row in items:
            values = dict(zip(signature.names, items[row], strict=True))
            cells = [_told(values[one.feature]) if one.feature else cell
                     for one, cell in zip(columns, cells, strict=True)]  # fmt: skip
        made.append(Sample(tuple(cells), chunk.problems.get(row)))
    return tuple(made)


def _told(value: Cell) -> str | None:
    """Return a value as it is read."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.12g}" if isinstance(value, float) else None if value is None else str(value)
