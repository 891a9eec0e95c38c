"""What is special about PyTorch: its models as ONNX graphs."""

from __future__ import annotations

import functools
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.export import Dim

from podium.errors import ModelError
from podium.runtimes import Source, export_onnx, load
from tests.conformance import torch_nets as nets
from tests.conformance.test_torch import ROWS, TABLE, source, written
from tests.conformance.torch_cases import exported, made, seeded, weights

FIXED = functools.partial(exported, example=(torch.zeros(4, 3),), axes=None)


@pytest.mark.parametrize(
    ("build_net", "body"),
    [
        (nets.Table, made(nets.Table, exported)),
        (nets.Table, made(nets.Table, FIXED)),
        (nets.Shares, made(nets.Shares, weights)),
    ],
    ids=["program", "fixed number of rows", "module with several outputs"],
)
def test_export_to_onnx(
    build_net: Any,
    body: bytes,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The graph is one file with the model's names and answers, and tells nothing of its making."""
    wanted, file = source(written(tmp_path, body), build_net.__name__), tmp_path / "out.onnx"
    model = load(wanted)
    name = model.inputs[0].name
    export_onnx(wanted, {name: ROWS}, file)
    other = load(Source.alone(file))
    assert [one.name for one in other.inputs] == [name]
    for rows in (1, 2, 9):
        inputs = {name: np.resize(ROWS, (rows, 3))}
        expected, found = model.predict(inputs), other.predict(inputs)
        assert list(found) == list(expected)
        for output, array in expected.items():
            np.testing.assert_allclose(found[output], array, 0, 1e-5)
    held = file.read_bytes()
    assert [word for word in (b".py", b"packages", b"forward", b"Table") if word in held] == []
    assert list(tmp_path.glob("out.onnx?*")) == []
    assert [one for one in caplog.records if one.levelno >= logging.WARNING] == []
    assert capfd.readouterr() == ("", "")


def test_export_to_onnx_that_pytorch_cannot(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Where the exporter fails, the message says why, nothing else does, and no file is left."""
    wanted, file = source(written(tmp_path, TABLE), "Deciding"), tmp_path / "out.onnx"
    with pytest.raises(ModelError, match=r"^m\.pt cannot be exported to ONNX: Could not guard on"):
        export_onnx(wanted, {"X": ROWS}, file)
    assert not file.exists()
    assert capfd.readouterr() == ("", "")


def test_export_to_onnx_of_a_bounded_program(tmp_path: Path) -> None:
    """A program that takes at most some rows at once has no graph that says so."""
    body = exported(seeded(nets.Table), axes=({0: Dim("batch", max=6)},))
    with pytest.raises(ModelError) as caught:
        export_onnx(source(written(tmp_path, body)), {"x": ROWS}, tmp_path / "out.onnx")
    assert str(caught.value) == (
        "m.pt cannot be exported to ONNX: it takes at most 6 rows at once, which ONNX has no way "
        'to say. Export it with a plain torch.export.Dim("batch")'
    )
