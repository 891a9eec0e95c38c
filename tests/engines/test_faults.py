"""A model hangs, leaks or ends its worker, with either engine: real processes."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.support.client import JSON, Answer, assert_problem, exchange
from tests.support.faults import DIE, HANG, LEAK, LEAK_BYTES, LONG, SLOW, STUCK, write_faults
from tests.support.load import Outcome, endless, load
from tests.support.server import Server, children, running
from tests.support.waiting import until

ENGINES = ("local", "gunicorn")
LATE = "The answer takes longer than 1 s ([limits] timeout)"


@contextlib.contextmanager
def serving(
    folder: Path, engine: str, limits: str = 'timeout = "1 s"', workers: int = 1
) -> Iterator[Server]:
    """Serve the application whose models have faults."""
    app = write_faults(folder / "app", limits, f'engine = "{engine}"')
    with running(folder, "serve", str(app), workers=workers) as server:
        yield server


def pools(server: Server) -> frozenset[int]:
    """Return Gunicorn's process that keeps model workers, once it has some."""
    return frozenset(pid for pid in server.workers if children(pid))


def model_workers(server: Server) -> frozenset[int]:
    """Return the processes that run models: those that the pool keeps, else the web workers."""
    pooled = 'engine = "gunicorn"' in (server.log.parent / "app/podium.toml").read_text()
    if not pooled:
        return server.workers
    return frozenset(pid for pool in pools(server) for pid in children(pool))


def web_workers(server: Server) -> frozenset[int]:
    """Return the processes that take requests."""
    return server.workers - pools(server)


def asked(server: Server, x: float, query: str = "") -> Answer:
    """Return the answer to one number."""
    return server.client.predict({"x": x}, query=query)


def assert_works(server: Server) -> None:
    """Check that requests are answered."""
    for number in range(-5, 0):
        assert asked(server, number).predictions[0]["value"] == 2 * number + 1


def assert_late(answer: Answer) -> None:
    """Check that a request was told that its time is over."""
    assert_problem(answer, 504, "The answer takes too long", [], LATE)


@contextlib.contextmanager
def under_load(server: Server, connections: int = 8) -> Iterator[Future[Outcome]]:
    """Send requests without end meanwhile; yields what comes of them."""
    ended = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        outcome = pool.submit(load, server.client.port, endless(), connections, until=ended.is_set)
        try:
            time.sleep(0.3)
            yield outcome
        finally:
            ended.set()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_graph_is_told_to_stop(engine: str, tmp_path: Path) -> None:
    """ONNX Runtime ends a run at the deadline: 504, and the same processes go on."""
    with serving(tmp_path, engine) as server:
        before = model_workers(server)
        assert_late(asked(server, LONG, "?model=loop"))
        assert_works(server)
        assert model_workers(server) == before


@pytest.mark.parametrize("engine", ENGINES)
def test_a_model_that_hangs_is_answered_for_and_replaced(engine: str, tmp_path: Path) -> None:
    """Its request gets 504; others are answered before, meanwhile and after, by a new worker."""
    with serving(tmp_path, engine) as server, ThreadPoolExecutor(1) as pool:
        before = model_workers(server)
        hung = pool.submit(asked, server, HANG)
        with under_load(server) as outcome:
            assert_late(hung.result(15))
            until(lambda: model_workers(server) and not model_workers(server) & before, 30)
        assert_works(server)
        told = outcome.result(30)
        assert (set(told.statuses), told.wrong, told.broken) == ({200}, [], 0)
        assert re.search(r"hangs", server.log.read_text())


def test_a_model_that_holds_the_lock_is_killed(tmp_path: Path) -> None:
    """A model worker that cannot even tell that it hangs is killed by who waits for it."""
    with serving(tmp_path, "gunicorn") as server:
        (before,) = model_workers(server)
        assert_late(asked(server, STUCK))
        until(lambda: model_workers(server) and before not in model_workers(server), 30)
        assert_works(server)
        assert f"Model worker {before} hangs and says nothing" in server.log.read_text()


def test_a_quick_model_that_hangs_holds_up_no_other(tmp_path: Path) -> None:
    """Where the main thread itself hangs, another goes on with all other connections."""
    limits = 'timeout = "3 s"\nconcurrency = 2'
    with (
        serving(tmp_path, "local", limits) as server,
        contextlib.closing(server.client.connect()) as first,
        contextlib.closing(server.client.connect()) as other,
    ):
        for connection in (first, other):
            for number in range(-30, 0):
                assert _on(connection, number) == 2 * number + 1
        first.request("POST", "/predict", _body(HANG), {"Content-Type": JSON})
        time.sleep(0.1)
        for number in range(-30, 0):
            assert _on(other, number) == 2 * number + 1
        assert not _has_come(first.sock)
        assert first.getresponse().status == 504


def _body(x: float) -> str:
    return json.dumps({"inputs": [{"x": x}]})


def _on(connection: HTTPConnection, x: float) -> float:
    """Return the value that is answered on a kept connection."""
    headers = {"Content-Type": JSON}
    answer = exchange(connection, "POST", "/predict", _body(x).encode(), headers)
    return float(answer.predictions[0]["value"])


def _has_come(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return bool(connection.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return False
    finally:
        connection.setblocking(True)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_worker_that_leaks_is_replaced_without_loss(engine: str, tmp_path: Path) -> None:
    """Beyond [limits] memory another worker stands in its place; every request is answered."""
    with serving(tmp_path, engine, 'memory = "500 MB"') as server:
        before = model_workers(server)
        with under_load(server, 4) as outcome:
            for _ in range(500_000_000 // LEAK_BYTES):
                assert asked(server, LEAK).predictions[0]["value"] == 2 * LEAK + 1
            until(lambda: model_workers(server) and not model_workers(server) & before, 40)
        assert_works(server)
        told = outcome.result(30)
        assert (set(told.statuses), told.wrong, told.broken) == ({200}, [], 0)


def test_a_killed_model_worker_loses_no_request(tmp_path: Path) -> None:
    """Web workers ask again what a killed model worker did not answer."""
    with serving(tmp_path, "gunicorn", "", workers=2) as server:
        with under_load(server, 16) as outcome:
            for _ in range(3):
                (before,) = model_workers(server)
                os.kill(before, signal.SIGKILL)
                until(partial(_replaced, server, before), 30)
                assert_works(server)
        told = outcome.result(30)
        assert (set(told.statuses), told.wrong, told.broken) == ({200}, [], 0)


def _replaced(server: Server, before: int) -> bool:
    return bool(model_workers(server) - {before})


def test_a_request_that_ends_every_model_worker_fails_alone(tmp_path: Path) -> None:
    """It is not asked without end: 500 after some, and others are answered."""
    with serving(tmp_path, "gunicorn", 'timeout = "20 s"') as server:
        answer = asked(server, DIE)
        assert_problem(
            answer, 500, "The prediction failed", [],
            "3 model workers ended while they answered this request; the log says how.",
        )  # fmt: skip
        assert_works(server)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_killed_web_worker_loses_only_its_connections(engine: str, tmp_path: Path) -> None:
    """The others go on; no answer is wrong, and the worker is replaced."""
    with serving(tmp_path, engine, workers=2) as server:
        until(lambda: len(web_workers(server)) == 2, 30)
        before = web_workers(server)
        with under_load(server, 8) as outcome:
            os.kill(min(before), signal.SIGKILL)
            until(lambda: len(web_workers(server) - before) == 1, 30)
            time.sleep(0.5)
        told = outcome.result(30)
        assert (set(told.statuses), told.wrong) == ({200}, [])
        assert told.broken <= 8


@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_asked_is_answered_when_the_server_stops(engine: str, tmp_path: Path) -> None:
    """Requests in flight are answered after SIGTERM, and the server ends with status 0."""
    with serving(tmp_path, engine, 'timeout = "10 s"') as server, ThreadPoolExecutor(4) as pool:
        tasks = [pool.submit(asked, server, SLOW) for _ in range(4)]
        time.sleep(0.15)
        server.process.send_signal(signal.SIGTERM)
        values = [task.result(10).predictions[0]["value"] for task in tasks]
        assert values == [2 * SLOW + 1] * 4
        assert server.process.wait(15) == 0


def test_web_workers_are_light(tmp_path: Path) -> None:
    """With models in the pool no web worker has a framework in its memory."""
    with serving(tmp_path, "gunicorn", workers=2) as server:
        assert asked(server, -1.0, "?model=loop").status == 200
        until(lambda: len(web_workers(server)) == 2, 30)
        web = [_maps(pid) for pid in web_workers(server)]
        models = [_maps(pid) for pid in model_workers(server)]
    assert [b"onnxruntime" in maps for maps in web] == [False, False]
    assert [b"onnxruntime" in maps for maps in models] == [True]


def _maps(pid: int) -> bytes:
    return Path(f"/proc/{pid}/maps").read_bytes()


def test_model_workers_end_with_the_process_that_keeps_them(tmp_path: Path) -> None:
    """None is left behind when that is killed; others answer, and requests have waited for them."""
    with serving(tmp_path, "gunicorn", "", workers=2) as server:
        (pool,), (before,) = pools(server), model_workers(server)
        os.kill(pool, signal.SIGKILL)
        until(lambda: not Path(f"/proc/{before}").exists(), 30)
        assert_works(server)


@pytest.mark.parametrize("after_s", [0.0, 0.3, 0.6])
def test_a_server_ends_at_once_while_it_starts(after_s: float, tmp_path: Path) -> None:
    """SIGTERM is heard by the pool and its model workers from their beginning."""
    app = write_faults(tmp_path / "app", 'timeout = "60 s"', 'engine = "gunicorn"')
    with running(tmp_path, "serve", str(app), ready="") as server:
        time.sleep(after_s)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(30) == 0


def test_a_web_worker_that_leaves_takes_no_model_worker_along(tmp_path: Path) -> None:
    """What all processes share stays when one of them ends as it should."""
    with serving(tmp_path, "gunicorn") as server:
        (before,), models = web_workers(server), model_workers(server)
        os.kill(before, signal.SIGTERM)
        until(lambda: web_workers(server) - {before} and before not in web_workers(server), 30)
        assert_works(server)
        assert model_workers(server) == models
