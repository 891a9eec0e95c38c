"""Many requests on kept connections, each of which must get its own answer."""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from tests.support import waiting

HEAD = (
    "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    "Content-Length: {length}\r\n\r\n"
)


BUSY = 8
"""How many connections ask without end."""
ENOUGH = 200
"""How many answers are waited for before and after a change."""


class Outcome:
    """What came of a load: statuses by number, wrong answers, and how often a connection broke."""

    def __init__(self) -> None:
        self.statuses: dict[int, int] = {}
        self.wrong: list[tuple[float, float]] = []
        self.broken = 0

    @property
    def answered(self) -> int:
        """How many answers had status 200."""
        return self.statuses.get(200, 0)


def load(
    port: int, numbers: Iterator[float], connections: int = 64, path: str = "/predict",
    right: Callable[[float], float] = lambda x: 2 * x + 1, until: Callable[[], bool] | None = None,
    keep: bool = True,
) -> Outcome:  # fmt: skip
    """Send a request for each of the numbers, or until told to stop; check each one's answer.

    Answers are single precision: numbers beyond 2^23 would not be told apart. A connection that
    the server has closed between two requests is opened anew; one that breaks off in the midst of a
    request is counted. Unless they are to be kept, each request has a connection of its own.
    """
    outcome = Outcome()

    async def one() -> None:
        reader = writer = None
        for number in numbers:
            if until is not None and until():
                break
            body = json.dumps({"inputs": [{"x": number}]})
            request = (HEAD.format(path=path, length=len(body)) + body).encode()
            try:
                if writer is not None and reader is not None and reader.at_eof():
                    writer.close()
                    writer = None
                if writer is None or reader is None:
                    reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(request)
                status, keeps, answer = await _answer(reader)
            except (OSError, asyncio.IncompleteReadError):
                outcome.broken += 1
                if writer is not None:
                    writer.close()
                writer = None
                continue
            if not (keeps and keep):
                writer.close()
                writer = None
            outcome.statuses[status] = outcome.statuses.get(status, 0) + 1
            if status == 200:
                value = answer["predictions"][0]["value"]
                if value != right(number):
                    outcome.wrong.append((number, value))
        if writer is not None:
            writer.close()

    async def every() -> None:
        await asyncio.gather(*(one() for _ in range(connections)))

    # The browser's tests leave an event loop in the main thread.
    with ThreadPoolExecutor(1) as apart:
        apart.submit(lambda: asyncio.run(every())).result()
    return outcome


class Asking:
    """Requests without end, and what comes of them."""

    def __init__(self, port: int, keep: bool) -> None:
        self._ended = threading.Event()
        self._asked = 0
        self._pool = ThreadPoolExecutor(1)
        self._outcome = self._pool.submit(
            load, port, self._numbers(), BUSY, until=self._ended.is_set, keep=keep
        )

    def more(self, count: int = ENOUGH) -> None:
        """Wait until so many more have been answered."""
        enough = self._asked + count
        waiting.until(lambda: self._asked >= enough, 30)

    def end(self) -> Outcome:
        """Ask no more."""
        self._ended.set()
        self._pool.shutdown()
        return self._outcome.result()

    def _numbers(self) -> Iterator[float]:
        for number in endless():
            self._asked += 1
            yield number


@contextmanager
def asked(port: int, keep: bool = True) -> Iterator[Asking]:
    """Send requests without end meanwhile; each gets the answer that its own number makes."""
    asking = Asking(port, keep)
    try:
        asking.more()
        yield asking
        asking.more()
    finally:
        outcome = asking.end()
    assert (set(outcome.statuses), outcome.wrong, outcome.broken) == ({200}, [], 0)


@contextmanager
def asking_slowly(port: int, number: float, connections: int) -> Iterator[Future[Outcome]]:
    """Ask for one number without end on so many connections; yields what comes of it."""
    ended = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        try:
            yield pool.submit(load, port, itertools.repeat(number), connections,
                              until=ended.is_set)  # fmt: skip
        finally:
            ended.set()


def endless() -> Iterator[float]:
    """Yield one number after the other, below 0."""
    return itertools.cycle(float(number) for number in range(-1, -1 << 20, -1))


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bool, Any]:
    """Return an answer's status, whether the connection is kept, and its JSON."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
    body = await reader.readexactly(length)
    return int(head.split(" ", 2)[1]), "connection: close" not in head, json.loads(body)
