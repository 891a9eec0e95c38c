"""What `podium up` would write: shown and written elsewhere, and nothing is changed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from podium.cli import main
from podium.operate import front
from tests.support.visitors import write_offset


@pytest.fixture
def words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a command for an application on a host without nginx and openssl."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(front, "_ELSEWHERE", str(tmp_path))
    app = write_offset(tmp_path / "app", 1)
    state = tmp_path / "state"
    return ["up", str(app), "--state", str(state), "--tls-self-signed", "--domain", "example.org"]


def test_dry_run_prints_all_files_and_changes_nothing(words: list[str], tmp_path: Path) -> None:
    """Each file is printed below its path; no folder, no certificate and no process is made."""
    before = sorted(tmp_path.rglob("*"))
    done = CliRunner().invoke(main, [*words, "--dry-run"], catch_exceptions=False)
    assert (done.exit_code, done.stderr) == (0, "")
    assert sorted(tmp_path.rglob("*")) == before
    named = [line for line in done.stdout.splitlines() if line.startswith(f"# {tmp_path}/state/")]
    ends = ("nginx.conf", "site.conf", "@.service", "-nginx.service", "renewed.sh", "README.txt")
    assert [end for end in ends if not any(line.endswith(end) for line in named)] == []
    assert "ssl_certificate_key" in done.stdout


def test_render_writes_what_dry_run_prints(words: list[str], tmp_path: Path) -> None:
    """A folder holds the same files, for their owner alone; the state folder is not made."""
    out = tmp_path / "out"
    told = CliRunner().invoke(main, [*words, "--dry-run"], catch_exceptions=False).stdout
    done = CliRunner().invoke(main, [*words, "--render", str(out)], catch_exceptions=False)
    files = [path for path in out.rglob("*") if path.is_file()]
    assert done.exit_code == 0
    assert sorted(done.stdout.splitlines()) == sorted(f"Wrote {file}" for file in files)
    assert all(file.read_text() in told for file in files)
    assert {file.name for file in files if os.access(file, os.X_OK)} == {"renewed.sh"}
    assert {file.stat().st_mode & 0o077 for file in files} == {0}
    assert not (tmp_path / "state").exists()
