"""TensorFlow's SavedModel folders, run by their signature."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from podium.errors import ModelError
from podium.runtimes.base import Arrays, Model, Source, TensorSpec, folder_files, needs
from podium.runtimes.batches import Outputs, in_batches
from podium.runtimes.quiet import quiet
from podium.runtimes.tensorflow import savedmodel
from podium.runtimes.tensorflow.drawing import DrawingModel, Draws
from podium.runtimes.versions import mismatch

SIGNATURE = "serving_default"
PACKAGES = ("tensorflow", "tensorflow-cpu")


def load(source: Source) -> Model:
    """Load a SavedModel folder.

    Raises:
        MissingExtra: TensorFlow is not installed.
        UntrustedModel: its graph reads or writes files, or runs code, and nobody vouched for it.
        ModelError: it cannot be read, or holds no single signature.
    """
    folder = source.file
    with needs(folder, "SavedModel", "tensorflow"), quiet():
        import tensorflow as tf
    start(source.threads)
    saved = savedmodel.audited(source, folder_files(folder))
    other = mismatch(folder.name, saved.meta_info_def.tensorflow_version, *PACKAGES)
    try:
        with quiet():
            loaded = tf.saved_model.load(str(folder))
    except Exception as err:  # TensorFlow passes on whatever a damaged folder causes
        why = f"{told(err).rstrip('.')}. {other}".strip()
        raise ModelError(f"{folder.name}: TensorFlow cannot load it: {why}") from err
    model = _adapt(source, loaded)
    model.notes = (other,) if other else ()
    return model


def files(file: Path) -> tuple[Path, ...]:
    """Return all files of the folder."""
    return folder_files(file)


def start(threads: int) -> None:
    """Limit TensorFlow's threads, which it takes only before its first work, and its log."""
    import tensorflow as tf

    tf.get_logger().setLevel("ERROR")
    with contextlib.suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)


def told(error: BaseException) -> str:
    """Return an error of TensorFlow or Keras in one line; they may print a whole model."""
    cause = str(error).rpartition("Exception encountered:")[2].partition("Full object config")[0]
    line = " ".join(cause.split()) or type(error).__name__
    return line if len(line) < 300 else f"{line[:300]}..."


def plain(value: Any) -> NDArray[Any]:
    """Return an output in a type that numpy knows: bytes are texts, bfloat16 is single."""
    array: NDArray[Any] = np.asarray(value)
    if array.dtype == np.object_:
        texts = [item.decode() if isinstance(item, bytes) else item for item in array.flat]
        return np.array(texts, np.object_).reshape(array.shape)
    return array.astype(np.float32) if array.dtype.kind == "V" else array


def tensor_spec(name: str, shape: Any, dtype: str) -> TensorSpec:
    """Return the spec of a tensor by the names of TensorFlow and Keras; texts are objects."""
    kind = {"string": np.object_, "bfloat16": np.float32}.get(dtype, dtype)
    return TensorSpec(name, np.dtype(kind), tuple(shape))


@dataclass(kw_only=True)
class SavedModel(DrawingModel):
    """A signature of a SavedModel, `call`; `root` keeps its variables and tables alive."""

    root: Any
    batch_size: int | None

    def predict(self, inputs: Arrays) -> Outputs:
        """Run the signature."""
        feed = {spec.name: np.asarray(inputs[spec.name], spec.dtype) for spec in self.inputs}
        return in_batches(self._run, feed, self.batch_size)

    def _run(self, feed: Arrays) -> Outputs:
        import tensorflow as tf

        tensors = {name: tf.constant(array) for name, array in feed.items()}
        found = self.call(**tensors)
        return self._settled({name: plain(one.numpy()) for name, one in found.items()}, feed)


def _adapt(source: Source, root: Any) -> SavedModel:
    call = _signature(source.file, getattr(root, "signatures", {}))
    taken = call.structured_input_signature[1]
    inputs = tuple(_spec(source, name, spec, len(taken)) for name, spec in taken.items())
    sizes = {spec.shape[0] for spec in inputs}
    return SavedModel(
        platform="tensorflow",
        inputs=inputs,
        outputs=tuple(tensor_spec(name, spec.shape.as_list(), spec.dtype.name)
                      for name, spec in call.structured_outputs.items()
                      if spec.shape.rank is not None),
        root=root,
        call=call,
        batch_size=sizes.pop() if len(sizes) == 1 else None,
        draws=Draws(call.variables) if source.random else None,
    )  # fmt: skip


def _signature(file: Path, signatures: Any) -> Any:
    if SIGNATURE in signatures:
        return signatures[SIGNATURE]
    if len(signatures) == 1:
        return next(iter(signatures.values()))
    found = ", ".join(sorted(signatures)) or "none"
    raise ModelError(
        f"{file.name} needs a signature {SIGNATURE!r}, or a single one; found: {found}. Save it "
        "with model.export, or with tf.saved_model.save(..., signatures=...)."
    )


def _spec(source: Source, name: str, spec: Any, count: int) -> TensorSpec:
    """Describe an input; where its shape is unknown, the application's own is expected."""
    if spec.shape.rank is None and source.expects is not None and count == 1:
        return tensor_spec(name, source.expects.shape, spec.dtype.name)
    if not spec.shape.rank:
        raise ModelError(
            f"{source.file.name}: the input {name!r} has no axis for the batch. Save it with an "
            "input_signature whose shapes begin with None."
        )
    return tensor_spec(name, spec.shape.as_list(), spec.dtype.name)
