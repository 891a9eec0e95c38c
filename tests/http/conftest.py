"""Servers for the whole session; each test ends with a look at whether its server is well."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.apps import write_colours, write_half_broken
from tests.support.client import Client
from tests.support.pictures import RED, png
from tests.support.server import Server, running
from tests.support.waiting import until

GENTOO = {
    "bill_length_mm": 47.5, "bill_depth_mm": 15, "flipper_length_mm": 218,
    "body_mass_g": 4950, "island": "Biscoe", "sex": "female",
}  # fmt: skip
BEAM = {"length": 2.5, "count": 3, "wet": True, "material": "pine"}


@pytest.fixture(scope="session")
def colours_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`podium serve` of an image application whose answers tell the colours it saw."""
    folder = tmp_path_factory.mktemp("colours")
    with running(folder, "serve", str(write_colours(folder / "app"))) as server:
        yield server


@pytest.fixture(scope="session")
def half_broken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """`podium serve` of an application of which one model cannot be loaded."""
    folder = tmp_path_factory.mktemp("half_broken")
    app = write_half_broken(folder / "app")
    with running(folder, "serve", str(app), ready="/healthz") as server:
        yield server.client


@pytest.fixture(scope="session")
def digits(digits_server: Server) -> Client:
    """A client of the digits."""
    return digits_server.client


@pytest.fixture
def penguins(penguins_server: Server) -> Iterator[Client]:
    """A client of the penguins; the server must be well after the test."""
    with _stays_well(penguins_server):
        yield penguins_server.client
        (found,) = penguins_server.client.predict(GENTOO, query="?model=bnn").predictions
        assert (found["label"], found["warnings"]) == ("Gentoo", [])


@pytest.fixture
def colours(colours_server: Server) -> Iterator[Client]:
    """A client of the colours; the server must be well after the test."""
    with _stays_well(colours_server):
        yield colours_server.client
        (found,) = colours_server.client.post("/predict", png(RED), "image/png").predictions
        assert found["probabilities"]["red"] == pytest.approx(1 / 3)


@pytest.fixture
def weights(weights_server: Server) -> Iterator[Client]:
    """A client of the weights; the server must be well after the test."""
    with _stays_well(weights_server):
        yield weights_server.client
        (found,) = weights_server.client.predict(BEAM).predictions
        assert found["value"] == pytest.approx(1132.5)


@pytest.fixture
def notes(notes_server: Server) -> Iterator[Client]:
    """A client of the notes; the server must be well after the test."""
    with _stays_well(notes_server):
        yield notes_server.client
        (found,) = notes_server.client.predict({"text": "a"}).predictions
        assert found["value"] == zlib.crc32(b"a")


@contextmanager
def _stays_well(server: Server) -> Iterator[None]:
    """Check that no worker is replaced meanwhile, and that no traceback is logged."""
    workers, logged = server.workers, server.log.stat().st_size
    yield
    assert server.process.poll() is None
    # For a moment the process that is to work on data sets looks like a web worker.
    until(lambda: server.job_workers and server.workers == workers - server.job_workers, 10)
    assert b"Traceback" not in server.log.read_bytes()[logged:]
