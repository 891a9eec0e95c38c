"""Clients that ask without a pause, each over one kept connection, and look at every answer."""

from __future__ import annotations

import http.client
import json
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from onnx import helper

from tests.conformance.graphs import FLOAT, constant, save

Connect = Callable[[], http.client.HTTPConnection]


def write_offset(folder: Path, offset: int, expected: int | None = None) -> Path:
    """Write a regression whose value is its one feature plus `offset`, with an example of 1."""
    (folder / "models").mkdir(parents=True, exist_ok=True)
    save(
        folder / "models/m.onnx", [helper.make_node("Add", ["x", "offset"], ["value"])],
        [("x", FLOAT, ["n", 1])], [("value", FLOAT, ["n", 1])],
        [constant("offset", np.array([offset], np.float32))],
    )  # fmt: skip
    (folder / "podium.toml").write_text(
        f"""title = "Offset"
[task]
kind = "regression"
[[features]]
name = "x"
range = [0, 100000]
[[models]]
name = "m"
file = "models/m.onnx"
[[examples]]
title = "One"
inputs = {{ x = 1 }}
expected = {1 + offset if expected is None else expected}
[limits]
timeout = "20 s"
"""
    )
    return folder


class Visitors:
    """What a number of clients have asked so far, and what went wrong."""

    def __init__(self, pause_s: float) -> None:
        self._pause_s = pause_s
        self.answers: Counter[str] = Counter()
        """By the version of the model that answered."""
        self.failures: list[str] = []
        self.offsets: dict[str, float] = {}
        """What each version adds to its input."""
        self._ended = threading.Event()

    @property
    def count(self) -> int:
        """How many answers have come."""
        return self.answers.total()

    def end(self) -> None:
        """Let the clients end."""
        self._ended.set()

    def ask(self, connect: Connect, path: str, number: int) -> None:
        """Ask until the end, each time for something else."""
        connection = connect()
        while not self._ended.is_set():
            number = (number + 17) % 100_000
            self._ended.wait(self._pause_s)
            try:
                self._ask_one(connection, path, number)
            except (OSError, http.client.HTTPException, ValueError, KeyError) as err:
                self.failures.append(f"{type(err).__name__}: {err}")
                connection.close()
        connection.close()

    def _ask_one(self, connection: http.client.HTTPConnection, path: str, number: int) -> None:
        body = json.dumps({"inputs": [{"x": number}]})
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        data = response.read()
        if response.status != 200:
            raise ValueError(f"status {response.status}: {data[:200]!r}")
        told = json.loads(data)
        version, value = told["version"], told["predictions"][0]["value"]
        if value - number != self.offsets.setdefault(version, value - number):
            raise ValueError(f"version {version} answers {value} to {number}")
        self.answers[version] += 1


@contextmanager
def visiting(
    port: int, clients: int, path: str = "/predict", pause_s: float = 0.0
) -> Iterator[Visitors]:
    """Let clients ask over TLS, with a pause between two requests; they end with the block."""
    context = ssl._create_unverified_context()  # noqa: S323  the test's own certificate
    visitors = Visitors(pause_s)

    def connect() -> http.client.HTTPConnection:
        return http.client.HTTPSConnection("localhost", port, context=context, timeout=60)

    threads = [threading.Thread(target=visitors.ask, args=(connect, path, 1000 * number))
               for number in range(clients)]  # fmt: skip
    for thread in threads:
        thread.start()
    try:
        yield visitors
    finally:
        visitors.end()
        for thread in threads:
            thread.join()
