"""The pictures of the documentation: each is shown somewhere, and none is heavy."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "docs" / "images"
PAGES = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
MOST_BYTES = 200_000
MOST_BYTES_IN_ALL = 2_000_000


def test_each_picture_is_shown_and_each_shown_is_there() -> None:
    """README and docs show the pictures that the script takes, and no others."""
    shown = {
        (page.parent / target).resolve()
        for page in PAGES
        for target in re.findall(r"!\[[^\]]+\]\(([^)\s]+)\)", page.read_text("utf-8"))
    }
    taken = runpy.run_path(str(ROOT / "scripts" / "screenshots.py"))["SHOTS"]
    assert shown == {IMAGES / f"{name}.png" for name in taken}
    assert set(IMAGES.iterdir()) == shown


def test_the_pictures_are_light() -> None:
    """A clone, and a page that shows them, stay small."""
    sizes = {path.name: path.stat().st_size for path in IMAGES.iterdir()}
    assert {name: size for name, size in sizes.items() if size > MOST_BYTES} == {}
    assert sum(sizes.values()) < MOST_BYTES_IN_ALL
