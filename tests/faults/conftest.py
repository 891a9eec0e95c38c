"""What the tests of faults share."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder with a short path, as sockets need it."""
    with tempfile.TemporaryDirectory(prefix="podium-") as made:
        yield Path(made)
