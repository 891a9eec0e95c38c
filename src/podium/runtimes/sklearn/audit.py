"""The audit of an estimator that came from a file: data alone can still mislead compiled code.

A type that skops lets through tells nothing of what is in it. Where scikit-learn's compiled code
trusts the numbers of a fitted estimator, they are looked at here before anything is predicted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, Final

import numpy as np

from podium.runtimes.sklearn.trees import damaged_trees

_PLAIN: Final = (str, bytes, int, float, type(None))


def faults(estimator: Any) -> list[str]:
    """Return in words what in an estimator could lead scikit-learn out of its memory.

    The search trees of nearest neighbours are built again from their points.
    """
    things = list(reachable(estimator))
    found = [
        f"{type(thing).__name__}: {told}"
        for thing in things
        for check, told in _CHECKS.items()
        if not _holds(check, thing)
    ]
    trees = damaged_trees(things)
    found += [f"{trees} trees lead outside of themselves"] if trees else []
    return found or _build_searches(things)


def reachable(thing: Any) -> Iterator[Any]:
    """Yield everything that can be reached through attributes and containers, each once."""
    seen: dict[int, Any] = {}
    waiting = [thing]
    while waiting:
        one = waiting.pop()
        if id(one) not in seen and not isinstance(one, _PLAIN):
            seen[id(one)] = one
            waiting += _parts(one)
            yield one


def _parts(thing: Any) -> Iterator[Any]:
    if isinstance(thing, dict):
        yield from thing.values()
    elif isinstance(thing, (list, tuple, set)):
        yield from thing
    elif isinstance(thing, np.ndarray) and thing.dtype == np.object_:
        yield from thing.ravel()
    if hasattr(thing, "__dict__") and not isinstance(thing, type | np.ndarray):
        yield from vars(thing).values()


def _holds(check: Callable[[Any], bool], thing: Any) -> bool:
    try:
        return check(thing)
    except Exception:  # a forgery may lack anything, and have anything in its place
        return False


def _keeps_its_methods(thing: Any) -> bool:
    """Whether no attribute stands in the place of a method, such as one that checks the input."""
    if not hasattr(thing, "__dict__") or isinstance(thing, type | np.ndarray):
        return True
    return not any(callable(getattr(type(thing), name, None)) for name in vars(thing))


def _is_whole_matrix(thing: Any) -> bool:
    """Whether the indices of a sparse matrix stay inside of it."""
    from scipy.sparse import issparse

    if not issparse(thing):
        return True
    thing.check_format(full_check=True)
    return bool(thing.format == "csr")


def _is_whole_svm(thing: Any) -> bool:
    """Whether the arrays that libsvm reads have the lengths that it takes from one another."""
    from sklearn.svm._base import BaseLibSVM

    if not isinstance(thing, BaseLibSVM) or not hasattr(thing, "support_vectors_"):
        return True
    classes, vectors = len(thing._n_support), thing.support_vectors_.shape[0]
    pairs = classes * (classes - 1) // 2
    coefficients = thing._dual_coef_
    return bool(
        thing._impl == type(thing)._impl
        and thing.kernel in ("linear", "poly", "rbf", "sigmoid")  # others look rows up by number
        and classes >= 2
        and coefficients.shape == (classes - 1, vectors)
        and getattr(coefficients, "nnz", coefficients.size) == (classes - 1) * vectors
        and thing.support_.shape == (vectors,)
        and thing._intercept_.shape == (pairs,)
        and len(thing._probA) == len(thing._probB)
        and len(thing._probA) in (0, pairs)
        and np.min(thing._n_support) >= 0
        and (thing._impl.endswith("svr") or np.sum(thing._n_support) == vectors)
    )


def _encodes_every_column(thing: Any) -> bool:
    """Whether a HistGradientBoosting that encodes categories gives its trees all their columns."""
    from sklearn.compose import ColumnTransformer
    from sklearn.preprocessing import FunctionTransformer, OrdinalEncoder
    from sklearn.utils.validation import check_array

    own = getattr(thing, "_preprocessor", None)
    if own is None:
        return True
    (name, encoder, those), (other, numbers, others), *rest = own.transformers_
    indices = own._transformer_to_input_indices
    return (
        (type(own), type(encoder), type(numbers))
        == (ColumnTransformer, OrdinalEncoder, FunctionTransformer)
        and isinstance(numbers.func, partial)
        and numbers.func.func is check_array
        and numbers.func.keywords.keys() <= {"dtype", "ensure_all_finite"}
        and all(part == "drop" for _, part, _ in rest)
        and (np.sum(those), np.sum(others)) == (len(indices[name]), len(indices[other]))
        and len(indices[name]) + len(indices[other]) == thing.n_features_in_
    )


def _knows_its_neighbours(thing: Any) -> bool:
    """Whether a class is known of each point that may be a neighbour."""
    from sklearn.neighbors._base import NeighborsBase

    if not isinstance(thing, NeighborsBase) or not hasattr(thing, "classes_"):
        return True
    classes = thing.classes_ if isinstance(thing.classes_, list) else [thing.classes_]
    codes = np.asarray(thing._y).reshape(-1, len(classes))
    known = codes.shape[0] == thing._fit_X.shape[0] and codes.min() >= 0
    return bool(known and np.all(codes < [len(one) for one in classes]))


def _build_searches(things: Iterable[Any]) -> list[str]:
    """Build the search trees of nearest neighbours again; return what is wrong with them."""
    from sklearn.neighbors import BallTree, KDTree
    from sklearn.neighbors._base import NeighborsBase

    found = {id(thing) for thing in things if isinstance(thing, BallTree | KDTree)}
    for owner in [thing for thing in things if isinstance(thing, NeighborsBase)]:
        old = getattr(owner, "_tree", None)
        if old is None:
            continue
        metric, options = owner.effective_metric_, owner.effective_metric_params_
        try:
            owner._tree = type(old)(owner._fit_X, owner.leaf_size, metric=metric, **options)
        except Exception as err:  # whatever forged points or options cause
            return [f"{type(owner).__name__}: its neighbours cannot be searched: {err}"]
        found.discard(id(old))
    return ["a search tree belongs to nobody"] if found else []


_CHECKS: Final = {
    _keeps_its_methods: "an attribute stands in the place of a method",
    _is_whole_matrix: "its indices lead outside of it",
    _is_whole_svm: "its arrays do not belong together",
    _encodes_every_column: "its encoder does not make the columns that its trees take",
    _knows_its_neighbours: "its points and their classes do not belong together",
}
