"""An application folder with its models, ready to answer: the composition root."""

from __future__ import annotations

import hashlib
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
from msgspec import structs
from numpy.typing import NDArray

from podium.batching import Answered, Batching, Decode, Request
from podium.calibrated import Asked, Kept, calibration_file, read_calibration, settings_of
from podium.cpus import available_cpus
from podium.engines.local import LocalEngine
from podium.errors import Mistake, ModelError, SpecError, TimedOut, UnknownModel
from podium.folder import FILE, parse
from podium.hosting import as_hosted, takes_datasets
from podium.messages import plain
from podium.metrics import LOAD_SECONDS, Tally
from podium.options import Options
from podium.pipeline import Pipeline, images_together, learn_labels, load_functions
from podium.pipeline.decode import Items
from podium.pipeline.ensemble import told_of
from podium.pipeline.preprocess import expected_input
from podium.prediction import Answer, ClassAnswer, ValueAnswer
from podium.runtimes import Source, load, model_files
from podium.signature import Signature
from podium.spec import Image, ModelSpec, Spec, check_labels
from podium.usercode import missing_requirements, module_file

VERSION_DIGITS = 6
ROWS_MERGED = 64
"""How many rows of waiting requests are answered at once."""


@dataclass(frozen=True)
class Served:
    """One model that answers."""

    spec: ModelSpec
    version: str
    pipeline: Pipeline
    kept: Kept

    @property
    def platform(self) -> str:
        """The model's format."""
        kinds = Counter(member.model.platform for member in self.pipeline.members)
        if len(self.pipeline.members) == 1:
            return next(iter(kinds))
        return " + ".join(f"{count} x {kind}" for kind, count in kinds.items())

    @property
    def notes(self) -> tuple[str, ...]:
        """What the maker should read about the model, or which member of the ensemble."""
        return tuple(
            note if note.startswith(file) else f"{file}: {note}"
            for file, member in self.pipeline.by_file.items()
            for note in member.notes
        )


class App:
    """An application folder. Models are loaded when they are first asked for, each once.

    `workers` is the number of processes that share this machine's processors. A `patient` one
    lets an answer take its time, for whole data sets.

    Raises:
        SpecError: podium.toml has mistakes.
        ModelError: the labels are left out and the default model, which then must name them,
            cannot be loaded.
    """

    light = False
    """Whether the models are elsewhere, and the maker's code with them."""

    def __init__(self, folder: Path, workers: int = 1, patient: bool = False) -> None:
        self.folder = folder.resolve()
        parsed = parse(self.folder)
        self.spec: Spec = as_hosted(parsed.spec)
        self.takes_datasets = takes_datasets()
        self._check_requirements()
        self._functions = {} if self.light else load_functions(self.folder, self.spec.pipeline)
        self._threads = max(1, available_cpus() // workers)
        limits = self.spec.limits
        slots = min(limits.concurrency, self._threads)
        self._engine = LocalEngine(slots, limits.queue, math.inf if patient else limits.timeout)
        self._batching = Batching(self.predict, self._merges, self._at_once, self._engine.until)
        self._specs = {spec.name: spec for spec in self.spec.models}
        self._encoder = msgspec.json.Encoder(enc_hook=plain)
        self._served: dict[str, Served] = {}
        self._locks = {name: threading.Lock() for name in self._specs}
        self._failures: dict[str, str] = {}
        self.signature = self._with_labels(Signature.of(parsed))
        self._tally = Tally(self.names, self.signature.labels)

    @property
    def names(self) -> tuple[str, ...]:
        """The models' names; the first is the default."""
        return tuple(self._specs)

    @property
    def ready(self) -> bool:
        """Whether every model is loaded and warm."""
        return len(self._served) == len(self._specs)

    @property
    def loaded(self) -> tuple[str, ...]:
        """The names of the models that are loaded."""
        return tuple(self._served)

    @property
    def failures(self) -> dict[str, str]:
        """Why models could not be loaded, by their names."""
        return self._failures

    @property
    def makes_maps(self) -> bool:
        """Whether a request may ask where the model looked."""
        return self.signature.image is not None and self.spec.limits.map > 0

    def served(self, name: str | None = None) -> Served:
        """Return the model `name`, or the default one, loading it if need be.

        Raises:
            UnknownModel: the application has no such model.
            ModelError: it cannot be loaded.
        """
        name = name or self.names[0]
        served = self._served.get(name)
        if served is not None:
            return served
        if name not in self._specs:
            raise UnknownModel(name, self.names)
        with self._locks[name]:
            if name not in self._served:
                started = time.monotonic()
                self._served[name] = self.load_model(self._specs[name])
                place = LOAD_SECONDS.place(self.names.index(name))
                LOAD_SECONDS.set(place, time.monotonic() - started)
            return self._served[name]

    def begin(self) -> None:
        """Load the default model.

        Raises:
            ModelError: it cannot be loaded.
        """
        self.served()

    def await_model(self, name: str | None) -> None:
        """Load a model if it is known and not loaded yet, before a slot is taken for it."""
        if name is None or name in self._specs:
            self.served(name)

    def load_all(self) -> Iterator[tuple[str, ModelError | None]]:
        """Load every model; yield each one's name and what was wrong with it."""
        for name in self.names:
            try:
                self.served(name)
            except ModelError as err:
                self._failures[name] = str(err)
                yield name, err
            else:
                yield name, None

    def ends(self) -> float:
        """Return by when a request that has just come must be answered, on the monotonic clock."""
        return time.monotonic() + self.spec.limits.timeout

    def answer(self, decode: Decode, ends: float) -> Answered:
        """Decode a request and answer it when there is room, maybe together with others.

        Raises:
            Overloaded: there is no room.
            TimedOut: `ends` is over.
            RequestError: what `decode` raises.
            ModelError: the model fails.
        """
        answered = self._engine.work(Request(decode, ends), self._batching, ends)
        self._tally.count(answered.answer)
        return answered

    def answer_json(self, decode: Decode, ends: float) -> bytes:
        """Return `answer` as the JSON of the API."""
        return self._encoder.encode(self.answer(decode, ends).answer)

    def when_hung(self, tell: Callable[[int, TimedOut], None]) -> None:
        """Let `tell` know of a thread that does not come back, to answer its request."""
        self._engine.hung = tell

    def draws(self, name: str) -> bool:
        """Return whether single answers of a model differ by chance."""
        return self.served(name).pipeline.draws

    def picture(self, name: str, items: Items) -> NDArray[Any]:
        """Return the first item's pixels as a model gets them, (height, width, channels)."""
        return self.served(name).pipeline.picture(items)

    def predict(self, items: Items, options: Options) -> Answer:
        """Return the answer to items, at once and in this thread."""
        served = self.served(options.model)
        predictions = served.pipeline.predict(items, options)
        kind = ClassAnswer if self.signature.kind == "classification" else ValueAnswer
        return kind(served.spec.name, served.version, predictions)  # type: ignore[arg-type]

    def load_model(self, spec: ModelSpec) -> Served:
        """Return a model of this application; podium.toml need not list it.

        Raises:
            ModelError: it cannot be loaded, or does not fit.
        """
        models = []
        for file, source in zip(spec.files or ("",), self.sources(spec), strict=True):
            with told_of(file):
                models.append(load(source))
        version = self._version(spec)
        kept = self._kept(spec, version)
        signature = self._signature_of(spec, self.signature)
        pipeline = Pipeline(
            signature, spec, models, self._engine, self._functions, self.spec.limits.map,
            kept.calibration,
        )  # fmt: skip
        return Served(spec, version, pipeline, kept)

    def image_of(self, name: str | None) -> Image | None:
        """Return how images are read for the model `name`, or for the default one."""
        return self._image(self._specs.get(name or "", self.spec.models[0]))

    def source(self, spec: ModelSpec) -> Source:
        """Return what the runtime of a model gets, or of an ensemble's first member."""
        return self.sources(spec)[0]

    def sources(self, spec: ModelSpec) -> list[Source]:
        """Return what the runtime of a model gets, or of each member of an ensemble."""
        return self._sources(spec, self._signature_of(spec, self.signature))

    def kept(self, name: str) -> Kept:
        """Return the calibration of a model, loaded or not."""
        served = self._served.get(name)
        if served:
            return served.kept
        spec = self._specs[name]
        # Without a file there is no need to read the model's.
        there = calibration_file(self.folder, spec).exists()
        return self._kept(spec, self.version(name)) if there else Kept(None)

    def settings(self, spec: ModelSpec) -> str:
        """Return what names all that decides a model's answers beside its file."""
        code = self.spec.pipeline
        named = (code.preprocess, code.postprocess, spec.factory)
        files = [module_file(self.folder, name) for name in named if name]
        return settings_of(self._signature_of(spec, self.signature), spec, code, files)

    def version(self, name: str) -> str:
        """Return what names the content of the model's file, loaded or not."""
        served = self._served.get(name)
        return served.version if served else self._version(self._specs[name])

    @property
    def _at_once(self) -> int:
        """How many items of waiting requests are best answered together."""
        return ROWS_MERGED if self.spec.image is None else images_together(self.spec.image)

    def _merges(self, options: Options) -> bool:
        """Whether answers are the same in a larger batch: noise is drawn by the row's number."""
        return not self.served(options.model).pipeline.draws and "map" not in options.include

    def _check_requirements(self) -> None:
        missing = missing_requirements(self.spec.requirements)
        if missing:
            named = self.spec.requirements
            mistakes = [Mistake(f"requirements[{index}]", f"{named[index]!r} {told}")
                        for index, told in missing.items()]  # fmt: skip
            raise SpecError(self.folder / FILE, mistakes)

    def _version(self, spec: ModelSpec) -> str:
        sources = self.sources(spec)
        return _digest([file for one in sources for file in model_files(one.file, one.runtime)])

    def _kept(self, spec: ModelSpec, version: str) -> Kept:
        file = calibration_file(self.folder, spec)
        asked = Asked(spec.name, version, self.settings(spec), self.spec.task.kind)
        return read_calibration(file, asked)

    def _image(self, spec: ModelSpec) -> Image | None:
        """Return a model's [image]; the maker's own preprocess gets whole pictures."""
        image = spec.image or self.spec.image
        if image is None or self.spec.pipeline.preprocess is None:
            return image
        return structs.replace(image, decode="exact")

    def _signature_of(self, spec: ModelSpec, signature: Signature) -> Signature:
        return replace(signature, image=self._image(spec))

    def _sources(self, spec: ModelSpec, signature: Signature) -> list[Source]:
        expects = None if self.spec.pipeline.preprocess else expected_input(signature)
        return sources_of(self.folder, spec, threads=self._threads, expects=expects)

    def _with_labels(self, signature: Signature) -> Signature:
        """Return the signature with the default model's own labels where none are written."""
        if signature.kind == "regression" or signature.labels:
            return signature
        first = self.spec.models[0]
        own = self._signature_of(first, signature)
        learned = (learn_labels(own, load(source)) for source in self._sources(first, own))
        return self._labelled(signature, next(filter(None, learned), ()))

    def _labelled(self, signature: Signature, labels: tuple[str, ...]) -> Signature:
        """Return the signature with the labels that the default model names, if they will do."""
        wrong = list(check_labels(labels)) if labels else [
            Mistake("labels", "is missing, and the default model names no classes")
        ]  # fmt: skip
        if wrong:
            mistakes = [Mistake(f"task.{m.key}", m.message) for m in wrong]
            raise SpecError(self.folder / FILE, mistakes)
        return replace(signature, labels=labels)


def sources_of(folder: Path, spec: ModelSpec, **options: Any) -> list[Source]:
    """Return what the runtime of a model of the application in `folder` gets, or of each member."""
    files = [folder / name for name in spec.files or (spec.file or "",)]
    return [
        Source(
            file=file,
            root=folder,
            runtime="python" if spec.python else spec.runtime,
            code=spec.python or spec.factory,
            trust=spec.trust,
            random=spec.samples is not None and spec.noise is None,
            **options,
        )
        for file in ([module_file(folder, spec.python)] if spec.python else files)
    ]


def _digest(files: Sequence[Path]) -> str:
    """Return what names the content of a model's files: of one file, its sha256's beginning."""
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while part := stream.read(1 << 20):
                digest.update(part)
    return digest.hexdigest()[:VERSION_DIGITS]
