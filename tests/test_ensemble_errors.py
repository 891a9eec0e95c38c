"""What is wrong with an ensemble is told with the file that it is about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.naive_bayes import GaussianNB

from podium.app import App
from podium.errors import Mistake, ModelError, SpecError
from tests.conformance.graphs import WEIGHTS, linear
from tests.conformance.sklearn_cases import training_set
from tests.test_ensembles import FITTED, graph, put, write


def mistakes(folder: Path, *files: str, **options: Any) -> tuple[Mistake, ...]:
    """Return what is wrong with podium.toml."""
    with pytest.raises(SpecError) as caught:
        write(folder, *files, **options)
    return caught.value.mistakes


def test_files_are_looked_for_one_by_one(tmp_path: Path) -> None:
    """A missing file is told by its place; one that leads outside, and one named twice, too."""
    graph(tmp_path)
    (tmp_path.parent / "out.onnx").touch()
    found = mistakes(tmp_path, "models/a.onnx", "models/lost.onnx", "../out.onnx")
    assert found == (
        Mistake("models[0].files[1]", f"there is no file 'models/lost.onnx' in {tmp_path}"),
        Mistake("models[0].files[2]", "'../out.onnx' leads outside the application folder"),
    )
    assert mistakes(tmp_path, "models/a.onnx", "models/./a.onnx") == (
        Mistake("models[0].files[1]", "'models/a.onnx' is named twice; it has one vote"),
    )


@pytest.mark.parametrize(
    ("file", "body", "told"),
    [
        ("models/b.onnx", b"no graph", "models/b.onnx: b.onnx: ONNX Runtime cannot load it"),
        ("models/b.txt2", b"text", "models/b.txt2: b.txt2: no runtime is known for '.txt2' files"),
        ("models/b.pkl", b"\x80\x04N.", "models/b.pkl: b.pkl"),
    ],
)
def test_member_that_cannot_be_loaded_is_named(
    file: str, body: bytes, told: str, tmp_path: Path
) -> None:
    """What is wrong with one file begins with its place in the folder."""
    graph(tmp_path)
    (tmp_path / file).write_bytes(body)
    app = write(tmp_path, "models/a.onnx", file)
    with pytest.raises(ModelError) as caught:
        app.served()
    assert str(caught.value).startswith(told)


def test_member_that_does_not_fit_is_named(tmp_path: Path) -> None:
    """A member of another number of classes, or of other inputs, is told by its file."""
    graph(tmp_path)
    linear(tmp_path / "models/b.onnx", weights=WEIGHTS[:, :2])
    app = write(tmp_path, "models/a.onnx", "models/b.onnx")
    with pytest.raises(ModelError, match=r"^models/b\.onnx: No output fits 3 labels"):
        app.served()
    linear(tmp_path / "models/b.onnx", weights=WEIGHTS[:2])
    with pytest.raises(ModelError, match=r"^models/b\.onnx: The model takes \[n, 2\]"):
        App(tmp_path).served()


def test_member_of_other_classes_is_named(tmp_path: Path) -> None:
    """Members that name other classes do not vote together."""
    x, y = training_set()
    put(tmp_path, a=FITTED, b=GaussianNB().fit(x, np.where(y == "left", "up", y)))
    app = write(tmp_path, "models/a.skops", "models/b.skops")
    with pytest.raises(ModelError) as caught:
        app.served()
    assert str(caught.value) == (
        "models/b.skops: its classes are not those of models/a.skops; only one of them knows left, "
        "up. Members of an ensemble have the same classes."
    )
