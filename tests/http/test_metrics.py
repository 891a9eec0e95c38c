"""What is seen of a server from outside: figures right across its processes, and its log."""

from __future__ import annotations

import json
import os
import re
import signal
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.apps import write_notes
from tests.support.client import BROWSER, JSON
from tests.support.server import Server, children, running
from tests.support.waiting import until

ENGINES = {"local": ["web", "web"], "gunicorn": ["model", "web", "web"]}


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """Where the models are."""
    return str(request.param)


@pytest.fixture(scope="module")
def server(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`podium serve` of a regression of texts, with two web workers."""
    folder = tmp_path_factory.mktemp("metrics")
    app = write_notes(folder / "app")
    toml = app / "podium.toml"
    toml.write_text(f'{toml.read_text()}\n[server]\nengine = "{engine}"\n')
    with running(folder, "serve", str(app), workers=2) as found:
        until(lambda: _is_back(found, ENGINES[engine]), 60)  # the one may be ready long before
        yield found


def figures(server: Server) -> dict[str, float]:
    """Return the samples of /metrics by name and labels, as they stand there."""
    text = server.client.get("/metrics").text
    return {
        sample.name + str(sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def one(found: dict[str, float], name: str, **labels: str) -> float:
    """Return one sample; 0 if it is not told."""
    return found.get(name + str(sorted(labels.items())), 0)


def counts(server: Server) -> tuple[float, float, float]:
    """Return how many requests /predict answered, for how many items, with how many predictions."""
    found = figures(server)
    asked = {"method": "POST", "path": "/predict", "code": "200"}
    return (
        one(found, "podium_requests_total", **asked), one(found, "podium_batch_size_sum"),
        one(found, "podium_predictions_total", model="crc", label=""),
    )  # fmt: skip


def predict(server: Server, times: int) -> None:
    """Ask for two predictions so many times, on connections of their own."""
    for _ in range(times):
        answer = server.client.predict({"text": "a"}, {"text": "b"})
        assert [one["value"] for one in answer.predictions] == [
            zlib.crc32(b"a"), zlib.crc32(b"b"),
        ]  # fmt: skip


def kinds(server: Server) -> list[str]:
    """Return what the processes that live are there for."""
    names = (name for name in figures(server) if name.startswith("podium_worker_resident"))
    return sorted(re.findall(r"\('kind', '(\w+)'\)", " ".join(names)))


def test_counters_never_fall(server: Server, engine: str) -> None:
    """Whichever process answers, and also when all that answered were killed."""
    before = counts(server)
    predict(server, 10)
    expected = tuple(map(sum, zip(before, (10, 20, 20), strict=True)))
    assert counts(server) == expected
    assert kinds(server) == ENGINES[engine]
    killed = processes(server)
    assert len(killed) == len(ENGINES[engine])
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    until(lambda: _is_back(server, ENGINES[engine]) and not processes(server) & killed, 60)
    assert counts(server) == expected
    predict(server, 5)
    assert counts(server) == tuple(map(sum, zip(expected, (5, 10, 10), strict=True)))


def processes(server: Server) -> frozenset[int]:
    """Return those that take requests or run models: what keeps such ones is none."""
    return frozenset(one for pid in server.workers for one in children(pid) or {pid})


def _is_back(server: Server, expected: list[str]) -> bool:
    try:
        return server.client.get("/readyz").status == 200 and kinds(server) == expected
    except OSError:
        return False


def test_page_and_data_sets_are_counted(server: Server) -> None:
    """By their addresses."""
    client = server.client
    assert client.send("GET", "/", headers={"Accept": BROWSER}).status == 200
    sent = client.post("/datasets", b"text\na\n", "text/csv")
    assert sent.status == 202
    job = sent.headers["Location"]
    until(lambda: client.get(job).json()["state"] == "done", 60)
    found = figures(server)
    requests = "podium_requests_total"
    assert one(found, requests, method="GET", path="/", code="200") == 1
    assert one(found, requests, method="POST", path="/datasets", code="202") == 1
    assert one(found, requests, method="GET", path="/datasets/", code="200") >= 1
    assert one(found, "podium_datasets", state="done") == 1


def test_nobody_works_when_all_is_answered(server: Server) -> None:
    """But the one who tells; and nobody waits."""
    predict(server, 3)
    found = figures(server)
    assert (one(found, "podium_inflight"), one(found, "podium_queue_length")) == (1, 0)


def lines(server: Server) -> list[dict[str, Any]]:
    """Return what the server has logged; the log also holds what is said when it starts."""
    told = [line for line in server.log.read_text().splitlines() if line.startswith("{")]
    return [json.loads(line) for line in told]


def test_the_log_is_json(server: Server, engine: str) -> None:
    """A line a request, with the model that answered; its id is in the answer, too."""
    client = server.client
    body = json.dumps({"inputs": [{"text": "a"}, {"text": "b"}]})
    headers = {"Content-Type": JSON, "X-Request-Id": f"seen-{engine}"}
    answer = client.send("POST", "/predict", body.encode(), headers)
    assert answer.headers["X-Request-Id"] == f"seen-{engine}"
    (line,) = [line for line in lines(server) if line.get("request_id") == f"seen-{engine}"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("time"))
    assert line.pop("pid") in server.workers
    assert line.pop("latency_ms") > 0
    assert line == {
        "level": "info", "event": "request", "request_id": f"seen-{engine}", "method": "POST",
        "path": "/predict", "status": 200, "client": "127.0.0.1", "model": "crc",
        "version": answer.json()["version"], "items": 2,
    }  # fmt: skip


def test_gunicorn_logs_alike(server: Server, engine: str) -> None:
    """That a worker was killed is a line of the same shape."""
    worker = next(pid for pid in server.workers if not children(pid))
    os.kill(worker, signal.SIGKILL)
    until(lambda: worker not in server.workers and _is_back(server, ENGINES[engine]), 60)
    told = [line for line in lines(server) if line.get("logger") == "gunicorn.error"]
    killed = f"Worker (pid:{worker}) was sent SIGKILL!"
    (line,) = [line for line in told if line["event"].startswith(killed)]
    assert line.keys() == {"time", "level", "event", "logger", "pid"}
