"""The processors that this process may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from podium.cpus import available_cpus


@pytest.fixture(autouse=True)
def _eight_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the process run on eight processors."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(8)), raising=False)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("max 100000\n", 8),
        ("400000 100000\n", 4),
        ("150000 100000\n", 1),
        ("50000 100000\n", 1),
        ("5000000 100000\n", 8),
        ("100000 50000\n", 2),
        ("garbage", 8),
    ],
)
def test_quota_of_a_container(text: str, count: int, tmp_path: Path) -> None:
    """A container's quota counts in whole processors, at least 1, at most those there are."""
    (tmp_path / "cpu.max").write_text(text)
    assert available_cpus(tmp_path) == count


@pytest.mark.parametrize(("quota", "count"), [("-1\n", 8), ("300000\n", 3), ("garbage", 8)])
def test_quota_of_an_older_system(quota: str, count: int, tmp_path: Path) -> None:
    """Version 1 of cgroups has a file for the quota and one for its period."""
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(quota)
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    assert available_cpus(tmp_path) == count


def test_without_cgroups(tmp_path: Path) -> None:
    """Without a quota the processors of the process count."""
    assert available_cpus(tmp_path / "none") == 8


def test_without_affinity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system has no affinity its processors count, and one when it tells nothing."""
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    assert available_cpus(tmp_path) == 3
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert available_cpus(tmp_path) == 1
