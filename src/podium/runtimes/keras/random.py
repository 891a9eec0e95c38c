"""A Keras model goes on drawing at random after training, and nothing else of training goes on."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Final

from podium.errors import ModelError
from podium.runtimes.tensorflow.drawing import Draws

_AUGMENTATION: Final = "keras.src.layers.preprocessing."
_HELD: Final = {"SpectralNormalization"}
"""Layers that renew weights when called as in training, whether they are trainable or not."""


def keep_drawing(name: str, built: Any) -> Draws:
    """Prepare a model to be called as in training; `name` is its file's, for errors.

    Batch-norm that is not trainable goes by its moving statistics: see "About setting
    layer.trainable = False" in Keras's documentation of BatchNormalization. Random changes of
    pictures are held off.

    Raises:
        ModelError: it holds a PyTorch module, whose statistics Keras cannot freeze.
    """
    draws = Draws(built.variables)
    built.trainable = False
    for layer in built._flatten_layers():  # there is no public way to layers within layers
        kinds = type(layer).__mro__
        if any(kind.__name__ == "TorchModuleWrapper" for kind in kinds):
            raise ModelError(
                f"{name} holds a PyTorch module, whose statistics Keras cannot freeze while it "
                "draws. Serve the module itself with samples, by the runtime torch."
            )
        if any(kind.__module__.startswith(_AUGMENTATION) or kind.__name__ in _HELD
               for kind in kinds):  # fmt: skip
            _hold(layer)
        for generator in layer._seed_generators:
            # On PyTorch, Keras's dropout without a seed ignores the generator's state.
            generator._initial_seed = generator._initial_seed or 0
    return draws


def _hold(layer: Any) -> None:
    """Let a layer work as after training, however it is called."""
    call: Callable[..., Any] = layer.call
    if "training" in inspect.signature(call).parameters:
        layer.call = lambda *args, **named: call(*args, **{**named, "training": False})
