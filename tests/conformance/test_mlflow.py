"""What is special about MLflow: what MLmodel tells, programs, and what data leaves out."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from podium.errors import MissingExtra, ModelError, UntrustedModel
from podium.runtimes import TensorSpec
from tests.conformance.cases import LABELS, build, matrix, numbers
from tests.conformance.mlflow_cases import (
    CASES,
    FOLDER,
    digest,
    logged,
    logged_code,
    logged_estimator,
    opened,
    program_folder,
    pyfunc,
    rewrite,
    sklearn_folder,
    table,
)
from tests.conformance.mlflow_models import NAMES, Rows

BY_NAME = {case.name.removeprefix("mlflow-"): case for case in CASES}
EXPECTED = TensorSpec("X", np.dtype(np.float64), (None, 3))


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("", "it is no table"),
        ("flavors: [", "while parsing"),
        ("flavors: x", "has no 'flavors'"),
        ("flavors: {sklearn: {}}", "has no 'python_function'"),
        ("flavors: {python_function: {loader_module: mlflow.sklearn}}", "there is no model"),
        ("a: " + "[" * 1500, "damaged"),
        ("a: \x00", "damaged"),
    ],
)
def test_damaged_mlmodel_is_told_in_words(body: str, told: str, tmp_path: Path) -> None:
    """What is wrong with MLmodel is said in one line."""
    folder = sklearn_folder(tmp_path)
    (folder / "MLmodel").write_text(body)
    with pytest.raises(ModelError, match=told) as caught:
        opened(folder)
    assert str(caught.value).startswith("m: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        ("{", "signature is damaged"),
        ("[1]", "signature is damaged"),
        ('[{"name": "when", "type": "datetime"}]', "the column 'when' of its signature is 'date"),
        ('[{"name": "x", "type": "tensor", "tensor-spec": {"dtype": "evil", "shape": [-1]}}]',
         "signature is damaged"),
    ],
)  # fmt: skip
def test_damaged_signature_is_told_in_words(inputs: str, told: str, tmp_path: Path) -> None:
    """A signature that Podium cannot fill is an error that names the folder."""
    folder = rewrite(program_folder(tmp_path), lambda told: told["signature"].update(inputs=inputs))
    with pytest.raises(ModelError, match=f"^m: .*{told}"):
        opened(folder, trust=digest(folder))


def test_columns_of_a_program_come_from_its_signature(tmp_path: Path) -> None:
    """Each column of the signature is an input, with its type, and whether it may be missing."""
    build(BY_NAME["program"], tmp_path)
    model = opened(tmp_path / FOLDER, trust=digest(tmp_path / FOLDER))
    assert [(spec.name, spec.dtype.name, spec.shape, spec.optional) for spec in model.inputs] == [
        ("width", "float64", (None,), True),
        ("count", "int64", (None,), False),
        ("flag", "bool", (None,), False),
        ("colour", "object", (None,), True),
    ]
    assert (model.task, model.labels, model.notes) == (None, NAMES, ())


def test_program_without_a_signature_gets_a_matrix(tmp_path: Path) -> None:
    """Without a signature the program gets what the application makes, and a note says so."""
    folder = program_folder(tmp_path, Rows(), signature=None)
    model = opened(folder, trust=digest(folder), expects=EXPECTED)
    assert model.inputs == (EXPECTED,)
    assert model.notes == (
        "m has no signature, so that it gets a matrix without names. Log it with "
        "signature=infer_signature(inputs, outputs).",
    )
    x = matrix(numbers(4))
    np.testing.assert_array_equal(model.predict({"X": x})["output"], x.sum(axis=1))


def test_tensors_of_a_program(tmp_path: Path) -> None:
    """A signature of a tensor has the array itself as the program's input."""
    tensor = [{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 3]}}]
    folder = rewrite(
        program_folder(tmp_path, Rows()),
        lambda told: told["signature"].update(inputs=json.dumps(tensor), outputs=None),
    )
    model = opened(folder, trust=digest(folder))
    assert [spec[:3] for spec in model.inputs] == [("X", np.dtype(np.float32), (None, 3))]
    x = matrix(numbers(4)).astype(np.float32)
    np.testing.assert_array_equal(model.predict({"X": x})["output"], x.sum(axis=1))


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("pd.DataFrame({'score': [0.5, 0.7], 'label': ['a', 'b']})", {"label": ["a", "b"]}),
        ("pd.DataFrame({'value': [1.0, 2.0]})", {"output": [1.0, 2.0]}),
        ("pd.DataFrame({'x': [1, 2], 'y': [3, 4]})", {"output": [[1, 3], [2, 4]]}),
        ("pd.Series(['a', 'b'])", {"label": ["a", "b"]}),
        ("np.array(['a', 'b'])", {"label": ["a", "b"]}),
        ("[1, 2]", {"output": [1, 2]}),
        ("{'mean': [1.0, 2.0]}", {"mean": [1.0, 2.0]}),
    ],
)
def test_answers_of_a_program(answer: str, expected: dict[str, Any], tmp_path: Path) -> None:
    """Numbers are "output", texts "label", whatever container a program answers in."""
    code = (
        "import mlflow, numpy as np, pandas as pd\n"
        "class Made(mlflow.pyfunc.PythonModel):\n"
        "    def predict(self, context, model_input, params=None):\n"
        f"        return {answer}\n"
        "mlflow.models.set_model(Made())\n"
    )
    (tmp_path / "made.py").write_text(code)
    folder = logged_code(tmp_path / "made.py", tmp_path)
    with pytest.raises(UntrustedModel, match=r"m is loaded by a program \(mlflow\.pyfunc\.loaders"):
        opened(folder)
    model = opened(folder, trust=digest(folder), expects=EXPECTED)
    found = {name: array.tolist() for name, array in model.predict({"X": np.ones((2, 3))}).items()}
    assert found == expected


def test_code_that_was_logged_is_found(tmp_path: Path) -> None:
    """A pickle may need modules that were logged with it; they are there once it is trusted."""
    own = tmp_path / "own"
    own.mkdir()
    (own / "podium_scale.py").write_text("def twice(x):\n    return 2 * x\n")
    sys.path.insert(0, str(own))
    try:
        import podium_scale  # type: ignore[import-not-found]
        from sklearn.linear_model import LinearRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import FunctionTransformer

        steps = make_pipeline(FunctionTransformer(podium_scale.twice), LinearRegression())
        steps.fit(matrix(numbers(9)), matrix(numbers(9))[:, 0])
        options = {"serialization_format": "pickle", "code_paths": [str(own / "podium_scale.py")]}
        folder = logged_estimator(steps, tmp_path, **options)
    finally:
        sys.path.remove(str(own))
        sys.modules.pop("podium_scale", None)
    x = matrix(numbers(5))
    model = opened(folder, trust=digest(folder))
    np.testing.assert_allclose(model.predict({"X": x})["value"], x[:, 0], 0, 1e-9)


def test_other_framework_version_is_a_note(tmp_path: Path) -> None:
    """Where the model's own file does not tell its framework's version, MLmodel does."""
    build(BY_NAME["lightgbm"], tmp_path)
    folder = rewrite(
        tmp_path / FOLDER, lambda told: told["flavors"]["lightgbm"].update(lgb_version="3.1.0")
    )
    (note,) = opened(folder).notes
    assert note.startswith("m was saved with lightgbm 3.1.0; installed is 4.")
    (folder / "model.lgb").write_text("tree\n")
    with pytest.raises(ModelError, match=r"model\.lgb is no LightGBM.*saved with lightgbm 3\.1\.0"):
        opened(folder)


def test_other_versions_of_a_program_are_notes(tmp_path: Path) -> None:
    """A program's notes name Python and the pinned packages that are installed otherwise."""
    folder = program_folder(tmp_path)
    (folder / "requirements.txt").write_text("mlflow==1.0\nnumpy==1.2.3\nnothing_known==1.0\n")
    rewrite(folder, lambda told: pyfunc(told).update(python_version="3.8.1"))
    found = opened(folder, trust=digest(folder)).notes
    assert found == (
        f"m was logged with Python 3.8.1; this is {platform.python_version()}.",
        f"m was saved with numpy 1.2.3; installed is {np.__version__}. If it does not load or "
        "answers otherwise: pip install 'numpy==1.2.3', or save it again.",
    )


def test_program_that_fails_is_told_in_words(tmp_path: Path) -> None:
    """What a program lacks is said in one line, with the file that lists what it needs."""
    folder = program_folder(tmp_path)
    rewrite(folder, lambda told: pyfunc(told).update(loader_module="os"))
    with pytest.raises(ModelError) as caught:
        opened(folder, trust=digest(folder))
    message = str(caught.value)
    assert message.startswith("m: MLflow cannot load it: AttributeError: module 'os' has no ")
    assert f"pip install -r {folder / 'requirements.txt'}" in message
    assert "\n" not in message


def test_missing_extra_names_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without PyYAML, which comes with MLflow, the error names the install command."""
    folder = sklearn_folder(tmp_path)
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(MissingExtra) as caught:
        opened(folder)
    assert str(caught.value) == (
        "m (MLflow model folder) needs the extra 'mlflow': pip install 'podium[mlflow]'"
    )


def test_names_come_from_the_signature_where_the_file_has_none(tmp_path: Path) -> None:
    """A model that was trained on an array has the columns' names of its signature."""
    from mlflow.models import infer_signature
    from sklearn.linear_model import LinearRegression

    fitted = LinearRegression().fit(matrix(numbers(9)), matrix(numbers(9))[:, 0])
    named = table(numbers(5))[["c", "a", "b"]]
    folder = logged_estimator(fitted, tmp_path, signature=infer_signature(named))
    assert opened(folder).features == ("c", "a", "b")


def test_data_needs_no_mlflow_and_leaves_no_trace(tmp_path: Path) -> None:
    """Data is served without MLflow; a program leaves no file and asks no network."""
    build(BY_NAME["xgboost"], tmp_path / "data")
    build(BY_NAME["program-value"], tmp_path / "program")
    home = tmp_path / "home"
    home.mkdir()
    code = """
import socket
import sys
from pathlib import Path
def refuse(*_):
    print("the network was asked")
    raise OSError
socket.socket.connect = refuse
from podium.app import App
from podium.options import Options
App(Path(sys.argv[1])).predict([(0.1, 0.2, 0.3)], Options())
assert "mlflow" not in sys.modules
App(Path(sys.argv[2])).predict([(0.1, 0.2, 0.3)], Options())
assert "mlflow" in sys.modules
"""
    places = [str(tmp_path / "data"), str(tmp_path / "program")]
    # MLflow counts no uses under pytest or CI, which it knows by their variables.
    environment = {"HOME": str(home), "PATH": os.environ["PATH"], "PYTHONPATH": str(Path.cwd())}
    before = sorted(tmp_path.rglob("*"))
    done = subprocess.run(  # noqa: S603  the interpreter that runs this test
        [sys.executable, "-c", code, *places], capture_output=True, text=True, timeout=60,
        env=environment, cwd=home,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    made = [path for path in sorted(tmp_path.rglob("*")) if path not in before]
    assert [path for path in made if "__pycache__" not in path.parts] == []


def test_missing_text_is_none(tmp_path: Path) -> None:
    """A text that is missing is None in the program's DataFrame, not an empty text."""
    (tmp_path / "made.py").write_text(
        "import mlflow\n"
        "class Made(mlflow.pyfunc.PythonModel):\n"
        "    def predict(self, context, model_input, params=None):\n"
        "        return [value is None for value in model_input['colour']]\n"
        "mlflow.models.set_model(Made())\n"
    )
    told = [{"name": "colour", "type": "string", "required": False}]
    folder = rewrite(
        logged_code(tmp_path / "made.py", tmp_path),
        lambda found: found.update(signature={"inputs": json.dumps(told)}),
    )
    model = opened(folder, trust=digest(folder))
    found = model.predict({"colour": np.array(["red", "", "blue"], np.object_)})
    assert found["output"].tolist() == [False, True, False]


def test_program_of_torch_export(tmp_path: Path) -> None:
    """A folder of the PyTorch flavor in the format pt2 is data, served by PyTorch's runtime."""
    import mlflow.pytorch
    import torch

    net = torch.nn.Linear(3, 2)
    x = matrix(numbers(4)).astype(np.float32)
    options = {"input_example": x, "serialization_format": "pt2", "pip_requirements": ["torch"]}
    folder = logged(lambda path: mlflow.pytorch.save_model(net, path, **options), tmp_path)
    model = opened(folder)
    assert model.platform == "mlflow (torch.export)"
    (found,) = model.predict({model.inputs[0].name: x}).values()
    np.testing.assert_allclose(found, net(torch.tensor(x)).detach().numpy(), 0, 1e-6)


def test_tokenizer_that_lies_apart_is_found(tmp_path: Path) -> None:
    """MLflow keeps a tokenizer in a folder of its own; the model gets it."""
    import mlflow.transformers

    from tests.conformance.transformers_cases import bert, wordpiece

    parts = {"model": bert(), "tokenizer": wordpiece()}
    options = {"task": "text-classification", "pip_requirements": ["transformers"]}
    folder = logged(lambda path: mlflow.transformers.save_model(parts, path, **options), tmp_path)
    assert not list((folder / "model").glob("tokenizer*"))
    model = opened(folder)
    assert (model.platform, model.labels) == ("mlflow (transformers)", LABELS)
    asked = parts["tokenizer"](["good film"], return_tensors="pt")
    (found,) = model.predict({"text": np.array(["good film"], np.object_)}).values()
    expected = parts["model"](**asked).logits.detach().numpy()
    np.testing.assert_allclose(found, expected, 0, 1e-6)
