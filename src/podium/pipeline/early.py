"""An item's passes end early: when their mean is known narrowly enough, or the time is over.

That is decided for each item on its own, so that its answer does not depend on what else is asked.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import numpy as np

from podium.errors import FieldError, InvalidInput
from podium.pipeline.decode import Items
from podium.pipeline.ensemble import ask_each
from podium.pipeline.member import Member, Watch
from podium.pipeline.postprocess import Scores
from podium.pipeline.stochastic import Draw, Outputs, joined
from podium.spec import ModelSpec

LEAST: Final = 20
"""How many passes there are before their spread is believed."""


@dataclass(frozen=True)
class Early:
    """Makes the passes of one item in growing parts.

    They end when the 95% interval of the mean of every probability, or of the value, is narrower
    than `width`, and at least LEAST are made; or when `time_s` is over, which is no longer
    reproducible. Of probabilities 3 / width passes are made at least: what none of n passes says
    may yet be said by 3 / n of all, at 95% (the rule of three; Hanley and Lippman-Hand 1983).
    """

    members: Mapping[str, Member]
    samples: int
    width: float | None
    time_s: float | None

    @classmethod
    def of(cls, members: Mapping[str, Member], spec: ModelSpec) -> Early | None:
        """Return what podium.toml says of an early end; None where it says nothing."""
        if spec.samples is None or (spec.sampling_width is None and spec.sampling_time is None):
            return None
        return cls(members, spec.samples, spec.sampling_width, spec.sampling_time)

    def scores(
        self,
        item: Items,
        row: int,
        seed: int,
        watch: Watch,
        scaled: Callable[[Scores], Scores] = lambda scores: scores,
    ) -> Scores:
        """Return the scores of a batch of one item, which is the `row`-th of its request.

        The width is that of what `scaled` makes of them.

        Raises:
            RequestTooLarge: the request takes longer than it may.
            InvalidInput: the item cannot be answered.
        """
        if row:
            watch.done = row
            watch.rest()
        with _numbered(row):
            return self._scores(item, row, seed, watch, scaled)

    def _scores(
        self, item: Items, row: int, seed: int, watch: Watch, scaled: Callable[[Scores], Scores]
    ) -> Scores:
        started = time.perf_counter()
        inputs = {member: member.encode(item) for member in self.members.values()}
        made: dict[Member, Outputs] = {}

        def ask(member: Member, own: int) -> Scores:
            draw = Draw(range(row, row + 1), passes, own)
            part = member.outputs(inputs[member], draw, watch.rest)
            made[member] = joined([made[member], part], axis=1) if member in made else part
            return member.scored(made[member])

        for planned in _parts(self.samples, LEAST if self.time_s is None else 2):
            passes = self._in_time(planned, time.perf_counter() - started)
            if passes:
                scores = ask_each(self.members, seed, ask)
            if passes != planned:
                return scores._replace(reproducible=False)
            if self._is_narrow(scaled(scores), passes.stop):
                break
            watch.rest()
        return scores

    def _in_time(self, passes: range, spent_s: float) -> range:
        """Return those of the passes for which there is time, at the pace so far."""
        if self.time_s is None or not passes.start:
            return passes
        left = int(passes.start * (self.time_s - spent_s) / max(spent_s, 1e-9))
        return passes[: max(0, left)]

    def _is_narrow(self, scores: Scores, passes: int) -> bool:
        """Whether the mean is known well enough; each member of an ensemble has its own passes."""
        count = len(self.members) * passes
        if self.width is None or scores.values.shape[1] != count:
            return False
        if passes < (LEAST if scores.values.ndim == 2 else max(LEAST, 3 / self.width)):
            return False
        values = scores.values.reshape(len(self.members), passes, -1)
        variances = values.var(axis=1, ddof=1).sum(axis=0) / passes / len(self.members) ** 2
        return bool(2 * _quantile(passes - 1) * np.sqrt(variances.max()) < self.width)


@contextmanager
def _numbered(row: int) -> Iterator[None]:
    """Name an item by its number in the request, where errors name it as the only one."""
    try:
        yield
    except InvalidInput as err:
        errors = [FieldError(error.field.replace("inputs[0]", f"inputs[{row}]", 1), error.message)
                  for error in err.errors]  # fmt: skip
        raise InvalidInput(errors) from err


def _parts(samples: int, first: int) -> Iterator[range]:
    """Yield parts of all passes: the first, then as many again up to LEAST, then half as many.

    They are the same whatever the time, since what a part draws may hang on where it begins.
    """
    done, size = 0, first
    while done < samples:
        part = range(done, min(done + size, samples))
        yield part
        done = part.stop
        size = done if done < LEAST else done // 2


def _quantile(freedom: int) -> float:
    """Return the 97.5% quantile of Student's t, from 19 degrees of freedom right to 0.01.

    The first terms of the Cornish-Fisher expansion: Abramowitz and Stegun (1964), 26.7.5.
    """
    return 1.959964 + 2.372272 / freedom
