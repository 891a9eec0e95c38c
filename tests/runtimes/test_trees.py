"""The audit of trees: sound ones pass, each kind of forgery is counted."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from podium.runtimes.trees import damaged_trees

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
Y = (X[:, 0] + X[:, 1] > 0).astype(int)


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
        make_pipeline(StandardScaler(), RandomForestClassifier(3)),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_sound_trees(estimator: Any) -> None:
    """Whatever scikit-learn makes passes the audit."""
    assert damaged_trees(estimator.fit(X, Y)) == 0


def test_tree_of_one_leaf() -> None:
    """A tree that asks nothing is sound."""
    assert damaged_trees(DecisionTreeClassifier().fit(X, np.zeros(60))) == 0


def tree(**changes: Any) -> Any:
    """Return something like a tree of three nodes: a question and two leaves."""
    values: dict[str, Any] = {
        "children_left": [1, -1, -1],
        "children_right": [2, -1, -1],
        "feature": [0, -2, -2],
        "node_count": 3,
        "n_features": 3,
    }
    values |= changes
    arrays = {k: np.array(v) if isinstance(v, list) else v for k, v in values.items()}
    return SimpleNamespace(tree_=SimpleNamespace(**arrays), n_features_in_=3)


def test_smallest_question_is_sound() -> None:
    """The tree that the forgeries below start from is sound."""
    assert damaged_trees(tree()) == 0


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
        {"node_count": 0, "children_left": [], "children_right": [], "feature": []},
    ],
    ids=str,
)
def test_forged_trees(change: dict[str, Any]) -> None:
    """A child or a column out of bounds, a way back, half a leaf: each is one damaged tree."""
    assert damaged_trees(tree(**change)) == 1


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
    assert damaged_trees(things) == 5


def test_things_that_hold_each_other() -> None:
    """Attributes that lead in a circle are followed once."""
    first, second = SimpleNamespace(tree=tree(feature=[9, -2, -2])), SimpleNamespace()
    first.other, second.other = second, first
    assert damaged_trees(first) == 1


def test_ensemble_that_checks_for_other_columns() -> None:
    """A forest that lets more columns or fewer through than its trees take is damaged."""
    forest = RandomForestClassifier(3, random_state=0).fit(X, Y)
    forest.n_features_in_ = 2
    assert damaged_trees(forest) == 3
