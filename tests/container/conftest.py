"""The engine, and what is built and run with it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from podium.cli import DEMOS
from tests.container.engine import Engine, running_engine
from tests.container.images import Image, build
from tests.container.site import Composed, composed
from tests.container.stand_ins import CONSTRAINTS, make_stand_ins
from tests.support.faults import write_faults

KEPT = Path(__file__).parents[2] / ".build" / "container"
"""Debian's files and the engine's layers between runs, which saves two minutes."""
LAYERS = "8GB"
"""How much of what was built is kept."""
LIMITS = 'timeout = "20 s"\nconcurrency = 1\nqueue = 4'


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """Return an engine that has the images which applications are built on."""
    KEPT.mkdir(parents=True, exist_ok=True)
    with running_engine(KEPT / "engine") as engine:
        make_stand_ins(engine, KEPT)
        yield engine
        engine.run("docker", "image", "prune", "--force")
        engine.run("docker", "builder", "prune", "--force", "--keep-storage", LAYERS)


@pytest.fixture(scope="session")
def apps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder in which the applications are."""
    return tmp_path_factory.mktemp("apps")


@pytest.fixture(scope="session")
def penguins(engine: Engine, apps: Path) -> Image:
    """The penguins demo: an ONNX model, and some of scikit-learn's."""
    return build(engine, shutil.copytree(DEMOS / "penguins", apps / "penguins"))


@pytest.fixture(scope="session")
def lock(engine: Engine, apps: Path) -> Path:
    """The lock of an application that needs nothing beside Podium, as the digits demo."""
    shutil.copytree(DEMOS / "digits", apps / "digits")
    engine.run("podium", "lock", "digits", folder=apps, PIP_CONSTRAINT=str(CONSTRAINTS))
    return apps / "digits" / "requirements.lock"


@pytest.fixture(scope="session")
def digits(engine: Engine, lock: Path) -> Image:
    """The digits demo: ONNX models alone, and packages that are locked."""
    return build(engine, lock.parent)


@pytest.fixture(scope="session")
def faults(engine: Engine, apps: Path, lock: Path) -> Image:
    """An application whose model is slow, or wants too much; its packages are those of `digits`."""
    app = write_faults(apps / "faults", LIMITS)
    shutil.copy(lock, app)
    return build(engine, app)


@pytest.fixture(scope="session")
def penguins_site(engine: Engine, penguins: Image) -> Iterator[Composed]:
    """The penguins as Compose brings them up."""
    with composed(engine, penguins.folder) as site:
        yield site
