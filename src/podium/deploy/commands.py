"""Programs of this machine that a plan runs: argument lists, never a shell's text."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from podium.deploy.steps import Command, Secret, resolved
from podium.errors import DeployError


def run_command(
    command: Command, folder: Path, environment: Mapping[str, str], say: Callable[[str], None]
) -> None:
    """Run a program in a folder and tell what it says, as it says it.

    Raises:
        DeployError: it is not installed, or fails; with the last it said.
    """
    text = command.input
    if isinstance(text, Secret):
        text = resolved(text, environment)
    try:
        process = subprocess.Popen(  # noqa: S603  the arguments are a list, not a shell's text
            command.arguments, cwd=folder, env={**os.environ, **environment}, text=True,
            errors="replace", stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
    except FileNotFoundError as err:
        raise DeployError(f"{command.arguments[0]} is not installed on this machine.") from err
    last = ""
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        with suppress(BrokenPipeError):  # it may have ended; its exit code says how
            process.stdin.write(text)
            process.stdin.close()
        for line in process.stdout:
            last = line.rstrip() or last
            say(f"  {line.rstrip()}")
    if process.returncode:
        told = " ".join(command.arguments[:2])
        raise DeployError(f"`{told}` failed with exit code {process.returncode}: {last}")
