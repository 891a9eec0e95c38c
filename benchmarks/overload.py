"""`python -m benchmarks.overload`: what a server does with fifty times as much as it can.

A model takes 50 ms for each row, whatever the machine, so that one worker answers 20 requests a
second. Requests are sent at fixed times, come what may of those before: as often as the worker
answers, and fifty times as often. Latencies are those of the requests with status 200.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import Counter
from pathlib import Path
from statistics import quantiles
from typing import Final

import click

from benchmarks.applications import Case
from benchmarks.servers import ROOT, Server, serving

MODEL_S: Final = 0.05
CAPACITY: Final = 1 / MODEL_S
TIMES: Final = (0.5, 50.0, 0.5)
CONNECTIONS: Final = 2000
MODEL: Final = f"""import time

def answer(rows):
    time.sleep({MODEL_S} * len(rows))
    return [2 * x for (x,) in rows]
"""
TOML: Final = """title = "Overload"
[task]
kind = "regression"
target = "y"
[[features]]
name = "x"
[[models]]
name = "sleeps"
python = "sleeps:answer"
[limits]
concurrency = 1
queue = 16
[server]
workers = 1
"""


class Seen:
    """Statuses by number, and the latencies of answers with status 200 in milliseconds."""

    def __init__(self) -> None:
        self.statuses: Counter[int] = Counter()
        self.latencies: list[float] = []
        self.broken = 0

    def line(self) -> str:
        """Return it as cells of a table."""
        total = self.statuses.total() + self.broken
        cuts = quantiles(self.latencies, n=100)
        shares = f"{self.statuses[503] / total:.1%} | {self.broken}"
        return f"{self.statuses[200]} | {cuts[49]:.0f} | {cuts[98]:.0f} | {shares}"


class Clients:
    """Connections that are used again when they are free, and opened when none is."""

    def __init__(self, port: int, body: bytes) -> None:
        head = f"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
        self._request = f"{head}Content-Type: application/json\r\n\r\n".encode() + body
        self._port = port
        self._free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._open = asyncio.Semaphore(CONNECTIONS)

    async def ask(self, seen: Seen) -> None:
        """Send one request and note what is answered."""
        started = time.perf_counter()
        async with self._open:
            try:
                if not self._free:
                    self._free.append(await asyncio.open_connection("127.0.0.1", self._port))
                reader, writer = self._free.pop()
                writer.write(self._request)
                status = await _status(reader)
            except (OSError, asyncio.IncompleteReadError):
                seen.broken += 1
                return
        seen.statuses[status] += 1
        if status == 200:
            seen.latencies.append((time.perf_counter() - started) * 1000)
        self._free.append((reader, writer))


async def _status(reader: asyncio.StreamReader) -> int:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    found = re.search(r"content-length: (\d+)", head)
    await reader.readexactly(int(found[1]) if found else 0)
    return int(head.split(" ", 2)[1])


async def drive(clients: Clients, rate: float, seconds: float) -> Seen:
    """Send so many requests a second, each at its time, and wait for all answers."""
    seen, tasks, started = Seen(), [], time.perf_counter()
    for number in range(int(rate * seconds)):
        await asyncio.sleep(max(0.0, started + number / rate - time.perf_counter()))
        tasks.append(asyncio.create_task(clients.ask(seen)))
    await asyncio.gather(*tasks)
    return seen


@click.command(help=__doc__)
@click.option("--seconds", default=20, show_default=True, help="The time of one load.")
@click.option(
    "--work", type=click.Path(path_type=Path), default=ROOT / ".build/bench/overload",
    help="Where the application and its log are kept.",
)  # fmt: skip
def main(seconds: int, work: Path) -> None:
    """Run the benchmark from the command line."""
    case = _case(work)
    with serving("Podium", case, work) as server:
        click.echo("| offered | 200 | p50 ms | p99 ms | 503 | broken | memory before and after |")
        click.echo("|---|--:|--:|--:|--:|--:|--:|")
        asyncio.run(_measure(server, case, seconds))


async def _measure(server: Server, case: Case, seconds: int) -> None:
    clients = Clients(server.port, case.body)
    for times in TIMES:
        before = _memory_kb(server.process.pid)
        seen = await drive(clients, times * CAPACITY, seconds)
        after = _memory_kb(server.process.pid)
        memory = f"{before / 1000:.0f} and {after / 1000:.0f} MB"
        click.echo(f"| {times:g} times the capacity | {seen.line()} | {memory} |")


def _memory_kb(pid: int) -> int:
    """Return what a process and those that it has started hold; source: proc(5), VmRSS."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(found[1] if found else 0) + sum(_memory_kb(int(one)) for one in children)


def _case(work: Path) -> Case:
    folder = work / "app"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sleeps.py").write_text(MODEL)
    (folder / "podium.toml").write_text(TOML)
    body = json.dumps({"inputs": [{"x": 1.0}]}).encode()
    return Case("overload", "Overload", folder, body, body, "application/json")


if __name__ == "__main__":
    main()
