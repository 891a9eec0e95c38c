"""Whoever asks at the same time, and whoever is answered together: each gets its own answer."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.faults import write_faults
from tests.support.load import load
from tests.support.server import running

REQUESTS = int(os.environ.get("PODIUM_REQUESTS", "15000"))
"""100000 take a minute or two."""
CONNECTIONS = 64


@pytest.mark.parametrize("engine", ["local", "gunicorn"])
def test_every_request_gets_its_own_answer(engine: str, tmp_path: Path) -> None:
    """Each of many requests on 64 connections is answered, with what its own number makes."""
    app = write_faults(tmp_path / "app", server=f'engine = "{engine}"')
    with running(tmp_path, "serve", str(app), workers=2) as server:
        numbers = (-float(number) for number in range(REQUESTS))
        outcome = load(server.client.port, numbers, CONNECTIONS, "/predict?model=loop")
    assert (outcome.statuses, outcome.wrong, outcome.broken) == ({200: REQUESTS}, [], 0)
