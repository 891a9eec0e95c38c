"""Servers that are attacked: in folders of their own, so that nothing is written beside them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from podium.cli import DEMOS
from tests.support.apps import write_colours, write_notes, write_weights
from tests.support.server import Server, running

Serve = Callable[[str], Server]
BASES = {"weights": "/lab/weights"}


def write_demo(name: str, folder: Path) -> Path:
    """Write a demo that takes five inputs at once, so that tests reach the limit soon."""
    shutil.copytree(DEMOS / name, folder, ignore=shutil.ignore_patterns("__pycache__"))
    toml = folder / "podium.toml"
    toml.write_text(toml.read_text() + "\n[limits]\nrows = 5\n")
    return folder


APPS: dict[str, Callable[[Path], Path]] = {
    "penguins": lambda folder: write_demo("penguins", folder),
    "digits": lambda folder: write_demo("digits", folder),
    "weights": write_weights,
    "notes": write_notes,
    "colours": write_colours,
}


@pytest.fixture(scope="session")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Return what serves an application by its name, once; all it writes lies in its folder."""
    servers: dict[str, Server] = {}
    with ExitStack() as stack:

        def served(name: str) -> Server:
            if name not in servers:
                folder = tmp_path_factory.mktemp(f"attacked-{name}")
                (folder / "tmp").mkdir()
                app = APPS[name](folder / "app")
                with pytest.MonkeyPatch.context() as patch:
                    patch.setenv("TMPDIR", str(folder / "tmp"))
                    started = running(folder, "serve", str(app), base=BASES.get(name, ""))
                    servers[name] = stack.enter_context(started)
            return servers[name]

        yield served
