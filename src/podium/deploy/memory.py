"""How much memory an application needs, measured in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

from podium.deploy.target import Deployment
from podium.errors import PodiumError
from podium.strict import Size

LONGEST_S: Final = 300.0


class Unmeasured(PodiumError):
    """It cannot be measured on this machine."""


def needed_memory(app: Deployment, workplace: Path) -> Size:
    """Return the peak of what one web worker holds, with all models loaded and asked.

    What was measured of a version is kept in the workplace.

    Raises:
        Unmeasured: a model cannot be loaded here, or takes too long.
    """
    file = workplace / "memory.json"
    try:
        known = json.loads(file.read_bytes())
    except (FileNotFoundError, ValueError):
        known = {}
    if app.version not in known:
        known = {app.version: int(_measured(app.folder))}
        workplace.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(known))
    return Size(known[app.version])


def _measured(folder: Path) -> Size:
    command = [sys.executable, "-m", "podium.deploy.measured", str(folder)]
    try:
        done = subprocess.run(  # noqa: S603  a list, not a shell's text
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LONGEST_S
        )
    except subprocess.TimeoutExpired as err:
        raise Unmeasured(f"the models took longer than {LONGEST_S:.0f} s.") from err
    if done.returncode:
        raise Unmeasured((done.stderr.strip().splitlines() or ["its process ended."])[-1])
    return Size(done.stdout.split()[-1])
