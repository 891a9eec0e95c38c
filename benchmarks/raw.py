"""The raw loop: Podium's own decode, preprocess and infer in a process a core, without HTTP."""

from __future__ import annotations

import json
import multiprocessing
import sys
import time
from collections.abc import Callable
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.applications import Case
from podium.app import App
from podium.cpus import available_cpus
from podium.pipeline.decode import Items, JsonReader
from podium.pipeline.photo import open_image
from podium.pipeline.preprocess import encoder
from podium.runtimes import Arrays

Latencies = list[float]


def make_loop(folder: Path, item: bytes) -> Callable[[], Arrays]:
    """Return the function that takes one request from its bytes to the model's outputs."""
    app = App(folder, workers=available_cpus())
    model = app.served().pipeline.model
    encode = encoder(app.signature, model)
    reader = JsonReader(app.signature, app.spec.limits.rows)

    def decode() -> Items:
        image = app.image_of(None)
        return [open_image(item, image)] if image is not None else reader.read(item)

    return lambda: model.predict(encode(decode()))


def answer_of(case: Case) -> dict[str, float]:
    """Return the probability of every label."""
    outputs = make_loop(case.folder, case.item)()
    values = next(array for array in outputs.values() if array.dtype.kind == "f")[0]
    if case.content_type.startswith("multipart"):
        exponents = np.exp(values - values.max())
        values = exponents / exponents.sum()
    labels = (case.folder / "labels.txt").read_text().split("\n")
    return dict(zip(labels, values.tolist(), strict=True))


def run(folder: Path, item: bytes, seconds: float, processes: int) -> dict[str, float]:
    """Return what the processes did together: requests a second and latencies in seconds."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(processes)
    results: Queue[tuple[float, Latencies]] = context.Queue()
    workers = [
        context.Process(target=_work, args=(folder, item, seconds, barrier, results), daemon=True)
        for _ in range(processes)
    ]
    for worker in workers:
        worker.start()
    parts = [results.get(timeout=seconds + 60) for _ in workers]
    for worker in workers:
        worker.join(timeout=10)
    latencies = np.concatenate([part for _, part in parts])
    p50, p99 = np.percentile(latencies, [50, 99])
    return {"rate": sum(rate for rate, _ in parts), "p50": float(p50), "p99": float(p99)}


def _work(
    folder: Path,
    item: bytes,
    seconds: float,
    barrier: Barrier,
    results: Queue[tuple[float, Latencies]],
) -> None:
    once = make_loop(folder, item)
    once()
    barrier.wait(timeout=60)
    latencies: Latencies = []
    start = now = time.perf_counter()
    while now - start < seconds:
        once()
        before, now = now, time.perf_counter()
        latencies.append(now - before)
    results.put((len(latencies) / (now - start), latencies))


def main(arguments: list[str]) -> None:
    """Run with FOLDER ITEM SECONDS PROCESSES and print the result as JSON."""
    folder, item, seconds, processes = arguments
    result: dict[str, Any] = run(
        Path(folder), Path(item).read_bytes(), float(seconds), int(processes)
    )
    print(json.dumps(result))


if __name__ == "__main__":
    main(sys.argv[1:])
