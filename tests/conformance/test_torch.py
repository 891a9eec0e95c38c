"""What is special about PyTorch: factories, what a file is, what a module takes and returns."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from podium.errors import MissingExtra, ModelError, UntrustedModel
from podium.options import Options
from podium.prediction import ValuePrediction
from podium.runtimes import Source, TensorSpec, load
from podium.runtimes.trust import sha256
from tests.conformance import torch_nets as nets
from tests.conformance.cases import build, rows_of
from tests.conformance.torch_cases import (
    CASES,
    exported,
    made,
    saved,
    scripted,
    seeded,
    weights,
    write_nets,
)

BY_NAME = {case.name: case for case in CASES}
FLOATS = TensorSpec("X", np.dtype(np.float64), (None, 3))
ROWS = np.random.default_rng(3).normal(size=(5, 3))


def written(folder: Path, body: bytes, name: str = "m.pt") -> Path:
    """Write a file and, beside it, nets.py."""
    write_nets(folder)
    (folder / name).write_bytes(body)
    return folder / name


def source(file: Path, factory: str | None = "Table", **options: Any) -> Source:
    """Return a file with a factory of nets.py, for NUMBERS."""
    code = None if factory is None else f"nets:{factory}"
    return Source.alone(file, **{"code": code, "expects": FLOATS, **options})


def error_of(wanted: Source) -> str:
    """Return what loading a file fails with."""
    with pytest.raises(ModelError) as caught:
        load(wanted)
    return str(caught.value)


TABLE = made(nets.Table, weights)
STATE = seeded(nets.Table).state_dict()


def test_weights_without_a_factory(tmp_path: Path) -> None:
    """Weights alone are refused with what they hold and the two ways out."""
    told = error_of(source(written(tmp_path, TABLE), None))
    assert told.startswith(
        "m.pt holds weights alone (norm.weight, norm.bias, norm.running_mean and 6 more), without "
        "the module that they belong to. Write a function that returns it into a file beside "
        'podium.toml, and name it in its [[models]] table: factory = "nets:build".'
    )
    assert "torch.export.save(torch.export.export(model.eval(), (example,)" in told


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        ("nothing", "factory = 'nets:nothing' returned a str; expected the torch.nn.Module that "
                    "the weights in m.pt belong to"),
        ("broken", "factory = 'nets:broken' cannot be used: RuntimeError: the data set is missing "
                   "(nets.py, line "),
        ("Tabel", "factory = 'nets:Tabel' cannot be used: ImportError: nets.py has no 'Tabel'. Did "
                  "you mean 'Table'?"),
    ],
)  # fmt: skip
def test_factory_that_makes_no_module(factory: str, message: str, tmp_path: Path) -> None:
    """A factory that fails, or makes something else, is told by its name."""
    assert error_of(source(written(tmp_path, TABLE), factory)).startswith(message)


def test_weights_that_do_not_fit_the_module(tmp_path: Path) -> None:
    """Shapes that differ, missing and unknown keys are all told at once."""
    state = seeded(nets.Table).state_dict()
    del state["norm.weight"]
    state["extra"] = torch.zeros(2)
    file = written(tmp_path, saved(state))
    assert error_of(source(file, "value")) == (
        "The weights in m.pt do not fit the module of factory = 'nets:value'. head.3.weight is "
        "[3, 8] in the file and [1, 8] in the module; head.3.bias is [3] in the file and [1] in "
        "the module; missing: norm.weight; not in the module: extra"
    )


def test_many_wrong_keys_are_counted(tmp_path: Path) -> None:
    """Of many keys a message names three."""
    told = error_of(source(written(tmp_path, TABLE), "Picture"))
    assert "missing: body.0.weight, body.1.weight, body.1.bias and 6 more; not in" in told
    assert told.endswith("not in the module: norm.weight, norm.bias, norm.running_mean and 6 more")


def test_wrong_keys_are_told_as_the_file_has_them(tmp_path: Path) -> None:
    """Keys that share a beginning which is no wrapper's are told with it."""
    only = {key: value for key, value in STATE.items() if key.startswith("head.")}
    told = error_of(source(written(tmp_path, saved(only)), "Picture"))
    assert told.endswith("not in the module: head.0.weight, head.0.bias, head.3.weight and 1 more")
    told = error_of(source(written(tmp_path, saved({"weight": torch.zeros(2)}))))
    assert told.endswith("not in the module: weight")


@pytest.mark.parametrize(
    "content",
    [
        STATE,
        {"state_dict": STATE, "epoch": 1},
        {"model": {"state_dict": STATE}},
        {f"module.{key}": value for key, value in STATE.items()},
        {"state_dict": {f"model._orig_mod.{key}": value for key, value in STATE.items()}},
        {key: value for key, value in STATE.items() if "num_batches" not in key},
    ],
)
def test_checkpoint_of_a_training(content: Any, tmp_path: Path) -> None:
    """A state dict is found within a checkpoint, and within what wrapped the module."""
    model = load(source(written(tmp_path, saved(content))))
    expected = seeded(nets.Table)(torch.tensor(ROWS, dtype=torch.float32))
    found = model.predict({"X": ROWS})["output"]
    np.testing.assert_allclose(found, expected.detach(), 0, 1e-6)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "m.pt holds a list and no state dict: torch.save(model.state_dict(), "
                 '"weights.pt")'),
        (torch.zeros(3), "m.pt holds a Tensor and no state dict"),
        ({"epoch": 3, "loss": 0.1}, "m.pt holds no weights but epoch, loss. A checkpoint keeps "
                                    "them under one of: state_dict, model_state_dict, model"),
    ],
)  # fmt: skip
def test_saved_content_that_is_no_state_dict(content: Any, message: str, tmp_path: Path) -> None:
    """What else torch.save may have written is told."""
    assert error_of(source(written(tmp_path, saved(content)))).startswith(message)


def test_what_torch_save_wrote_before_zip(tmp_path: Path) -> None:
    """The format of old versions of PyTorch, a plain pickle, is read too."""
    body = saved(STATE, _use_new_zipfile_serialization=False)
    assert body.startswith(b"\x80")
    model = load(source(written(tmp_path, body)))
    assert torch.equal(model.module.head[3].weight, STATE["head.3.weight"])  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("body", "names", "platform"),
    [
        (made(nets.Table, exported), ("m.pt", "m.pth", "m.safetensors"), "torch.export"),
        (TABLE, ("m.pt2", "m.safetensors"), "torch"),
        (safetensors.torch.save(STATE), ("m.pt", "m.pt2"), "torch"),
    ],
)
def test_content_tells_what_a_file_is(
    body: bytes, names: tuple[str, ...], platform: str, tmp_path: Path
) -> None:
    """A file with another format's ending is loaded as what it is."""
    for name in names:
        model = load(source(written(tmp_path, body, name)))
        assert model.platform == platform
        assert model.predict({model.inputs[0].name: ROWS})["output"].shape == (5, 3)


def test_safetensors_that_begin_as_a_pickle_does(tmp_path: Path) -> None:
    """A header whose length begins with the first byte of a pickle is none."""
    bodies = (safetensors.torch.save(STATE, {"note": "x" * size}) for size in range(0, 256, 8))
    body = next(body for body in bodies if body.startswith(b"\x80"))
    model = load(source(written(tmp_path, body)))
    assert torch.equal(model.module.head[3].weight, STATE["head.3.weight"])  # type: ignore[attr-defined]


def test_file_of_another_kind(tmp_path: Path) -> None:
    """An archive or a file of something else is told as such."""
    file = tmp_path / "m.pt"
    np.savez(tmp_path / "m.npz", a=np.zeros(2), b=np.ones(2))
    (tmp_path / "m.npz").rename(file)
    assert error_of(source(file)) == (
        "m.pt is a zip archive, but none of PyTorch: it holds a.npy, b.npy"
    )
    file.write_bytes(b"version https://git-lfs.github.com/spec/v1")
    assert error_of(source(file)) == (
        "m.pt is damaged, or no model of PyTorch: it is no torch.export program, no weights of "
        "torch.save or safetensors, and no TorchScript"
    )


def test_missing_pytorch_is_told_with_the_file_and_its_format(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without PyTorch the message names the file, what it is, and the command."""
    file = written(tmp_path, made(nets.Table, exported), "m.pt2")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtra) as caught:
        load(Source.alone(file))
    assert caught.value.extra == "torch"
    assert str(caught.value).startswith("m.pt2 (torch.export program) needs the extra 'torch': ")


class Outcome:
    """Something a module may return, without tensors."""


@pytest.mark.parametrize(
    ("forward", "expected"),
    [
        (lambda x: x, {"output": 3}),
        (lambda x: [x], {"output": 3}),
        (lambda x: (x, None, x[:, :1]), {"output_0": 3, "output_2": 1}),
        (lambda x: {"loss": None, "logits": x, "hidden": (x, x)}, {"logits": 3}),
        (lambda x: torch.max(x, dim=1, keepdim=True), {"output_0": 1, "output_1": 1}),
        (lambda x: x.bfloat16(), {"output": 3}),
    ],
)
def test_what_a_module_returns(
    forward: Callable[[Any], Any], expected: dict[str, int], tmp_path: Path
) -> None:
    """Tensors in a tuple, a list or a dict become named arrays, half precision single."""
    model = load(source(written(tmp_path, TABLE)))
    model.module.forward = forward  # type: ignore[attr-defined]
    found = model.predict({"X": ROWS})
    assert {name: array.shape for name, array in found.items()} == {
        name: (5, width) for name, width in expected.items()
    }
    assert {array.dtype for array in found.values()} <= {np.dtype("f4"), np.dtype("i8")}


def test_module_that_returns_no_tensors(tmp_path: Path) -> None:
    """Something else than tensors is told with its type."""
    model = load(source(written(tmp_path, TABLE)))
    model.module.forward = lambda _: Outcome()  # type: ignore[attr-defined]
    with pytest.raises(ModelError, match=r"^The module returned a Outcome without tensors; exp"):
        model.predict({"X": ROWS})


def test_half_precision_is_widened(tmp_path: Path) -> None:
    """A module of half precision computes in single, which a processor is faster at."""
    model = load(source(written(tmp_path, made(nets.half, weights)), "half"))
    kinds = {one.dtype for one in model.module.parameters()}  # type: ignore[attr-defined]
    assert kinds == {torch.float32}


def test_one_row_of_a_module_that_squeezes(tmp_path: Path) -> None:
    """A single row is answered although the module drops every axis of length one."""
    app = build(BY_NAME["torch-weights-value-squeezed"], tmp_path).app
    one, two = (0.1, 0.2, 0.3), (1.0, 2.0, 3.0)
    alone = app.predict(rows_of(one), Options()).predictions
    both = app.predict(rows_of(one, two), Options()).predictions
    assert isinstance(alone[0], ValuePrediction)
    assert isinstance(both[0], ValuePrediction)
    assert alone[0].value == pytest.approx(both[0].value, abs=1e-6)


@pytest.mark.parametrize(
    ("factory", "shape", "outputs"),
    [
        ("Table", (None, 3), (TensorSpec("output", np.dtype("f4"), (None, 3)),)),
        ("Picture", (None, 3, None, None), (TensorSpec("output", np.dtype("f4"), (None, 3)),)),
    ],
)
def test_input_that_the_first_layer_tells(
    factory: str, shape: tuple[int | None, ...], outputs: Any, tmp_path: Path
) -> None:
    """Where nobody says what the module takes, its first layer tells, and a trial what it gives."""
    file = written(tmp_path, made(getattr(nets, factory), weights))
    model = load(source(file, factory, expects=None))
    assert model.inputs == (TensorSpec("X", np.dtype(np.float32), shape),)
    assert model.outputs == outputs


def test_input_that_the_first_layer_of_torchscript_tells(tmp_path: Path) -> None:
    """TorchScript keeps what its layers are called."""
    file = written(tmp_path, made(nets.Table, scripted))
    model = load(source(file, None, expects=None, trust=sha256(file, (file,))))
    assert model.inputs == (TensorSpec("X", np.dtype(np.float32), (None, 3)),)


def test_input_that_no_layer_tells(tmp_path: Path) -> None:
    """A module that begins with an embedding does not say what it takes."""
    file = written(tmp_path, made(nets.Columns, weights))
    model = load(source(file, "Columns", expects=None))
    assert (model.inputs, model.outputs) == ((), ())
    two = {"width": np.ones(2), "count": np.ones(2), "flag": np.array([True, False]),
           "colour": np.array([0, 2])}  # fmt: skip
    assert model.predict(two)["output"].shape == (2, 3)


def test_module_that_takes_something_else(tmp_path: Path) -> None:
    """A module that answers neither what is expected nor its first layer's input is told so."""
    image = TensorSpec("X", np.dtype(np.float32), (None, 3, 8, 8))
    told = error_of(
        source(written(tmp_path, made(nets.Columns, weights)), "Columns", expects=image)
    )
    assert told.startswith("m.pt: the module fails on an array [2, 3, 8, 8]: ")
    text = TensorSpec("text", np.dtype(np.object_), (None,))
    assert error_of(source(written(tmp_path, TABLE), expects=text)) == (
        "m.pt: a module takes numbers. Write a [pipeline] preprocess that makes them of the texts"
    )


@pytest.mark.parametrize(
    ("body", "risk"),
    [
        (lambda: scripted(seeded(nets.Table)), "is TorchScript, which is a program. Export the "),
        (lambda: saved(seeded(nets.Table)),
         "is a pickle that holds tests.conformance.torch_nets.Table, which could run code when it "
         'is loaded. Save its weights alone: torch.save(model.state_dict(), "weights.pt"). Export'),
        (lambda: pickle.dumps(seeded(nets.Table)),
         "is a pickle that holds more than weights, and could run code when it is loaded. Save "),
    ],
)  # fmt: skip
def test_programs_need_trust(body: Callable[[], bytes], risk: str, tmp_path: Path) -> None:
    """TorchScript and whole modules are refused with the risk, the remedy and the hash."""
    file = written(tmp_path, body())
    with pytest.raises(UntrustedModel) as caught:
        load(source(file))
    assert str(caught.value).startswith(f"m.pt {risk}")
    assert str(caught.value).endswith(f'trust = "{sha256(file, (file,))}" in its [[models]] table.')
    with pytest.raises(UntrustedModel, match="It is not the one that trust names"):
        load(source(file, trust="0" * 64))


def test_whole_module_with_trust(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pickled module that is vouched for finds its class beside podium.toml."""
    module = seeded(nets.Table)
    with monkeypatch.context() as patch:
        patch.setattr(nets.Table, "__module__", "nets")
        patch.setitem(sys.modules, "nets", nets)
        file = written(tmp_path, saved(module))
    model = load(source(file, None, trust=sha256(file, (file,))))
    found = model.predict({"X": ROWS})["output"]
    expected = module(torch.tensor(ROWS, dtype=torch.float32)).detach()
    np.testing.assert_allclose(found, expected, 0, 1e-6)


def test_whole_module_whose_class_is_gone(tmp_path: Path) -> None:
    """A pickle that needs a module which is not there says which."""
    body = saved(seeded(nets.Table)).replace(
        b"tests.conformance.torch_nets", b"tests_conformance_torch_nets"
    )
    file = written(tmp_path, body)
    told = error_of(source(file, None, trust=sha256(file, (file,))))
    assert told.startswith(
        "m.pt cannot be unpickled: No module named 'tests_conformance_torch_nets'. Its classes "
    )
