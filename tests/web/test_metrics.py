"""GET /metrics: figures that Prometheus can read, of which no client chooses a label."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from werkzeug.test import Client, TestResponse

from podium import metrics
from podium.app import App
from podium.errors import Overloaded
from podium.jobs.state import StateFolder
from podium.web.metrics import MetricsEndpoint, path_of
from podium.web.wsgi import create_wsgi
from tests.support.apps import write_notes
from tests.support.client import BROWSER

HERE = {"REMOTE_ADDR": "127.0.0.1"}
Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture(autouse=True)
def _empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "_cells", memoryview(bytearray(8 * metrics.SIZE)).cast("d"))
    monkeypatch.setattr(metrics, "_board", None)  # a server that began here, and ran no further


@pytest.fixture
def notes(tmp_path: Path) -> Client:
    """A client of a regression of texts."""
    (tmp_path / "state").mkdir()
    app = App(write_notes(tmp_path / "app"))
    return Client(create_wsgi(app, StateFolder(tmp_path / "state"), threads=2))


def series(answer: TestResponse) -> Series:
    """Return the samples of an answer by name and labels; it must parse."""
    assert (answer.status_code, answer.content_type) == (
        200, "text/plain; version=0.0.4; charset=utf-8",
    )  # fmt: skip
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def value(found: Series, name: str, **labels: str) -> float | None:
    """Return one sample; None if it is not told."""
    return found.get((name, frozenset(labels.items())))


def ask(client: Client) -> Series:
    """Return what /metrics tells a program on this host."""
    return series(client.get("/metrics", environ_base=HERE))


def predict(client: Client, *texts: str) -> TestResponse:
    """Ask for predictions."""
    return client.post("/predict", json={"inputs": [{"text": text} for text in texts]})


def test_predictions_of_programs_and_of_the_page_are_counted(notes: Client) -> None:
    """With their time, their stages, and how many items went to the model at once."""
    assert predict(notes, "a", "b", "c").status_code == 200
    assert predict(notes, "").status_code == 422
    assert notes.post("/", data={"text": "a"}, headers={"Accept": BROWSER}).status_code == 200
    found = ask(notes)
    requests = {"method": "POST", "path": "/predict"}
    assert value(found, "podium_requests_total", code="200", **requests) == 1
    assert value(found, "podium_requests_total", code="422", **requests) == 1
    page = {"method": "POST", "path": "/", "code": "200"}
    assert value(found, "podium_requests_total", **page) == 1
    assert value(found, "podium_request_seconds_count", path="/predict") == 2
    assert value(found, "podium_predictions_total", model="crc", label="") == 4
    assert value(found, "podium_batch_size_sum") == 4
    assert value(found, "podium_batch_size_bucket", le="1") == 1
    assert value(found, "podium_batch_size_bucket", le="+Inf") == 2
    stages = {stage: value(found, "podium_stage_seconds_count", stage=stage)
              for stage in ("wait", "decode", "infer")}  # fmt: skip
    assert stages == {"wait": 3, "decode": 2, "infer": 2}
    assert value(found, "podium_inflight") == 1  # the one that asks
    assert value(found, "podium_queue_length") == 0
    assert (value(found, "podium_model_load_seconds", model="crc") or 0) > 0


def test_models_are_told_with_their_versions(notes: Client) -> None:
    """As /models tells them."""
    assert predict(notes, "a").status_code == 200
    (told,) = json.loads(notes.get("/models").text)["models"]
    labels = {"model": told["name"], "version": told["version"]}
    assert value(ask(notes), "podium_model_info", **labels) == 1


def test_data_sets_are_counted_where_there_are_any(notes: Client) -> None:
    """Requests for them by their address alone, without the id."""
    assert [name for name, _ in ask(notes) if name == "podium_datasets"] == []
    sent = notes.post("/datasets", data=b"text\na\n", content_type="text/csv")
    assert sent.status_code == 202
    assert notes.get(sent.headers["Location"]).status_code == 200
    found = ask(notes)
    states = {dict(labels)["state"]: number for (name, labels), number in found.items()
              if name == "podium_datasets"}  # fmt: skip
    assert states == {"received": 1, "ready": 0, "queued": 0, "running": 0, "done": 0, "failed": 0,
                      "cancelled": 0}  # fmt: skip
    sets = {"path": "/datasets", "method": "POST", "code": "202"}
    one = {"path": "/datasets/", "method": "GET", "code": "200"}
    assert value(found, "podium_requests_total", **sets) == 1
    assert value(found, "podium_requests_total", **one) == 1


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/", "/"), ("/predict", "/predict"), ("/predict/", "other"), ("/datasets", "/datasets"),
     ("/datasets/" + "0" * 32, "/datasets/"), ("/datasets/x/rows.csv", "/datasets/"),
     ("/static/page.css", "/static/"), ("/secret", "other"), ("/secret/x", "other"),
     ("//", "other"), ("", "other"), ("predict", "other"), ('/a"} 1\n', "other")],
)  # fmt: skip
def test_addresses_are_counted_by_kind(path: str, expected: str) -> None:
    """What follows a known one, and all that is not known, makes no label."""
    assert path_of(path) == expected
    assert expected in metrics.PATHS


def test_no_word_of_a_client_is_told(notes: Client) -> None:
    """Neither a path, nor a method, nor a model's name."""
    for path in ("/canary", "/datasets/canary", "/predict?model=canary"):
        notes.open(path, method="POST", json={"inputs": [{"text": "canary"}]})
    notes.open("/canary", method="CANARY")
    assert "canary" not in notes.get("/metrics", environ_base=HERE).text.lower()


def test_figures_are_only_read(notes: Client) -> None:
    """POST is refused."""
    refused = notes.post("/metrics", environ_base=HERE)
    assert (refused.status_code, refused.headers["Allow"]) == (405, "GET, HEAD")


def test_figures_are_not_for_everybody(notes: Client) -> None:
    """Who asks from elsewhere has to show a key."""
    answer = notes.get("/metrics", environ_base={"REMOTE_ADDR": "192.0.2.7"})
    assert (answer.status_code, "podium_" in answer.text) == (401, False)


class FakeApp:
    """An application of many models and classes."""

    light = True
    names = tuple(f"m{number}" for number in range(40))

    class signature:  # noqa: D106, N801  as the application's attribute is called
        labels = tuple(f"c{number}" for number in range(200))

    def version(self, name: str) -> str:
        """Return what names the content of a model's file."""
        return f"v{name}"


def told(app: Any, states: Mapping[str, int] | Exception) -> Series:
    """Return what an endpoint of its own tells."""

    def count() -> Mapping[str, int]:
        if isinstance(states, Exception):
            raise states
        return states

    return series(Client(MetricsEndpoint(app, count)).get("/metrics"))


def test_many_classes_and_models_are_told_as_other() -> None:
    """The first hundred classes have series of their own, and the first models."""
    for model, label in ((0, 0), (0, 99), (0, 100), (0, 199), (35, 0), (39, 0)):
        place = metrics.PREDICTIONS.place(model, label)
        metrics.PREDICTIONS.add([place])
    found = told(FakeApp(), {})
    counts = {(dict(labels)["model"], dict(labels)["label"]): number
              for (name, labels), number in found.items()
              if name == "podium_predictions_total"}  # fmt: skip
    assert counts == {
        ("m0", "c0"): 1, ("m0", "c99"): 1, ("m0", "other"): 2, ("other", "c0"): 2,
    }  # fmt: skip


def test_figures_are_told_without_the_database() -> None:
    """While it is away, its figures alone are missing."""
    found = told(FakeApp(), Overloaded("The database of jobs cannot be used now"))
    assert value(found, "podium_queue_length") == 0
    assert [name for name, _ in found if name == "podium_datasets"] == []
