"""The audit that makes decision trees from a file safe to walk.

scikit-learn follows a tree's node numbers without looking at their bounds, so that a forged
file could make it read outside its memory (skops 0.16 therefore no longer trusts the types).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

TREE: Final = "sklearn.tree._tree.Tree"
HISTOGRAM_TREE: Final = "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"
_LEAF: Final = -1


def damaged_trees(things: Iterable[Any]) -> int:
    """Return how many of the trees in an estimator's parts would be walked out of their bounds."""
    return sum(map(_damaged, things))


def _damaged(thing: Any) -> int:
    try:
        wrong = hasattr(thing, "tree_") and not _is_sound(thing.tree_, thing.n_features_in_)
        wrong |= hasattr(thing, "n_trees_per_iteration_") and not _keeps_width(thing)
        members = _misfits(thing)
        rounds = getattr(thing, "_predictors", None) or ()
        hidden = sum(not _is_sound_histogram(one, thing) for round_ in rounds for one in round_)
    except Exception:  # a forgery may lack anything, and have anything in its place
        return 1
    return int(wrong) + members + hidden


def _is_sound(tree: Any, columns: int) -> bool:
    """Whether every inner node leads on to later nodes and asks for a column that exists."""
    if not 0 < tree.node_count <= tree.capacity or tree.n_features != columns:
        return False
    if tree.n_outputs < 1 or tree.max_n_classes < 1:
        return False
    left: NDArray[np.intp] = tree.children_left
    right: NDArray[np.intp] = tree.children_right
    inner = (left != _LEAF) | (right != _LEAF)
    return _leads_on(left, right, inner) and _asks(tree.feature[inner], columns)


def _is_sound_histogram(tree: Any, boosting: Any) -> bool:
    """The same of a tree of HistGradientBoosting, whose categories stand in sets of bits."""
    nodes, bits = tree.nodes, tree.raw_left_cat_bitsets
    inner = nodes["is_leaf"] == 0
    asking = inner & (nodes["is_categorical"] != 0)
    mapper = boosting._bin_mapper
    kinds = np.asarray(mapper.is_categorical_)
    return (
        len(nodes) > 0
        and kinds.shape == (boosting.n_features_in_,)
        and _leads_on(nodes["left"].astype(np.int64), nodes["right"].astype(np.int64), inner)
        and _asks(nodes["feature_idx"][inner], boosting.n_features_in_)
        and bits.ndim == 2
        and bits.shape[1] == 8
        and bool(np.all(nodes["bitset_idx"][asking] < len(bits)))
        and bool(np.all(kinds[nodes["feature_idx"][asking]]))
    )


def _leads_on(left: NDArray[Any], right: NDArray[Any], inner: NDArray[np.bool_]) -> bool:
    """Whether children come later, which makes each walk end, and stay inside the nodes."""
    numbers = np.arange(len(inner))
    forward = (left > numbers) & (right > numbers)
    within = (left < len(inner)) & (right < len(inner))
    return bool(np.all(~inner | (forward & within)))


def _asks(feature: NDArray[Any], columns: int) -> bool:
    return bool(np.all((feature >= 0) & (feature < columns)))


def _keeps_width(boosting: Any) -> bool:
    """Whether a gradient boosting has a place for what each of its trees adds."""
    width = boosting.n_trees_per_iteration_
    if not hasattr(boosting, "init_"):
        return all(len(round_) == width for round_ in boosting._predictors)
    zeros = np.zeros((1, boosting.n_features_in_), np.float32)
    return bool(boosting.estimators_.shape[1] == boosting._raw_predict_init(zeros).shape[1])


def _misfits(ensemble: Any) -> int:
    """Return how many trees of an ensemble take other columns than it checks its input for."""
    members = getattr(ensemble, "estimators_", None)
    if members is None or hasattr(ensemble, "estimators_features_"):
        return 0
    trees = [one for one in np.ravel(np.array(members, np.object_)) if hasattr(one, "tree_")]
    return sum(one.n_features_in_ != ensemble.n_features_in_ for one in trees)
