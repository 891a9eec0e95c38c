"""Processes that are killed or told to end, under load, behind nginx and bare."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

import pytest

from podium.production.nginx import nginx_command
from podium.production.site import Site
from tests.support.client import JSON, exchange
from tests.support.faults import SLOW, write_faults
from tests.support.front import Served, fronted, serving_at, site_of
from tests.support.load import asked, load
from tests.support.missing import program
from tests.support.server import children, running
from tests.support.waiting import until


@pytest.fixture
def site(folder: Path) -> Site:
    """Return the facts of a site whose model answers 2 x + 1."""
    return site_of(write_faults(folder / "app", 'timeout = "10 s"'), folder / "site")


def web_workers(server: Served) -> frozenset[int]:
    """Return the processes that take requests."""
    return frozenset(pid for pid in children(server.pid) if b"--supervised" not in command_of(pid))


def replaced(server: Served, before: frozenset[int]) -> bool:
    """Whether another process has taken the place of one that was killed."""
    now = web_workers(server)
    return len(now) == len(before) and len(now - before) == 1


def command_of(pid: int) -> bytes:
    """Return a process's command line; nothing once it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@pytest.mark.parametrize("workers", [1, 2])
def test_killed_web_workers_lose_no_request_behind_nginx(
    workers: int, site: Site, folder: Path
) -> None:
    """What a killed worker did not answer another is asked, or the one that follows."""
    options = ("--workers", str(workers))
    with (
        serving_at(folder / "app", folder, *options) as server, fronted(site, server.socket),
        asked(site.http_port) as asking,
    ):  # fmt: skip
        for _ in range(3):
            before = web_workers(server)
            os.kill(min(before), signal.SIGKILL)
            until(partial(replaced, server, before), 30)
            asking.more()


def test_reload_of_nginx_loses_nothing(site: Site, folder: Path) -> None:
    """What nginx has taken in it answers, by what was there before or by what is there now."""
    reload = [*nginx_command(site, program("nginx", "nginx-light"))[:-2], "-s", "reload"]
    with (
        serving_at(folder / "app", folder) as server, fronted(site, server.socket),
        asked(site.http_port, keep=False) as asking,
    ):  # fmt: skip
        for _ in range(3):
            before = nginx_workers(site)
            subprocess.run(reload, check=True)  # noqa: S603  a list, not a shell's text
            until(partial(turned, site, before), 30)
            asking.more()


def turned(site: Site, before: frozenset[int]) -> bool:
    """Whether other workers of nginx's have taken over."""
    now = nginx_workers(site)
    return bool(now) and not before & now


def nginx_workers(site: Site) -> frozenset[int]:
    """Return nginx's own workers."""
    return children(int(site.nginx_pid.read_text()))


def test_nginx_that_is_stopped_answers_what_it_has_and_starts_again(
    site: Site, folder: Path
) -> None:
    """A request in flight is answered while nginx ends; the next nginx finds the same server."""
    with serving_at(folder / "app", folder) as server:
        with fronted(site, server.socket), ThreadPoolExecutor(1) as pool:
            held = pool.submit(load, site.http_port, iter([SLOW]), 1)
            until(lambda: in_flight(server.get("/metrics")))
            os.kill(int(site.nginx_pid.read_text()), signal.SIGQUIT)
            told = held.result(20)
            assert (told.statuses, told.wrong, told.broken) == ({200: 1}, [], 0)
            until(lambda: not site.nginx_pid.exists())
        site.live.unlink()
        with fronted(site, server.socket):
            told = load(site.http_port, iter([-1.0]), 1)
            assert (told.statuses, told.wrong) == ({200: 1}, [])


def in_flight(metrics: str) -> bool:
    """Whether another request than the one for these metrics is being answered."""
    return "podium_inflight 2.0" in metrics


def test_kept_connections_end_properly_when_the_server_stops(tmp_path: Path) -> None:
    """After SIGTERM requests in flight are answered, kept connections end without a reset.

    A request on a kept connection meanwhile is answered and told that it is the last; new
    connections are refused, and the server ends with status 0.
    """
    app = write_faults(tmp_path / "app", 'timeout = "10 s"')
    with (
        running(tmp_path, "serve", str(app)) as server, ThreadPoolExecutor(1) as pool,
        ExitStack() as stack,
    ):  # fmt: skip
        idle, busy, late = (stack.enter_context(closing(server.client.connect()))
                            for _ in range(3))  # fmt: skip
        body = b'{"inputs": [{"x": %s}]}'
        for connection in (idle, late):
            assert exchange(connection, "GET", "/healthz", None, {}).status == 200
        task = pool.submit(exchange, busy, "POST", "/predict", body % str(SLOW).encode(),
                           {"Content-Type": JSON})  # fmt: skip
        until(lambda: in_flight(server.client.get("/metrics").text))
        server.process.send_signal(signal.SIGTERM)
        until(lambda: refused(server.client.port))
        last = exchange(late, "POST", "/predict", body % b"-1", {"Content-Type": JSON})
        assert (last.status, last.headers["Connection"]) == (200, "close")
        assert task.result(10).predictions[0]["value"] == 2 * SLOW + 1
        assert idle.sock.recv(1) == b""
        assert server.process.wait(15) == 0


def refused(port: int) -> bool:
    """Whether nobody takes a new connection."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) != 0


def test_server_that_was_killed_starts_anew(site: Site, folder: Path) -> None:
    """SIGKILL leaves a socket, which is no obstacle, and workers, which end by themselves."""
    with serving_at(folder / "app", folder) as first:
        workers = web_workers(first)
        os.kill(first.pid, signal.SIGKILL)
        first.process.wait()
        assert first.socket.exists()
        with serving_at(folder / "app", folder) as second, fronted(site, second.socket):
            until(lambda: not any(command_of(pid) for pid in workers), 30)
            until(lambda: load(site.http_port, iter([-1.0]), 1).answered, 30)
            told = load(site.http_port, iter([-1.0, -2.0]), 1)
            assert (told.statuses, told.wrong, told.broken) == ({200: 2}, [], 0)
