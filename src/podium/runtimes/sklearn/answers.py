"""What a fitted estimator tells: votes, probabilities, a value with its variances, or a label."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from podium.runtimes.base import Task
from podium.runtimes.sklearn.steps import kinds_of

_FORESTS: Final = frozenset(
    ("RandomForestClassifier", "RandomForestRegressor", "ExtraTreesClassifier",
     "ExtraTreesRegressor")
)  # fmt: skip
_BAGGING: Final = frozenset(("BaggingClassifier", "BaggingRegressor"))
_VOTING: Final = frozenset(("VotingClassifier", "VotingRegressor"))
_BAYESIAN: Final = frozenset(("ARDRegression", "BayesianRidge"))
_ROWS: Final = 64
"""How many rows a kernel compares with one another at once."""

Ask = Callable[[Any], NDArray[Any]]


class Answer(NamedTuple):
    """The names of an estimator's outputs, and what makes an array for each of its input."""

    outputs: tuple[str, ...]
    ask: Callable[[Any], tuple[Any, ...]]


def find_answer(estimator: Any, task: Task) -> Answer:
    """Return what an estimator answers with, by what it can tell.

    Votes have the shape (batch, members, classes) or (batch, members); their mean is the
    estimator's own answer.
    """
    head, last = _split(estimator)
    members = _voters(last)
    if members is not None:
        return Answer(("votes",), lambda x: (members(head(x)),))
    if kinds_of(last) & _BAYESIAN:
        names = ("value", "variance", "epistemic_variance")
        return Answer(names, lambda x: _bayesian(last, head(x)))
    if "GaussianProcessRegressor" in kinds_of(last):
        white = _has_noise(last.kernel_)
        names = ("value", "epistemic_variance", *(("variance",) if white else ()))
        return Answer(names, lambda x: _gaussian(last, head(x), white))
    if task == "regression":
        return Answer(("value",), lambda x: (estimator.predict(x),))
    if hasattr(estimator, "predict_proba"):
        return Answer(("probabilities",), lambda x: (estimator.predict_proba(x),))
    return Answer(("label",), lambda x: (estimator.predict(x),))


def _split(estimator: Any) -> tuple[Ask, Any]:
    """Return an estimator's preprocessing and its last step."""
    if "Pipeline" not in kinds_of(estimator):
        return _as_it_is, estimator
    head = estimator[:-1]
    return head.transform if len(head.steps) else _as_it_is, estimator[-1]


def _as_it_is(x: Any) -> Any:
    return x


def _voters(estimator: Any) -> Ask | None:
    """Return what asks an estimator's members one by one; None where it has no equal ones."""
    kinds = kinds_of(estimator)
    if kinds & _FORESTS:
        return partial(_ask_trees, estimator)
    if kinds & _BAGGING:
        return partial(_ask_bagged, estimator)
    soft = getattr(estimator, "voting", "soft") == "soft"
    if kinds & _VOTING and soft and estimator.weights is None:
        return lambda x: np.stack([_told(one, x) for one in estimator.estimators_], axis=1)
    return None


def _ask_trees(forest: Any, x: Any) -> NDArray[np.float64]:
    # Trees compare in single precision: converted once, not once a tree.
    x = x.astype(np.float32).tocsr() if hasattr(x, "tocsr") else np.asarray(x, np.float32)
    return np.stack([_told(tree, x) for tree in forest.estimators_], axis=1)


def _ask_bagged(bagging: Any, x: Any) -> NDArray[np.float64]:
    """Ask each estimator with the columns that it knows."""
    x = x.tocsr() if hasattr(x, "tocsr") else np.asarray(x)
    pairs = zip(bagging.estimators_, bagging.estimators_features_, strict=True)
    told = [(one, _told(one, x[:, columns])) for one, columns in pairs]
    count = getattr(bagging, "n_classes_", None)
    return np.stack([_spread(one, found, count) for one, found in told], axis=1)


def _told(estimator: Any, x: Any) -> NDArray[Any]:
    tell = "predict_proba" if hasattr(estimator, "predict_proba") else "predict"
    return np.asarray(getattr(estimator, tell)(x))


def _spread(estimator: Any, found: NDArray[Any], count: int | None) -> NDArray[Any]:
    """Return probabilities over all classes: an estimator may have seen a part of them alone.

    One that tells a class, by its number, votes for it.
    """
    if count is None or found.shape[1:] == (count,):
        return found
    spread = np.zeros((len(found), count))
    if found.ndim == 1:
        spread[np.arange(len(found)), found] = 1
    else:
        spread[:, estimator.classes_] = found
    return spread


def _bayesian(model: Any, x: Any) -> tuple[Any, ...]:
    """Return value, noise and what the weights leave open; the std it tells has both in it."""
    value, std = model.predict(x, return_std=True)
    noise = np.full(len(value), 1 / model.alpha_)
    return value, noise, np.maximum(std**2 - noise, 0)


def _gaussian(process: Any, x: Any, white: bool) -> tuple[Any, ...]:
    """Return value and variance of the function, and that of the noise where a kernel has it."""
    value, std = process.predict(x, return_std=True)
    if not white:
        return value, std**2
    noise = _noise(process, np.asarray(x))
    return value, np.maximum(std**2 - noise, 0), noise


def _noise(process: Any, x: NDArray[Any]) -> NDArray[np.float64]:
    """Return the variance that the kernel gives a point, but not two points in the same place."""
    parts = [x[start : start + _ROWS] for start in range(0, len(x), _ROWS)]
    apart = np.concatenate([np.diag(process.kernel_(part, part)) for part in parts])
    return np.asarray((process.kernel_.diag(x) - apart) * process._y_train_std**2)


def _has_noise(kernel: Any) -> bool:
    return any("WhiteKernel" in kinds_of(part) for part in (kernel, *kernel.get_params().values()))
