"""Modules that go on drawing at random as they did in training, and the state they draw from."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from podium.errors import ModelError
from podium.runtimes.base import Model, TensorSpec
from podium.runtimes.torch.file import reason

_ROWS: Final = 2
_PIXELS: Final = 64
"""The size of a trial batch, where nothing tells it."""

_WAY_OUT: Final = (
    "Let the factory return a module that draws in eval mode, such as by "
    "torch.nn.functional.dropout(x, p, training=True); it is then left in that mode"
)
_LOCK: Final = threading.Lock()
"""Held by whoever draws from PyTorch's one generator with a seed."""


@contextmanager
def drawing(seed: int) -> Iterator[None]:
    """Within, what PyTorch draws hangs on `seed`; other threads that call this wait meanwhile.

    The state of its generator is put back behind.
    """
    import torch

    with _LOCK, torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


def trial_shape(spec: TensorSpec) -> tuple[int, ...]:
    """Return the shape of a batch of two rows."""
    return (_ROWS, *(size or _PIXELS for size in spec.shape[1:]))


def trial_batch(inputs: Sequence[TensorSpec], number: int = 0) -> dict[str, NDArray[Any]]:
    """Return a batch to try a model on; floats are normal and differ by `number`, others are 0."""
    generator = np.random.default_rng(number)
    batch: dict[str, NDArray[Any]] = {}
    for spec in inputs:
        shape = trial_shape(spec)
        if spec.dtype.kind == "f":
            batch[spec.name] = generator.standard_normal(shape).astype(spec.dtype)
        else:
            batch[spec.name] = np.full(shape, str(number) if spec.dtype.kind == "O" else 0,
                                       spec.dtype)  # fmt: skip
    return batch


def keep_drawing(name: str, model: Model, module: Any) -> tuple[str, ...]:
    """Put the module of a model into training mode with its statistics frozen; return notes.

    A layer with statistics under names of its own is found by trying the model, if it says
    what it takes: two calls leave other values in it. A module that draws in eval mode and
    answers otherwise in training mode, or fails in it, stays in eval mode. `name` is what
    messages call the model.

    Raises:
        ModelError: it answers otherwise in training mode, or a statistic does not stay.
    """
    if not model.inputs:
        _train(module)
        return ()
    expected = _form(model)  # what a module makes at its first call alone is now made
    _train(module)
    try:
        moving = _moving(model, module)
        for one in moving:
            one.layer.training = False
        left, found = _moving(model, module), _form(model)
    except Exception as err:  # whatever the module raises
        return _left_alone(name, model, module, f"fails in training mode: {reason(err)}")
    if found != expected:
        why = f"returns {found} in training mode, and {expected} in eval mode"
        return _left_alone(name, model, module, why)
    if left:
        raise ModelError(
            f"{name}: a call changes the buffer {left[0].path!r} even in eval mode, so that an "
            "answer would hang on those before it. Take that out of the module's forward"
        )
    return tuple(
        f"In training mode a call would change the buffer {path!r}; its layer stays in eval mode, "
        "and draws what it draws there."
        for path in dict.fromkeys(one.path for one in moving)
    )


def _train(module: Any) -> None:
    module.train()
    for layer in module.modules():
        if getattr(layer, "running_mean", None) is not None:
            layer.training = False


def _left_alone(name: str, model: Model, module: Any, why: str) -> tuple[str, ...]:
    """Return the module to eval mode, if it draws there."""
    module.eval()
    first, second = (_answer(model, 0, seed) for seed in range(2))
    if all(np.array_equal(first[key], second[key]) for key in first):
        raise ModelError(f"{name}: samples is set, but the module {why}. {_WAY_OUT}")
    return (f"The module {why}; it stays in eval mode, where it draws too.",)


class _Buffer(NamedTuple):
    """A buffer of a layer; `path` is its full name."""

    path: str
    layer: Any
    key: str
    tensor: Any


def _buffers(module: Any) -> list[_Buffer]:
    return [
        _Buffer(f"{path}.{key}".lstrip("."), layer, key, tensor)
        for path, layer in module.named_modules()
        for key, tensor in layer.named_buffers(recurse=False)
    ]


def _moving(model: Model, module: Any) -> list[_Buffer]:
    """Return the buffers that two calls with one seed leave different; all are put back.

    A buffer that keeps what a call draws, as that of some Bayesian layers, is not among them.
    """
    import torch

    buffers = _buffers(module)
    kept = [buffer.tensor.clone() for buffer in buffers]
    after = []
    try:
        for batch in range(2):
            _answer(model, batch, 0)
            after.append([getattr(one.layer, one.key).clone() for one in buffers])
    finally:
        with torch.no_grad():
            for one, value in zip(buffers, kept, strict=True):
                setattr(one.layer, one.key, one.tensor.copy_(value))
    return [one for one, first, second in zip(buffers, *after, strict=True)
            if not _same(first, second)]  # fmt: skip


def _same(first: Any, second: Any) -> bool:
    return bool(np.array_equal(first.float().numpy(), second.float().numpy(), equal_nan=True))


def _answer(model: Model, batch: int, seed: int) -> dict[str, NDArray[Any]]:
    with model.drawing(seed):
        return model.predict(trial_batch(model.inputs, batch))


def _form(model: Model) -> str:
    """Return what the outputs are in words."""
    outputs = _answer(model, 0, 0)
    return ", ".join(f"{name} {list(array.shape)}" for name, array in outputs.items())
