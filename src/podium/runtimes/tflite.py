"""TensorFlow Lite models, run by LiteRT."""

from __future__ import annotations

import threading
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from podium.errors import ModelError, UntrustedModel
from podium.runtimes.archive import archive_names
from podium.runtimes.base import Arrays, Model, Source, TensorSpec, needs
from podium.runtimes.batches import Outputs, in_batches
from podium.runtimes.quiet import quiet
from podium.runtimes.tensorflow import plain, told
from podium.spec import Image

_REASONS: Final = {
    "Select TensorFlow op": "it holds operators of TensorFlow itself (Flex), which LiteRT lacks. "
    "Convert it with TFLITE_BUILTINS alone, or serve the SavedModel",
    "unresolved custom op": "it holds custom operators. Convert it without allow_custom_ops, or "
    "serve the SavedModel",
}
_FORMS: Final = {"QUANTIZE", "DEQUANTIZE", "RESHAPE"}
_COLOURS: Final[dict[int | None, Literal["grey", "rgb"]]] = {1: "grey", 3: "rgb"}
_MAX_LABELS: Final = 1_000_000


class Tensor(NamedTuple):
    """An input or output: where it stands, and how its whole numbers stand for real ones.

    A real number is `scale` * (whole - `zero`); `scale` is 0 where numbers are as they are.
    """

    spec: TensorSpec
    place: int
    dtype: np.dtype[Any]
    scale: float
    zero: int

    def pack(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return what the interpreter takes."""
        if self.dtype == np.bytes_:
            return np.array([str(text).encode() for text in array.flat]).reshape(array.shape)
        if not self.scale:
            return np.asarray(array, self.dtype)
        limits = np.iinfo(self.dtype)
        whole = np.rint(array / self.scale) + self.zero
        return np.asarray(np.clip(whole, limits.min, limits.max), self.dtype)

    def unpack(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return what came out as real numbers, or texts."""
        if not self.scale:
            return plain(array.astype(np.object_) if array.dtype.kind == "S" else array)
        return (array.astype(np.float32) - self.zero) * np.float32(self.scale)


def load(source: Source) -> Model:
    """Load a .tflite file.

    Raises:
        MissingExtra: LiteRT is not installed.
        UntrustedModel: it keeps its weights in other files.
        ModelError: it is damaged, or holds operators that LiteRT lacks.
    """
    file = source.file
    with needs(file, "TensorFlow Lite model", "tflite"), quiet():
        from ai_edge_litert.interpreter import Interpreter
    try:
        with quiet():
            interpreter = Interpreter(model_path=str(file), num_threads=source.threads)
            graph = Graph.read(file)  # LiteRT has found it whole
            interpreter.allocate_tensors()
            return _adapt(file, interpreter, graph)
    except UntrustedModel:
        raise
    except Exception as err:  # LiteRT has no class for its errors
        why = next((words for sign, words in _REASONS.items() if sign in str(err)), told(err))
        raise ModelError(f"{file.name}: LiteRT cannot load it: {why}") from err


def files(file: Path) -> tuple[Path, ...]:
    """Return the file alone: one that refers to others is refused."""
    return (file,)


@dataclass(kw_only=True)
class TfliteModel(Model):
    """An interpreter, which one thread at a time may use; whole numbers come as real ones.

    `shares` are the outputs that a softmax makes; rounded to whole numbers, they sum to 1 no more.
    """

    interpreter: Any
    takes: tuple[Tensor, ...]
    gives: tuple[Tensor, ...]
    shares: frozenset[str]
    batch_size: int | None = None
    shapes: tuple[tuple[int, ...], ...] = ()
    lock: threading.Lock = field(default_factory=threading.Lock)

    def predict(self, inputs: Arrays) -> Outputs:
        """Run the model; one of fixed batch size is run as often as the batch needs."""
        feed = {one.spec.name: one.pack(np.asarray(inputs[one.spec.name])) for one in self.takes}
        with self.lock:
            found = in_batches(self._run, feed, self.batch_size)
        return {name: _to_one(array) if name in self.shares else array
                for name, array in found.items()}  # fmt: skip

    def settle_batch(self, rows: int) -> None:
        """Find out whether the model takes any number of rows, or `rows` alone."""
        zeros = {one.spec.name: np.zeros([size or 1 for size in one.spec.shape], one.dtype)
                 for one in self.takes}  # fmt: skip
        try:
            two = {name: np.concatenate([array[:1]] * 2) for name, array in zeros.items()}
            any_number = all(len(array) == 2 for array in self._run(two).values())
        except (RuntimeError, ValueError):
            any_number = False
        if not any_number:
            self.batch_size = rows
            self._run({name: np.repeat(array[:1], rows, 0) for name, array in zeros.items()})

    def _run(self, feed: Arrays) -> Outputs:
        shapes = tuple(array.shape for array in feed.values())
        if shapes != self.shapes:
            self._resize(shapes)
        for one, array in zip(self.takes, feed.values(), strict=True):
            self.interpreter.set_tensor(one.place, array)
        self.interpreter.invoke()
        return {
            one.spec.name: one.unpack(self.interpreter.get_tensor(one.place)) for one in self.gives
        }

    def _resize(self, shapes: tuple[tuple[int, ...], ...]) -> None:
        self.shapes = ()
        for one, shape in zip(self.takes, shapes, strict=True):
            self.interpreter.resize_tensor_input(one.place, list(shape))
        self.interpreter.allocate_tensors()
        self.shapes = shapes


class Graph:
    """The operators of a .tflite file, by the tensor that each makes."""

    def __init__(self, kinds: dict[int, str], sources: dict[int, int]) -> None:
        self._kinds, self._sources = kinds, sources

    @classmethod
    def read(cls, file: Path) -> Graph:
        """Read the main graph of a file that LiteRT has found whole.

        Raises:
            UntrustedModel: its weights lie in other files.
        """
        from ai_edge_litert import schema_py_generated as schema

        model = schema.Model.GetRootAs(file.read_bytes())
        if model.ExternalBufferGroupsLength():
            raise UntrustedModel(f"{file.name} keeps weights in other files. Convert it into one.")
        names = {code: name for name, code in vars(schema.BuiltinOperator).items()
                 if isinstance(code, int)}  # fmt: skip
        main = model.Subgraphs(0)
        kinds, sources = {}, {}
        for operator in map(main.Operators, range(main.OperatorsLength())):
            if operator.InputsLength() and operator.OutputsLength():
                code = model.OperatorCodes(operator.OpcodeIndex())
                number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
                kinds[operator.Outputs(0)] = names.get(number, "")
                sources[operator.Outputs(0)] = operator.Inputs(0)
        return cls(kinds, sources)

    def maker(self, index: int) -> str:
        """Return the operator that makes a tensor, behind those that only change its form."""
        passed = set()
        while self._kinds.get(index) in _FORMS and index not in passed:
            passed.add(index)
            index = self._sources[index]
        return self._kinds.get(index, "")


def _adapt(file: Path, interpreter: Any, graph: Graph) -> TfliteModel:
    takes, gives = (tuple(_tensor(name, detail) for name, detail in details.items())
                    for details in _details(interpreter))  # fmt: skip
    makers = {one.spec.name: graph.maker(one.place) for one in gives}
    model = TfliteModel(
        platform="tflite",
        inputs=tuple(one.spec for one in takes),
        outputs=tuple(one.spec for one in gives),
        task="classification" if set(makers.values()) & {"SOFTMAX", "LOGISTIC"} else None,
        labels=_labels(file, gives),
        image=_image(takes),
        interpreter=interpreter,
        takes=takes,
        gives=gives,
        shares=frozenset(name for name, maker in makers.items() if maker == "SOFTMAX"),
    )
    fixed = {int(detail["shape"][0]) for detail in interpreter.get_input_details()
             if len(detail["shape"])}  # fmt: skip
    model.settle_batch(max(fixed, default=1))
    return model


def _details(interpreter: Any) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return what is told of inputs and outputs, by the names of the signature if there is one."""
    signatures = list(interpreter.get_signature_list())
    if len(signatures) == 1:  # its runner must be gone before the first run
        runner = interpreter.get_signature_runner(signatures[0])
        return runner.get_input_details(), runner.get_output_details()
    return (
        {detail["name"].partition(":")[0]: detail for detail in interpreter.get_input_details()},
        {detail["name"].partition(":")[0]: detail for detail in interpreter.get_output_details()},
    )


def _tensor(name: str, detail: Any) -> Tensor:
    scale, zero = detail["quantization"]
    dtype = np.dtype(detail["dtype"])
    texts = dtype.kind in "SO"
    seen = np.object_ if texts else np.float32 if scale else dtype
    shape = tuple(None if size < 0 else int(size) for size in detail["shape_signature"])
    spec = TensorSpec(name, np.dtype(seen), (None, *shape[1:]))
    return Tensor(spec, detail["index"], dtype, float(scale), int(zero))


def _image(takes: tuple[Tensor, ...]) -> Image | None:
    """Return how pictures are prepared for whole numbers: their 256 levels are the pixels'."""
    one = takes[0]
    if len(takes) != 1 or len(one.spec.shape) != 4 or one.dtype not in (np.int8, np.uint8):
        return None
    _, height, width, channels = one.spec.shape
    if channels not in _COLOURS or height is None or width is None:
        return None
    least = one.scale * (np.iinfo(one.dtype).min - one.zero)
    return Image(size=(height, width), colour=_COLOURS[channels], layout="NHWC",
                 scale=one.scale or 1.0, mean=(-least,) if least else ())  # fmt: skip


def _labels(file: Path, gives: tuple[Tensor, ...]) -> tuple[str, ...]:
    """Return the labels of a text file that is packed behind the model, if they fit its output."""
    if len(gives) != 1 or not zipfile.is_zipfile(file):
        return ()
    lists = [name for name in archive_names(file) if name.endswith(".txt")]
    with zipfile.ZipFile(file) as archive:
        if len(lists) != 1 or archive.getinfo(lists[0]).file_size > _MAX_LABELS:
            return ()
        lines = archive.read(lists[0]).decode("utf-8", "replace").splitlines()
    labels = tuple(line.strip() for line in lines if line.strip())
    fits = len(labels) == gives[0].spec.shape[-1] and len(set(labels)) == len(labels)
    return labels if fits else ()


def _to_one(array: NDArray[Any]) -> NDArray[Any]:
    sums = array.sum(axis=-1, keepdims=True)
    return np.asarray(np.divide(array, sums, out=array.copy(), where=sums > 0))
