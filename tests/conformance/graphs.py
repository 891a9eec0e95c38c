"""ONNX graphs small enough to be worked out in numpy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSETS = [helper.make_opsetid("", 21), helper.make_opsetid("ai.onnx.ml", 3)]
IR_VERSION = 10

FLOAT = TensorProto.FLOAT
DOUBLE = TensorProto.DOUBLE
FLOAT16 = TensorProto.FLOAT16
INT64 = TensorProto.INT64
STRING = TensorProto.STRING
UINT8 = TensorProto.UINT8
BOOL = TensorProto.BOOL

Value = tuple[str, int, Any]
"""Name, element type and shape of an input or output; a text in the shape is any length."""

WEIGHTS = np.array([[0.9, -0.4, 0.1], [-0.3, 0.8, -0.6], [0.2, -0.5, 0.7]])
BIAS = np.array([0.1, -0.2, 0.3])
"""Three features to three classes."""

SINGLE = WEIGHTS[:, :1]
"""Three features to one number."""


def softmax(logits: NDArray[Any]) -> NDArray[np.float64]:
    """Return probabilities along the last axis."""
    exponents = np.exp(np.asarray(logits, np.float64))
    return np.asarray(exponents / exponents.sum(axis=-1, keepdims=True))


def sigmoid(logits: NDArray[Any]) -> NDArray[np.float64]:
    """Return the probability of the second of two classes."""
    return np.asarray(1 / (1 + np.exp(-np.asarray(logits, np.float64))))


def constant(name: str, value: NDArray[Any]) -> onnx.TensorProto:
    """Return an initializer."""
    return numpy_helper.from_array(value, name)


def save(
    file: Path,
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[Value],
    outputs: Sequence[Value],
    constants: Sequence[onnx.TensorProto] = (),
) -> None:
    """Check a graph and write it."""
    graph = helper.make_graph(
        list(nodes),
        "graph",
        [helper.make_tensor_value_info(*value) for value in inputs],
        [helper.make_tensor_value_info(*value) for value in outputs],
        list(constants),
    )
    model = helper.make_model(graph, opset_imports=OPSETS)
    model.ir_version = IR_VERSION
    onnx.checker.check_model(model)
    file.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(file))


def linear(
    file: Path,
    activation: str | None = None,
    weights: NDArray[Any] = WEIGHTS,
    bias: NDArray[Any] | None = None,
    batch: int | str = "N",
    element: int = FLOAT,
    output: str = "scores",
) -> None:
    """Write X @ weights + bias, with an activation such as "Softmax" behind it."""
    rows, columns = weights.shape
    dtype = helper.tensor_dtype_to_np_dtype(element)
    bias = BIAS[:columns] if bias is None else bias
    last = "sum" if activation else output
    nodes = [
        helper.make_node("MatMul", ["X", "W"], ["product"]),
        helper.make_node("Add", ["product", "b"], [last]),
    ]
    if activation:
        nodes.append(helper.make_node(activation, [last], [output]))
    save(
        file,
        nodes,
        [("X", element, [batch, rows])],
        [(output, element, [batch, columns])],
        [constant("W", weights.astype(dtype)), constant("b", bias.astype(dtype))],
    )
