"""A PyTorch model becomes an ONNX graph."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from podium.errors import ModelError
from podium.runtimes.base import Arrays
from podium.runtimes.torch.file import reason

if TYPE_CHECKING:
    from podium.runtimes.torch import TorchModel

_ROWS: Final = 2
_MAX_BYTES: Final = 2**31
"""What one file of ONNX, a protobuf, may have."""


def write_onnx(model: TorchModel, example: Arrays, file: Path) -> None:
    """Write a model as an ONNX graph into one file that tells nothing of this machine.

    The first axis of its inputs is free, unless the model takes a fixed number of rows.

    Raises:
        ModelError: the exporter cannot, and why.
    """
    import onnxscript  # noqa: F401  the exporter would tell it of itself
    import torch

    rows = model.most or _ROWS
    if model.most not in (None, model.least):
        raise ModelError(
            f"it takes at most {model.most} rows at once, which ONNX has no way to say. Export it "
            'with a plain torch.export.Dim("batch")'
        )
    given = {spec.name: example[spec.name] for spec in model.inputs} or example
    batch = {name: np.resize(array, (rows, *array.shape[1:])) for name, array in given.items()}
    tensors = model.tensors(batch)
    axes: dict[int, Any] = {} if model.most else {0: torch.export.Dim("batch")}
    try:
        with torch.no_grad(), _quiet():
            program = torch.onnx.export(
                _as_tuples(model, list(tensors)), tuple(tensors.values()), dynamo=True,
                verbose=False, input_names=list(tensors), output_names=list(model.answer(tensors)),
                dynamic_shapes=(tuple(axes for _ in tensors),),
            )  # fmt: skip
            graph = program.model_proto
    except Exception as err:  # whatever the exporter meets
        raise ModelError(reason(_first_cause(err))) from err
    _forget(graph)
    if graph.ByteSize() >= _MAX_BYTES:
        raise ModelError("it is larger than the 2 GB that a file of ONNX may have")
    file.write_bytes(graph.SerializeToString())


def _first_cause(err: BaseException) -> BaseException:
    """Return what the exporter met first; it wraps that in advice to its own developers."""
    while err.__cause__ is not None:
        err = err.__cause__
    return err


def _as_tuples(model: TorchModel, names: list[str]) -> Any:
    """Return a module that takes the inputs in their order and returns the outputs as a tuple."""
    import torch

    class Tuples(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.module = model.module

        def forward(self, *given: Any) -> tuple[Any, ...]:
            return tuple(model.answer(dict(zip(names, given, strict=True))).values())

    return Tuples().eval()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep from the terminal what the exporter logs, warns of and prints."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    printed = io.StringIO()
    try:
        with warnings.catch_warnings(), redirect_stdout(printed), redirect_stderr(printed):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _forget(message: Any) -> None:
    """Remove what the exporter notes beside the graph: stack traces with paths of this machine."""
    for name in ("metadata_props", "doc_string"):
        if name in message.DESCRIPTOR.fields_by_name:
            message.ClearField(name)
    for field, value in message.ListFields():
        if field.message_type is not None:
            for one in value if isinstance(value, Iterable) else [value]:
                _forget(one)
