"""A stochastic model's passes, in process: a row is answered again and again, without HTTP."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from msgspec import structs

from benchmarks.applications import Case
from podium.app import App
from podium.options import Options
from podium.pipeline.decode import JsonReader
from podium.prediction import ClassPrediction, Prediction


def make_loop(folder: Path, item: bytes, samples: int | None) -> Callable[[], list[Prediction]]:
    """Return the function that answers a decoded request with `samples` passes of the model.

    One pass is less than podium.toml allows: it tells nothing of how sure the model is.
    """
    app = App(folder)
    spec = app.spec.models[0]
    pipeline = app.load_model(structs.replace(spec, samples=samples or spec.samples)).pipeline
    rows = JsonReader(app.signature, app.spec.limits.rows).read(item)
    return lambda: pipeline.predict(rows, Options())


def answer_of(case: Case) -> dict[str, float]:
    """Return the probability of every label."""
    (prediction,) = make_loop(case.folder, case.item, None)()
    assert isinstance(prediction, ClassPrediction)
    return prediction.probabilities or {}


def run(folder: Path, item: bytes, seconds: float, samples: int) -> dict[str, float]:
    """Return how many answers came in a second, and their latencies in seconds."""
    once = make_loop(folder, item, samples)
    once()
    latencies: list[float] = []
    start = now = time.perf_counter()
    while now - start < seconds:
        once()
        before, now = now, time.perf_counter()
        latencies.append(now - before)
    p50, p99 = np.percentile(latencies, [50, 99])
    return {"rate": len(latencies) / (now - start), "p50": float(p50), "p99": float(p99)}


def main(arguments: list[str]) -> None:
    """Run with FOLDER ITEM SECONDS SAMPLES and print the result as JSON."""
    folder, item, seconds, samples = arguments
    print(json.dumps(run(Path(folder), Path(item).read_bytes(), float(seconds), int(samples))))


if __name__ == "__main__":
    main(sys.argv[1:])
