"""What a site's programs write, as it is followed."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from podium.operate.logs import follow


def test_followed_logs_tell_what_is_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a log that is there the whole lines that come are told; of one that is new, all."""
    (tmp_path / "a.log").write_text("before\n")

    def written_meanwhile(_seconds: float) -> None:
        with (tmp_path / "a.log").open("a") as log:
            log.write("later\nhal")
        (tmp_path / "b.log").write_text("first\n")

    monkeypatch.setattr(time, "sleep", written_meanwhile)
    told = follow(tmp_path)
    assert [next(told), next(told)] == ["a: later", "b: first"]
