"""Requests that wait at the same time are decoded one by one and answered together.

A batch costs a model less than its items one by one. What is merged asks for the very same
options, and a request that fails, fails alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from msgspec import structs
from PIL.Image import Image

from podium.metrics import BATCH_SIZE, WHOLE
from podium.options import Options
from podium.pipeline.decode import Items
from podium.prediction import Answer

MERGED_PIXELS: Final = 8_000_000
"""How large the images of one batch may be together; larger ones are answered alone."""

LATER_PIXELS: Final = 64_000_000
"""How many pixels of requests that take long may be put off for the others."""

Decode = Callable[[], tuple[Items, Options]]
"""Decodes a request; raises RequestError for what is wrong with it."""


class Request(NamedTuple):
    """What waits for an answer, until `ends` on the monotonic clock."""

    decode: Decode
    ends: float = math.inf


class Answered(NamedTuple):
    """A request's items and the answer to them."""

    items: Items
    answer: Answer


class _Decoded(NamedTuple):
    number: int
    ends: float
    items: Items
    options: Options


class Batching:
    """Answers requests of one application.

    `predict` answers decoded items, best `most` at once; `merges` tells for which options their
    number makes no difference; `until` is told by when what comes next must be answered, and raises
    TimedOut when that is over.
    """

    def __init__(
        self,
        predict: Callable[[Items, Options], Answer],
        merges: Callable[[Options], bool],
        most: int,
        until: Callable[[float], None] = lambda _ends: None,
    ) -> None:
        self._predict = predict
        self._merges = merges
        self._most = most
        self._until = until

    def __call__(self, requests: Sequence[Request]) -> Iterator[tuple[int, Answered | Exception]]:
        """Yield each request's number with its answer, or with what is wrong with it."""
        batch: list[_Decoded] = []
        later: list[_Decoded] = []
        alone = len(requests) == 1  # then there is nobody to put off or to merge with
        for number, (decode, ends) in enumerate(requests):
            try:
                self._until(ends)
                one = _Decoded(number, ends, *decode())
                long = not alone and self._long(one)
            except Exception as err:
                yield number, err
                continue
            if long and _pixels([*later, one]) <= LATER_PIXELS:
                later.append(one)
                continue
            if batch and not self._fit([*batch, one]):
                yield from self._answers(batch)
                batch = []
            batch.append(one)
            if not alone and self._full(batch):  # before the next is decoded, for the memory
                yield from self._answers(batch)
                batch = []
        if batch:
            yield from self._answers(batch)
        for one in later:
            yield from self._answers([one])

    def _long(self, one: _Decoded) -> bool:
        """Whether others should not have to wait for the answer to a request."""
        return len(one.items) > self._most or not self._merges(one.options)

    def _fit(self, batch: Sequence[_Decoded]) -> bool:
        alike = all(one.options == batch[0].options for one in batch)
        return alike and _count(batch) <= self._most and _pixels(batch) <= MERGED_PIXELS

    def _full(self, batch: Sequence[_Decoded]) -> bool:
        large = _count(batch) >= self._most or _pixels(batch) >= MERGED_PIXELS
        return large or not self._merges(batch[0].options)

    def _answers(self, batch: list[_Decoded]) -> Iterator[tuple[int, Answered | Exception]]:
        items = [item for one in batch for item in one.items]
        try:
            self._until(min(one.ends for one in batch))
            BATCH_SIZE.observe(WHOLE, len(items))
            answer = self._predict(items, batch[0].options)  # type: ignore[arg-type]
        except Exception as err:
            if len(batch) == 1:
                yield batch[0].number, err
            else:
                for one in batch:
                    yield from self._answers([one])
            return
        if len(batch) == 1:
            yield batch[0].number, Answered(batch[0].items, answer)
            return
        start = 0
        for one in batch:
            end = start + len(one.items)
            own = structs.replace(answer, predictions=answer.predictions[start:end])
            yield one.number, Answered(one.items, own)
            start = end


def _count(batch: Sequence[_Decoded]) -> int:
    return sum(len(one.items) for one in batch)


def _pixels(batch: Sequence[_Decoded]) -> int:
    images = (item for one in batch for item in one.items if isinstance(item, Image))
    return sum(image.width * image.height for image in images)
