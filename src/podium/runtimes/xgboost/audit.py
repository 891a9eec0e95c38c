"""The audit of an XGBoost file, in the form in which `podium.runtimes.xgboost.ubjson` reads it.

XGBoost checks that a tree's arrays have the same length, and not what stands in them. What it
would follow out of its memory, or down until its stack ends, is found here before it is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from podium.runtimes.boosters import UnservedError, count, lead_on

Document = Mapping[str, Any]
MAX_DEPTH: Final = 10_000
"""How many levels a tree may have; XGBoost goes down some of them by recursion."""
_CATEGORIES: Final = 1 << 24
"""XGBoost's own limit of a category's code."""
_LEAF: Final = -1
_NO_PARENT: Final = 2**31 - 1


def audit(learner: Document) -> None:
    """Look at every number of a model that XGBoost would trust.

    Raises:
        ValueError: saying what is wrong; KeyError, TypeError, IndexError: a part is missing or
            of another form.
    """
    columns, groups = whole(learner, "num_feature"), groups_of(learner)
    booster = learner["gradient_booster"]
    _require(isinstance(learner["objective"]["name"], str), "it has no objective")
    if booster["name"] == "gblinear":
        _require(len(booster["model"]["weights"]) == (columns + 1) * groups, "weights are missing")
        return
    model = tree_model(learner)
    trees = model["trees"]
    _check_order(model, len(trees), groups)
    if "weight_drop" in booster:
        _require(len(booster["weight_drop"]) == len(trees), "the weights of trees are missing")
    for index, tree in enumerate(trees):
        try:
            _check_tree(tree, columns)
        except UnservedError:
            raise
        except ValueError as err:
            raise ValueError(f"tree {index}: {err}") from err


def tree_model(learner: Document) -> Document:
    """Return what holds the trees; DART has them one level further in."""
    booster = learner["gradient_booster"]
    found: Document = booster.get("gbtree", booster)["model"]
    return found


def whole(learner: Document, key: str, default: str = "0") -> int:
    """Return a whole number that stands as text in learner_model_param."""
    return count(learner["learner_model_param"].get(key, default))


def groups_of(learner: Document) -> int:
    """Return how many numbers an answer has: its classes, or its targets."""
    return max(1, whole(learner, "num_class")) * max(1, whole(learner, "num_target"))


def _check_order(model: Document, trees: int, groups: int) -> None:
    _require([tree["id"] for tree in model["trees"]] == list(range(trees)), "trees are missing")
    _require(groups <= max(1, trees), "a class has no tree")
    info = _whole_numbers(model["tree_info"])
    _require(len(info) == trees and _within(info, groups), "a tree belongs to no class")
    rounds = _whole_numbers(model.get("iteration_indptr", [0, trees]))
    steady = len(rounds) > 0 and rounds[0] == 0 and rounds[-1] == trees
    _require(steady and np.all(np.diff(rounds) >= 0), "rounds do not follow each other")


def _check_tree(tree: Document, columns: int) -> None:
    if tree["tree_param"]["size_leaf_vector"] not in ("0", "1"):
        raise UnservedError(
            "several numbers stand in one leaf, which Podium does not serve. Train the model with "
            "multi_strategy='one_output_per_tree'"
        )
    left, right, column, parents = (
        _whole_numbers(tree[key])
        for key in ("left_children", "right_children", "split_indices", "parents")
    )
    nodes = len(left)
    _require(len(right) == len(column) == len(parents) == nodes > 0, "nodes are missing")
    inner = np.flatnonzero(left != _LEAF)
    children = np.concatenate([left[inner], right[inner]])
    _require(lead_on(children, nodes), "its nodes lead outside of it or in a circle")
    _require(parents[0] == _NO_PARENT and _within(parents[1:], nodes), "a node's parent is missing")
    _require(np.all(parents[children] == np.tile(inner, 2)), "a node has another parent")
    _require(_within(column[inner], columns), "it asks for a column that is not there")
    _require(len(inner) < MAX_DEPTH or not _is_deep(left, right), "it is too deep")
    _check_categories(tree, nodes)


def _is_deep(left: NDArray[np.int64], right: NDArray[np.int64]) -> bool:
    level = np.zeros(1, np.int64)
    for _ in range(MAX_DEPTH):
        inner = level[left[level] != _LEAF]
        if not inner.size:
            return False
        level = np.concatenate([left[inner], right[inner]])
    return True


def _check_categories(tree: Document, nodes: int) -> None:
    numbers, codes, starts, sizes = (
        _whole_numbers(tree.get(key, []))
        for key in ("categories_nodes", "categories", "categories_segments", "categories_sizes")
    )
    kinds = _whole_numbers(tree.get("split_type", []))
    _require(len(numbers) == len(starts) == len(sizes), "categories are missing")
    _require(len(kinds) in (0, nodes) and _within(kinds, 2), "a node asks in an unknown way")
    _require(np.array_equal(numbers, np.flatnonzero(kinds)), "categories have no node of theirs")
    _require(_within(codes, _CATEGORIES), "a category's code is out of bounds")
    ends = starts + sizes
    sound = _within(starts, len(codes)) and np.all(sizes > 0) and np.all(ends <= len(codes))
    _require(sound, "categories lead outside of their list")


def _whole_numbers(values: Sequence[int] | NDArray[Any]) -> NDArray[np.int64]:
    array = np.asarray(values)
    _require(array.ndim == 1 and (array.dtype.kind in "iu" or not array.size), "no whole numbers")
    return array.astype(np.int64)


def _within(numbers: NDArray[np.int64], end: int) -> bool:
    return bool(np.all((numbers >= 0) & (numbers < end)))


def _require(holds: Any, told: str) -> None:
    if not holds:
        raise ValueError(told)
