"""The way of a prediction. The order of its stages stands here and nowhere else."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from msgspec import structs
from numpy.typing import NDArray

from podium.engines import Engine
from podium.errors import (
    FieldError,
    InvalidInput,
    Mistake,
    ModelError,
    RequestTooLarge,
    SpecError,
)
from podium.folder import FILE
from podium.messages import said
from podium.options import DEFAULT_LEVEL, Options
from podium.pipeline.calibration import Calibration
from podium.pipeline.decode import Items
from podium.pipeline.early import Early
from podium.pipeline.ensemble import ask_each, check_alike, shared_inputs, told_of
from podium.pipeline.maps import Asked, Maps
from podium.pipeline.member import Function, Member, images_together
from podium.pipeline.postprocess import Scores
from podium.pipeline.preprocess import Encoder, encoder
from podium.pipeline.probe import probe_items
from podium.pipeline.uncertainty import class_predictions, value_predictions
from podium.prediction import Prediction
from podium.runtimes import Arrays, Model
from podium.signature import Signature
from podium.spec import Code, ModelSpec
from podium.usercode import load_object, told

__all__ = ["Pipeline", "check_rows", "images_together", "learn_labels", "load_functions"]


MAX_SCORES: Final = 10_000_000
"""How many probabilities or values of passes one request may have: 80 MB, and as much again each
time that something is computed from all of them."""

MAX_TOLD: Final = 2_000_000
"""How many of them may be told, with include=samples: about 40 MB of JSON."""


class Pipeline:
    """One model, or an ensemble of several, with all that stands before and after.

    Making one runs a probe batch through each model, which finds out what its outputs mean and
    warms it up. Maps of where it looked may take `map_s` seconds a request. With a calibration
    every answer has a set or an interval. `draws` says whether passes draw something at random, by
    an item's number in its request.

    Raises:
        ModelError: a model does not fit the signature.
    """

    def __init__(
        self,
        signature: Signature,
        spec: ModelSpec,
        models: Sequence[Model],
        engine: Engine,
        functions: dict[str, Function],
        map_s: float = 0.0,
        calibration: Calibration | None = None,
    ) -> None:
        self.signature = signature
        self.engine = engine
        self.calibration = calibration
        self.by_file: dict[str, Member] = {}
        for file, model in zip(spec.files or ("",), models, strict=True):
            with told_of(file):
                self.by_file[file] = Member(signature, spec, model, engine, functions)
        check_alike(self.by_file)
        self.members = tuple(self.by_file.values())
        self.draws = any(member.passes is not None for member in self.members)
        self.early = Early.of(self.by_file, spec)
        own = "preprocess" in functions
        self._ranged = any(feature.range for feature in signature.features)
        self.maps = Maps(signature.image, own, self.passes, map_s)

    @property
    def model(self) -> Model:
        """The model, or the first of an ensemble."""
        return self.members[0].model

    @property
    def encode(self) -> Encoder:
        """What turns items into the arrays of `model`."""
        return self.members[0].encode

    @property
    def passes(self) -> int:
        """How often the models run for one item, all together."""
        return sum(member.passes.samples if member.passes else 1 for member in self.members)

    def predict(self, items: Items, options: Options) -> list[Prediction]:
        """Return a prediction for each item: the stages after decoding, in their order."""
        self._check_seed(options)
        self._check_size(len(items), options)
        if "map" in options.include:
            return self._predict_with_maps(items, options)
        if self.early is not None:
            return self._predict_each(self.early, items, options)
        return self._answer(items, self.scaled(self.scores(items, options.seed or 0)), options)

    def scores(self, items: Items, seed: int = 0, first: int = 0) -> Scores:
        """Return what the models say of items, before anything is made of it.

        `first` is the number of the first item, where others came before; noise hangs on it.
        """
        watch = self.members[0].watch(len(items))
        return ask_each(
            self.by_file, seed, lambda member, own: member.scores(items, own, watch, first)
        )

    def picture(self, items: Items) -> NDArray[Any]:
        """Return the first item's pixels as the model gets them, (height, width, channels)."""
        inputs = self.encode(items[:1])
        pixels: NDArray[Any] = self.maps.picture(inputs).pixels(inputs)[0]
        return pixels

    def _check_seed(self, options: Options) -> None:
        if options.seed is not None and not all(member.reproducible for member in self.members):
            message = said("this model keeps a random state of its own; leave seed out")
            raise InvalidInput([FieldError("seed", message)])

    def _check_size(self, count: int, options: Options) -> None:
        if not self.draws:
            return
        each = self.passes * max(1, len(self.signature.labels))
        told = "samples" in options.include
        most = max(1, (MAX_TOLD if told else MAX_SCORES) // each)
        if count > most:
            numbers = {"count": count, "passes": self.passes, "most": most}
            message = said(
                "%(count)s inputs of %(passes)s passes with include=samples are too many at once; "
                "send at most %(most)s at a time", **numbers
            ) if told else said(
                "%(count)s inputs of %(passes)s passes are too many at once; send at most %(most)s "
                "at a time", **numbers
            )  # fmt: skip
            raise RequestTooLarge(message, [FieldError("inputs", message)])

    def _predict_each(self, early: Early, items: Items, options: Options) -> list[Prediction]:
        watch = self.members[0].watch(len(items))
        predictions: list[Prediction] = []
        for row in range(len(items)):
            item = items[row : row + 1]
            scores = early.scores(item, row, options.seed or 0, watch, self.scaled)
            predictions += self._answer(item, self.scaled(scores), options)
        return predictions

    def _predict_with_maps(self, items: Items, options: Options) -> list[Prediction]:
        budget_s, seed = self.maps.budget(len(items), options), options.seed or 0
        inputs = self.encode(items)
        names = shared_inputs(self.by_file, items, inputs)

        def ask(feed: Arrays, row: int | None, member: Member, own: int) -> Scores:
            given = {name: feed[first] for name, first in names[member].items()}
            return member.infer(given, own, row)

        def infer(feed: Arrays, row: int | None) -> Scores:
            return self.scaled(ask_each(self.by_file, seed, partial(ask, feed, row)))

        scores = infer(inputs, None)
        predictions = self._answer(items, scores, options)
        asked = Asked(items, inputs, scores)
        return self.maps.add(predictions, asked, infer, budget_s, self.engine.give_way)

    def scaled(self, scores: Scores) -> Scores:
        """Return scores as a calibration makes them, where there is one."""
        return self.calibration.scaled(scores) if self.calibration else scores

    def level(self, asked: float | None) -> float:
        """Return the level asked for; where none is, that of the calibration, if there is one."""
        own = self.calibration.confidence_level if self.calibration else DEFAULT_LEVEL
        return own if asked is None else asked

    def _answer(self, items: Items, scores: Scores, options: Options) -> list[Prediction]:
        """Return predictions; a calibration's own level counts where none is asked for."""
        if self.calibration is None:
            return self._predictions(items, scores, options)
        options = structs.replace(options, confidence_level=self.level(options.confidence_level))
        predictions = self._predictions(items, scores, options)
        return self.calibration.attach(predictions, scores, self.signature.labels, items, options)

    def _predictions(self, items: Items, scores: Scores, options: Options) -> list[Prediction]:
        signature = self.signature
        check_rows(scores, len(items))
        cautions = [signature.cautions(item) if self._ranged else [] for item in items]  # type: ignore[arg-type]
        if signature.kind == "regression":
            return list(value_predictions(scores, signature.unit, options, cautions))
        return list(class_predictions(scores, signature.labels, options, cautions))


def check_rows(scores: Scores, count: int) -> None:
    """Raise ModelError when there is not one answer to each of `count` items."""
    if len(scores.values) != count:
        raise ModelError(
            f"There are {len(scores.values)} answers for {count} items. preprocess, model and "
            "postprocess keep one row an item, in their order."
        )


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
