"""A server after an attack is what it was before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.server import Server
from tests.support.waiting import until


@contextmanager
def unharmed(server: Server) -> Iterator[None]:
    """Check that no worker is replaced, no traceback logged, and nothing written but to the state.

    What the server may write to lies below the folder of its log: the application, its state, and
    the folder for temporary files.
    """
    folder = server.log.parent
    until(lambda: server.job_workers)
    workers, files, logged = server.workers, _files(folder), server.log.stat().st_size
    yield
    assert server.process.poll() is None
    assert _files(folder) == files
    until(lambda: server.job_workers and server.workers == workers - server.job_workers, 10)
    log = server.log.read_bytes()[logged:]
    assert b"Traceback" not in log
    assert b'"status":500' not in log
    assert server.client.get("/healthz").status == 200


def _files(folder: Path) -> set[str]:
    """Return all that lies in a folder but the state."""
    found = {path.relative_to(folder) for path in folder.rglob("*")}
    return {str(path) for path in found if path.parts[0] != "state"}
