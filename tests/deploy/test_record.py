"""What is noted of deployments."""

from __future__ import annotations

from pathlib import Path

import pytest

from podium.deploy.record import Record, Records
from podium.errors import DeployError


def noted(records: Records, version: str, before: str | None) -> str | None:
    """Note that a version serves where another had; return what a rollback brings back."""
    return records.write(
        Record(target="vm", name="a", version=version, address="http://a", before=before)
    ).before


def test_what_a_rollback_brings_back(tmp_path: Path) -> None:
    """It is what had served before, however often the same version is put there meanwhile."""
    records = Records(tmp_path)
    assert records.read("vm") is None
    assert noted(records, "a", None) is None
    assert noted(records, "a", "a") is None
    assert noted(records, "b", "a") == "a"
    assert noted(records, "b", "b") == "a"
    assert noted(records, "c", "c") == "b"  # interrupted after c was there, and run again
    assert noted(records, "d", "z") == "z"  # somebody else had put z there
    found = records.read("vm")
    assert found is not None
    assert (found.version, found.before, found.since > 1.7e9) == ("d", "z", True)
    assert Records(tmp_path).read("cloud-run") is None
    records.forget("vm")
    assert records.read("vm") is None
    records.forget("vm")


def test_damaged_record(tmp_path: Path) -> None:
    """A file that cannot be read is told with its name and what it is good for."""
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy" / "vm.json").write_text("{")
    with pytest.raises(DeployError, match=r"vm\.json is damaged: .* Remove it; a rollback then"):
        Records(tmp_path).read("vm")
