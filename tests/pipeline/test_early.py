"""Passes end early, item by item: when their mean is known, or the time is over."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import pytest
from msgspec import structs
from numpy.typing import NDArray

from podium.engines.local import LocalEngine
from podium.errors import InvalidInput, RequestTooLarge
from podium.options import Options
from podium.pipeline import Pipeline
from podium.pipeline.early import LEAST, Early, _parts
from podium.pipeline.member import Member
from podium.pipeline.postprocess import Scores
from podium.prediction import ValuePrediction
from podium.runtimes import Arrays, Model, TensorSpec
from podium.signature import Row, Signature
from podium.spec import Feature, ModelSpec

SAMPLES = Options(include=frozenset({"samples"}))
SIGNATURE = Signature("regression", "y", "mm", (), (Feature(name="spread"),), None)


@dataclass(kw_only=True)
class Spread(Model):
    """A regression of mean 0 whose passes spread as wide as its one feature says."""

    platform: str = "spread"
    inputs: tuple[TensorSpec, ...] = (TensorSpec("X", np.dtype(np.float64), (None, 1)),)
    by_call: bool = False
    clock: list[float] = field(default_factory=lambda: [0.0])
    pass_s: float = 0.0
    seed: int = 0
    rows: list[int] = field(default_factory=list)

    def predict(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Draw around 0; every row takes `pass_s` of the clock."""
        x = inputs["X"][:, 0]
        self.rows.append(len(x))
        self.clock[0] += self.pass_s * len(x)
        rng = np.random.default_rng(self.seed)
        return {"y": x * (rng.normal() if self.by_call else rng.normal(size=len(x)))}

    @contextmanager
    def drawing(self, seed: int) -> Iterator[None]:
        """Draw from this seed; as without one the same is drawn, seeds are needed."""
        self.seed = seed
        yield


def pipeline(models: int = 1, by_call: bool = False, **spec: Any) -> tuple[Pipeline, Spread]:
    """Return the pipeline of a model, or of an ensemble of it, and the model."""
    files = tuple(f"{number}.x" for number in range(models)) if models > 1 else ()
    made = ModelSpec(name="m", file=None if files else "m", files=files)
    made = structs.replace(made, **{"samples": 400, **spec})
    model = Spread(by_call=by_call)
    built = Pipeline(SIGNATURE, made, [model] * models, LocalEngine(), {})
    model.rows.clear()
    return built, model


def answers(made: Pipeline, *items: Row, options: Options = SAMPLES) -> list[ValuePrediction]:
    """Return the predictions."""
    found = made.predict(list(items), options)
    return [one for one in found if isinstance(one, ValuePrediction)]


def counts(found: list[ValuePrediction]) -> list[int | None]:
    """Return how many passes there were for each item."""
    return [one.uncertainty.samples for one in found]


@pytest.mark.parametrize("by_call", [False, True])
def test_passes_end_when_the_mean_is_known(by_call: bool) -> None:
    """The narrower the spread the fewer passes; 20 at the least, samples at the most."""
    made, model = pipeline(by_call=by_call, sampling_width=1.0)
    found = answers(made, (0.01,), (1.0,), (2.0,), (100.0,))
    assert counts(found) == [20, 20, 67, 400]
    for one in found[:3]:
        drawn = np.array(one.uncertainty.sample_values)
        assert 2 * 1.96 * drawn.std() / np.sqrt(len(drawn)) < 1.0
        assert one.uncertainty.reproducible
    if not by_call:
        assert model.rows == [20, 20, 20, 10, 15, 22, *[20, 10, 15, 22, 33, 50, 75, 112, 63]]


@pytest.mark.parametrize("by_call", [False, True])
def test_an_answer_does_not_depend_on_the_batch(by_call: bool) -> None:
    """An item's passes are as many, and the same, whatever comes after it."""
    made, _ = pipeline(by_call=by_call, sampling_width=1.0)
    alone = answers(made, (2.0,))
    assert answers(made, (2.0,), (0.01,), (50.0,))[0] == alone[0]
    assert answers(made, (2.0,)) == alone


@pytest.mark.parametrize(("width", "passes"), [(0.5, 20), (0.1, 30), (0.05, 67), (0.01, 337)])
def test_rare_answers_are_waited_for(width: float, passes: int) -> None:
    """Passes that all agree end at the rule of three: 3 / width, as parts of passes are made."""
    scores = Scores(np.tile([1.0, 0.0], (1, 400, 1)), sampled=True)
    early = Early({"": cast(Member, None)}, 400, width, None)
    parts = [part.stop for part in _parts(400, LEAST)]
    ends = (stop for stop in parts
            if early._is_narrow(scores._replace(values=scores.values[:, :stop]), stop))  # fmt: skip
    assert next(ends) == passes


def test_fewer_samples_than_are_believed_are_all_made() -> None:
    """With samples below 20 the width never ends them."""
    made, _ = pipeline(samples=5, sampling_width=1e9)
    assert counts(answers(made, (1.0,))) == [5]


def test_each_member_of_an_ensemble_has_as_many_passes() -> None:
    """The members' mean is what has to be known; they have an equal say."""
    made, _ = pipeline(4, sampling_width=1.0)
    found = answers(made, (0.01,), (2.0,), (100.0,))
    assert counts(found) == [80, 80, 1600]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return a clock that models may set, in seconds."""
    seconds = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: seconds[0])
    return seconds


def timed(clock: list[float], pass_s: float, by_call: bool = False, **spec: Any) -> Pipeline:
    """Return the pipeline of a model whose passes take their time."""
    made, model = pipeline(by_call=by_call, **spec)
    model.clock, model.pass_s = clock, pass_s
    return made


@pytest.mark.parametrize("by_call", [False, True])
@pytest.mark.parametrize(("pass_s", "expected"), [(2**-7, 256), (0.5, 4), (5.0, 2), (2**-10, 400)])
def test_passes_end_when_the_time_is_over(
    clock: list[float], pass_s: float, expected: int, by_call: bool
) -> None:
    """There are as many passes as the time has room for, but two; that is not reproducible."""
    made = timed(clock, pass_s, by_call, sampling_time=2.0)
    found = answers(made, (1.0,), (1.0,))
    assert counts(found) == [expected, expected]
    assert [one.uncertainty.reproducible for one in found] == [expected == 400] * 2
    assert clock[0] == pytest.approx(2 * expected * pass_s)


def test_the_width_ends_passes_before_the_time_does(clock: list[float]) -> None:
    """With both, what comes first counts, and 20 passes are made before a width is believed."""
    made = timed(clock, 2**-7, sampling_time=2.0, sampling_width=1.0)
    found = answers(made, (0.01,), (100.0,))
    assert counts(found) == [32, 256]
    assert [one.uncertainty.reproducible for one in found] == [True, False]


def test_the_time_decides_about_the_number_of_passes_alone(clock: list[float]) -> None:
    """Passes that are not cut are the same however fast they come."""
    fast = answers(timed(clock, 0.0, sampling_time=2.0), (1.0,))
    slow = answers(timed(clock, 0.004, sampling_time=2.0), (1.0,))
    assert fast == slow


@pytest.mark.parametrize("early", [{}, {"sampling_width": 1e-9}])
def test_a_request_that_takes_too_long_is_ended(
    clock: list[float], early: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Passes end with the time of a request; several items are told to be too many."""
    made = timed(clock, 0.1, by_call=True, **early)
    monkeypatch.setattr(made.engine, "timeout_s", 30.0)
    with pytest.raises(RequestTooLarge) as one:
        answers(made, (1.0,))
    assert str(one.value) == "the answer takes longer than 30 s ([limits] timeout)"
    with pytest.raises(RequestTooLarge) as several:
        answers(made, (1.0,), (1.0,))
    assert str(several.value) == (
        "0 of 2 inputs were answered within 30 s ([limits] timeout); send fewer at a time"
    )
    assert [error.field for error in several.value.errors] == ["inputs"]


@pytest.mark.parametrize("early", [{}, {"sampling_width": 1.0}])
def test_an_item_without_an_answer_is_told_by_its_number(early: dict[str, Any]) -> None:
    """What cannot be answered is named as the request names it."""
    made, _ = pipeline(**early)
    with pytest.raises(InvalidInput) as caught:
        answers(made, (1.0,), (float("nan"),))
    assert [error.field for error in caught.value.errors] == ["inputs[1]"]
