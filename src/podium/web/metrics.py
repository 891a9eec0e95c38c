"""GET /metrics: what the server's processes have counted, as Prometheus reads it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Final

from podium.app import App
from podium.errors import PodiumError
from podium.metrics import (
    BATCH_SIZE,
    CLASSES,
    INFLIGHT,
    LOAD_SECONDS,
    MODELS,
    OTHER,
    PATHS,
    PREDICTIONS,
    PROCESS,
    QUEUE,
    REQUEST_SECONDS,
    REQUESTS,
    STAGE_SECONDS,
    Histogram,
    Labels,
    Meter,
    Read,
    blocks,
)
from podium.web.http import Reply
from podium.web.problem import reply_of, status_problem

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment
    from prometheus_client.metrics_core import Metric

HISTOGRAMS: Final = (REQUEST_SECONDS, STAGE_SECONDS, BATCH_SIZE)
_EXACT: Final = frozenset(path for path in PATHS if path == "/" or not path.endswith("/"))
_FOLDERS: Final = frozenset(PATHS) - _EXACT
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096

Values = Iterable[tuple[tuple[str, ...], float]]
"""Numbers with the values of their labels."""


def path_of(path: str) -> str:
    """Return by which of the known addresses a request is counted; a client chooses no label."""
    if path in _EXACT:
        return path
    folder = path[: path.find("/", 1) + 1]
    return folder if folder in _FOLDERS else OTHER


class MetricsEndpoint:
    """Answers GET /metrics; `states` counts the application's data sets by their state."""

    def __init__(self, app: App, states: Callable[[], Mapping[str, int]]) -> None:
        self._app = app
        self._states = states

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one WSGI call."""
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            problem = status_problem(405, "/metrics takes GET")
            return reply_of(problem, (("Allow", "GET, HEAD"),)).send(start_response)
        # Imported by the worker that is asked.
        from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

        body = generate_latest(self)
        headers = (("Cache-Control", "no-store"),)
        return Reply(200, CONTENT_TYPE_PLAIN_0_0_4, body, headers).send(start_response)

    def collect(self) -> Iterator[Metric]:
        """Yield what is counted, as prometheus_client's encoders take it."""
        read = blocks()
        living = [one for one in read if one.lives]
        yield from (self._family(meter, read) for meter in (REQUESTS, PREDICTIONS))
        yield from (_histogram(meter, read) for meter in HISTOGRAMS)
        yield from (self._family(meter, living) for meter in (INFLIGHT, QUEUE))
        yield self._family(LOAD_SECONDS, living, max)
        yield _family("gauge", "podium_worker_resident_memory_bytes", "Memory of a worker.",
                      ("kind", "worker"), _memory(living))  # fmt: skip
        app = self._app
        names = app.names if app.light else app.loaded
        versions = [((name, app.version(name)), 1.0) for name in names]
        yield _family("gauge", "podium_model_info", "Loaded models and their versions.",
                      ("model", "version"), versions)  # fmt: skip
        with suppress(PodiumError):  # the database is away
            states = [((state,), float(number)) for state, number in self._states().items()]
            yield _family("gauge", "podium_datasets", "Data sets by state.", ("state",), states)

    def _family(
        self, meter: Meter, read: Sequence[Read], joined: Callable[[Iterable[float]], float] = sum
    ) -> Metric:
        """Return a counter or a gauge; one without labels is told when it is 0, too."""
        values: dict[tuple[str, ...], float] = {} if meter.labels else {(): 0.0}
        for labels, cells in _joined(meter, read, joined).items():
            named = self._named(meter, labels)
            values[named] = values.get(named, 0.0) + cells[0]
        return _family(meter.kind, meter.name, meter.told, meter.labels, values.items())

    def _named(self, meter: Meter, labels: Labels) -> tuple[str, ...]:
        """Return the values of labels as they are told: numbers stand for models and classes."""
        app = self._app
        numbered = {"model": _first(app.names, MODELS),
                    "label": _first(app.signature.labels or ("",), CLASSES)}  # fmt: skip
        return tuple(
            one if isinstance(one, str) else dict(enumerate(numbered[name])).get(one, OTHER)
            for name, one in zip(meter.labels, labels, strict=True)
        )


def _first(names: Sequence[str], most: int) -> Sequence[str]:
    """Return names of which the last stands for all others where there are more than so many."""
    return names if len(names) <= most else (*names[: most - 1], OTHER)


def _joined(
    meter: Meter, read: Sequence[Read], joined: Callable[[Iterable[float]], float] = sum
) -> dict[Labels, list[float]]:
    """Return a meter's cells by labels, those of all processes made one."""
    found: dict[Labels, list[list[float]]] = {}
    for block in read:
        for labels, cells in meter.read(block.cells):
            found.setdefault(labels, []).append(list(cells))
    return {labels: [joined(column) for column in zip(*each, strict=True)]
            for labels, each in found.items()}  # fmt: skip


def _family(kind: str, name: str, told: str, labels: Sequence[str], values: Values) -> Metric:
    from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily

    family = (CounterMetricFamily if kind == "counter" else GaugeMetricFamily)(
        name, told, labels=labels
    )
    for named, value in values:
        family.add_metric(named, value)
    return family


def _histogram(meter: Histogram, read: Sequence[Read]) -> Metric:
    from prometheus_client.metrics_core import HistogramMetricFamily

    family = HistogramMetricFamily(meter.name, meter.told, labels=meter.labels)
    bounds = [*(f"{bound:g}" for bound in meter.bounds), "+Inf"]
    for labels, (*counts, total) in _joined(meter, read).items():
        buckets = list(zip(bounds, accumulate(counts), strict=True))
        family.add_metric(list(map(str, labels)), buckets, total)
    return family


def _memory(living: Sequence[Read]) -> Iterator[tuple[tuple[str, str], float]]:
    """Yield what each process holds; source: proc(5), the second field of statm."""
    for one in living:
        pid = int(one.cells[PROCESS.place("pid")])
        kind = "model" if one.cells[PROCESS.place("models")] else "web"
        with suppress(OSError):  # it has just ended, or this system has no /proc
            pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
            yield (kind, str(one.number)), float(pages * _PAGE_BYTES)
