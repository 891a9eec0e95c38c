"""The files of others that the page ships."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import podium.web

VENDOR = Path(podium.web.__file__).parent / "static" / "vendor"
PINS = json.loads((VENDOR / "pins.json").read_text("utf-8"))


def test_shipped_files_are_those_that_are_pinned() -> None:
    """Every file is the pinned package's to the byte, and none is there that is not pinned."""
    pinned = {
        (Path(inside).name if inside.endswith(".js") else f"licences/{name}.txt"): digest
        for name, pin in PINS.items()
        for inside, digest in pin["files"].items()
    }
    shipped = {
        str(file.relative_to(VENDOR)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in VENDOR.rglob("*")
        if file.is_file() and file.name != "pins.json"
    }
    assert shipped == pinned


def test_every_package_is_pinned_with_its_licence() -> None:
    """A pin has an exact version and the archive's hash; its licence travels along."""
    for name, pin in PINS.items():
        assert pin["version"].replace(".", "").isdecimal(), name
        assert pin["integrity"].startswith("sha512-"), name
        assert [inside for inside in pin["files"] if inside.startswith("LICENSE")], name
