"""The way of a prediction. The order of its stages stands here and nowhere else."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from podium.engines import Engine
from podium.errors import FieldError, Mistake, ModelError, RequestTooLarge, SpecError
from podium.folder import FILE
from podium.options import Options
from podium.pipeline.decode import Items
from podium.pipeline.maps import Asked, Maps
from podium.pipeline.postprocess import Scores, custom_scores, find_head, find_value
from podium.pipeline.preprocess import Encoder, custom_encoder, encoder
from podium.pipeline.probe import probe_items
from podium.pipeline.stochastic import Passes
from podium.pipeline.uncertainty import class_predictions, value_predictions
from podium.prediction import Prediction
from podium.runtimes import Arrays, Model
from podium.signature import Signature
from podium.spec import Code, Image, ModelSpec
from podium.usercode import load_object, told

__all__ = ["Pipeline", "images_at_once", "learn_labels", "load_functions"]

Function = Callable[[Any], Any]

VALUES_AT_ONCE: Final = 300_000
"""How many values of images a model gets at once: two pictures of 224 x 224.

With EfficientNet-Lite0 and every core busy two take 3% less time each than one, four the same.
"""


class Pipeline:
    """One model with all that stands before and after it.

    `encode` turns items into the model's arrays, `postprocess` its outputs into scores. Making
    one runs a probe batch through the model, which finds out what its outputs mean and warms it
    up. Maps of where it looked may take `map_s` seconds a request.

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
        map_s: float = 0.0,
    ) -> None:
        self.signature = signature
        self.model = model
        self.engine = engine
        self.passes = Passes(model, spec.noise, spec.samples or 0) if spec.noise else None
        self.encode = self._make_encoder(spec.noise, functions.get("preprocess"))
        self.postprocess = self._make_postprocess(functions.get("postprocess"))
        own, passes = "preprocess" in functions, self.passes.samples if self.passes else 1
        self.maps = Maps(signature.image, own, passes, map_s)

    def predict(self, items: Items, options: Options) -> list[Prediction]:
        """Return a prediction for each item: the stages after decoding, in their order."""
        if "map" in options.include:
            return self._predict_with_maps(items, options)
        scores = self.postprocess(self._outputs(items, options.seed))
        return self._answer(items, scores, options)

    def _predict_with_maps(self, items: Items, options: Options) -> list[Prediction]:
        budget_s = self.maps.budget(len(items), options)
        inputs = self.encode(items)
        scores = self.postprocess(self._infer(inputs, options.seed))
        predictions = self._answer(items, scores, options)

        def infer(feed: Arrays, row: int) -> Scores:
            return self.postprocess(self._infer(feed, options.seed, row))

        asked = Asked(items, inputs, scores)
        return self.maps.add(predictions, asked, infer, budget_s, self.engine.give_way)

    def _outputs(self, items: Items, seed: int) -> Arrays:
        """Return the model's outputs, for images a few at a time, which also bounds the memory.

        Raises:
            RequestTooLarge: it takes longer than a request may.
        """
        image, count = self.signature.image, len(items)
        if image is None or self.passes is not None or count <= images_at_once(image):
            return self._infer(self.encode(items), seed)
        step, ends = images_at_once(image), time.perf_counter() + self.engine.timeout_s
        parts = [self._infer(self.encode(items[:step]), seed)]
        for start in range(step, count, step):
            if time.perf_counter() > ends:
                raise _too_many(start, count, self.engine.timeout_s)
            self.engine.give_way()
            parts.append(self._infer(self.encode(items[start : start + step]), seed))
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _infer(self, inputs: Arrays, seed: int, row: int | None = None) -> Arrays:
        if self.passes is None:
            return self.engine.infer(self.model, inputs)
        return self.passes.run(lambda feed: self.engine.infer(self.model, feed), inputs, seed, row)

    def _answer(self, items: Items, scores: Scores, options: Options) -> list[Prediction]:
        signature = self.signature
        if len(scores.values) != len(items):
            raise ModelError(
                f"There are {len(scores.values)} answers for {len(items)} items. preprocess, model "
                "and postprocess keep one row an item, in their order."
            )
        ranged = any(feature.range for feature in signature.features)
        cautions = [signature.cautions(item) if ranged else [] for item in items]  # type: ignore[arg-type]
        if signature.kind == "regression":
            return list(value_predictions(scores, signature.unit, options, cautions))
        return list(class_predictions(scores, signature.labels, options, cautions))

    def _make_encoder(self, noise: str | None, preprocess: Function | None) -> Encoder:
        if preprocess is not None:
            return custom_encoder(preprocess, self.signature, self.model, noise)
        return encoder(self.signature, self.model, noise)

    def _make_postprocess(self, postprocess: Function | None) -> Callable[[Arrays], Scores]:
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

    def _probe(self) -> Arrays:
        try:
            return self._infer(self.encode(probe_items(self.signature)), seed=0)
        except ModelError:
            raise
        except Exception as err:  # whatever a framework or the maker's code raises
            raise ModelError(f"The model fails on a probe batch: {err}") from err


def _too_many(done: int, count: int, seconds: float) -> RequestTooLarge:
    message = (
        f"{done} of {count} images were answered within {seconds:g} s ([limits] timeout); send "
        "fewer at a time"
    )
    return RequestTooLarge(message, [FieldError("image", message)])


def images_at_once(image: Image) -> int:
    """Return how many images a model answers best at once, so that they stay in the caches."""
    return max(2, VALUES_AT_ONCE // (image.size[0] * image.size[1] * image.channels))


def learn_labels(signature: Signature, model: Model) -> tuple[str, ...]:
    """Return the classes that the file names; some formats show them only in an answer."""
    if not model.labels:
        with contextlib.suppress(Exception):  # without labels there is none to tell
            model.predict(encoder(signature, model)(probe_items(signature)))
    return model.labels


def load_functions(folder: Path, code: Code) -> dict[str, Function]:
    """Return the maker's functions by their key in [pipeline].

    Raises:
        SpecError: naming each that cannot be imported.
    """
    functions: dict[str, Function] = {}
    mistakes: list[Mistake] = []
    for key in ("preprocess", "postprocess"):
        name = getattr(code, key)
        try:
            if name is not None:
                functions[key] = load_object(folder, name)
        except Exception as err:  # whatever the maker's module raises
            why = told(err, folder)
            mistakes.append(Mistake(f"pipeline.{key}", f"{name!r} cannot be imported: {why}"))
    if mistakes:
        raise SpecError(folder / FILE, mistakes)
    return functions
