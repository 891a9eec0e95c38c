"""SavedModels of plain functions, and graphs that were changed after they were saved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from tests.conformance.tensorflow_cases import Module

ROWS = tf.TensorSpec([None, 3], tf.float32, name="x")


def module(
    call: Callable[..., Any], *inputs: tf.TensorSpec, folder: Path, **signatures: Any
) -> Path:
    """Write a function of tensors as a SavedModel."""
    made = Module()
    made.own = tf.function(call, input_signature=inputs or [ROWS])
    target = folder / "m"
    tf.saved_model.save(made, str(target), signatures=signatures or made.own)
    return target


def change(folder: Path, do: Callable[[Any], None]) -> Path:
    """Change the MetaGraphDef of a SavedModel."""
    file = folder / "saved_model.pb"
    model = saved_model_pb2.SavedModel()
    model.ParseFromString(file.read_bytes())
    do(model.meta_graphs[0])
    file.write_bytes(model.SerializeToString())
    return folder


def functions(graph: Any, name: str) -> list[Any]:
    """Return the functions of a graph whose names hold a word."""
    return [one for one in graph.graph_def.library.function if name in one.signature.name]
