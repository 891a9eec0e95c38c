"""PyTorch: torch.export programs and weights; TorchScript and whole modules with trust."""

from __future__ import annotations

import pickle  # nosec B403  # its errors alone
import warnings
from abc import abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from podium.errors import ModelError
from podium.runtimes.base import Arrays, Model, Source, TensorSpec, needs
from podium.runtimes.batches import in_batches
from podium.runtimes.torch.drawing import drawing, keep_drawing, trial_shape
from podium.runtimes.torch.file import EXPORT, Kind, kind_of, load_weights, reason
from podium.runtimes.torch.program import Program, read_program
from podium.runtimes.torch.together import Together, find_together
from podium.runtimes.torch.weights import build_module
from podium.runtimes.trust import require_trust
from podium.usercode import let_import

_WORDS: Final[dict[Kind, str]] = {
    "program": "torch.export program",
    "torchscript": "TorchScript",
    "saved": "weights of torch.save",
    "safetensors": "weights in safetensors",
}
_PROGRAM: Final = object()


def load(source: Source) -> Model:
    """Load a program, weights into the module that the maker's factory builds, or TorchScript.

    Raises:
        MissingExtra: PyTorch is not installed.
        UntrustedModel: the file is a program, or a pickle, and nobody vouched for it.
        ModelError: it is damaged, or does not fit.
    """
    kind = kind_of(source.file)
    with needs(source.file, _WORDS[kind], "torch"):
        import safetensors.torch  # noqa: F401
        import torch
    # It is the whole process's number; every model is given the same.
    torch.set_num_threads(source.threads)
    if kind == "program":
        return ProgramModel.of(read_program(source.file, source.random))
    modules = {"torchscript": _scripted, "saved": _saved, "safetensors": _safetensors}
    model = _described(source, ModuleModel.of(modules[kind](source)))
    if source.random:
        model.notes += keep_drawing(source.file.name, model, model.module)
    return model


def files(file: Path) -> tuple[Path, ...]:
    """Return the file alone: none of PyTorch's formats refers to another."""
    return (file,)


def check_trust(source: Source) -> None:
    """Raise UntrustedModel if the file is a program, or a pickle, and nobody vouches for it."""
    kind = kind_of(source.file)
    if kind == "torchscript":
        _require_trust_of_script(source)
    elif kind == "saved":
        with needs(source.file, _WORDS[kind], "torch"):
            _weights(source)


def export_onnx(source: Source, example: Arrays, file: Path) -> None:
    """Write the model as an ONNX graph with a dynamic batch axis, and its weights within.

    Raises:
        ModelError: the exporter cannot.
    """
    from podium.runtimes.torch.export import write_onnx

    model = load(source)
    assert isinstance(model, TorchModel)
    try:
        write_onnx(model, example, file)
    except ModelError as err:
        raise ModelError(f"{source.file.name} cannot be exported to ONNX: {err}") from err


@dataclass(kw_only=True)
class TorchModel(Model):
    """A module that answers from `least` to `most` rows at once; None is no bound.

    With `vectorized` it makes several passes a call.
    """

    module: Any
    least: int = 1
    most: int | None = None
    vectorized: Together | None = None

    @abstractmethod
    def tensors(self, inputs: Arrays) -> dict[str, Any]:
        """Return the tensors that the module takes, by the names of its inputs."""

    @abstractmethod
    def answer(self, tensors: Mapping[str, Any]) -> dict[str, Any]:
        """Return the tensors that the module returns, by the names of its outputs."""

    def predict(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Return the module's outputs; half precision comes as single."""
        given = {spec.name: inputs[spec.name] for spec in self.inputs} or dict(inputs)
        rows = len(next(iter(given.values())))
        size = self.least if rows < self.least else None
        if self.most is not None and rows > self.most:
            size = self.most
        return in_batches(self._run, given, size)

    def drawing(self, seed: int) -> AbstractContextManager[None]:
        """Within, what the module draws from PyTorch's generator hangs on `seed`."""
        return drawing(seed)

    def together(self, passes: int) -> TorchModel | None:
        """Return the model that makes `passes` passes by one call of vmap, if it can."""
        found = self._together
        return None if found is None else replace(self, vectorized=replace(found, passes=passes))

    @cached_property
    def _together(self) -> Together | None:
        return find_together(self)

    def _run(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        import torch

        tensors = self.tensors(inputs)
        if self.vectorized is not None:
            found = self.vectorized.run(self.answer, tensors)
        else:
            with torch.inference_mode():
                found = self.answer(tensors)
        return {name: _array(tensor) for name, tensor in found.items()}


@dataclass(kw_only=True)
class ProgramModel(TorchModel):
    """A torch.export program; `dtypes` are those of its inputs."""

    dtypes: tuple[Any, ...]

    @classmethod
    def of(cls, program: Program) -> ProgramModel:
        """Return the model that a program is."""
        return cls(
            platform="torch.export", module=program.module, inputs=program.inputs,
            outputs=program.outputs, dtypes=program.dtypes, least=program.least,
            most=program.most, notes=program.notes,
        )  # fmt: skip

    def tensors(self, inputs: Arrays) -> dict[str, Any]:
        """Return the arrays as the types that the program was exported with."""
        import torch

        pairs = zip(self.inputs, self.dtypes, strict=True)
        # A copy, for the program may write into it.
        return {spec.name: torch.tensor(inputs[spec.name], dtype=dtype) for spec, dtype in pairs}

    def answer(self, tensors: Mapping[str, Any]) -> dict[str, Any]:
        """Run the program."""
        found = self.module(*tensors.values())
        return {spec.name: tensor for spec, tensor in zip(self.outputs, found, strict=True)}


@dataclass(kw_only=True)
class ModuleModel(TorchModel):
    """A module; `dtype` is that of its weights, which floats are turned into."""

    dtype: Any

    @classmethod
    def of(cls, module: Any) -> ModuleModel:
        """Return the model that a module is; half precision, slow on a processor, is widened."""
        import torch

        module = module.to("cpu").eval()
        if _dtype(module) in (torch.float16, torch.bfloat16):
            module = module.float()
        return cls(platform="torch", module=module, dtype=_dtype(module))

    def tensors(self, inputs: Arrays) -> dict[str, Any]:
        """Return the arrays; floats are of the type of the weights."""
        import torch

        return {
            name: torch.tensor(array, dtype=self.dtype if array.dtype.kind == "f" else None)
            for name, array in inputs.items()
        }

    def answer(self, tensors: Mapping[str, Any]) -> dict[str, Any]:
        """Call the module; several inputs are given by name."""
        if len(tensors) == 1:
            return _named(self.module(*tensors.values()))
        return _named(self.module(**tensors))


def _dtype(module: Any) -> Any:
    import torch

    floats = (
        tensor.dtype
        for tensor in chain(module.parameters(), module.buffers())
        if tensor.is_floating_point()
    )
    return next(floats, torch.float32)


def _named(found: Any) -> dict[str, Any]:
    """Return the tensors among what a module returned, by their names."""
    import torch

    if torch.is_tensor(found):
        return {"output": found}
    if hasattr(found, "logits") and not isinstance(found, Mapping):
        found = {"logits": found.logits}
    elif hasattr(found, "_asdict"):
        found = found._asdict()
    elif isinstance(found, (tuple, list)):
        names = ["output"] if len(found) == 1 else [f"output_{i}" for i in range(len(found))]
        found = dict(zip(names, found, strict=True))
    pairs = found.items() if isinstance(found, Mapping) else ()
    named = {str(name): value for name, value in pairs if torch.is_tensor(value)}
    if not named:
        raise ModelError(
            f"The module returned a {type(found).__name__} without tensors; expected a tensor, or "
            "several in a tuple or a dict"
        )
    return named


def _array(tensor: Any) -> NDArray[Any]:
    import torch

    if tensor.dtype in (torch.float16, torch.bfloat16):
        tensor = tensor.float()
    array: NDArray[Any] = tensor.numpy(force=True)
    return array


def _require_trust_of_script(source: Source) -> None:
    require_trust(source, (source.file,), "is TorchScript, which is a program", EXPORT)


def _scripted(source: Source) -> Any:
    import torch

    _require_trust_of_script(source)
    try:
        with warnings.catch_warnings(), source.file.open("rb") as stream:
            warnings.simplefilter("ignore")
            return torch.jit.load(stream, map_location="cpu")
    except Exception as err:  # torch passes on whatever a damaged file causes
        raise ModelError(f"{source.file.name} is damaged TorchScript: {reason(err)}") from err


def _saved(source: Source) -> Any:
    import torch

    weights = _weights(source)
    content = _unpickled(source) if weights is _PROGRAM else weights
    return content if isinstance(content, torch.nn.Module) else build_module(source, content)


def _weights(source: Source) -> Any:
    """Return what torch.save wrote, or _PROGRAM where it is one that somebody vouches for."""
    try:
        with source.file.open("rb") as stream:
            return load_weights(stream, source.file.name)
    except pickle.UnpicklingError as err:
        remedy = f'Save its weights alone: torch.save(model.state_dict(), "weights.pt"). {EXPORT}'
        require_trust(source, (source.file,), str(err), remedy)
        return _PROGRAM


def _unpickled(source: Source) -> Any:
    import torch

    let_import(source.root)
    try:
        with warnings.catch_warnings(), source.file.open("rb") as stream:
            warnings.simplefilter("ignore")
            # The maker has said that this file may run: trust.
            return torch.load(stream, map_location="cpu", weights_only=False)  # nosec B614
    except Exception as err:  # whatever the pickle runs into
        raise ModelError(
            f"{source.file.name} cannot be unpickled: {reason(err)}. Its classes are looked for in "
            "modules beside podium.toml, where `podium init --factory module:Class` puts them; "
            "those of a training script (__main__) are nowhere. There, save the weights alone: "
            'torch.save(model.state_dict(), "weights.pt").'
        ) from err


def _safetensors(source: Source) -> Any:
    import safetensors.torch

    try:
        state = safetensors.torch.load_file(source.file)
    except Exception as err:  # its own error is no subclass of a common one
        raise ModelError(f"{source.file.name} is damaged safetensors: {reason(err)}") from err
    return build_module(source, state)


def _described(source: Source, model: ModuleModel) -> ModuleModel:
    """Return the model with the first input that it answers: what is expected, or its own.

    Raises:
        ModelError: it answers neither.
    """
    if source.expects is not None and source.expects.dtype == np.object_:
        raise ModelError(
            f"{source.file.name}: a module takes numbers. Write a [pipeline] preprocess that makes "
            "them of the texts"
        )
    own = _first_layer(model.module)
    failures = []
    for spec in (source.expects, own):
        if spec is not None:
            try:
                found = model.predict({spec.name: _zeros(spec)})
            except Exception as err:  # whatever the module raises
                failures.append(f"{list(_zeros(spec).shape)}: {reason(err)}")
                continue
            outputs = [TensorSpec(name, array.dtype, (None, *array.shape[1:]))
                       for name, array in found.items()]  # fmt: skip
            return replace(model, inputs=(spec,), outputs=tuple(outputs))
    if source.expects is not None:
        raise ModelError(f"{source.file.name}: the module fails on an array {failures[0]}")
    return model


def _zeros(spec: TensorSpec) -> NDArray[Any]:
    return np.zeros(trial_shape(spec), spec.dtype)


def _first_layer(module: Any) -> TensorSpec | None:
    """Return what a module's first layer with a matrix of weights takes, if that tells."""
    for layer in module.modules():
        kind = getattr(layer, "original_name", type(layer).__name__)
        matrices = [one for one in layer.parameters(recurse=False) if one.ndim > 1]
        if kind == "Linear":
            return TensorSpec("X", np.dtype(np.float32), (None, matrices[0].shape[1]))
        if kind == "Conv2d":
            channels = matrices[0].shape[1] * getattr(layer, "groups", 1)
            return TensorSpec("X", np.dtype(np.float32), (None, channels, None, None))
        if matrices:
            return None
    return None
