"""A real `podium` server in a process of its own."""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.client import Client

START_S = 60.0
STOP_S = 15.0


class Server:
    """One running server, its client and its log."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, port: int, base: str) -> None:
        self.process = process
        self.log = log
        self.client = Client(port, base)

    @property
    def workers(self) -> frozenset[int]:
        """The process ids of the web workers."""
        return self._children - self.job_workers

    @property
    def job_workers(self) -> frozenset[int]:
        """The process id of the data sets' worker; none while it is started."""
        return frozenset(pid for pid in self._children if b"--supervised" in _command(pid))

    @property
    def _children(self) -> frozenset[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return frozenset(map(int, children.read_text().split()))

    def forget_peak(self) -> None:
        """Let the workers' peak of memory start again from what they hold now."""
        for pid in self.workers:
            Path(f"/proc/{pid}/clear_refs").write_text("5")

    def peak_bytes(self) -> int:
        """Return the most memory that the workers have held together."""
        return sum(status_kb(pid, "VmHWM") for pid in self.workers) * 1024

    def resident_bytes(self) -> int:
        """Return the memory that the workers hold together now."""
        return sum(status_kb(pid, "VmRSS") for pid in self.workers) * 1024


@contextmanager
def running(
    folder: Path, *arguments: str, base: str = "", ready: str = "/readyz", workers: int = 1
) -> Iterator[Server]:
    """Run `python -m podium ARGUMENTS`; its log and state lie in `folder`."""
    log = folder / "server.log"
    command = [sys.executable, "-m", "podium", *arguments, "--port", "0"]
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603  the arguments are a list, not a shell's text
            [*command, "--workers", str(workers), "--state", str(folder / "state")],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
    try:
        deadline = time.monotonic() + START_S
        server = Server(process, log, _port(process, log, deadline), base)
        _wait_until_ready(server, ready, deadline)
        yield server
    finally:
        _stop(process)


def _port(process: subprocess.Popen[bytes], log: Path, deadline: float) -> int:
    while time.monotonic() < deadline and process.poll() is None:
        found = re.search(r"http://localhost:(\d+)", log.read_text())
        if found:
            return int(found[1])
        time.sleep(0.02)
    raise AssertionError(f"the server did not start:\n{log.read_text()}")


def _wait_until_ready(server: Server, path: str, deadline: float) -> None:
    while time.monotonic() < deadline and server.process.poll() is None:
        try:
            if server.client.get(path).status == 200:
                return
        except (OSError, http.client.HTTPException):
            pass
        time.sleep(0.05)
    raise AssertionError(f"the server is not ready:\n{server.log.read_text()}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(STOP_S)


def _command(pid: int) -> bytes:
    """Return a process's command line; that of the data sets' worker is its own."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:  # it has just ended
        return b""


def children(pid: int) -> frozenset[int]:
    """Return the processes that a process has started."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return frozenset(int(one) for task in tasks for one in task.read_text().split())


def status_kb(pid: int, key: str) -> int:
    """Return a size that the system tells of a process; source: proc(5), status."""
    found = re.search(rf"^{key}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.M)
    assert found is not None
    return int(found[1])
