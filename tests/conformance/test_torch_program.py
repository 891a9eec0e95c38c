"""torch.export programs: what they say of themselves, old ones, odd ones, and damaged ones."""

from __future__ import annotations

import functools
import io
import json
import re
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.export import Dim

from podium.errors import ModelError
from podium.runtimes import Source, TensorSpec, load
from podium.runtimes.torch.operators import INTERNAL
from podium.runtimes.versions import installed_version
from tests.conformance import torch_nets as nets
from tests.conformance.torch_cases import BATCH, X, exported, made, saved, seeded

PROGRAM = made(nets.Table, exported)
ROWS = np.random.default_rng(4).normal(size=(5, 3)).astype(np.float32)
BODY = "models/model.json"

Parts = dict[str, bytes]
"""The members of an archive, by their names within its top folder."""


def parts_of(body: bytes) -> Parts:
    """Return what is in a program's file."""
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        return {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}


def packed(parts: Mapping[str, bytes], root: str = "m/", compression: int = 0) -> bytes:
    """Return an archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, body in parts.items():
            archive.writestr(root + name, body)
    return buffer.getvalue()


def changed(change: Callable[[Any], object], body: bytes = PROGRAM) -> bytes:
    """Return a program with another JSON."""
    parts = parts_of(body)
    table = json.loads(parts[BODY])
    change(table)
    return packed({**parts, BODY: json.dumps(table).encode()})


def written(folder: Path, body: bytes) -> Source:
    """Write a program."""
    (folder / "m.pt2").write_bytes(body)
    return Source.alone(folder / "m.pt2")


def error_of(folder: Path, body: bytes) -> str:
    """Return what loading a program fails with."""
    with pytest.raises(ModelError) as caught:
        load(written(folder, body))
    return str(caught.value)


def check_answers(folder: Path, body: bytes, build: Callable[[], Any] = nets.Table) -> None:
    """Check that a program answers as its module."""
    model = load(written(folder, body))
    found = model.predict({model.inputs[0].name: ROWS})
    expected = seeded(build)(torch.tensor(ROWS)).detach()
    np.testing.assert_allclose(next(iter(found.values())), expected, 1e-6, 1e-6)


def test_what_a_program_says_of_itself(tmp_path: Path) -> None:
    """Names, shapes and types of inputs and outputs stand in the file."""
    model = load(written(tmp_path, made(nets.Shares, exported)))
    assert (model.platform, model.task, model.labels, model.notes) == (
        "torch.export", None, (), ()
    )  # fmt: skip
    assert model.inputs == (TensorSpec("x", np.dtype(np.float32), (None, 3)),)
    assert model.outputs == (
        TensorSpec("hidden", np.dtype(np.float32), (None, 8)),
        TensorSpec("probabilities", np.dtype(np.float32), (None, 3)),
    )


class Nested(nn.Module):  # type: ignore[misc]
    """Returns tensors within a dict within a tuple, a constant, and no tensor."""

    def forward(self, x: Any, scale: float = 2.0) -> Any:
        """Return all of them."""
        return {"all": (x, x[:, :1]), "none": None}, x.argmax(dim=1), scale


def test_outputs_are_named_by_where_they_stand(tmp_path: Path) -> None:
    """Nested outputs have the keys of the way to them; what is no tensor is left out."""
    model = load(written(tmp_path, exported(Nested(), (*X, 3.0), (BATCH, None))))
    assert [(one.name, one.dtype, one.shape) for one in model.outputs] == [
        ("output_0_all_0", np.dtype(np.float32), (None, 3)),
        ("output_0_all_1", np.dtype(np.float32), (None, 1)),
        ("output_1", np.dtype(np.int64), (None,)),
    ]
    found = model.predict({"x": ROWS})
    np.testing.assert_array_equal(found["output_1"], ROWS.argmax(axis=1))


class Rows(nn.Module):  # type: ignore[misc]
    """Says how many rows it got."""

    def forward(self, x: Any) -> Any:
        """Return the number in every row."""
        return torch.full((x.shape[0],), x.shape[0])


@pytest.mark.parametrize(
    ("axes", "rows", "expected"),
    [
        (BATCH, 5, [5] * 5),
        (None, 5, [2] * 5),
        ({0: Dim("batch", max=4)}, 5, [4] * 5),
        ({0: Dim("batch", max=4)}, 3, [3] * 3),
        ({0: Dim("batch", min=4)}, 3, [4] * 3),
    ],
)
def test_rows_at_once(axes: Any, rows: int, expected: list[int], tmp_path: Path) -> None:
    """A program gets as many rows at once as it was exported for, however many there are."""
    example = (torch.zeros(4, 3),) if axes and axes is not BATCH else X
    model = load(written(tmp_path, exported(Rows(), example, (axes,) if axes else None)))
    assert model.predict({"x": np.zeros((rows, 3))})["output"].tolist() == expected
    fixed = (
        "The program takes 2 rows at a time and is run as often as a request needs it. Exported "
        "with dynamic_shapes it would take any number at once."
    )
    assert model.notes == (() if axes else (fixed,))


@pytest.mark.parametrize("decomposed", [False, True])
def test_state_and_input_are_left_as_they_are(decomposed: bool, tmp_path: Path) -> None:
    """A program that writes into its state and its input answers the same again."""
    save = functools.partial(exported, decomposed=decomposed)
    model = load(written(tmp_path, made(nets.Counting, save)))
    inputs = ROWS.copy()
    first = model.predict({"x": inputs})["output"]
    np.testing.assert_array_equal(model.predict({"x": inputs})["output"], first)
    np.testing.assert_array_equal(inputs, ROWS)
    expected = seeded(nets.Counting)(torch.tensor(ROWS)).detach()
    np.testing.assert_allclose(first, expected, 0, 1e-6)


def test_program_that_was_exported_in_training_mode(tmp_path: Path) -> None:
    """Dropout and batch norm in training mode are refused with the way out."""
    assert error_of(tmp_path, exported(nets.Table().train())) == (
        "m.pt2: it was exported in training mode, where answers hang on chance and on other rows. "
        "Call model.eval() before torch.export.export; or, to serve it with its dropout on, write "
        "samples = 100 into its [[models]] table."
    )


class Wrapped(nets.Table):
    """Computes without gradients, and in mixed precision."""

    def __init__(self, mixed: bool = False) -> None:
        super().__init__()
        self.mixed = mixed

    def forward(self, x: Any) -> Any:
        """Return logits."""
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=self.mixed):
            return super().forward(x)


def test_graphs_within_the_graph(tmp_path: Path) -> None:
    """What runs without gradients is a graph of its own, and answers; mixed precision is told."""
    check_answers(tmp_path, made(Wrapped, exported), Wrapped)
    mixed = exported(seeded(lambda: Wrapped(mixed=True)))
    assert error_of(tmp_path, mixed) == (
        "m.pt2: it computes in mixed precision (torch.autocast); export the model without it."
    )


def test_half_precision(tmp_path: Path) -> None:
    """A program of half precision takes and gives single."""
    module = seeded(nets.half)
    model = load(written(tmp_path, exported(module, (X[0].bfloat16(),))))
    assert model.inputs[0].dtype == model.outputs[0].dtype == np.float32
    found = model.predict({"x": ROWS})["output"]
    assert found.dtype == np.float32
    expected = module(torch.tensor(ROWS).bfloat16()).detach().float()
    np.testing.assert_array_equal(found, expected)


class Sequence(nn.Module):  # type: ignore[misc]
    """Much that models are made of: recurrence, attention, sizes, views, indexes, lists."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.recurrent = nn.GRU(8, 4, batch_first=True, bidirectional=True)
        self.norm = nn.InstanceNorm1d(4)

    def forward(self, x: Any) -> Any:
        """Return features."""
        wide = nn.functional.pad(x, (0, 5)).unsqueeze(1).repeat(1, 4, 1)
        states, _ = self.recurrent(self.encoder(wide * torch.arange(1, 5)[None, :, None]))
        first, last = self.norm(states).chunk(2, dim=1)
        values, places = torch.topk(first.reshape(x.size(0), -1), 3)
        mask = torch.ones(x.shape[0], 3, dtype=torch.bool) & (values > -9)
        joined = torch.einsum("bi,bi->b", values, places.to(x.dtype))[:, None] + last[:, 0]
        return torch.where(mask[:, :1], joined, joined.new_zeros(()))


@pytest.mark.filterwarnings("ignore:The tensor attributes self.recurrent")
@pytest.mark.parametrize("decomposed", [False, True])
def test_much_that_models_are_made_of(decomposed: bool, tmp_path: Path) -> None:
    """Programs of common layers answer as their modules, decomposed to core operators or not."""
    body = made(Sequence, functools.partial(exported, decomposed=decomposed))
    check_answers(tmp_path, body, Sequence)


def test_internal_operators_exist() -> None:
    """Every operator that is allowed by its internal name is one of PyTorch."""
    assert [name for name in sorted(INTERNAL) if not hasattr(torch.ops.aten, name)] == []


def test_shared_weights(tmp_path: Path) -> None:
    """Weights that two layers share are one tensor in the file, and answer."""
    check_answers(tmp_path, made(nets.Tied, exported), nets.Tied)


def test_file_of_another_version(tmp_path: Path) -> None:
    """A program of another PyTorch loads with a note that names both versions."""
    body = changed(lambda table: table.update(torch_version="2.8.0+cu128"))
    model = load(written(tmp_path, body))
    installed = installed_version("torch")
    assert model.notes == (
        f"m.pt2 was saved with torch 2.8.0; installed is {installed}. If it does not load or "
        "answers otherwise: pip install 'torch==2.8.0', or save it again.",
    )


def test_file_of_a_newer_form(tmp_path: Path) -> None:
    """A program whose form Podium does not know says so, with the version that wrote it."""
    newer = {"schema_version": {"major": 9, "minor": 1}, "torch_version": "3.1.0"}
    assert error_of(tmp_path, changed(lambda table: table.update(newer))) == (
        "m.pt2: it is written in form 9 of torch.export, by PyTorch 3.1.0; Podium reads form 8. "
        "Save it again with another PyTorch."
    )


def test_operator_that_the_installed_pytorch_does_not_have(tmp_path: Path) -> None:
    """An operator of another PyTorch is named, with both versions."""

    def change(table: Any) -> None:
        table["graph_module"]["graph"]["nodes"][0]["target"] = "torch.ops.aten.not_yet.default"
        table["torch_version"] = "9.9.0"

    assert error_of(tmp_path, changed(change)).startswith(
        "m.pt2: it calls 'torch.ops.aten.not_yet.default', which the installed PyTorch does not "
        "have. m.pt2 was saved with torch 9.9.0; installed is "
    )


@pytest.mark.parametrize("names", ["2.8", "2.7"])
def test_layout_of_older_versions(names: str, tmp_path: Path) -> None:
    """The archives of PyTorch 2.8, and of those before it, are read too."""
    module, parts = seeded(nets.Table), parts_of(PROGRAM)
    pickled = {"state_dict": saved(module.state_dict()), "constants": saved({})}
    if names == "2.8":
        older = {BODY: parts[BODY], "data/weights/model.pt": pickled["state_dict"],
                 "data/constants/model.pt": pickled["constants"], "archive_format": b"pt2",
                 "data/sample_inputs/model.pt": saved((X, {}))}  # fmt: skip
        body = packed(older)
    else:
        older = {f"serialized_{key}.pt": value for key, value in pickled.items()}
        older |= {"serialized_exported_program.json": parts[BODY], "version": b"8.4",
                  "serialized_example_inputs.pt": saved((X, {}))}  # fmt: skip
        body = packed(older, root="")
    check_answers(tmp_path, body)


class Number(nn.Module):  # type: ignore[misc]
    """Takes a number beside its array."""

    def forward(self, x: Any, count: int) -> Any:
        """Return values."""
        return x * count


def test_programs_that_podium_cannot_serve(tmp_path: Path) -> None:
    """A number as an input, no axis for rows, and two programs in one file are told."""
    dynamic = exported(Number(), (*X, 3), (BATCH, Dim.DYNAMIC))
    assert error_of(tmp_path, dynamic) == (
        "m.pt2: it takes a number beside its arrays; export the model with it fixed."
    )
    flat = exported(nn.Identity(), (torch.tensor(1.0),), None)
    assert error_of(tmp_path, flat) == (
        "m.pt2: it takes an array without an axis; the first axis is that of the rows."
    )
    two = packed({**parts_of(PROGRAM), "models/other.json": b"{}"})
    assert error_of(tmp_path, two) == (
        "m.pt2: a file holds one program; in this one there is: models/model.json, "
        "models/other.json."
    )


def drop(key: str) -> Callable[[Any], object]:
    """Return what takes a key out of all tables."""

    def change(table: Any) -> None:
        text = json.dumps(table)
        table.clear()
        table.update(json.loads(re.sub(rf'"{key}":', f'"no {key}":', text)))

    return change


@pytest.mark.parametrize(
    "key",
    ["nodes", "target", "inputs", "arg", "sizes", "input_specs", "out_spec", "major"],
)
def test_program_that_lacks_something(key: str, tmp_path: Path) -> None:
    """A JSON of another form is a damaged file, never a crash."""
    assert error_of(tmp_path, changed(drop(key))).startswith("m.pt2 is damaged: KeyError")


@pytest.mark.parametrize("size", [0, 4, 7, 400])
def test_weights_of_another_size(size: int, tmp_path: Path) -> None:
    """Raw weights that are cut short are a damaged file."""
    parts = parts_of(PROGRAM)
    largest = max((name for name in parts if "/weight_" in name), key=lambda name: len(parts[name]))
    short = packed({**parts, largest: bytes(size)[: len(parts[largest]) - 1]})
    assert error_of(tmp_path, short).startswith("m.pt2 is damaged: ")
