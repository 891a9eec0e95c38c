"""What a contender did in a few seconds: wrk drives a server, the raw loop drives itself."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final, NamedTuple

from benchmarks.applications import Case
from benchmarks.servers import ROOT, Server
from podium.cpus import available_cpus

WARM_UP_S: Final = 1
SETTLE_S: Final = 1
"""How long a server then works off the requests that wrk left when the warm-up was over."""
TIMEOUT_S: Final = 10
SCRIPT: Final = """\
local file = io.open("{body}", "rb")
wrk.method = "POST"
wrk.body = file:read("*a")
{headers}
file:close()

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\\n{{"requests": %d, "us": %d, "p50": %f, "p99": %f, "errors": ' ..
    '{{"status": %d, "connect": %d, "read": %d, "write": %d, "timeout": %d}}}}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.status, errors.connect, errors.read, errors.write, errors.timeout))
end
"""


class LoadFailed(Exception):
    """A measurement that is none: requests failed, or the tool did."""


class Load(NamedTuple):
    """Items a second, and the latencies of requests in milliseconds."""

    rate: float
    p50: float
    p99: float


def load_server(server: Server, case: Case, connections: int, seconds: int, work: Path) -> Load:
    """Drive a server with wrk, after a short warm-up.

    Raises:
        LoadFailed: a request was refused or broke, or wrk failed.
    """
    script = _script(case, work)
    _wrk(server, script, connections, WARM_UP_S)
    time.sleep(SETTLE_S)
    result = _wrk(server, script, connections, seconds)
    server.check_alive()
    items = result["requests"] * case.items
    return Load(items / result["us"] * 1e6, result["p50"] / 1000, result["p99"] / 1000)


def load_raw(case: Case, connections: int, seconds: int, work: Path) -> Load:
    """Run the raw loop in a process a core, at most one for each connection."""
    return _load_loop("raw", case, seconds, min(connections, available_cpus()), work)


def load_passes(case: Case, samples: int, seconds: int, work: Path) -> Load:
    """Answer the case's row in a process, each time with `samples` passes."""
    return _load_loop("passes", case, seconds, samples, work)


def load_dataset(case: Case, contender: str, work: Path) -> Load:
    """Let a contender make results of the case's data set, once, in a process of its own.

    The results lie in `dataset_place`; the latency is the time for all of them.
    """
    command = [sys.executable, "-m", "benchmarks.datasets", str(case.folder), str(case.file),
               str(dataset_place(work, contender)), contender]  # fmt: skip
    seconds = json.loads(_output(command, 600))["seconds"]
    return Load(case.items / seconds, seconds * 1000, seconds * 1000)


def dataset_place(work: Path, contender: str) -> Path:
    """Return the folder of a contender's results."""
    return work / "results" / contender.replace(" ", "_")


def find_wrk() -> str:
    """Return wrk's path.

    Raises:
        LoadFailed: it is not installed.
    """
    path = shutil.which("wrk")
    if path is None:
        raise LoadFailed("wrk is not installed: apt install wrk")
    return path


def _load_loop(module: str, case: Case, seconds: int, number: int, work: Path) -> Load:
    item = work / f"{case.name}.item"
    item.write_bytes(case.item)
    command = [sys.executable, "-m", f"benchmarks.{module}"]
    command += [str(case.folder), str(item), str(seconds), str(number)]
    result = json.loads(_output(command, seconds + 120))
    return Load(result["rate"], result["p50"] * 1000, result["p99"] * 1000)


def _wrk(server: Server, script: Path, connections: int, seconds: int) -> dict[str, Any]:
    command = [find_wrk(), "--threads", "1", "--connections", str(connections)]
    command += ["--duration", f"{seconds}s", "--timeout", f"{TIMEOUT_S}s"]
    command += ["--script", str(script), server.url]
    output = _output(command, seconds + 30)
    result: dict[str, Any] = json.loads(output.strip().splitlines()[-1])
    errors = ", ".join(f"{kind} {count}" for kind, count in result["errors"].items() if count)
    if errors or not result["requests"]:
        raise LoadFailed(
            f"{server.name}: of {result['requests']} requests some failed "
            f"({errors or 'none was answered'}); see {server.log}"
        )
    return result


def _script(case: Case, work: Path) -> Path:
    body = work / f"{case.name}.body"
    body.write_bytes(case.body)
    script = work / f"{case.name}.lua"
    told = (("Content-Type", case.content_type), *case.headers)
    headers = "\n".join(f'wrk.headers["{name}"] = "{value}"' for name, value in told)
    script.write_text(SCRIPT.format(body=body, headers=headers))
    return script


def wrk_version() -> str:
    """Return wrk's version; it prints it with its usage and ends with status 1."""
    done = subprocess.run(  # noqa: S603
        [find_wrk(), "--version"], capture_output=True, text=True, timeout=10
    )
    found = re.search(r"wrk \S*?(\d[\w.]*)", done.stdout + done.stderr)
    return found[1] if found else "?"


def _output(command: list[str], timeout_s: float) -> str:
    done = subprocess.run(  # noqa: S603  the arguments are a list, not a shell's text
        command, cwd=ROOT, capture_output=True, text=True, timeout=timeout_s
    )
    if done.returncode:
        raise LoadFailed(f"{' '.join(command)}\n{done.stderr.strip()}")
    return done.stdout
