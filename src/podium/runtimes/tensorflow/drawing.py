"""How models on Keras and TensorFlow draw at random: by a seed, and many passes in one call."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, Final, Self

import numpy as np

from podium.errors import ModelError
from podium.runtimes.base import Arrays, Model
from podium.runtimes.batches import Outputs

_STATE: Final = "seed_generator_state"


class Draws:
    """The states that a model draws from, and the statistics that its passes must leave alone.

    `variables` are all that the model has. One thread at a time draws: it sets the states first.
    """

    def __init__(self, variables: Iterable[Any]) -> None:
        self._lock = threading.RLock()
        self._states = [one for one in variables if _STATE in one.name]
        self._statistics = [(one, np.array(one.numpy())) for one in variables
                            if not one.trainable and one.numpy().dtype.kind == "f"]  # fmt: skip

    @contextmanager
    def seeded(self, seed: int) -> Iterator[None]:
        """Within, each layer draws what hangs on `seed` and on its place in the model."""
        values = np.random.SeedSequence(seed).generate_state(len(self._states)) >> 1  # fits int32
        with self._lock:
            for state, value in zip(self._states, values, strict=True):
                state.assign(np.array([value, 0]))
            yield

    def check(self) -> None:
        """After the first pass, see that it has left the statistics as they were.

        Raises:
            ModelError: naming those that it has changed.
        """
        changed = [getattr(one, "path", one.name) for one, before in self._statistics
                   if not np.array_equal(one.numpy(), before, equal_nan=True)]  # fmt: skip
        if changed:
            raise ModelError(
                f"The model changes {', '.join(changed[:3])} with every pass, and its answers with "
                "it. Let a layer of your own learn only `if training and self.trainable`, as "
                "Keras's BatchNormalization does; export a SavedModel after model.trainable = "
                "False."
            )
        self._statistics = []


@dataclass(kw_only=True)
class DrawingModel(Model):
    """A model that may draw at random: then it has `draws`.

    `call` takes and returns tensors; with `passes`, it makes that many at once.
    """

    call: Callable[..., Any]
    draws: Draws | None = None
    passes: int | None = None

    def drawing(self, seed: int) -> AbstractContextManager[None]:
        """Within, the layers draw what hangs on `seed`, each its own; one thread at a time.

        What draws without a seed generator of Keras, such as tf.random, hangs on no seed.
        """
        return self.draws.seeded(seed) if self.draws else nullcontext()

    def together(self, passes: int) -> Self | None:
        """Return a model that makes `passes` passes one after the other in one graph."""
        return replace(self, call=self._looped(passes), passes=passes) if self.draws else None

    @cached_property
    def _looped(self) -> Callable[[int], Callable[..., Any]]:
        return _looped(self.call)

    def _settled(self, outputs: Outputs, feed: Arrays) -> Outputs:
        """Return outputs of shape (rows, passes, ...) once the first pass has been checked."""
        if self.draws:
            self.draws.check()
        if self.passes is None:
            return outputs
        rows = len(next(iter(feed.values())))
        return {
            name: np.swapaxes(array.reshape(self.passes, rows, *array.shape[2:]), 0, 1)
            for name, array in outputs.items()
        }


def _looped(call: Callable[..., Any]) -> Callable[[int], Callable[..., Any]]:
    """Return what makes, of a number of passes, a call that runs them all inside of one graph.

    Each draws anew; the first axis of its outputs is the passes'.
    """
    import tensorflow as tf

    def run(passes: Any, *values: Any, **named: Any) -> Any:
        once = tf.function(call).get_concrete_function(*values, **named)
        specs = tf.nest.map_structure(
            lambda one: tf.TensorSpec(one.shape, one.dtype), once.structured_outputs
        )
        # One after the other: they share the states of their seed generators.
        return tf.map_fn(lambda _: call(*values, **named), tf.range(passes),
                         fn_output_signature=specs, parallel_iterations=1)  # fmt: skip

    graph = tf.function(run, reduce_retracing=True)
    return lambda passes: partial(graph, tf.constant(passes))
