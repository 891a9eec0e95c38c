"""Databases that hold jobs."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from podium.jobs.store import JobStore
from tests.support.missing import missing


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """Return the address of a PostgreSQL server of its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the folder that the server's socket lies in
        try:
            import pgserver
        except ImportError:
            missing("pgserver is not installed: pip install pgserver")
    # A short path, since a socket's may have 107 bytes.
    with tempfile.TemporaryDirectory(prefix="pg", ignore_cleanup_errors=True) as folder:
        server = pgserver.get_server(folder, cleanup_mode="stop")
        yield server.get_uri()
        server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address of a database of each kind."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgresql"))
    return f"sqlite:///{tmp_path / 'jobs.sqlite'}"


@pytest.fixture
def store(database: str, request: pytest.FixtureRequest) -> Iterator[JobStore]:
    """Return the jobs of an application that no other test has."""
    store = JobStore.open(database, request.node.name[:200], keep_s=100)
    yield store
    store.close()
