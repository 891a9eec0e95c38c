"""/openapi.json under schemathesis: what it describes is taken, what it rules out is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.security.conftest import Serve
from tests.security.unharmed import unharmed

CONFIG = Path(__file__).with_name("schemathesis.toml")
ROOT = Path(__file__).parents[2]
PREDICT = ("--include-path", "/predict")
EXCLUDED = (
    # A DELETE of a data set that is under way cancels it (200), and it is still there; only one
    # that has ended is removed (204).
    "use_after_free",
    # The router takes template.csv for the id of a data set as well, whose methods stand in Allow:
    # DELETE /datasets/template.csv is answered with 404, as of a data set that is not there.
    "allow_header_conformance",
)
"""Checks that are not made, and why."""


class Target(NamedTuple):
    """An application, which of its addresses are tested, and in which phases."""

    app: str
    addresses: tuple[str, ...] = PREDICT
    phases: str = "coverage,fuzzing"


@pytest.mark.parametrize(
    "target",
    [
        # Tables and pictures are sent as other data sets; all else is the same for all of them.
        Target("penguins", (), "coverage,fuzzing,stateful"),
        Target("digits", (*PREDICT, "--include-path", "/datasets")),
        Target("weights"),
        Target("notes"),
    ],
    ids=lambda target: target.app,
)
def test_description_holds(target: Target, serve: Serve, tmp_path: Path) -> None:
    """No request finds a 5xx, a status, type or body that is not described, or a wrong refusal."""
    server = serve(target.app)
    origin = f"http://127.0.0.1:{server.client.port}"
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG), "run",
               f"{origin}{server.client.base}/openapi.json", "--origin", origin, "--checks", "all",
               "--exclude-checks", ",".join(EXCLUDED), "--max-examples", "3",
               "--phases", target.phases, "--no-color",
               *target.addresses]  # fmt: skip
    with unharmed(server):
        done = subprocess.run(  # noqa: S603  a list, not a shell's text
            command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
