"""All that is found in a scored data set is put together."""

from __future__ import annotations

from collections.abc import Sequence

from podium.app import App
from podium.datasets.findings import Findings, Judged
from podium.datasets.wishes import Staged, Wishes
from podium.datasets.work import Work

_PROBLEMS = 20


def find(
    app: App, work: Work, staged: Staged, wishes: Wishes, models: Sequence[str], name: str
) -> Findings:
    """Return what is to be told of a data set of which every row is scored."""
    wrong = work.con.execute(
        "SELECT count(*) OVER (), rows.rowid + 1, coalesce(rows.problem, input.problem) AS told "
        "FROM rows POSITIONAL JOIN input WHERE told IS NOT NULL ORDER BY rows.rowid "
        "LIMIT ?",
        [_PROBLEMS],
    ).fetchall()
    failed = wrong[0][0] if wrong else 0
    return Findings(
        title=app.spec.title, file=name, unit=app.signature.unit, labels=app.signature.labels,
        target=None if staged.target is None else staged.columns[staged.target].name,
        rows=staged.rows, failed=failed, staged=staged, wishes=wishes,
        problems=tuple((row, told) for _, row, told in wrong),
        models=tuple(Judged(model=one, title=one, version=app.version(one),
                            rows=staged.rows - failed, judged=0) for one in models),
    )  # fmt: skip
