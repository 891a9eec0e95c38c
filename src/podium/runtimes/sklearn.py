"""scikit-learn estimators saved by skops: types are audited before anything is made."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from podium.errors import ModelError, UntrustedModel
from podium.runtimes.base import Arrays, Model, Source, Task, TensorSpec, needs
from podium.runtimes.trees import TREE, damaged_trees

_FLOAT = np.dtype(np.float64)
_TRUSTED: Final = (TREE, "numpy.dtype")
"""Types beyond skops' own list that hold data only; trees are audited after loading."""


def load(source: Source) -> Model:
    """Load a .skops file.

    Raises:
        MissingExtra: scikit-learn or skops is not installed.
        UntrustedModel: the file holds types outside skops' safe list.
        ModelError: it is no estimator, or cannot be read.
    """
    with needs(source.file, "scikit-learn model in skops", "sklearn"):
        import skops.io  # noqa: F401  what is missing is said before anything else
    # Podium hands over a matrix, whose columns the maker's podium.toml names.
    warnings.filterwarnings("ignore", "X does not have valid feature names")
    return _adapt(source.file, _load_audited(source.file))


def files(file: Path) -> tuple[Path, ...]:
    """Return the file alone: a .skops archive refers to no other."""
    return (file,)


def _load_audited(file: Path) -> Any:
    import skops.io

    try:
        untrusted = set(skops.io.get_untrusted_types(file=file)) - set(_TRUSTED)
        if not untrusted:
            estimator = skops.io.load(file, trusted=list(_TRUSTED))
    except Exception as err:  # skops passes on whatever a damaged archive causes
        raise ModelError(f"{file.name}: skops cannot read it: {err!r}") from err
    if untrusted:
        raise UntrustedModel(
            f"{file.name} holds types that could run code: {', '.join(sorted(untrusted))}. "
            "Save a model of scikit-learn's own classes with skops.io.dump."
        )
    if damaged_trees(estimator):
        raise UntrustedModel(
            f"{file.name}: {damaged_trees(estimator)} trees lead outside of themselves; the file "
            "is damaged or forged. Save the model again."
        )
    return estimator


def _adapt(file: Path, estimator: Any) -> Model:
    from sklearn.base import is_classifier, is_regressor

    if not hasattr(estimator, "predict") or not (
        is_classifier(estimator) or is_regressor(estimator)
    ):
        raise ModelError(f"{file.name}: {type(estimator).__name__} is no classifier or regressor")
    if getattr(estimator, "n_features_in_", None) is None:
        raise ModelError(f"{file.name}: the {type(estimator).__name__} is not fitted")
    task: Task = "classification" if is_classifier(estimator) else "regression"
    output, answer = _answer(estimator, task)
    return SklearnModel(
        platform="sklearn",
        inputs=(TensorSpec("X", _FLOAT, (None, int(estimator.n_features_in_))),),
        outputs=(TensorSpec(output, _FLOAT, (None,)),),
        task=task,
        labels=tuple(map(str, getattr(estimator, "classes_", ()))),
        features=tuple(map(str, getattr(estimator, "feature_names_in_", ()))),
        output=output,
        answer=answer,
    )


@dataclass(kw_only=True)
class SklearnModel(Model):
    """A fitted estimator. A forest answers with the votes of its trees."""

    output: str
    answer: Callable[[Any], Any]

    def predict(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Return votes (batch, trees, ...), probabilities (batch, classes), label or value."""
        found = np.asarray(self.answer(inputs["X"]))
        # A class may be a number such as 1.0; as a label it is a name.
        return {self.output: found.astype(str).astype(np.object_)
                if self.output == "label" else found}  # fmt: skip


def _answer(estimator: Any, task: Task) -> tuple[str, Callable[[Any], Any]]:
    """Return the output's name and what makes it, by what the estimator can tell."""
    head, forest = _split(estimator)
    if forest is not None:
        return "votes", lambda x: _votes(forest, head(x))
    if task == "regression":
        return "value", estimator.predict
    if hasattr(estimator, "predict_proba"):
        return "probabilities", estimator.predict_proba
    return "label", estimator.predict


def _split(estimator: Any) -> tuple[Callable[[Any], Any], Any]:
    """Return an estimator's preprocessing and the forest behind it, or None."""
    from sklearn.ensemble import (
        ExtraTreesClassifier,
        ExtraTreesRegressor,
        RandomForestClassifier,
        RandomForestRegressor,
    )
    from sklearn.pipeline import Pipeline

    forests = (RandomForestClassifier, RandomForestRegressor,
               ExtraTreesClassifier, ExtraTreesRegressor)  # fmt: skip
    if isinstance(estimator, forests):
        return lambda x: x, estimator
    if isinstance(estimator, Pipeline) and isinstance(estimator[-1], forests):
        return estimator[:-1].transform, estimator[-1]
    return lambda x: x, None


def _votes(forest: Any, x: Any) -> NDArray[np.float64]:
    """Return each tree's answer, shape (batch, trees, classes) or (batch, trees)."""
    # Trees compare in single precision: converted once, not once a tree.
    x = np.asarray(x.toarray() if hasattr(x, "toarray") else x, np.float32)
    tell = "predict_proba" if hasattr(forest, "predict_proba") else "predict"
    return np.stack([getattr(tree, tell)(x) for tree in forest.estimators_], axis=1)
