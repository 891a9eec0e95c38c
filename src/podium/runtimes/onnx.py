"""ONNX graphs, run by ONNX Runtime."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from podium.errors import ModelError
from podium.runtimes.base import Arrays, Model, Source, TensorSpec, needs
from podium.runtimes.batches import Outputs, in_batches

if TYPE_CHECKING:
    from onnxruntime import InferenceSession, NodeArg, RunOptions

_DTYPES: Final[dict[str, np.dtype[Any]]] = {
    "tensor(float)": np.dtype(np.float32),
    "tensor(double)": np.dtype(np.float64),
    "tensor(float16)": np.dtype(np.float16),
    "tensor(int64)": np.dtype(np.int64),
    "tensor(int32)": np.dtype(np.int32),
    "tensor(uint8)": np.dtype(np.uint8),
    "tensor(bool)": np.dtype(np.bool_),
    "tensor(string)": np.dtype(np.object_),
}
_DRAWING: Final = threading.Lock()
"""Held while what is drawn hangs on a seed, of which ONNX Runtime has one for all graphs."""

_ZIPMAP: Final = "seq(map("
_LABELS: Final = "podium.labels"
_FEATURES: Final = "podium.features"
"""Keys of the graph's own metadata; their values are JSON lists of names."""


def load(source: Source) -> Model:
    """Load an ONNX graph. Its external data, if any, must lie in the graph's own folder."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = source.threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Spinning threads take the core from the next request for nothing.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # ONNX Runtime 1.32 takes dropout out of a graph even where it is to draw.
    kept = ["EliminateDropout"] if source.random else None
    try:
        session = ort.InferenceSession(
            str(source.file), options, providers=["CPUExecutionProvider"], disabled_optimizers=kept
        )
    except Exception as err:  # onnxruntime has no public base class for its errors
        raise ModelError(f"{source.file.name}: ONNX Runtime cannot load it: {err}") from err
    return OnnxModel.of(source.file, session)


def files(file: Path) -> tuple[Path, ...]:
    """Return the graph and the files in its folder that hold its external data.

    They are found as the protobuf entry {key: "location", value: name} of a tensor
    (TensorProto.external_data in onnx.proto), which needs no package to read.
    """
    graph = file.read_bytes()
    names = {
        graph[match.end() : match.end() + match[1][0]].decode("utf-8", "replace")
        for match in re.finditer(rb"\x0a\x08location\x12([\x01-\x7f])", graph)
    }
    return (file, *(file.parent / name for name in sorted(names) if (file.parent / name).is_file()))


def write_names(file: Path, labels: Sequence[str], features: Sequence[str]) -> None:
    """Write into a graph what its classes and its matrix's columns are called, in their order."""
    with needs(file, "export to ONNX", "optimize"):
        import onnx

    graph = onnx.load(file, load_external_data=False)
    for key, names in ((_LABELS, labels), (_FEATURES, features)):
        if names:
            graph.metadata_props.add(key=key, value=msgspec.json.encode(names).decode())
    onnx.save(graph, file)


@dataclass(kw_only=True)
class OnnxModel(Model):
    """A graph in a session. Outputs of ZipMap become matrices in the order of `labels`.

    The runtime tells the type of a map's keys but not the keys: the first run shows them.
    """

    session: InferenceSession
    batch_size: int | None
    running: dict[int, RunOptions] = field(default_factory=dict)
    """By thread, what its runs hear."""

    @classmethod
    def of(cls, file: Path, session: InferenceSession) -> OnnxModel:
        """Describe a session's graph."""
        inputs = tuple(_tensor(file, arg) for arg in session.get_inputs())
        outputs = tuple(_output(file, arg) for arg in session.get_outputs())
        sizes = {spec.shape[0] for spec in inputs if spec.shape}
        fixed = next(iter(sizes)) if len(sizes) == 1 else None
        model = cls(
            platform="onnx", inputs=inputs, outputs=outputs, session=session, batch_size=fixed,
            labels=_names(file, session, _LABELS), features=_names(file, session, _FEATURES),
        )  # fmt: skip
        if any(arg.type.startswith(_ZIPMAP) for arg in session.get_outputs()):
            model._try_zeros()
        return model

    def predict(self, inputs: Arrays) -> Outputs:
        """Run the graph; a graph of fixed batch size is run as often as the batch needs."""
        feed = {spec.name: np.asarray(inputs[spec.name], spec.dtype) for spec in self.inputs}
        return in_batches(self._run, feed, self.batch_size)

    @contextlib.contextmanager
    def drawing(self, seed: int) -> Iterator[None]:
        """Within, what Dropout draws hangs on `seed`, unless its node has a seed of its own.

        Other random operators keep the state that they got when the graph was loaded.
        """
        import onnxruntime as ort

        with _DRAWING:
            ort.set_seed(seed)
            yield

    def stop(self, thread: int) -> None:
        """End the run of a thread at its graph's next node."""
        options = self.running.pop(thread, None)
        if options is not None:
            options.terminate = True

    def _listen(self, thread: int) -> RunOptions:
        import onnxruntime as ort

        options = self.running[thread] = ort.RunOptions()
        options.log_severity_level = 4  # what goes wrong is raised
        return options

    def _run(self, feed: Arrays) -> Outputs:
        thread = threading.get_ident()
        options = self.running.get(thread) or self._listen(thread)
        results = self.session.run(None, dict(feed), options)
        return {
            spec.name: self._matrix(result) if isinstance(result, list) else result
            for spec, result in zip(self.outputs, results, strict=True)
        }

    def _try_zeros(self) -> None:
        """Run a row of nothing, to see the labels; a graph may refuse it."""
        with contextlib.suppress(Exception):
            self.predict({spec.name: _one_row(spec) for spec in self.inputs})

    def _matrix(self, maps: list[dict[Any, float]]) -> NDArray[Any]:
        self.labels = self.labels or tuple(map(str, maps[0]))
        return np.array([list(row.values()) for row in maps], np.float32)


def _tensor(file: Path, arg: NodeArg) -> TensorSpec:
    if arg.type not in _DTYPES:
        known = ", ".join(_DTYPES)
        raise ModelError(f"{file.name}: {arg.name!r} is {arg.type}. Podium takes: {known}")
    shape = tuple(size if isinstance(size, int) else None for size in arg.shape)
    return TensorSpec(arg.name, _DTYPES[arg.type], shape)


def _names(file: Path, session: InferenceSession, key: str) -> tuple[str, ...]:
    """Return the names that write_names wrote; () where there are none."""
    text = session.get_modelmeta().custom_metadata_map.get(key, "[]")
    try:
        return msgspec.json.decode(text, type=tuple[str, ...])
    except msgspec.DecodeError as err:
        raise ModelError(f"{file.name}: its metadata {key!r} is no JSON list of names") from err


def _output(file: Path, arg: NodeArg) -> TensorSpec:
    if arg.type.startswith(_ZIPMAP):
        return TensorSpec(arg.name, np.dtype(np.float32), (None, None))
    return _tensor(file, arg)


def _one_row(spec: TensorSpec) -> NDArray[Any]:
    shape = [size or 1 for size in spec.shape]
    return np.full(shape, "" if spec.dtype == np.object_ else 0, spec.dtype)
