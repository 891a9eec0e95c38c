"""One model with all that stands right before and after it: items in, scores out."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from podium.engines import Engine
from podium.errors import FieldError, ModelError, RequestTooLarge
from podium.messages import said
from podium.pipeline.decode import Items
from podium.pipeline.postprocess import Scores, custom_scores, find_head, find_value
from podium.pipeline.preprocess import Encoder, custom_encoder, encoder
from podium.pipeline.probe import probe_items
from podium.pipeline.randomness import COPIES, FEW_COPIES, alike, find_way
from podium.pipeline.stochastic import Draw, NoiseInput, Outputs, Passes, count_rows, joined
from podium.runtimes import Arrays, Model
from podium.signature import Signature
from podium.spec import Image, ModelSpec

Function = Callable[[Any], Any]

VALUES_AT_ONCE: Final = 300_000
"""How many values of images a model gets at once: two pictures of 224 x 224.

With EfficientNet-Lite0 and every core busy two take 5% less time each than one, four 2% less.
"""
STEPS_TOGETHER: Final = 2
"""In how many such steps the images of waiting requests are answered together.

An inference leaves the processor's caches without the code around it: what is done several times
in a row between two inferences costs less.
"""

_CHANCE: Final = (
    "Its answers to the same input differ: it draws something at random. samples = 100 in its "
    "[[models]] would tell how sure it is."
)


class Watch:
    """One request's time: between the calls of a model, others work, until the time is over.

    `done` of its `count` items are answered, which come in `field`.
    """

    def __init__(self, engine: Engine, count: int, field: str) -> None:
        self.done = 0
        self._count = count
        self._field = field
        self._engine = engine
        self._ends = time.perf_counter() + engine.left_s()

    def rest(self) -> None:
        """Let others work.

        Raises:
            RequestTooLarge: it takes longer than a request may.
        """
        if time.perf_counter() > self._ends:
            raise _too_many(self.done, self._count, self._field, self._engine.timeout_s)
        self._engine.give_way()


class Member:
    """The one model of a pipeline, or one of an ensemble.

    `encode` turns items into the model's arrays, `postprocess` its outputs into scores;
    `reproducible` says whether the same request gets the same answer, `notes` what the maker
    should read. Making one runs a probe batch through the model, which finds out what its outputs
    mean and whether it draws at random, and warms it up.

    Raises:
        ModelError: the model does not fit the signature.
    """

    def __init__(
        self,
        signature: Signature,
        spec: ModelSpec,
        model: Model,
        engine: Engine,
        functions: dict[str, Function],
    ) -> None:
        self.signature = signature
        self.model = model
        self.engine = engine
        self.encode = self._make_encoder(spec.noise, functions.get("preprocess"))
        self.passes: Passes | None = None
        self.reproducible = True
        self.postprocess = self._make_postprocess(self._probe(spec), functions.get("postprocess"))

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what the maker should read about the model."""
        if self.reproducible or self.passes is not None:
            return self.model.notes
        return (*self.model.notes, _CHANCE)

    def scores(self, items: Items, seed: int, watch: Watch | None = None, first: int = 0) -> Scores:
        """Return the scores of items; images go to the model a few at a time, for the memory.

        `watch` is the time of the request, which else begins now, and `first` the number of its
        first item.

        Raises:
            RequestTooLarge: it takes longer than a request may.
        """
        image, count = self.signature.image, len(items)
        step = max(1, count if image is None else images_at_once(image))
        if self.passes is None and count <= step:
            return self.scored(self.engine.infer(self.model, self.encode(items)))
        most = step if self.passes else STEPS_TOGETHER * step
        watch = watch or self.watch(count)
        parts: list[Outputs] = []
        for start in range(0, max(1, count), most):
            if start:
                watch.done = start
                watch.rest()
            steps = [range(one, min(one + step, count))
                     for one in range(start, max(1, min(start + most, count)), step)]  # fmt: skip
            encoded = [self.encode(items[rows.start : rows.stop]) for rows in steps]
            for rows, inputs in zip(steps, encoded, strict=True):
                draw = self._draw(range(first + rows.start, first + rows.stop), seed)
                parts.append(self.outputs(inputs, draw, watch.rest))
        return self.scored(joined(parts, axis=0))

    def watch(self, count: int) -> Watch:
        """Return the time of a request of `count` items, which begins now."""
        return Watch(self.engine, count, "inputs" if self.signature.image is None else "image")

    def infer(self, inputs: Arrays, seed: int, row: int | None = None) -> Scores:
        """Return the scores of encoded items; with `row`, each draws what that row draws."""
        count = count_rows(inputs)
        draw = self._draw(range(count), seed, row)
        return self.scored(self.outputs(inputs, draw, self.watch(count).rest))

    def outputs(self, inputs: Arrays, draw: Draw, rest: Callable[[], None]) -> Outputs:
        """Return what the model says of encoded items in some passes; `rest` between its calls."""
        if self.passes is None:
            return self.engine.infer(self.model, inputs)
        return self.passes.some(inputs, draw, rest)

    def scored(self, outputs: Outputs) -> Scores:
        """Return the scores in what the model says."""
        scores = self.postprocess(outputs)
        return scores if self.reproducible else scores._replace(reproducible=False)

    def _draw(self, rows: range, seed: int, same_row: int | None = None) -> Draw:
        return Draw(rows, range(self.passes.samples if self.passes else 1), seed, same_row)

    def _make_encoder(self, noise: str | None, preprocess: Function | None) -> Encoder:
        if preprocess is not None:
            return custom_encoder(preprocess, self.signature, self.model, noise)
        return encoder(self.signature, self.model, noise)

    def _probe(self, spec: ModelSpec) -> Outputs:
        """Return what the model says of a probe batch, and find out how it draws at random."""
        try:
            inputs = self.encode(probe_items(self.signature))
            self.passes = self._make_passes(spec, inputs)
            draw = self._draw(range(count_rows(inputs)), seed=0)
            probe = self.outputs(inputs, draw, _no_rest)
            if self.passes is None:
                self.reproducible = alike(probe, self.outputs(inputs, draw, _no_rest))
            else:
                self.reproducible = self.passes.way.reproducible
        except ModelError:
            raise
        except Exception as err:  # whatever a framework or the maker's code raises
            raise ModelError(f"The model fails on a probe batch: {err}") from err
        return probe

    def _make_passes(self, spec: ModelSpec, inputs: Arrays) -> Passes | None:
        if spec.samples is None:
            return None
        rows, copies = (2, COPIES) if self.signature.features else (1, FEW_COPIES)
        few = {name: array[:rows] for name, array in inputs.items()}
        if spec.noise is None:
            return Passes(find_way(self.model, self.engine, few, copies), spec.samples)
        infer = partial(self.engine.infer, self.model)
        way = NoiseInput(self.model, spec.noise, spec.samples, infer)
        draw = Draw(range(rows), range(min(2, spec.samples)), seed=0)
        way.reproducible = alike(way.run(few, draw), way.run(few, draw))
        return Passes(way, spec.samples)

    def _make_postprocess(
        self, probe: Outputs, postprocess: Function | None
    ) -> Callable[[Outputs], Scores]:
        labels = self.signature.labels
        if postprocess is not None:
            classes = len(labels) if self.signature.kind == "classification" else None
            custom_scores(postprocess, probe, classes)
            return lambda outputs: custom_scores(postprocess, outputs, classes)
        passes = self.passes.samples if self.passes else None
        if self.signature.kind == "regression":
            head = find_value(probe, passes)
        else:
            head = find_head(probe, passes, self.model.labels, labels)
        return lambda outputs: head.scores(outputs, passes)


def images_at_once(image: Image) -> int:
    """Return how many images a model answers best at once, so that they stay in the caches."""
    return max(2, VALUES_AT_ONCE // (image.size[0] * image.size[1] * image.channels))


def images_together(image: Image) -> int:
    """Return how many images of waiting requests are answered together, in steps of a few."""
    return STEPS_TOGETHER * images_at_once(image)


def _too_many(done: int, count: int, field: str, seconds: float) -> RequestTooLarge:
    if count == 1:
        message = said("the answer takes longer than %(time)s s ([limits] timeout)",
                       time=f"{seconds:g}")  # fmt: skip
    elif field == "image":
        message = said(
            "%(done)s of %(count)s images were answered within %(time)s s ([limits] timeout); "
            "send fewer at a time",
            done=done, count=count, time=f"{seconds:g}",
        )  # fmt: skip
    else:
        message = said(
            "%(done)s of %(count)s inputs were answered within %(time)s s ([limits] timeout); "
            "send fewer at a time",
            done=done, count=count, time=f"{seconds:g}",
        )  # fmt: skip
    return RequestTooLarge(message, [FieldError(field, message)])


def _no_rest() -> None:
    """Let nobody else work: nobody waits while a model is loaded."""
