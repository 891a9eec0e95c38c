"""What is sent to platforms, as it is kept in golden files; and the demo that is sent."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from podium.cli import DEMOS
from podium.deploy.target import Deployment

GOLDEN = Path(__file__).parent / "golden"


def penguins_with(folder: Path, settings: str) -> Path:
    """Copy the penguins demo, with more settings in its podium.toml."""
    app = folder / "penguins"
    shutil.copytree(DEMOS / "penguins", app, ignore=shutil.ignore_patterns("__pycache__"))
    with (app / "podium.toml").open("a") as toml:
        toml.write(settings)
    return app


def without_version(text: str, app: Deployment) -> str:
    """Return a text without the version, which changes with every file, and without the folder."""
    return text.replace(app.version, "VERSION").replace(str(app.folder), "penguins")


def compare(name: str, text: str) -> None:
    """Compare a text with what is kept of it; PODIUM_GOLDEN=write keeps it anew."""
    if os.environ.get("PODIUM_GOLDEN") == "write":
        keep({name: text})
    assert text == (GOLDEN / name).read_text("utf-8")


def keep(texts: Mapping[str, str]) -> None:
    """Write golden files."""
    for name, text in texts.items():
        file = GOLDEN / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
