"""What tests of several parts share."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from podium.cli import DEMOS
from podium.demo import ready_folder
from tests.support.apps import write_weights
from tests.support.server import Server, running

KEPT = Path(__file__).parents[1] / ".build" / "cache"
"""The cache of `photos_cache` between runs, which saves half a minute."""


@pytest.fixture(scope="session")
def photos_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a cache in which the photos demo is ready; under CI its models are made anew."""
    fresh = os.environ.get("CI") == "true"
    cache = tmp_path_factory.mktemp("cache") if fresh else KEPT
    folder = ready_folder(DEMOS / "photos", cache, print)
    for outdated in set(folder.parent.glob("photos-*")) - {folder}:
        shutil.rmtree(outdated)
    return cache


@pytest.fixture(scope="session")
def photos_folder(photos_cache: Path) -> Path:
    """Return the photos demo, ready to be served."""
    return ready_folder(DEMOS / "photos", photos_cache, print)


@pytest.fixture(scope="session")
def penguins_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`podium demo penguins`."""
    with running(tmp_path_factory.mktemp("penguins"), "demo", "penguins") as server:
        yield server


@pytest.fixture(scope="session")
def digits_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`podium demo digits`."""
    with running(tmp_path_factory.mktemp("digits"), "demo", "digits") as server:
        yield server


@pytest.fixture(scope="session")
def weights_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`podium serve` of a regression under a path prefix, with tight limits."""
    folder = tmp_path_factory.mktemp("weights")
    app = write_weights(folder / "app")
    with running(folder, "serve", str(app), "--threads", "4", base="/lab/weights") as server:
        yield server
