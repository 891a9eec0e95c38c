"""An application whose model hangs, leaks or dies when it is asked to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper, save

HANG, LEAK, DIE, STUCK, SLOW, GROW = 0.25, 0.5, 0.75, 0.125, 0.375, 0.625
"""Inputs: hang without the interpreter's lock, leak, be killed, hang with the lock, take 0.3 s,
want more memory than there is."""

LEAK_BYTES = 40_000_000
LONG = 1e9
"""How many turns of its loop the graph is asked for, to be told to stop."""

_FAULTY = f"""import os, re, signal, time

kept = []

def answer(rows):
    for (x,) in rows:
        if x == {HANG}:
            time.sleep(3600)
        if x == {LEAK}:
            kept.append(b"x" * {LEAK_BYTES})
        if x == {DIE}:
            os.kill(os.getpid(), signal.SIGKILL)
        if x == {STUCK}:
            re.match(r"(a+)+$", "a" * 60 + "b")
        if x == {SLOW}:
            time.sleep(0.3)
        if x == {GROW}:
            grown = []
            while True:
                grown.append(bytearray({LEAK_BYTES}))
    return [2 * x + 1 for (x,) in rows]
"""


def write_faults(folder: Path, limits: str = "", server: str = "") -> Path:
    """Write a regression whose answer is 2 x + 1; its second model, a graph, loops x times."""
    folder.mkdir(parents=True)
    (folder / "faulty.py").write_text(_FAULTY)
    _save_loop(folder / "loop.onnx")
    (folder / "podium.toml").write_text(
        f"""title = "Faults"
[task]
kind = "regression"
target = "y"
[[features]]
name = "x"
example = -3
[[models]]
name = "faulty"
python = "faulty:answer"
[[models]]
name = "loop"
file = "loop.onnx"
[limits]
{limits}
[server]
{server}
"""
    )
    return folder


def _floats(number: float) -> NDArray[np.float32]:
    return np.array([number], np.float32)


def _save_loop(file: Path) -> None:
    """Write a graph that adds 0 to 2 x + 1, so many times as the first x is large."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["goes"], ["goes_on"]),
         helper.make_node("Add", ["sum", "zero"], ["sum_on"])],
        "body",
        [helper.make_tensor_value_info("turn", TensorProto.INT64, []),
         helper.make_tensor_value_info("goes", TensorProto.BOOL, []),
         helper.make_tensor_value_info("sum", TensorProto.FLOAT, None)],
        [helper.make_tensor_value_info("goes_on", TensorProto.BOOL, []),
         helper.make_tensor_value_info("sum_on", TensorProto.FLOAT, None)],
    )  # fmt: skip
    nodes = [
        helper.make_node("Mul", ["x", "two"], ["double"]),
        helper.make_node("Add", ["double", "one"], ["first"]),
        helper.make_node("ReduceMax", ["x"], ["most"], keepdims=0),
        helper.make_node("Cast", ["most"], ["turns"], to=TensorProto.INT64),
        helper.make_node("Loop", ["turns", "yes", "first"], ["y"], body=body),
    ]
    constants = {"two": _floats(2), "one": _floats(1), "zero": _floats(0),
                 "yes": np.array(True)}  # fmt: skip
    graph = helper.make_graph(
        nodes, "loop", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 1])],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )  # fmt: skip
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), file)
