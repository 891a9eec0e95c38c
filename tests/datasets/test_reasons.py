"""What is said of rows can be translated, whoever asks later."""

from __future__ import annotations

from pathlib import Path

import pytest

from podium.datasets import reasons as module
from podium.datasets.reasons import Reasons, reason_of
from podium.datasets.work import Work
from podium.messages import said

MISSING = said("%(column)s: is missing", column="x")


def test_the_first_texts_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each once, up to so many; a row's text is plain, and so is one that nobody can translate."""
    monkeypatch.setattr(module, "MOST", 1)
    reasons = Reasons()
    told = [reasons.noted(one) for one in ("odd", MISSING, MISSING, said("is empty"))]
    assert (told, reasons) == (
        ["odd", "x: is missing", "x: is missing", "is empty"], {"x: is missing": MISSING}
    )  # fmt: skip
    assert {type(one) for one in told} == {str}
    assert reasons["x: is missing"].template == "%(column)s: is missing"


def test_reasons_lie_beside_the_rows(tmp_path: Path) -> None:
    """They are there when the file is opened again; another text is English alone."""
    with Work(tmp_path / "w.duckdb") as work:
        assert work.reasons == {}
        work.keep_reasons(Reasons())
        work.keep_reasons(Reasons({"x: is missing": MISSING}))
    with Work(tmp_path / "w.duckdb") as work:
        kept = work.reasons
    found = [reason_of(text, kept) for text in ("x: is missing", "line 3: 1 cell")]
    assert [(one, one.template) for one in found] == [
        ("x: is missing", "%(column)s: is missing"), ("line 3: 1 cell", "%(text)s")
    ]  # fmt: skip
