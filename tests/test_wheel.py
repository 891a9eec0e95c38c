"""What is installed is what was written: a wheel holds all that the server needs."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_a_wheel_without_its_source_checks_both_demos(tmp_path: Path) -> None:
    """Templates, styles, demos and models travel in the wheel, and it works from there."""
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation",
             "--disable-pip-version-check", "-w", str(tmp_path), str(ROOT)]  # fmt: skip
    subprocess.run(build, check=True, capture_output=True, timeout=120)  # noqa: S603
    (wheel,) = tmp_path.glob("podium-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    package = tmp_path / "site" / "podium"
    shipped = {str(path.relative_to(ROOT / "src" / "podium"))
               for folder in ("web/templates", "web/static", "web/translations", "demos")
               for path in (ROOT / "src" / "podium" / folder).rglob("*")
               if path.is_file() and "__pycache__" not in path.parts}  # fmt: skip
    assert [name for name in sorted(shipped) if not (package / name).is_file()] == []
    for demo in ("penguins", "digits"):
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-m", "podium", "check", str(package / "demos" / demo)],
            env={**os.environ, "PYTHONPATH": str(tmp_path / "site")}, cwd=tmp_path,
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert "All is well." in done.stdout, done.stdout + done.stderr
