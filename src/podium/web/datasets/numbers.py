"""The numbers behind a figure as a table, for those who do not see it or have no script.

They are read from the figure's own Vega-Lite specification: what it tells when one points at a
mark, and in the same words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from flask_babel import gettext as _

from podium.charts import Spec
from podium.web.words import capitalised

MOST_ROWS: Final = 50
"""Of more rows as many are shown, evenly chosen."""
_MOST_COLUMNS: Final = 20
"""A matrix of more columns is told as a list of what is in it."""


class Numbers(NamedTuple):
    """A table: what its columns are called, its rows, and of how many rows these are chosen.

    In a matrix the first cell of a row is its heading, and `corner` what stands above these.
    """

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    total: int
    about: str = ""


def numbers_of(spec: Spec) -> Numbers | None:
    """Return the numbers of a figure; None where it tells none."""
    told = max(spec.get("layer", ()), key=_weight, default=None)
    if told is None or not _weight(told):
        return None
    values: list[Mapping[str, Any]] = told["data"]["values"]
    lines: list[Mapping[str, Any]] = told["encoding"]["tooltip"]
    if told["mark"].get("style") == "cell":
        matrix = _matrix(told["encoding"], values)
        if matrix:
            return matrix
    if lines[0].get("field") == "of" and len({row.get("of") for row in values}) < 2:
        lines = lines[1:]  # one curve alone has nothing to be told apart from
    shown = [values[place] for place in _chosen(len(values))]
    return Numbers(
        tuple(capitalised(line["title"]) for line in lines),
        tuple(tuple(_told(row.get(line["field"]), line) for line in lines) for row in shown),
        len(values),
    )


def _weight(layer: Mapping[str, Any]) -> int:
    """Return how much a layer tells: of how many marks, if it tells of any."""
    told = isinstance(layer.get("encoding", {}).get("tooltip"), list)
    return len(layer.get("data", {}).get("values", ())) if told else 0


def _matrix(encoding: Mapping[str, Any], values: Sequence[Mapping[str, Any]]) -> Numbers | None:
    """Return the cells of a matrix in their rows and columns; None of too many."""
    said = list(dict.fromkeys(row["said"] for row in values))
    truth = list(dict.fromkeys(row["truth"] for row in values))
    if len(said) > _MOST_COLUMNS:
        return None
    cells = {(row["truth"], row["said"]): f"{row['rows']:,}" for row in values}
    about = _("In rows: %(rows)s. In columns: %(columns)s.",
              rows=encoding["y"]["title"], columns=encoding["x"]["title"])  # fmt: skip
    rows = tuple((one, *(cells.get((one, other), "0") for other in said)) for one in truth)
    return Numbers(("", *said), rows, len(rows), about)


def _chosen(count: int) -> list[int]:
    if count <= MOST_ROWS:
        return list(range(count))
    return [round(place * (count - 1) / (MOST_ROWS - 1)) for place in range(MOST_ROWS)]


def _told(value: Any, line: Mapping[str, Any]) -> str:
    """Return a value in the format of its line, which is one of d3's that Python has too."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "" if value is None else str(value)
    form: str = line.get("format", "")
    if form.endswith("d"):
        value = round(value)
    return format(value, form or ",.6g")
