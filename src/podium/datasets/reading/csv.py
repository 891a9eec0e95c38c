"""CSV files."""

from __future__ import annotations

from pathlib import Path

from podium.datasets.match import match
from podium.datasets.wishes import Staged
from podium.datasets.work import Work
from podium.signature import Signature


def stage_csv(file: Path, work: Work, signature: Signature, target: str | None) -> Staged:
    """Take in a CSV file.

    Raises:
        DataError: it cannot be read, or lacks columns.
    """
    with file.open(encoding="utf-8-sig") as stream:
        header = stream.readline().rstrip("\r\n").split(",")
    columns, notes = match(file, header, signature, target)
    types = ", ".join(f"c{index}: 'VARCHAR'" for index in range(len(header)))
    work.con.execute(
        "CREATE TABLE input AS SELECT *, NULL::VARCHAR AS problem FROM read_csv("  # noqa: S608
        f"?, columns={{{types}}}, header=true, delim=',', quote='\"', escape='\"', "
        "auto_detect=false)",
        [str(file)],
    )
    (rows,) = work.con.execute("SELECT count(*) FROM input").fetchone() or (0,)
    return Staged(kind="csv", columns=columns, rows=rows, notes=notes)
