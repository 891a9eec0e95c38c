"""An application whose models live elsewhere, as a web worker has it: no framework is loaded."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal

from numpy.typing import NDArray

from podium.app import App
from podium.batching import Answered, Decode
from podium.calibrated import Kept
from podium.errors import ModelError, Overloaded, PodiumError
from podium.options import Options
from podium.pipeline.decode import Items
from podium.pool import wire
from podium.pool.client import Pool
from podium.signature import Signature

GLANCE_S: Final = 1.0
"""How long to wait for what the models say of themselves, where nobody waits for an answer."""
LOADING_S: Final = 3600.0
"""How long to wait for a model to be loaded, at the longest; the server has its own limit."""


class PooledApp(App):
    """An application that asks a pool of model workers."""

    light = True

    def __init__(self, folder: Path, workers: int, models: Path) -> None:
        self._models = models
        self._facts: wire.Facts | None = None
        self._calibrations: dict[str, Kept] = {}
        super().__init__(folder, workers)
        self._decoding = threading.BoundedSemaphore(self._threads)

    @property
    def ready(self) -> bool:
        """Whether every model is loaded and warm, in one model worker at least."""
        return self._glance().ready

    @property
    def failures(self) -> dict[str, str]:
        """Why models could not be loaded, by their names."""
        return self._glance().failures

    def begin(self) -> None:
        """Wait until the default model is loaded.

        Raises:
            PodiumError: it cannot be.
            SystemExit: the server stops meanwhile.
        """
        try:
            self._ask_facts(LOADING_S, self.names[0])
        except Overloaded:
            raise SystemExit(0) from None

    def await_model(self, name: str | None) -> None:
        """Do nothing: the model worker waits."""

    def load_all(self) -> Iterator[tuple[str, ModelError | None]]:
        """Load nothing: the model worker does, and tells its failures itself."""
        return iter(())

    def answer(self, decode: Decode, ends: float) -> Answered:
        """Decode a request, and let a model worker answer it.

        Raises:
            Overloaded: there is no room.
            TimedOut: `ends` is over.
            RequestError: what `decode` raises.
            ModelError: the model fails.
        """
        items, body = self._ask(decode, ends, "whole")
        reply = _raised(wire.replied(body))
        assert isinstance(reply, wire.Told)
        return Answered(items, wire.answer_of(reply))

    def answer_json(self, decode: Decode, ends: float) -> bytes:
        """Return `answer` as the JSON of the API."""
        _, body = self._ask(decode, ends, "json")
        if body.startswith(wire.JSON):
            return bytes(memoryview(body)[1:])
        _raised(wire.replied(body))
        raise AssertionError(body[:100])

    def draws(self, name: str) -> bool:
        """Return whether single answers of a model differ by chance."""
        facts = self._facts
        if facts is None or name not in facts.draws:
            facts = self._ask_facts(self.spec.limits.timeout, name)
        return facts.draws[name]

    def picture(self, name: str, items: Items) -> NDArray[Any]:
        """Return the first item's pixels as a model gets them, (height, width, channels)."""
        question = wire.ask(items[:1], Options(model=name), self.ends(), "picture")
        reply = _raised(wire.replied(self._pool.ask(question)))
        assert isinstance(reply, wire.Pixels)
        return wire.array_of(reply)

    def version(self, name: str) -> str:
        """Return what names the content of the model's file."""
        facts = self._facts or self._ask_facts(self.spec.limits.timeout)
        return facts.versions[name]

    def kept(self, name: str) -> Kept:
        """Return the calibration of a model."""
        if name not in self._calibrations:
            self._calibrations[name] = super().kept(name)
        return self._calibrations[name]

    @cached_property
    def _pool(self) -> Pool:
        return Pool(self._models, self.spec.limits.timeout)

    def _ask(
        self, decode: Decode, ends: float, form: Literal["json", "whole"]
    ) -> tuple[Items, bytearray]:
        with self._decoding:  # for the memory
            items, options = decode()
        return items, self._pool.ask(wire.ask(items, options, ends, form))

    def _ask_facts(self, patience_s: float, load: str | None = None) -> wire.Facts:
        body = self._pool.ask(wire.Query(time.monotonic() + patience_s, load))
        reply = _raised(wire.replied(body))
        assert isinstance(reply, wire.Facts)
        self._facts = reply
        return reply

    def _glance(self) -> wire.Facts:
        """Return what the models say of themselves now; that none is ready where none answers."""
        try:
            return self._ask_facts(GLANCE_S)
        except PodiumError:
            return wire.Facts(False, {}, (), {}, {})

    def _with_labels(self, signature: Signature) -> Signature:
        """Return the signature with the default model's own labels where none are written."""
        if signature.kind == "regression" or signature.labels:
            return signature
        return self._labelled(
            signature, self._ask_facts(LOADING_S, self.spec.models[0].name).labels
        )


def _raised(reply: wire.Reply) -> wire.Reply:
    """Return a reply, or raise the error that it is."""
    if isinstance(reply, wire.Wrong):
        raise wire.error_of(reply)
    return reply
