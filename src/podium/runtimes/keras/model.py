"""A built Keras model, whatever Keras runs it on: arrays in, arrays out."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from podium.errors import ModelError
from podium.runtimes.base import Arrays, Source, TensorSpec
from podium.runtimes.batches import Outputs, in_batches
from podium.runtimes.keras.random import keep_drawing
from podium.runtimes.keras.tell import caution, choices, image, task
from podium.runtimes.quiet import quiet
from podium.runtimes.tensorflow import plain, tensor_spec
from podium.runtimes.tensorflow.drawing import DrawingModel


@dataclass(kw_only=True)
class KerasModel(DrawingModel):
    """A Keras model; `call` takes and returns the flat arrays of its inputs and outputs."""

    built: Any
    batch_size: int | None

    def together(self, passes: int) -> Self | None:
        """Return a model that makes `passes` passes in one call, on TensorFlow."""
        import keras

        return super().together(passes) if keras.backend.backend() == "tensorflow" else None

    def predict(self, inputs: Arrays) -> Outputs:
        """Run the model; unless it has `draws`, without dropout and the like."""
        feed = {spec.name: np.asarray(inputs[spec.name], spec.dtype) for spec in self.inputs}
        return in_batches(self._run, feed or inputs, self.batch_size)

    def _run(self, feed: Arrays) -> Outputs:
        found = [plain(array) for array in self.call(*feed.values())]
        names = [spec.name for spec in self.outputs] or _numbered(len(found))
        return self._settled(dict(zip(names, found, strict=True)), feed)

    def export(self, example: Arrays, file: Path) -> None:
        """Write the model as an ONNX graph; `example` is a batch of its inputs."""
        import keras

        if len(self.inputs) == 1:  # a factory's may have another name at each loading
            example = {self.inputs[0].name: next(iter(example.values()))}
        self.predict(example)
        specs = [keras.InputSpec(dtype=_dtype(spec), shape=spec.shape, name=spec.name)
                 for spec in self.inputs]  # fmt: skip
        with warnings.catch_warnings(), quiet():
            warnings.simplefilter("ignore")
            signature = [_packed(keras, self.built, specs)]
            self.built.export(str(file), format="onnx", verbose=False, input_signature=signature)


def adapt(source: Source, built: Any, loss: object, notes: tuple[str, ...]) -> KerasModel:
    """Describe a built model; `loss` is what it was trained by, if the file tells.

    Raises:
        ModelError: it was never called, so that it takes nothing yet.
    """
    import keras

    if not built.built:
        raise ModelError(f"{source.file.name} was saved before its first call. Call it, then save.")
    draws = keep_drawing(source.file.name, built) if source.random else None
    inputs = _inputs(source, built, choices(keras, built))
    sizes = {spec.shape[0] for spec in inputs if spec.shape}
    return KerasModel(
        platform="keras",
        inputs=inputs,
        outputs=_outputs(keras, built),
        task=task(built, loss),
        image=image(built, inputs),
        notes=tuple(filter(None, [*notes, caution(built)])),
        built=built,
        call=_caller(keras, built, training=source.random),
        batch_size=sizes.pop() if len(sizes) == 1 else None,
        draws=draws,
    )


def _inputs(
    source: Source, built: Any, named: dict[str, tuple[str, ...]]
) -> tuple[TensorSpec, ...]:
    tensors = _tensors(built)
    if not tensors:
        return () if source.expects is None else (source.expects,)
    specs = _specs(_structure(built), tensors, [tensor.name for tensor in tensors])
    return tuple(spec._replace(choices=named.get(spec.name, ())) for spec in specs)


def _outputs(keras: Any, built: Any) -> tuple[TensorSpec, ...]:
    if not _tensors(built):
        return ()
    structure = None if isinstance(built, keras.Sequential) else built.output
    return _specs(structure, built.outputs, _numbered(len(built.outputs)))


def _tensors(built: Any) -> Sequence[Any]:
    """Return the inputs, flat; none if the maker's own class does not tell them."""
    return getattr(built, "inputs", None) or ()


def _structure(built: Any) -> Any:
    """Return the inputs as the model takes them; a Sequential takes one and has no structure."""
    return getattr(built, "input", None) if hasattr(built, "operations") else built.inputs[0]


def _specs(structure: Any, tensors: Sequence[Any], names: Sequence[str]) -> tuple[TensorSpec, ...]:
    """Describe tensors; those of a dict, flattened in the order of its keys, are called by them."""
    if isinstance(structure, dict) and len(structure) == len(tensors):
        names = sorted(structure)
    return tuple(tensor_spec(name, tensor.shape, tensor.dtype)
                 for name, tensor in zip(names, tensors, strict=True))  # fmt: skip


def _numbered(count: int) -> list[str]:
    return ["output"] if count == 1 else [f"output_{index}" for index in range(count)]


def _packed(keras: Any, built: Any, values: Sequence[Any]) -> Any:
    """Return flat values in the structure that the model is called with."""
    if not _tensors(built):
        return values[0] if len(values) == 1 else list(values)
    return keras.tree.pack_sequence_as(_structure(built), list(values))


def _caller(keras: Any, built: Any, training: bool) -> Callable[..., Sequence[Any]]:
    """Return the fastest way of the backend to call a model from any thread."""

    def run(*values: Any) -> Any:
        return keras.tree.flatten(built(_packed(keras, built, values), training=training))

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        signature = [tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in _tensors(built)]
        return tf.function(run, signature or None, reduce_retracing=True)  # type: ignore[no-any-return]
    if keras.backend.backend() == "torch":
        import torch

        run = torch.no_grad()(run)
    return lambda *values: [keras.ops.convert_to_numpy(tensor) for tensor in run(*values)]


def _dtype(spec: TensorSpec) -> str:
    return "string" if spec.dtype == np.object_ else str(spec.dtype)


def unknown_operators(file: Path) -> list[str]:
    """Return the operators of an ONNX graph for which the exporter found no counterpart."""
    import onnx
    from onnx.defs import get_all_schemas

    nodes = onnx.load(file, load_external_data=False).graph.node
    return sorted({node.op_type for node in nodes} - {schema.name for schema in get_all_schemas()})
