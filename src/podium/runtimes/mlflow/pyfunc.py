"""MLflow's Python functions: programs, which MLflow loads once somebody has vouched for them."""

from __future__ import annotations

import logging
import os
import platform
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from podium.errors import ModelError
from podium.runtimes.base import Arrays, Model, Source, needs
from podium.runtimes.mlflow.mlmodel import MLmodel
from podium.runtimes.versions import mismatch

_NAMELESS: Final = (
    "has no signature, so that it gets a matrix without names. Log it with "
    "signature=infer_signature(inputs, outputs)."
)


def load_program(source: Source, told: MLmodel) -> Model:
    """Load a folder by the module that it names; its code runs.

    Raises:
        MissingExtra: MLflow is not installed.
        ModelError: it cannot be loaded.
    """
    with _quiet(), needs(source.file, "MLflow model", "mlflow"):
        import mlflow.pyfunc
    inputs = told.inputs
    notes = tuple(_notes(told))
    try:
        with _quiet():
            program = mlflow.pyfunc.load_model(str(source.file.resolve()), suppress_warnings=True)
    except Exception as err:  # whatever the maker's program raises
        why = f"{type(err).__name__}: {str(err).strip().partition(chr(10))[0]}"
        raise ModelError(
            f"{source.file.name}: MLflow cannot load it: {why}. Install what it was logged with: "
            f"pip install -r {source.file / 'requirements.txt'}. {' '.join(notes)}".rstrip()
        ) from err
    if not inputs:
        inputs = () if source.expects is None else (source.expects,)
        notes = (*notes, f"{source.file.name} {_NAMELESS}")
    return PyfuncModel(
        platform="mlflow (pyfunc)",
        inputs=inputs,
        labels=told.answers,
        notes=notes,
        program=program,
        columns=told.columns,
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep MLflow's advice off the terminal, and its count of uses off the network."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    with warnings.catch_warnings(record=True):  # it sets filters of its own
        warnings.simplefilter("ignore")
        yield
    logging.getLogger("mlflow").setLevel(logging.ERROR)


@dataclass(kw_only=True)
class PyfuncModel(Model):
    """A program that takes a DataFrame of `columns`; without any, an array or a dict of them."""

    program: Any
    columns: tuple[str, ...]

    def predict(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Return the program's numbers as "output", its texts as "label"."""
        return dict(_outputs(self.program.predict(self._given(inputs))))

    def _given(self, inputs: Arrays) -> Any:
        import pandas as pd

        if not self.columns:
            return next(iter(inputs.values())) if len(inputs) == 1 else dict(inputs)
        named = ((name or index, inputs[name or "X"]) for index, name in enumerate(self.columns))
        return pd.DataFrame({name: _series(values) for name, values in named})


def _series(values: NDArray[Any]) -> Any:
    """Return a column; a text that is missing is None in it."""
    import pandas as pd

    if values.dtype != np.object_:
        return pd.Series(values)
    return pd.Series([value or None for value in values], dtype=object)


def _outputs(found: Any) -> Iterator[tuple[str, NDArray[Any]]]:
    """Yield the arrays of an answer by their name; numbers side by side are one matrix."""
    import pandas as pd

    if isinstance(found, pd.DataFrame):
        found = _one_answer(found)
    if isinstance(found, Mapping):
        for name, values in found.items():
            yield str(name), np.asarray(values)
        return
    array = np.asarray(found)
    is_text = array.dtype.kind not in "fiub"
    yield ("label", array.astype(str).astype(np.object_)) if is_text else ("output", array)


def _one_answer(frame: Any) -> Any:
    """Return the column of labels, or all numbers; a single column of them without its axis."""
    import pandas as pd

    texts = [name for name in frame if not pd.api.types.is_numeric_dtype(frame[name])]
    if len(texts) > 1:
        names = ", ".join(map(str, texts))
        raise ModelError(f"The model answers {len(texts)} columns of text ({names}); expected one")
    if texts:
        return frame[texts[0]]
    return frame.to_numpy() if frame.shape[1] > 1 else frame.iloc[:, 0]


def _notes(told: MLmodel) -> Iterator[str]:
    """Yield what is installed in another version than the model was logged with."""
    saved, here = str(told.pyfunc.get("python_version", "")), platform.python_version()
    if saved and saved.split(".")[:2] != here.split(".")[:2]:
        yield f"{told.folder.name} was logged with Python {saved}; this is {here}."
    for package, version in told.pins.items():
        if package != "mlflow":
            yield from filter(None, [mismatch(told.folder.name, version, package)])
