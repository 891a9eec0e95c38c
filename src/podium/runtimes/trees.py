"""The audit that makes a decision tree from a file safe to walk.

scikit-learn follows a tree's node numbers without looking at their bounds, so that a forged
file could make it read outside its memory (skops 0.16 therefore no longer trusts the type).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

TREE: Final = "sklearn.tree._tree.Tree"
_LEAF: Final = -1


def damaged_trees(estimator: Any) -> int:
    """Return how many of the trees within an estimator would be walked out of their bounds."""
    things = list(_reachable(estimator, set()))
    wrong = sum(not _is_sound(thing.tree_, thing.n_features_in_)
                for thing in things if hasattr(thing, "tree_"))  # fmt: skip
    return wrong + sum(map(_misfits, things))


def _is_sound(tree: Any, columns: int) -> bool:
    """Whether every inner node leads on to later nodes and asks for a column that exists."""
    left: NDArray[np.intp] = tree.children_left
    right: NDArray[np.intp] = tree.children_right
    numbers = np.arange(tree.node_count)
    inner = (left != _LEAF) | (right != _LEAF)
    # Children that come later make each walk end, and stay inside the nodes.
    forward = (left > numbers) & (right > numbers)
    within = (left < tree.node_count) & (right < tree.node_count)
    column = (tree.feature >= 0) & (tree.feature < columns)
    return bool(
        tree.node_count > 0
        and tree.n_features == columns
        and np.all(~inner | (forward & within & column))
    )


def _misfits(ensemble: Any) -> int:
    """Return how many trees of an ensemble take other columns than it checks its input for."""
    members = getattr(ensemble, "estimators_", None)
    if members is None or hasattr(ensemble, "estimators_features_"):
        return 0
    trees = [one for one in np.ravel(np.array(members, np.object_)) if hasattr(one, "tree_")]
    return sum(one.n_features_in_ != ensemble.n_features_in_ for one in trees)


def _reachable(thing: Any, seen: set[int]) -> Iterator[Any]:
    """Yield everything that can be reached through attributes and containers."""
    if id(thing) in seen or isinstance(thing, (str, bytes, int, float, type(None))):
        return
    seen.add(id(thing))
    yield thing
    for part in _parts(thing):
        yield from _reachable(part, seen)


def _parts(thing: Any) -> Iterator[Any]:
    if isinstance(thing, dict):
        yield from thing.values()
    elif isinstance(thing, (list, tuple, set)):
        yield from thing
    elif isinstance(thing, np.ndarray):
        yield from thing.ravel() if thing.dtype == np.object_ else ()
    elif hasattr(thing, "__dict__"):
        yield from vars(thing).values()
