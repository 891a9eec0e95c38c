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
    return sum(not _is_sound(tree) for tree in _trees(estimator, set()))


def _is_sound(tree: Any) -> bool:
    """Whether every inner node leads on to later nodes and asks for a column that exists."""
    left: NDArray[np.intp] = tree.children_left
    right: NDArray[np.intp] = tree.children_right
    numbers = np.arange(tree.node_count)
    inner = left != _LEAF
    # Children that come later make each walk end, and stay inside the nodes.
    forward = (left > numbers) & (right > numbers)
    within = (left < tree.node_count) & (right < tree.node_count)
    column = (tree.feature >= 0) & (tree.feature < tree.n_features)
    return bool(tree.node_count > 0 and np.all(~inner | (forward & within & column)))


def _trees(thing: Any, seen: set[int]) -> Iterator[Any]:
    """Yield every tree that can be reached through attributes and containers."""
    if id(thing) in seen or isinstance(thing, (str, bytes, int, float, type(None))):
        return
    seen.add(id(thing))
    kind = type(thing)
    if f"{kind.__module__}.{kind.__qualname__}" == TREE:
        yield thing
        return
    for part in _parts(thing):
        yield from _trees(part, seen)


def _parts(thing: Any) -> Iterator[Any]:
    if isinstance(thing, dict):
        yield from thing.values()
    elif isinstance(thing, (list, tuple, set)):
        yield from thing
    elif isinstance(thing, np.ndarray):
        yield from thing.ravel() if thing.dtype == np.object_ else ()
    elif hasattr(thing, "__dict__"):
        yield from vars(thing).values()
