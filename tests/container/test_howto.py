"""docs/howto/container.md, as a reader goes: from a folder to a page over HTTPS."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.container.engine import Engine
from tests.container.images import Image, above_base
from tests.docs.test_commands import ROOT, blocks
from tests.support.front import free_ports

HOWTO = (ROOT / "docs" / "howto" / "container.md").read_text("utf-8")


def commands(title: str, which: int = 0) -> str:
    """Return the lines of a section's block."""
    section = HOWTO.partition(f"## {title}\n")[2].partition("\n## ")[0]
    return blocks(section, "sh")[which]


def test_from_the_folder_to_a_page(engine: Engine, penguins: Image) -> None:
    """Each command works after the one before, on free ports and beside what else is up."""
    folder = penguins.folder.parent
    ports = dict(zip(("8080", "8443"), map(str, free_ports()), strict=True))
    up = re.sub("8080|8443", lambda port: ports[port[0]], commands("2. Bring it up", 1))
    try:
        assert "above its base image" in shell(engine, folder, commands("1. Build it"))
        assert shell(engine, folder, up).endswith('{"status":"ready"}')
        assert "All is well." in shell(engine, penguins.folder, commands("What it may do"))
        assert (penguins.folder / "state.tar.gz").stat().st_size > 0
    finally:
        shell(engine, penguins.folder, "docker compose down --volumes --timeout 1")


def shell(engine: Engine, folder: Path, text: str) -> str:
    """Return what a shell prints that carries out some lines, until one fails."""
    return engine.run("bash", "-euc", text, folder=folder, COMPOSE_PROJECT_NAME="howto")


def test_sizes_are_those_of_the_images(engine: Engine, digits: Image, penguins: Image) -> None:
    """Podium itself may have grown by a few megabytes since they were written down."""
    told = dict(re.findall(r"^\| (\w+) \|.*\| (\d+) MB \|$", HOWTO, re.M))
    found = {image.tag: above_base(engine, image) / 1e6 for image in (digits, penguins)}
    assert {name: float(size) for name, size in told.items()} == pytest.approx(found, abs=5)
