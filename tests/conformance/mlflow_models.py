"""The makers' own models of the MLflow cases; a pickle names them by this module."""

from __future__ import annotations

from typing import Any, Final

import mlflow.pyfunc
import numpy as np
import pandas as pd

NAMES: Final = ("middle", "right", "left")


class Shares(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """A maker's own model: a share for each class, by the width and the colour."""

    def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:  # noqa: ARG002
        """Return a DataFrame with one column a class."""
        colour = model_input["colour"].map({"red": 1.0, "green": 2.0, "blue": 3.0}).fillna(0.5)
        width = model_input["width"].fillna(0.0) + model_input["count"] + model_input["flag"]
        scores = np.exp(np.stack([width / 3, colour, colour * 0 + 1.5], axis=1))
        return pd.DataFrame(scores / scores.sum(axis=1, keepdims=True), columns=list(NAMES))


class Likeliest(Shares):
    """The same, which tells a label alone."""

    def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
        """Return a Series of labels."""
        return super().predict(context, model_input, params).idxmax(axis=1)


class Sum(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """A maker's own regression."""

    def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:  # noqa: ARG002
        """Return a list of numbers."""
        return (model_input["a"] + 2 * model_input["b"] * model_input["c"]).tolist()


class Rows(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """A maker's own model of a matrix."""

    def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:  # noqa: ARG002
        """Return the sum of each row."""
        return np.asarray(model_input).sum(axis=1)
