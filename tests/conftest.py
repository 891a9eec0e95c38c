"""What tests of several parts share."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from podium.cli import DEMOS
from podium.demo import ready_folder
from tests.support.apps import write_notes, write_weights
from tests.support.server import Server, running

KEPT = Path(__file__).parents[1] / ".build" / "cache"
"""The cache of `photos_cache` between runs, which saves half a minute."""
BUSY = frozenset({"engines", "faults"})
"""Folders whose tests keep the machine busy: where several run at once, one after the other."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the tests of a file, which share what they set up, run in one process."""
    for item in items:
        folder = item.path.relative_to(Path(__file__).parent).parts[0]
        group = folder if folder in BUSY else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(scope="session")
def photos_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a cache in which the photos demo is ready; under CI its models are made anew."""
    fresh = os.environ.get("CI") == "true"
    several = "PYTEST_XDIST_WORKER" in os.environ  # its folder lies in the one of all of them
    base = tmp_path_factory.getbasetemp()
    cache = (base.parent if several else base) / "photos-cache" if fresh else KEPT
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


@pytest.fixture(scope="session")
def notes_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`podium serve` of a regression of texts, whose value is their checksum."""
    folder = tmp_path_factory.mktemp("notes")
    with running(folder, "serve", str(write_notes(folder / "app"))) as server:
        yield server
