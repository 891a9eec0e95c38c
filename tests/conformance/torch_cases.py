"""The cases of PyTorch: programs, weights with a factory, TorchScript and whole modules."""

from __future__ import annotations

import base64
import functools
import hashlib
import inspect
import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.export import Dim

from tests.conformance import torch_nets as nets
from tests.conformance.cases import MIXED, Case, Inputs, Oracle, encoded, matrix, mixed, numbers
from tests.conformance.graphs import softmax
from tests.conformance.onnx_cases import SIDE, image_toml, pictures

BATCH = {0: Dim("batch")}
X = (torch.zeros(2, 3),)

Save = Callable[[Any], bytes]
"""Makes a file of a module."""


def seeded(build: Callable[[], Any]) -> Any:
    """Return a module in eval mode that is the same at every call."""
    torch.manual_seed(7)
    return build().eval()


def exported(
    module: Any, example: tuple[Any, ...] = X, axes: Any = (BATCH,), decomposed: bool = False
) -> bytes:
    """Return the file of a torch.export program."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of PyTorch, to itself
        program = torch.export.export(module, example, dynamic_shapes=axes)
        torch.export.save(program.run_decompositions() if decomposed else program, buffer)
    return buffer.getvalue()


def saved(content: Any, **options: Any) -> bytes:
    """Return what torch.save writes."""
    buffer = io.BytesIO()
    torch.save(content, buffer, **options)
    return buffer.getvalue()


def scripted(module: Any) -> bytes:
    """Return TorchScript."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(torch.jit.trace(module, X), buffer)
    return buffer.getvalue()


def weights(module: Any) -> bytes:
    """Return a state dict."""
    return saved(module.state_dict())


def tensors(module: Any) -> bytes:
    """Return safetensors; of weights that are shared, one."""
    state = {key: value for key, value in module.state_dict().items() if key != "second.weight"}
    return bytes(safetensors.torch.save(state))


def checkpoint(module: Any) -> bytes:
    """Return what a training with DataParallel leaves behind."""
    state = {f"module.{key}": value for key, value in module.state_dict().items()}
    return saved({"epoch": 3, "model_state_dict": state, "optimizer": {"lr": 0.1}})


def halved(module: Any) -> bytes:
    """Return weights in half precision."""
    return weights(module.bfloat16())


@functools.cache
def made(build: Callable[[], Any], save: Save) -> bytes:
    """Return the file of a module; each is made once."""
    return save(seeded(build))


def write_nets(folder: Path) -> None:
    """Write nets.py."""
    (folder / "nets.py").write_text(inspect.getsource(nets), "utf-8")


def answers(module: Any, *given: Any) -> NDArray[np.float64]:
    """Return what a module returns for arrays: its scores where it returns several."""
    with torch.no_grad():
        found = module(*given)
    if isinstance(found, dict):
        found = found["probabilities"].log()
    found = found[1] if isinstance(found, tuple) else getattr(found, "logits", found)
    return np.asarray(found.to(torch.float64))


def _floats(inputs: Inputs) -> Any:
    return torch.tensor(matrix(inputs), dtype=torch.float32)


def table_of(module: Any) -> Oracle:
    """Return a module's probabilities for NUMBERS."""
    dtype = next(module.parameters()).dtype
    return lambda inputs: softmax(answers(module, _floats(inputs).to(dtype)))


def _value_of(module: Any) -> Oracle:
    return lambda inputs: answers(module, _floats(inputs)).reshape(-1)


def _columns_of(module: Any) -> Oracle:
    def oracle(inputs: Inputs) -> NDArray[np.float64]:
        width, count, flag, colour = torch.tensor(encoded(inputs)).T
        given = (width.float(), count.long(), flag.bool(), colour.long())
        return softmax(answers(module, *given))

    return oracle


def _picture_of(module: Any) -> Oracle:
    def oracle(inputs: Inputs) -> NDArray[np.float64]:
        pixels = np.stack([_pixels(one["image"]) for one in inputs])
        return softmax(answers(module, torch.tensor(pixels, dtype=torch.float32)))

    return oracle


def _pixels(one: object) -> NDArray[np.float64]:
    with Image.open(BytesIO(base64.b64decode(str(one)))) as picture:
        return np.asarray(picture, np.float64).transpose(2, 0, 1) / 255


@dataclass(frozen=True)
class TorchCase(Case):
    """A module in a file; a trusted one is vouched for."""

    body: Callable[[], bytes] = bytes
    trusted: bool = False

    @property
    def toml(self) -> str:
        """The text of podium.toml."""
        digest = hashlib.sha256(self.body()).hexdigest()
        return super().toml + (f'trust = "{digest}"\n' if self.trusted else "")


def _case(
    name: str, build: Callable[[], Any], save: Save, *,
    file: str = "m.pt2", oracle: Callable[[Any], Oracle] = table_of, **options: Any,
) -> TorchCase:  # fmt: skip
    def body() -> bytes:
        return made(build, save)

    def write(folder: Path) -> Oracle:
        path = folder / "models" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body())
        write_nets(folder)
        return oracle(seeded(build))

    given = {"inputs": numbers, "body": body, **options}
    return TorchCase(f"torch-{name}", f"models/{file}", write, **given)


def _factory(name: str, build: Callable[[], Any], save: Save, **options: Any) -> TorchCase:
    more = {"file": "m.pt", "model_toml": f'factory = "nets:{build.__name__}"', **options}
    return _case(f"weights-{name}", build, save, **more)


def _fixed(rows: int) -> Save:
    return lambda module: exported(module, (torch.zeros(rows, 3),), None)


def _as_columns(module: Any) -> bytes:
    count = torch.zeros(2, dtype=torch.int64)
    # Of inputs that are one tensor, torch.export would make one.
    example = (torch.zeros(2), count, count.bool(), count.clone())
    return exported(module, example, (BATCH,) * 4)


def _as_picture(module: Any) -> bytes:
    return exported(module, (torch.zeros(2, 3, SIDE, SIDE),))


_COLUMNS: dict[str, Any] = {"oracle": _columns_of, "inputs": mixed, "inputs_toml": MIXED}
_PICTURE: dict[str, Any] = {
    "oracle": _picture_of, "inputs": pictures, "inputs_toml": image_toml("NCHW"), "tolerance": 1e-4,
}  # fmt: skip
_VALUE: dict[str, Any] = {"oracle": _value_of, "kind": "regression", "labels": ()}

CASES = (
    _case("logits", nets.Table, exported),
    _case("decomposed", nets.Table, lambda module: exported(module, decomposed=True)),
    _case("one-at-a-time", nets.Table, _fixed(1)),
    _case("seven-at-a-time", nets.Table, _fixed(7)),
    _case("probabilities-by-name", nets.Shares, exported),
    _case("tuple", nets.Pair, exported),
    _case("value", nets.value, exported, **_VALUE),
    _case("double", nets.double, lambda module: exported(module, (X[0].double(),)),
          tolerance=1e-6),
    _case("columns", nets.Columns, _as_columns, **_COLUMNS),
    _case("picture", nets.Picture, _as_picture, **_PICTURE),
    _factory("logits", nets.Table, weights),
    _factory("checkpoint", nets.Table, checkpoint, file="m.pth"),
    _factory("safetensors", nets.Tied, tensors, file="m.safetensors"),
    _factory("by-name", nets.Shares, weights),
    _factory("object", nets.Answer, weights),
    _factory("double", nets.double, weights),
    _factory("half", nets.half, halved, tolerance=0.03),
    _factory("value", nets.value, weights, **_VALUE),
    _factory("value-squeezed", nets.Squeezed, weights, **_VALUE),
    _factory("picture", nets.Picture, weights, **_PICTURE),
    _case("script", nets.Table, scripted, file="m.pt", trusted=True),
)  # fmt: skip
