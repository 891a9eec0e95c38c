"""The audit of trees: sound ones pass, each kind of forgery is counted."""

from __future__ import annotations

import copy
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from threadpoolctl import threadpool_limits

from podium.runtimes.sklearn.audit import reachable
from podium.runtimes.sklearn.trees import damaged_trees

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
Y = (X[:, 0] + X[:, 1] > 0).astype(int)


def damaged(estimator: Any) -> int:
    """Return how many trees are damaged in all that can be reached from an estimator."""
    return damaged_trees(reachable(estimator))


@pytest.mark.parametrize(
    "estimator",
    [
        DecisionTreeClassifier(),
        DecisionTreeRegressor(),
        DecisionTreeClassifier(max_depth=1),
        RandomForestClassifier(5),
        ExtraTreesRegressor(5),
        GradientBoostingClassifier(n_estimators=3),
        AdaBoostClassifier(n_estimators=3),
        BaggingClassifier(DecisionTreeClassifier(), 3, max_features=2),
        GradientBoostingClassifier(n_estimators=3, init="zero"),
        GradientBoostingRegressor(n_estimators=3, init=LinearRegression()),
        HistGradientBoostingClassifier(max_iter=3, categorical_features=[2]),
        HistGradientBoostingRegressor(max_iter=3),
        make_pipeline(StandardScaler(), RandomForestClassifier(3)),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_sound_trees(estimator: Any) -> None:
    """Whatever scikit-learn makes passes the audit."""
    x = np.column_stack([X[:, :2], np.arange(60) % 5])
    with threadpool_limits(1, "openmp"):  # its threads would wait for those of other tests
        assert damaged(estimator.fit(x, Y)) == 0


def test_tree_of_one_leaf() -> None:
    """A tree that asks nothing is sound."""
    assert damaged(DecisionTreeClassifier().fit(X, np.zeros(60))) == 0


def tree(**changes: Any) -> Any:
    """Return something like a tree of three nodes: a question and two leaves."""
    values: dict[str, Any] = {
        "children_left": [1, -1, -1],
        "children_right": [2, -1, -1],
        "feature": [0, -2, -2],
        "node_count": 3,
        "capacity": 3,
        "n_features": 3,
        "n_outputs": 1,
        "max_n_classes": 2,
    }
    values |= changes
    arrays = {k: np.array(v) if isinstance(v, list) else v for k, v in values.items()}
    return SimpleNamespace(tree_=SimpleNamespace(**arrays), n_features_in_=3)


def test_smallest_question_is_sound() -> None:
    """The tree that the forgeries below start from is sound."""
    assert damaged(tree()) == 0


@pytest.mark.parametrize(
    "change",
    [
        {"children_left": [3, -1, -1]},
        {"children_right": [3, -1, -1]},
        {"children_left": [0, -1, -1]},
        {"children_right": [0, -1, -1]},
        {"children_left": [-1, -1, -1]},
        {"children_right": [-1, -1, -1]},
        {"children_left": [-2, -1, -1]},
        {"children_left": [1, 0, -1], "children_right": [2, 2, -1], "feature": [0, 0, -2]},
        {"children_left": [1, 2, -1], "children_right": [2, 1, -1], "feature": [0, 0, -2]},
        {"feature": [3, -2, -2]},
        {"feature": [-1, -2, -2]},
        {"n_features": 4},
        {"n_features": 2},
        {"node_count": 4},
        {"n_outputs": 0},
        {"max_n_classes": 0},
        {"node_count": 0, "children_left": [], "children_right": [], "feature": []},
    ],
    ids=str,
)
def test_forged_trees(change: dict[str, Any]) -> None:
    """A child or a column out of bounds, a way back, half a leaf: each is one damaged tree."""
    assert damaged(tree(**change)) == 1


def test_damaged_trees_are_counted_wherever_they_are() -> None:
    """Trees in lists, tuples, dicts, arrays and attributes are all looked at, each once."""
    bad = tree(feature=[9, -2, -2])
    others = [tree(feature=[8, -2, -2]) for _ in range(4)]
    array = np.empty(2, np.object_)
    array[:] = [others[0], tree()]
    things = SimpleNamespace(
        steps=[("a", bad), ("b", {"c": others[1]})],
        grid=array,
        pair=(others[2], SimpleNamespace(inner=others[3])),
        again=bad,
    )
    assert damaged(things) == 5


def test_things_that_hold_each_other() -> None:
    """Attributes that lead in a circle are followed once."""
    first, second = SimpleNamespace(tree=tree(feature=[9, -2, -2])), SimpleNamespace()
    first.other, second.other = second, first
    assert damaged(first) == 1


def test_ensemble_that_checks_for_other_columns() -> None:
    """A forest that lets more columns or fewer through than its trees take is damaged."""
    forest = RandomForestClassifier(3, random_state=0).fit(X, Y)
    forest.n_features_in_ = 2
    assert damaged(forest) == 3


def histogram() -> Any:
    """Return a boosting whose trees ask for numbers and for a category."""
    return copy.deepcopy(_histogram())


@cache
def _histogram() -> Any:
    x = np.column_stack([X[:, :2], np.arange(60) % 5])
    y = x[:, 0] + (x[:, 2] == 3) * 20
    boosting = HistGradientBoostingRegressor(
        max_iter=4, max_depth=3, categorical_features=[2], min_samples_leaf=2
    )
    with threadpool_limits(1, "openmp"):
        return boosting.fit(x, y)


def nodes_of(boosting: Any, kind: str) -> tuple[Any, int]:
    """Return the nodes of a boosting's first tree that asks for `kind`, and which one asks."""
    for (tree,) in boosting._predictors:
        for index, node in enumerate(tree.nodes):
            if not node["is_leaf"] and bool(node["is_categorical"]) == (kind == "category"):
                return tree.nodes, index
    raise AssertionError(f"no tree asks for a {kind}")


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        ("number", "left", 10_000),
        ("number", "right", 10_000),
        ("number", "right", 0),
        ("number", "feature_idx", 3),
        ("number", "feature_idx", -1),
        ("number", "is_categorical", 1),
        ("category", "bitset_idx", 9_999),
        ("category", "feature_idx", 1),
    ],
)
def test_forged_histograms(kind: str, field: str, value: int) -> None:
    """A child, a column or a set of categories out of bounds is one damaged tree."""
    boosting = histogram()
    nodes, index = nodes_of(boosting, kind)
    nodes[field][index] = value
    assert damaged(boosting) == 1


def test_sets_of_categories_that_are_too_narrow() -> None:
    """A set of bits that does not hold all 256 categories is damaged."""
    boosting = histogram()
    (tree,) = boosting._predictors[0]
    tree.raw_left_cat_bitsets = tree.raw_left_cat_bitsets[:, :4]
    assert damaged(boosting) == 1


def test_boosting_with_more_trees_than_values() -> None:
    """A round with more trees than the boosting has values for is damaged."""
    boosting = histogram()
    boosting._predictors[0] *= 2
    assert damaged(boosting) == 1


def test_something_else_in_a_trees_place() -> None:
    """What cannot be looked at is damaged."""
    assert damaged(SimpleNamespace(tree_="a tree", n_features_in_=3)) == 1
