"""Small applications whose right answers can be told by head."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper, save

SHORT_NOTE = '\nIt\'s <b>"good"</b> & caf\u00e9\n  \u0645\u0631\u062d\u0628\u0627'
LONG_NOTE = "A long note, \u00fcber alles. " * 380
"""Texts of the examples of the notes; the long one does not fit into an address."""

SIDE = 16
"""Pixels of the side of an image of the colour application."""


def write_colours(folder: Path) -> Path:
    """Write an image classifier whose probabilities tell the mean colour, a third each.

    Its models look at the whole image, or at its top left or top right quarter.
    """
    (folder / "models").mkdir(parents=True)
    half = SIDE // 2
    areas = {"whole": (0, SIDE, 0, SIDE), "topleft": (0, half, 0, half),
             "topright": (0, half, half, SIDE)}  # fmt: skip
    for name, area in areas.items():
        _save_colours(folder / "models" / f"{name}.onnx", area)
    models = "".join(f'[[models]]\nname = "{n}"\nfile = "models/{n}.onnx"\n' for n in areas)
    (folder / "podium.toml").write_text(
        f"""title = "Colours"
[task]
kind = "classification"
target = "colour"
labels = ["red", "green", "blue", "rest"]
[image]
size = [{SIDE}, {SIDE}]
{models}
[limits]
upload = "2 MB"
rows = 3
"""
    )
    return folder


def write_weights(folder: Path) -> Path:
    """Write a regression of every kind of feature, under a path prefix and with tight limits.

    value = length + 10 count + 100 wet + 1000 (index of the material); "noisy" adds 0.5 times
    its noise, "slow" takes its time.
    """
    (folder / "models").mkdir(parents=True)
    _save_weights(folder / "models" / "exact.onnx")
    _save_weights(folder / "models" / "noisy.onnx", noise=True)
    _save_weights(folder / "models" / "slow.onnx", slow=True)
    (folder / "podium.toml").write_text(
        """title = "Weights"
about = "about.md"
[task]
kind = "regression"
target = "weight"
unit = "kg"
[[features]]
name = "length"
unit = "m"
range = [0, 10]
[[features]]
name = "count"
kind = "integer"
range = [0, 5]
[[features]]
name = "wet"
kind = "boolean"
[[features]]
name = "material"
kind = "category"
choices = ["oak", "pine"]
[[models]]
name = "exact"
file = "models/exact.onnx"
[[models]]
name = "noisy"
file = "models/noisy.onnx"
noise = "eps"
samples = 50
[[models]]
name = "slow"
file = "models/slow.onnx"
[limits]
upload = "50 kB"
dataset = "1 MB"
rows = 5
concurrency = 1
queue = 0
[server]
base_path = "/lab/weights"
hosts = ["127.0.0.1", "weights.example"]
"""
    )
    (folder / "about.md").write_text("# Weights\n\n![a beam](beam.png)\n")
    (folder / "beam.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return folder


def write_notes(folder: Path) -> Path:
    """Write a regression of texts in the maker's own Python: value = the CRC-32 of the UTF-8.

    So an answer tells whether the text came through to the last byte.
    """
    folder.mkdir(parents=True)
    (folder / "sums.py").write_text(
        "import zlib\n\ndef crc32(texts):\n    return [zlib.crc32(t.encode()) for t in texts]\n"
    )
    long = json.dumps(LONG_NOTE)
    (folder / "podium.toml").write_text(
        f"""title = "Notes"
[task]
kind = "regression"
target = "checksum"
[text]
[[models]]
name = "crc"
python = "sums:crc32"
[[examples]]
title = "Short"
text = {json.dumps(SHORT_NOTE)}
expected = {zlib.crc32(SHORT_NOTE.encode())}
[[examples]]
title = "Long"
text = {long}
expected = {zlib.crc32(LONG_NOTE.encode())}
[limits]
upload = "100 kB"
rows = 5
"""
    )
    return folder


def write_half_broken(folder: Path) -> Path:
    """Write an application whose second model cannot be loaded."""
    (folder / "models").mkdir(parents=True)
    _save_colours(folder / "models" / "good.onnx", (0, SIDE, 0, SIDE))
    (folder / "models" / "bad.onnx").write_bytes(b"this is no graph")
    (folder / "podium.toml").write_text(
        f"""title = "Half broken"
[task]
kind = "classification"
labels = ["red", "green", "blue", "rest"]
[image]
size = [{SIDE}, {SIDE}]
[[models]]
name = "good"
file = "models/good.onnx"
[[models]]
name = "bad"
file = "models/bad.onnx"
"""
    )
    return folder


def _save_colours(file: Path, area: tuple[int, int, int, int]) -> None:
    top, bottom, left, right = area
    nodes = [
        helper.make_node("Slice", ["image", "starts", "ends", "axes"], ["part"]),
        helper.make_node("ReduceMean", ["part"], ["mean"], axes=[2, 3], keepdims=0),
        helper.make_node("Div", ["mean", "three"], ["shares"]),
        helper.make_node("ReduceSum", ["shares", "last"], ["sum"], keepdims=1),
        helper.make_node("Sub", ["one", "sum"], ["rest"]),
        helper.make_node("Concat", ["shares", "rest"], ["probabilities"], axis=1),
    ]
    constants = {
        "starts": np.array([top, left]), "ends": np.array([bottom, right]),
        "axes": np.array([2, 3]), "last": np.array([1]),
        "three": _floats(3), "one": _floats(1),
    }  # fmt: skip
    _save(file, nodes, {"image": ["n", 3, SIDE, SIDE]}, {"probabilities": ["n", 4]}, constants)


def _save_weights(file: Path, *, noise: bool = False, slow: bool = False) -> None:
    nodes = [helper.make_node("MatMul", ["x", "weights"], ["exact"])]
    constants = {"weights": _floats(1, 10, 100, 1000).reshape(4, 1)}
    inputs: dict[str, list[str | int]] = {"x": ["n", 4]}
    result = "exact"
    if noise:
        inputs["eps"] = ["n", 1]
        constants["half"] = _floats(0.5)
        nodes += [
            helper.make_node("Mul", ["eps", "half"], ["part"]),
            helper.make_node("Add", ["exact", "part"], ["noisy"]),
        ]
        result = "noisy"
    if slow:
        more, made = _work(1000, 6)
        nodes, constants, result = nodes + more, constants | made, "slow"
    nodes.append(helper.make_node("Identity", [result], ["value"]))
    _save(file, nodes, inputs, {"value": ["n", 1]}, constants)


def _work(side: int, times: int) -> tuple[list[Any], dict[str, Any]]:
    """Return nodes that multiply large matrices and change nothing."""
    constants = {"zero": _floats(0), "share": _floats(1 / side),
                 "square": np.array([side, side])}  # fmt: skip
    nodes = [
        helper.make_node("ReduceMean", ["exact"], ["mean"], keepdims=1, axes=[0, 1]),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "share"], ["cell"]),
        helper.make_node("Expand", ["cell", "square"], ["m0"]),
    ]
    for turn in range(times):
        nodes.append(helper.make_node("MatMul", [f"m{turn}", "m0"], [f"m{turn + 1}"]))
    nodes += [
        helper.make_node("ReduceMean", [f"m{times}"], ["end"], keepdims=1, axes=[0, 1]),
        helper.make_node("Mul", ["end", "zero"], ["still"]),
        helper.make_node("Add", ["exact", "still"], ["slow"]),
    ]
    return nodes, constants


def _floats(*values: float) -> NDArray[np.float32]:
    return np.array(values, np.float32)


def _save(
    file: Path,
    nodes: list[Any],
    inputs: dict[str, list[str | int]],
    outputs: dict[str, list[str | int]],
    constants: dict[str, Any],
) -> None:
    def tensors(shapes: dict[str, list[str | int]]) -> list[Any]:
        return [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shapes.items()]

    made = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, file.stem, tensors(inputs), tensors(outputs), made)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    save(model, str(file))
