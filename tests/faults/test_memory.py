"""A model that wants more memory than there is, and workers that the system ends for that."""

from __future__ import annotations

import json
import resource
from pathlib import Path

from tests.support.client import PROBLEM
from tests.support.faults import DIE, GROW, write_faults
from tests.support.front import ask, fronted, serving_at, site_of
from tests.support.load import asked
from tests.support.server import Server, running, status_kb
from tests.support.waiting import until

ROOM_BYTES = 400_000_000


def test_request_that_wants_too_much_memory_fails_alone(tmp_path: Path) -> None:
    """It is answered as a failure of its model, others meanwhile and after as ever."""
    app = write_faults(tmp_path / "app")
    with running(tmp_path, "serve", str(app)) as server:
        with asked(server.client.port) as asking:
            limit_memory(server)
            for _ in range(3):
                answer = server.client.predict({"x": GROW})
                told = answer.json()
                assert (answer.status, told["title"]) == (500, "The prediction failed")
                assert told["detail"].startswith("'faulty:answer' raises MemoryError")
                asking.more()
        (worker,) = server.workers
        assert status_kb(worker, "VmPeak") * 1024 <= resource.prlimit(worker, resource.RLIMIT_AS)[0]


def limit_memory(server: Server) -> None:
    """Let web workers have little more memory than the one has now."""
    (worker,) = server.workers
    most = status_kb(worker, "VmSize") * 1024 + ROOM_BYTES
    for pid in (server.process.pid, worker):  # the first for a worker that follows
        resource.prlimit(pid, resource.RLIMIT_AS, (most, most))


def test_request_for_which_the_system_kills_workers_is_asked_twice(folder: Path) -> None:
    """It is told to be in vain; workers follow and answer the others."""
    site = site_of(write_faults(folder / "app"), folder / "site")
    with (
        serving_at(folder / "app", folder, "--workers", "3") as server,
        fronted(site, server.socket),
    ):
        body = json.dumps({"inputs": [{"x": DIE}]})
        told = ask(site, "/predict", "-H", "Content-Type: application/json", "-d", body)
        assert (told.status, told.headers["Content-Type"]) == (502, PROBLEM)
        until(lambda: server.get("/readyz") == '{"status":"ready"}')
        with asked(site.http_port):
            pass
