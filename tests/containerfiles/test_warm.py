"""Bytecode is made of what a server imports."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from podium.bundle.packages import EXTRAS
from podium.container.warm import FRAMEWORKS


def test_every_runtime_is_thought_of() -> None:
    """Each extra that a model may bring along is imported, too."""
    assert {extra for extras in EXTRAS.values() for extra in extras} <= set(FRAMEWORKS)


def test_a_server_then_compiles_nothing_of_its_own(tmp_path: Path) -> None:
    """What a worker and its models import afterwards was compiled before, Python's own included."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(tmp_path)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    serving = (
        "from pathlib import Path; from podium.app import App; import podium, podium.serve, "
        "podium.web.wsgi, podium.production.worker, podium.production.models, podium.jobs.task; "
        "App(Path(podium.__file__).parent / 'demos' / 'digits').begin()"
    )
    for command in (["-m", "podium.container.warm"], ["-c", serving]):
        before = set(tmp_path.rglob("*.pyc"))
        subprocess.run([sys.executable, *command], env=environment, check=True)  # noqa: S603
    assert len(before) > 500
    assert {path.name for path in tmp_path.rglob("*.pyc")} - {path.name for path in before} == set()
