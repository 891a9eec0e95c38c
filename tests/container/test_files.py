"""What `podium build` writes is what linters of Docker's files ask for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.container.engine import Engine

APPS = ("penguins", "digits")


@pytest.fixture(params=APPS)
def folder(request: pytest.FixtureRequest) -> Path:
    """Return the folder that was written of an application."""
    written: Path = request.getfixturevalue(request.param).folder
    return written


def test_linter_finds_nothing_in_the_dockerfile(engine: Engine, folder: Path) -> None:
    """Not even what it would only mention."""
    assert engine.run("hadolint", "--failure-threshold", "style", str(folder / "Dockerfile")) == ""


def test_compose_reads_its_file_without_a_word(engine: Engine, folder: Path) -> None:
    """With no variable set, none is missed."""
    assert engine.run("docker", "compose", "config", "--quiet", folder=folder) == ""
