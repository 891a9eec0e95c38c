"""scikit-learn estimators: saved by skops they are data, as pickles programs."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from podium.errors import ModelError, PodiumError
from podium.runtimes.base import Arrays, Model, Source, Task, TensorSpec, needs
from podium.runtimes.sklearn import pickles
from podium.runtimes.sklearn.answers import Answer, find_answer
from podium.runtimes.sklearn.audit import reachable
from podium.runtimes.sklearn.columns import Table
from podium.runtimes.sklearn.skops_file import load_skops
from podium.runtimes.sklearn.steps import VECTORIZERS, kinds_of, table_of, vectorizer_of

_FLOAT: Final = np.dtype(np.float64)
_TEXT: Final = TensorSpec("text", np.dtype(np.object_), (None,))
_CHATTER: Final = (
    "X does not have valid feature names",  # podium.toml names a matrix's columns
    "Skipping features without any observed values",
    "Found unknown categories",
    "Predicted variances smaller than 0",  # by rounding, in a Gaussian process
)
"""Warnings of each prediction that tell the operator nothing."""
_GREEDY: Final = frozenset(("BaseHistGradientBoosting", "NeighborsBase"))
"""Estimators whose compiled code would take all processors for one row."""


def load(source: Source) -> SklearnModel:
    """Load an estimator from a skops archive, or from a pickle that the maker vouches for.

    Raises:
        MissingExtra: scikit-learn or skops is not installed.
        UntrustedModel: the file holds types outside the safe list, or is a pickle that nobody
            vouches for.
        ModelError: it is no estimator, or cannot be read.
    """
    for message in _CHATTER:
        warnings.filterwarnings("ignore", message)
    estimator, notes = load_estimator(source)
    try:
        return _adapt(source, estimator, notes)
    except PodiumError:
        raise
    except Exception as err:  # an estimator may lack whatever fitting gives it
        name = type(estimator).__name__
        raise ModelError(f"{source.file.name}: the {name} cannot be used: {err!r}") from err


def load_estimator(source: Source) -> tuple[Any, tuple[str, ...]]:
    """Return the fitted estimator in a file, and notes on its version; a search's best one.

    Raises:
        ModelError: as `load` says.
    """
    file = source.file
    pickled = _is_pickle(file)
    with needs(file, "scikit-learn model", "sklearn"):
        import sklearn.base  # noqa: F401  what is missing is said before anything else

        import_module("joblib" if pickled else "skops.io")
    estimator, notes = pickles.load_pickle(source) if pickled else load_skops(file)
    for part in reachable(estimator):
        _tame(source, part)
    return _best(file, estimator), notes


def files(file: Path) -> tuple[Path, ...]:
    """Return the file alone: it refers to no other."""
    return (file,)


def check_trust(source: Source) -> None:
    """Raise UntrustedModel if the file is a pickle for which nobody vouches."""
    if _is_pickle(source.file):
        pickles.check_trust(source)


def export_onnx(source: Source, _example: Arrays, file: Path) -> None:
    """Write the estimator as an ONNX graph to `file`, with the inputs that it has here.

    Raises:
        MissingExtra: skl2onnx is not installed.
        ModelError: it cannot be exported.
    """
    from podium.runtimes.sklearn.export import write_graph

    with needs(source.file, "export to ONNX", "optimize"):
        write_graph(source.file, load(source), file)


@dataclass(kw_only=True)
class SklearnModel(Model):
    """A fitted estimator; `table` is what it takes where that is neither a matrix nor texts.

    It answers under `limited`, with no more threads than it may have; a forest with the votes of
    its trees.
    """

    estimator: Any
    table: Table | None
    answer: Answer
    limited: Callable[[], AbstractContextManager[object]]

    def predict(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Return votes (batch, members, ...), probabilities (batch, classes), label or value."""
        with self.limited():
            found = [np.asarray(told) for told in self.answer.ask(self._given(inputs))]
        # A class may be a number such as 1.0; as a label it is a name.
        return {name: told.astype(str).astype(np.object_) if name == "label" else told
                for name, told in zip(self.answer.outputs, found, strict=True)}  # fmt: skip

    def _given(self, inputs: Arrays) -> Any:
        if self.table is not None:
            return self.table.fill(inputs)
        given = inputs[self.inputs[0].name]
        return given.tolist() if self.inputs[0] == _TEXT else given


def _tame(source: Source, part: Any) -> None:
    """Keep a part of an estimator from starting processes; refuse one that reads files."""
    if hasattr(part, "n_jobs"):
        own = type(part).__module__.startswith("sklearn.")
        part.n_jobs = None if own else source.threads
    if kinds_of(part) & VECTORIZERS and part.input != "content":
        raise ModelError(
            f"{source.file.name}: its {type(part).__name__} takes a text for the name of a file "
            'to read. Train it with input="content".'
        )


def _best(file: Path, estimator: Any) -> Any:
    """Return the estimator that a search such as GridSearchCV has found, or the one itself."""
    if "BaseSearchCV" not in kinds_of(estimator):
        return estimator
    if not hasattr(estimator, "best_estimator_"):
        raise ModelError(f"{file.name}: the {type(estimator).__name__} is not fitted")
    return estimator.best_estimator_


def _is_pickle(file: Path) -> bool:
    return file.suffix.lower() != ".skops" and not zipfile.is_zipfile(file)


def _adapt(source: Source, estimator: Any, notes: tuple[str, ...]) -> SklearnModel:
    task = _task(source.file, estimator)
    _check_booster(source.file, estimator)
    text = vectorizer_of(estimator) is not None
    table = None if text else table_of(estimator)
    if table is not None and table.named:
        with needs(source.file, "scikit-learn model of a DataFrame", "sklearn"):
            import_module("pandas")
    answer = find_answer(estimator, task)
    features = () if table else tuple(map(str, getattr(estimator, "feature_names_in_", ())))
    return SklearnModel(
        platform="sklearn",
        inputs=(_TEXT,) if text else table.inputs if table else (_matrix(estimator),),
        outputs=tuple(TensorSpec(name, _FLOAT, (None,)) for name in answer.outputs),
        task=task,
        labels=tuple(map(str, getattr(estimator, "classes_", ()))),
        features=features,
        notes=notes,
        estimator=estimator,
        table=table,
        answer=answer,
        limited=_limit(estimator, source.threads),
    )


def _limit(estimator: Any, threads: int) -> Callable[[], AbstractContextManager[object]]:
    """Return what holds the OpenMP threads of those estimators down that would take all."""
    from threadpoolctl import ThreadpoolController

    if not any(kinds_of(part) & _GREEDY for part in reachable(estimator)):
        return nullcontext
    return partial(ThreadpoolController().select(user_api="openmp").limit, limits=threads)


def _task(file: Path, estimator: Any) -> Task:
    """Return what the estimator answers.

    Raises:
        ModelError: it is no fitted classifier or regressor, or answers several targets at once.
    """
    from sklearn.base import is_classifier, is_regressor
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    name = type(estimator).__name__
    if not hasattr(estimator, "predict") or not (
        is_classifier(estimator) or is_regressor(estimator)
    ):
        raise ModelError(f"{file.name}: {name} is no classifier or regressor")
    try:
        check_is_fitted(estimator)
    except NotFittedError as err:
        raise ModelError(f"{file.name}: the {name} is not fitted") from err
    if _has_several_targets(estimator):
        raise ModelError(
            f"{file.name}: the {name} answers several targets at once; Podium serves one. Train "
            "a model for each."
        )
    return "classification" if is_classifier(estimator) else "regression"


def _has_several_targets(estimator: Any) -> bool:
    last = estimator[-1] if "Pipeline" in kinds_of(estimator) else estimator
    coded = getattr(getattr(last, "_label_binarizer", None), "y_type_", "")
    several = isinstance(getattr(last, "classes_", None), list)
    return several or getattr(last, "multilabel_", False) or coded.startswith("multilabel")


def _check_booster(file: Path, estimator: Any) -> None:
    """Refuse a pickled XGBoost or LightGBM model whose own file alone tells its categories."""
    kinds = estimator.get_booster().feature_types if hasattr(estimator, "get_booster") else None
    if getattr(getattr(estimator, "_Booster", None), "pandas_categorical", None):
        way = 'model.booster_.save_model("model.txt")'
    elif "c" in (kinds or ()):
        way = 'model.save_model("model.json")'
    else:
        return
    raise ModelError(f"{file.name}: its categories are not told apart in a pickle. Save it: {way}")


def _matrix(estimator: Any) -> TensorSpec:
    return TensorSpec("X", _FLOAT, (None, int(estimator.n_features_in_)))
