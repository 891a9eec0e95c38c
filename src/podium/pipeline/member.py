"""One model with all that stands right before and after it: items in, scores out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import numpy as np

from podium.engines import Engine
from podium.errors import FieldError, ModelError, RequestTooLarge
from podium.pipeline.decode import Items
from podium.pipeline.postprocess import Scores, custom_scores, find_head, find_value
from podium.pipeline.preprocess import Encoder, custom_encoder, encoder
from podium.pipeline.probe import probe_items
from podium.pipeline.stochastic import NoiseInput, Outputs, Passes
from podium.runtimes import Arrays, Model
from podium.signature import Signature
from podium.spec import Image, ModelSpec

Function = Callable[[Any], Any]

VALUES_AT_ONCE: Final = 300_000
"""How many values of images a model gets at once: two pictures of 224 x 224.

With EfficientNet-Lite0 and every core busy two take 3% less time each than one, four the same.
"""


class Member:
    """The one model of a pipeline, or one of an ensemble.

    `encode` turns items into the model's arrays, `postprocess` its outputs into scores. Making
    one runs a probe batch through the model, which finds out what its outputs mean and warms it
    up.

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
        self.passes = self._make_passes(spec)
        self.postprocess = self._make_postprocess(functions.get("postprocess"))

    def scores(self, items: Items, seed: int) -> Scores:
        """Return the scores of items; images go to the model a few at a time, for the memory.

        Raises:
            RequestTooLarge: it takes longer than a request may.
        """
        image, count = self.signature.image, len(items)
        if image is None or self.passes is not None or count <= images_at_once(image):
            return self.infer(self.encode(items), seed)
        step, ends = images_at_once(image), time.perf_counter() + self.engine.timeout_s
        parts = [self._outputs(self.encode(items[:step]), seed)]
        for start in range(step, count, step):
            if time.perf_counter() > ends:
                raise _too_many(start, count, self.engine.timeout_s)
            self.engine.give_way()
            parts.append(self._outputs(self.encode(items[start : start + step]), seed))
        return self.postprocess(
            {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        )

    def infer(self, inputs: Arrays, seed: int, row: int | None = None) -> Scores:
        """Return the scores of encoded items; with `row`, each draws what that row draws."""
        return self.postprocess(self._outputs(inputs, seed, row))

    def _outputs(self, inputs: Arrays, seed: int, row: int | None = None) -> Outputs:
        if self.passes is None:
            return self.engine.infer(self.model, inputs)
        return self.passes.run(inputs, seed, row)

    def _make_passes(self, spec: ModelSpec) -> Passes | None:
        if spec.samples is None:
            return None
        infer = partial(self.engine.infer, self.model)
        if spec.noise is None:
            raise ModelError("samples without noise is not served yet")
        way = NoiseInput(self.model, spec.noise, spec.samples, infer)
        return Passes(way, spec.samples, self.engine.give_way)

    def _make_encoder(self, noise: str | None, preprocess: Function | None) -> Encoder:
        if preprocess is not None:
            return custom_encoder(preprocess, self.signature, self.model, noise)
        return encoder(self.signature, self.model, noise)

    def _make_postprocess(self, postprocess: Function | None) -> Callable[[Outputs], Scores]:
        probe = self._probe()
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

    def _probe(self) -> Outputs:
        try:
            return self._outputs(self.encode(probe_items(self.signature)), seed=0)
        except ModelError:
            raise
        except Exception as err:  # whatever a framework or the maker's code raises
            raise ModelError(f"The model fails on a probe batch: {err}") from err


def images_at_once(image: Image) -> int:
    """Return how many images a model answers best at once, so that they stay in the caches."""
    return max(2, VALUES_AT_ONCE // (image.size[0] * image.size[1] * image.channels))


def pooled(members: Sequence[Member], parts: Sequence[Scores]) -> Scores:
    """Return the scores of an ensemble from those of its members, one vote each.

    A member that is asked several times has as many votes as passes; of one that has votes of
    its own, such as a forest, the mean counts.
    """
    if len(parts) == 1:
        return parts[0]
    votes = [_vote(member, part) for member, part in zip(members, parts, strict=True)]
    told = [vote.variances for vote in votes if vote.variances is not None]
    return Scores(
        np.concatenate([vote.values for vote in votes], axis=1),
        sampled=True,
        variances=np.concatenate(told, axis=1) if len(told) == len(votes) else None,
        reproducible=all(vote.reproducible for vote in votes),
    )


def _vote(member: Member, scores: Scores) -> Scores:
    if member.passes is not None or not scores.sampled:
        return scores
    variances = scores.variances
    return scores._replace(
        values=scores.values.mean(axis=1, keepdims=True),
        variances=None if variances is None else variances.mean(axis=1, keepdims=True),
    )


def _too_many(done: int, count: int, seconds: float) -> RequestTooLarge:
    message = (
        f"{done} of {count} images were answered within {seconds:g} s ([limits] timeout); send "
        "fewer at a time"
    )
    return RequestTooLarge(message, [FieldError("image", message)])
