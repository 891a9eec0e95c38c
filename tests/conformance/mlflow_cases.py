"""The cases of MLflow: folders that its flavors save, as data and, with trust, as programs."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import lightgbm
import numpy as np
import pandas as pd
import xgboost
import yaml
from numpy.typing import NDArray
from skl2onnx import to_onnx
from sklearn.linear_model import LogisticRegression

from podium.runtimes import Model, Source, load
from podium.runtimes.base import folder_files
from podium.runtimes.trust import sha256
from tests.conformance.cases import (
    LABELS,
    OPTIONAL_MIXED,
    Case,
    Inputs,
    Oracle,
    matrix,
    numbers,
    with_gaps,
)
from tests.conformance.lightgbm_cases import small
from tests.conformance.sklearn_cases import ORDER, training_set
from tests.conformance.xgboost_cases import ROWS, classes, values

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
with warnings.catch_warnings(record=True):
    warnings.simplefilter("ignore")  # MLflow gives advice, as warnings
    import mlflow.lightgbm
    import mlflow.onnx
    import mlflow.pyfunc
    import mlflow.sklearn
    import mlflow.xgboost
    from mlflow.models import infer_signature

    from tests.conformance.mlflow_models import Likeliest, Shares, Sum

FOLDER: Final = "models/m"
Save = Callable[[Path], object]
"""Save a folder at a path that does not exist yet."""


def table(inputs: Inputs) -> pd.DataFrame:
    """Return inputs of NUMBERS as a DataFrame."""
    return pd.DataFrame(matrix(inputs), columns=list("abc"))


def mixed_table(inputs: Inputs) -> pd.DataFrame:
    """Return inputs of OPTIONAL_MIXED as a DataFrame."""
    given = pd.DataFrame([dict.fromkeys(("width", "count", "flag", "colour")) | dict(one)
                          for one in inputs])  # fmt: skip
    return given.astype({"width": float, "count": "int64", "flag": bool, "colour": object})


def logged(save: Save, folder: Path) -> Path:
    """Return models/m in `folder`, as MLflow saves it."""
    path = folder / FOLDER
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("ignore")
        save(path)
    return path


def logged_estimator(estimator: Any, folder: Path, **options: Any) -> Path:
    """Return models/m in `folder` with a fitted estimator."""
    given = {"pip_requirements": ["scikit-learn"], **options}
    return logged(lambda path: mlflow.sklearn.save_model(estimator, path, **given), folder)


def logged_code(file: Path, folder: Path) -> Path:
    """Return models/m in `folder` with a model that is the code in `file`."""
    given = {"python_model": file, "pip_requirements": ["pandas"]}
    return logged(lambda path: mlflow.pyfunc.save_model(path, **given), folder)


def digest(folder: Path) -> str:
    """Return what vouches for a folder."""
    return sha256(folder, folder_files(folder))


def save_sklearn(path: Path, **options: Any) -> Any:
    """Save a classifier of NUMBERS with the sklearn flavor, and return it."""
    x, y = training_set()
    fitted = LogisticRegression().fit(pd.DataFrame(x, columns=list("abc")), y)
    signature = infer_signature(table(numbers(5)), fitted.predict(table(numbers(5))))
    given = {"signature": signature, "pip_requirements": ["scikit-learn"]}
    mlflow.sklearn.save_model(fitted, path, **{**given, **options})
    return fitted


def save_program(path: Path, model: Any, inputs: Inputs, **options: Any) -> None:
    """Save a maker's own model, with the signature of what it answers to `inputs`."""
    given = table(inputs) if "a" in inputs[0] else mixed_table(inputs)
    answer = model.predict(None, given)
    signature = infer_signature(given, np.array(answer) if isinstance(answer, list) else answer)
    own = {"signature": signature, "pip_requirements": ["pandas"]}
    mlflow.pyfunc.save_model(path, python_model=model, **{**own, **options})


def opened(folder: Path, **options: Any) -> Model:
    """Load a folder as an application around it would."""
    return load(Source(file=folder, root=folder.parent.parent, **options))


def sklearn_folder(folder: Path, **options: Any) -> Path:
    """Return models/m with a scikit-learn model, in skops by default."""
    return logged(lambda path: save_sklearn(path, **options), folder)


def program_folder(folder: Path, model: Any = None, **options: Any) -> Path:
    """Return models/m with a maker's own model."""
    return logged(lambda path: save_program(path, model or Sum(), numbers(5), **options), folder)


def rewrite(folder: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """Change what MLmodel says."""
    file = folder / "MLmodel"
    told = yaml.safe_load(file.read_text())
    change(told)
    file.write_text(yaml.safe_dump(told))
    return folder


def pyfunc(told: dict[str, Any]) -> dict[str, Any]:
    """Return what MLmodel says of the Python function."""
    found: dict[str, Any] = told["flavors"]["python_function"]
    return found


def _sklearn(folder: Path) -> Oracle:
    fitted: list[Any] = []
    logged(lambda path: fitted.append(save_sklearn(path)), folder)
    order = [list(fitted[0].classes_).index(label) for label in ORDER]
    return lambda inputs: np.asarray(fitted[0].predict_proba(table(inputs)))[:, order]


def _xgboost(folder: Path) -> Oracle:
    x = table(numbers(ROWS))
    fitted = xgboost.XGBClassifier(n_estimators=5, max_depth=3, n_jobs=1)
    fitted.fit(x, classes(x.to_numpy(), 3))
    options = {"pip_requirements": ["xgboost"], "signature": infer_signature(x, fitted.predict(x))}
    logged(lambda path: mlflow.xgboost.save_model(fitted, path, **options), folder)
    return lambda inputs: np.asarray(fitted.predict_proba(table(inputs)), np.float64)


def _lightgbm(folder: Path) -> Oracle:
    x = table(numbers(ROWS))
    fitted = small(lightgbm.LGBMRegressor).fit(x, values(x.to_numpy()))
    options = {"pip_requirements": ["lightgbm"]}
    logged(lambda path: mlflow.lightgbm.save_model(fitted.booster_, path, **options), folder)
    return lambda inputs: np.asarray(fitted.predict(table(inputs)))


def _lightgbm_wrapper(folder: Path) -> Oracle:
    x = table(numbers(ROWS))
    fitted = small(lightgbm.LGBMClassifier).fit(x, np.array(LABELS)[classes(x.to_numpy(), 3)])
    options = {"pip_requirements": ["lightgbm"]}
    logged(lambda path: mlflow.lightgbm.save_model(fitted, path, **options), folder)
    order = [list(fitted.classes_).index(label) for label in ORDER]
    return lambda inputs: np.asarray(fitted.predict_proba(table(inputs)))[:, order]


def _onnx(folder: Path) -> Oracle:
    x, y = training_set()
    fitted = LogisticRegression().fit(x, y)
    graph = to_onnx(fitted, x[:1].astype(np.float32))
    options = {"pip_requirements": ["onnx"]}
    logged(lambda path: mlflow.onnx.save_model(graph, path, **options), folder)
    order = [list(fitted.classes_).index(label) for label in ORDER]
    return lambda inputs: np.asarray(fitted.predict_proba(matrix(inputs)))[:, order]


def _trusted(name: str, save: Save, oracle: Oracle, **options: Any) -> Case:
    """Return a case of a folder that podium.toml vouches for, by the bytes that are saved now."""
    with TemporaryDirectory() as place:
        folder = logged(save, Path(place))
        bodies = {file.relative_to(folder): file.read_bytes() for file in folder_files(folder)}
        trust = f'trust = "{digest(folder)}"'

    def write(into: Path) -> Oracle:
        for file, body in bodies.items():
            (into / FOLDER / file).parent.mkdir(parents=True, exist_ok=True)
            (into / FOLDER / file).write_bytes(body)
        return oracle

    return _case(name, write, model_toml=trust, **options)


def _pickled(inputs: Inputs) -> NDArray[Any]:
    x, y = training_set()
    fitted = LogisticRegression().fit(x, y)
    order = [list(fitted.classes_).index(label) for label in ORDER]
    return np.asarray(fitted.predict_proba(matrix(inputs)))[:, order]


def _shares(inputs: Inputs) -> NDArray[Any]:
    return np.asarray(Shares().predict(None, mixed_table(inputs)).to_numpy())


def _labels(inputs: Inputs) -> NDArray[Any]:
    found = Likeliest().predict(None, mixed_table(inputs))
    return np.array([[float(label == one) for label in ORDER] for one in found])


def _sums(inputs: Inputs) -> NDArray[Any]:
    return np.array(Sum().predict(None, table(inputs)))


def _case(name: str, write: Callable[[Path], Oracle], **options: Any) -> Case:
    given = {"inputs": numbers, "labels": ORDER, "names_labels": True, "tolerance": 1e-6}
    return Case(f"mlflow-{name}", FOLDER, write, **{**given, **options})


MIXED_TOML: Final = {"inputs": with_gaps, "inputs_toml": OPTIONAL_MIXED}
VALUE: Final = {"kind": "regression", "labels": (), "names_labels": False}

CASES = (
    _case("sklearn", _sklearn),
    _case("xgboost", _xgboost, labels=LABELS, names_labels=False),
    _case("lightgbm", _lightgbm, **VALUE),
    _case("lightgbm-wrapper", _lightgbm_wrapper),
    _case("onnx", _onnx),
    _trusted("pickle", lambda path: save_sklearn(path, serialization_format="pickle"), _pickled),
    _trusted("program", lambda path: save_program(path, Shares(), with_gaps(9)), _shares,
             **MIXED_TOML),
    _trusted("program-labels", lambda path: save_program(path, Likeliest(), with_gaps(9)), _labels,
             **MIXED_TOML, graded=False, names_labels=False),
    _trusted("program-value", lambda path: save_program(path, Sum(), numbers(9)), _sums, **VALUE),
)  # fmt: skip
