"""Requests that are answered together: what is merged, what is not, and whose answer is whose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from PIL import Image as pil

from podium.batching import MERGED_PIXELS, Answered, Batching, Request
from podium.errors import FieldError, InvalidInput, ModelError
from podium.options import Options
from podium.pipeline.decode import Items
from podium.prediction import Answer, ValueAnswer, ValuePrediction, ValueUncertainty
from podium.signature import Row

MOST = 6
DEFAULT = Options()
OTHER = Options(top=1)


class Doubler:
    """Doubles a row's number, or tells an image's width; a row of -1 makes it fail."""

    def __init__(self) -> None:
        self.batches: list[list[Any]] = []

    def predict(self, items: Items, options: Options) -> Answer:
        """Answer all items at once."""
        numbers: list[Any] = [one.width if isinstance(one, pil.Image) else one[0] for one in items]
        self.batches.append(numbers)
        if -1 in numbers:
            raise ModelError("fails")
        made = [ValuePrediction(2 * n, None, ValueUncertainty(), []) for n in numbers]
        return ValueAnswer(options.model or "m", "1", made)

    def answer(self, requests: Sequence[Request], merges: bool = True) -> list[Any]:
        """Return each request's values, or what went wrong."""
        found = dict(Batching(self.predict, lambda _: merges, MOST)(requests))
        assert len(found) == len(requests)
        return [[one.value for one in result.answer.predictions]  # type: ignore[union-attr]
                if isinstance(result, Answered) else str(result)
                for _, result in sorted(found.items())]  # fmt: skip


def rows(*numbers: float, options: Options = DEFAULT) -> Request:
    """Return a request of rows of one number."""
    items: list[Row] = [(number,) for number in numbers]
    return Request(lambda: (items, options))


def image(width: int, height: int = 1000) -> Request:
    """Return a request of one image."""
    return Request(lambda: ([pil.new("L", (width, height))], DEFAULT))


def wrong() -> tuple[Items, Options]:
    """Fail as a request that cannot be decoded."""
    raise InvalidInput([FieldError("x", "is wrong")])


def test_requests_are_answered_in_one_batch_each_its_own() -> None:
    """Requests of any number of items are one batch for the model; each gets its own answers."""
    model = Doubler()
    assert model.answer([rows(1), rows(2, 3), rows(4)]) == [[2], [4, 6], [8]]
    assert model.batches == [[1, 2, 3, 4]]


def test_items_come_with_their_answer() -> None:
    """A request's items are its own, whoever was answered beside it."""
    found = Batching(Doubler().predict, lambda _: True, MOST)([rows(1), rows(2)])
    assert [one.items for _, one in found if isinstance(one, Answered)] == [[(1,)], [(2,)]]


def test_what_takes_long_comes_last() -> None:
    """Requests of many items, or that are not merged, do not keep the others waiting."""
    model = Doubler()
    asked = [rows(*range(MOST + 1)), rows(1), rows(2)]
    found = Batching(model.predict, lambda _: True, MOST)(asked)
    assert [number for number, _ in found] == [1, 2, 0]
    found = Batching(model.predict, lambda options: options == DEFAULT, MOST)(
        [rows(1, options=OTHER), Request(wrong), rows(2)]
    )
    assert [number for number, _ in found] == [1, 2, 0]


def test_a_large_request_is_answered_before_the_next_is_decoded() -> None:
    """No more is held in memory than one batch and one request."""
    model = Doubler()
    asked = [image(2 * MERGED_PIXELS // 1000), Request(wrong)]
    found = Batching(model.predict, lambda _: True, MOST)(asked)
    assert [number for number, _ in found] == [0, 1]


def test_answers_come_when_they_are_there() -> None:
    """What is wrong is told at once, and a batch's answers before the next batch is begun."""
    model = Doubler()
    asked = [rows(1), Request(wrong), rows(2, options=OTHER)]
    found = Batching(model.predict, lambda _: True, MOST)(asked)
    assert next(found)[0] == 1
    assert (next(found)[0], model.batches) == (0, [[1]])
    assert (next(found)[0], model.batches) == (2, [[1], [2]])


def test_a_request_that_cannot_be_decoded_fails_alone() -> None:
    """What is wrong with one request is told to it; the others are answered together."""
    model = Doubler()
    found = model.answer([rows(1), Request(wrong), rows(2)])
    assert (found[0], found[2]) == ([2], [4])
    assert "is wrong" in found[1]
    assert model.batches == [[1, 2]]


def test_an_item_that_the_model_fails_on_fails_alone() -> None:
    """When a batch fails, each of its requests is asked alone."""
    model = Doubler()
    assert model.answer([rows(1), rows(-1), rows(2)]) == [[2], "fails", [4]]
    assert model.batches == [[1, -1, 2], [1], [-1], [2]]


def test_other_options_are_another_batch() -> None:
    """Only requests with the very same options are merged."""
    model = Doubler()
    asked = [rows(1), rows(2), rows(3, options=OTHER), rows(4)]
    assert model.answer(asked) == [[2], [4], [6], [8]]
    assert model.batches == [[1, 2], [3], [4]]


def test_what_must_not_be_merged_is_not() -> None:
    """Where the number of rows makes a difference, each request is a batch."""
    model = Doubler()
    assert model.answer([rows(1), rows(2)], merges=False) == [[2], [4]]
    assert model.batches == [[1], [2]]


@pytest.mark.parametrize(
    ("requests", "sizes"),
    [
        ([rows(*range(MOST - 1)), rows(1), rows(2)], [MOST, 1]),
        ([rows(*range(2 * MOST)), rows(1), rows(2)], [2, 2 * MOST]),
        ([image(MERGED_PIXELS // 2000)] * 3, [2, 1]),
        ([image(2 * MERGED_PIXELS // 1000), image(10), image(10)], [1, 2]),
    ],
    ids=["items", "a large request", "pixels", "a large image"],
)
def test_batches_are_bounded(requests: list[Request], sizes: list[int]) -> None:
    """A batch has so many items and pixels, so that what is decoded at a time is bounded."""
    model = Doubler()
    model.answer(requests)
    assert [len(batch) for batch in model.batches] == sizes
