"""Frameworks do not report what models are served."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import podium

MODEL = Path(podium.__file__).parent / "demos" / "digits" / "models" / "mlp.onnx"
SWITCHES = ("ORT_DISABLE_TELEMETRY", "MLFLOW_DISABLE_TELEMETRY", "HF_HUB_DISABLE_TELEMETRY")
LOAD = f"""
import os
from pathlib import Path
from podium.runtimes import Source, load
file = Path({str(MODEL)!r})
assert load(Source(file=file, root=file.parent)).platform == "onnx"
print(*(os.environ[name] for name in {SWITCHES}))
"""


def run(home: Path, **more: str) -> str:
    """Load a graph in a process whose home is a folder, as outside of a CI; return its output."""
    kept = {name: value for name, value in os.environ.items() if name not in ("CI", *SWITCHES)}
    home.mkdir()
    environment = {**kept, "HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"), **more}
    done = subprocess.run(  # noqa: S603  the interpreter that runs this test
        [sys.executable, "-c", LOAD],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.strip()


def test_no_framework_reports(tmp_path: Path) -> None:
    """Loading a model writes no identifier and no queue of events into the user's home."""
    assert run(tmp_path / "home") == "1 1 1"
    assert list((tmp_path / "home").rglob("*")) == []


def test_who_wants_to_report_may(tmp_path: Path) -> None:
    """A variable that is set keeps its value."""
    assert run(tmp_path / "home", MLFLOW_DISABLE_TELEMETRY="0") == "1 0 1"
