"""A container with limits: what it starts, and what comes of more than it has room for."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.container.engine import Engine
from tests.container.images import Image
from tests.container.site import LOOK_S, Composed, composed
from tests.http.test_datasets import followed, sent
from tests.support.client import PROBLEM, Upload
from tests.support.faults import GROW, SLOW
from tests.support.server import children
from tests.support.waiting import until

CLIENTS = 40
MEMORY = 400_000_000
ROWS, PACES = 32_768, 60
"""Rows of a data set, of which 8,192 are a chunk, and how many of them are slow: 18 s for all."""


@pytest.fixture(scope="module")
def site(engine: Engine, faults: Image) -> Iterator[Composed]:
    """An application that has one processor, and little memory."""
    limits = {"PODIUM_APP_CPUS": "1.5", "PODIUM_APP_MEMORY": str(MEMORY)}
    with composed(engine, faults.folder, **limits) as site:
        yield site


def web_workers(site: Composed) -> frozenset[int]:
    """Return the web workers' process ids on this host."""
    (server,) = children(int(site.told("app", "{{.State.Pid}}")))  # its parent is the init process
    return children(server)


def test_workers_follow_the_quota(site: Composed, penguins_site: Composed) -> None:
    """Of one processor and a half one is whole; without a quota there are all of the host."""
    assert len(web_workers(site)) == 1
    assert len(web_workers(penguins_site)) == len(os.sched_getaffinity(0))


def test_too_many_requests_are_refused(site: Composed) -> None:
    """What does not fit into the queue is told to come again, and nothing is killed."""
    client, before = site.client, web_workers(site)
    with ThreadPoolExecutor(CLIENTS) as pool:
        answers = list(pool.map(lambda _: client.predict({"x": SLOW}), range(2 * CLIENTS)))
    assert set(Counter(answer.status for answer in answers)) == {200, 503}
    assert {answer.headers["Retry-After"] for answer in answers if answer.status == 503} == {"1"}
    assert web_workers(site) == before
    assert client.predict({"x": 3}).predictions[0]["value"] == 7


def test_request_that_wants_more_memory_than_there_is(site: Composed) -> None:
    """The system ends the worker that it is for; another follows, and the container stays."""
    client, before = site.client, web_workers(site)
    greedy = json.dumps({"inputs": [{"x": GROW}]})
    assert client.ask("POST", "/predict", greedy) == (502, PROBLEM)
    site.until_ready()
    assert client.predict({"x": 3}).predictions[0]["value"] == 7
    assert not web_workers(site) & before
    assert site.told("app", "{{.RestartCount}}") == "0"


def restart(site: Composed) -> None:
    """Restart the server and the worker, as an operator does."""
    site.compose("restart", "app", "worker")


def kill(site: Composed) -> None:
    """Kill the server and the worker, as the system does for want of memory."""
    for service in ("app", "worker"):
        os.kill(int(site.told(service, "{{.State.Pid}}")), signal.SIGKILL)


def test_job_goes_on_after_interruptions(site: Composed, apps: Path, tmp_path: Path) -> None:
    """Killed and then restarted in the middle of it, its results are those of `podium score`."""
    table = "x\n" + "".join(f"{-row if row % (ROWS // PACES) else SLOW}\n" for row in range(ROWS))
    client = site.client
    path = sent(client.submit("/datasets", files=[Upload("file", table.encode(), "a.csv")]))
    for interrupt in (kill, restart):
        until(lambda: client.get(path).json()["rows_done"], every_s=LOOK_S)
        assert client.get(path).json()["state"] == "running"
        interrupt(site)
        site.until_ready()
    told = followed(client, path)
    assert (told["state"], told["rows_done"]) == ("done", ROWS)
    assert client.get(told["results"]["csv"]).body == undisturbed(site, apps, table, tmp_path)


def undisturbed(site: Composed, apps: Path, table: str, folder: Path) -> bytes:
    """Return what `podium score` makes of a table, with a model that makes haste."""
    app = shutil.copytree(apps / "faults", folder / "app")
    model = (app / "faulty.py").read_text()
    (app / "faulty.py").write_text(model.replace("time.sleep(0.3)", "pass"))
    (folder / "a.csv").write_text(table)
    site.engine.run("podium", "score", "app", "a.csv", folder=folder)
    return (folder / "results.csv").read_bytes()


def test_stopped_services_end_well(site: Composed) -> None:
    """Each of them ends by itself on its signal, with exit code 0."""
    site.until_ready()
    site.compose("stop")
    codes = {name: site.told(name, "{{.State.ExitCode}}") for name in ("app", "worker", "nginx")}
    assert codes == {"app": "0", "worker": "0", "nginx": "0"}
