"""The commands of the README and the tutorial, run as a reader would run them."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.missing import program
from tests.support.server import running

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text("utf-8")


def blocks(text: str, language: str) -> list[str]:
    """Return the fenced blocks of one language."""
    return re.findall(rf"```{language}\n(.*?)```", text, re.S)


def lines(text: str, start: str) -> list[str]:
    """Return the lines of the console blocks that begin with `start`, without their comments."""
    found = "\n".join(blocks(text, "console")).splitlines()
    return [re.sub(r"\s+#.*", "", line) for line in found if line.startswith(start)]


def run(command: list[str], folder: Path) -> str:
    """Run a command as written, with this environment's programs, and return what it prints."""
    bin_folder = Path(sys.executable).parent
    path = f"{bin_folder}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(  # noqa: S603  the project's own documented commands
        command, cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def curl(line: str, port: int, folder: Path = ROOT) -> dict[str, Any]:
    """Run a documented curl line in a folder, against another port."""
    program("curl", "curl")
    command = shlex.split(line.replace("localhost:5000", f"127.0.0.1:{port}"))
    answer: dict[str, Any] = json.loads(run([*command[:1], "-sS", *command[1:]], folder))
    return answer


def test_the_readmes_curl_line_reads_the_digit(tmp_path: Path) -> None:
    """The image in the README's line is answered by the digits demo."""
    (line,) = lines(README, "curl")
    with running(tmp_path, "demo", "digits") as server:
        answer = curl(line, server.client.port)
    assert [p["label"] for p in answer["predictions"]] == ["2"]


@pytest.mark.parametrize(
    ("demo", "model", "label"), [("penguins", "bnn", "Adelie"), ("digits", "vit", "2")]
)
def test_the_printed_curl_line_is_answered(
    demo: str, model: str, label: str, tmp_path: Path
) -> None:
    """What `podium demo` prints can be pasted into a shell."""
    with running(tmp_path, "demo", demo) as server:
        (line,) = re.findall(r"^  (curl .*)$", server.log.read_text(), re.M)
        command = shlex.split(line)
        answer = json.loads(run([*command[:1], "-sS", *command[1:]], ROOT))
    assert answer["model"] == model
    assert [p["label"] for p in answer["predictions"]] == [label]


def test_the_makefile_has_the_readmes_targets() -> None:
    """Every `make` line of the README is a target."""
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M)
    assert {line.split()[1] for line in lines(README, "make")} <= set(targets)


def test_the_tutorial_leads_to_an_application(tmp_path: Path) -> None:
    """Its script, its podium.toml, its commands and its curl line work one after the other."""
    (tmp_path / "train.py").write_text(blocks(TUTORIAL, "python")[0])
    run([sys.executable, "train.py"], tmp_path)
    init, check, serve, *_ = lines(TUTORIAL, "podium")
    run(shlex.split(init), tmp_path)
    (tmp_path / "wine" / "podium.toml").write_text(blocks(TUTORIAL, "toml")[0])
    assert "All is well." in run(shlex.split(check), tmp_path)
    (line,) = lines(TUTORIAL, "curl")
    with running(tmp_path, "serve", str(tmp_path / shlex.split(serve)[2])) as server:
        answer = curl(line, server.client.port)
    assert answer["predictions"][0]["label"] == "class_0"
    assert answer["predictions"][0]["uncertainty"]["samples"] == 100
