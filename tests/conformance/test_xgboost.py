"""What is special about XGBoost: its answers, what its files tell, and forged trees."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost

from podium.app import App
from podium.errors import MissingExtra, ModelError, UntrustedModel
from podium.options import Options
from podium.prediction import ClassPrediction, ClassUncertainty
from podium.runtimes import Model, Source, load
from podium.runtimes.xgboost.audit import MAX_DEPTH
from tests.conformance.cases import OPTIONAL_MIXED, build, matrix, numbers, rows_of
from tests.conformance.xgboost_cases import CASES, JSON, TWO, UBJ, classes, train, values

BY_NAME = {case.name.removeprefix("xgboost-"): case for case in CASES}
Document = dict[str, Any]
Change = Callable[[Document], object]


def three(x: Any) -> Any:
    """Return a class of three for each row."""
    return classes(x, 3)


def saved(folder: Path, booster: xgboost.Booster, name: str = "m.json") -> Path:
    """Write a Booster and return its file."""
    file = folder / name
    booster.save_model(file)
    return file


def forged(folder: Path, change: Change, **params: Any) -> Path:
    """Write a classifier of three classes as JSON, with a change in the document."""
    given = {"objective": "multi:softprob", "num_class": 3, "max_depth": 2, **params}
    file = saved(folder, train(given, three))
    document = json.loads(file.read_bytes())
    change(document)
    file.write_text(json.dumps(document))
    return file


def opened(file: Path) -> Model:
    """Load a model without an application."""
    return load(Source.alone(file))


def test_early_stopping_is_respected(tmp_path: Path) -> None:
    """The trees after the best iteration do not count, as in the scikit-learn wrapper."""
    built = build(BY_NAME["stopped-early"], tmp_path)
    booster = xgboost.Booster(model_file=built.app.folder / JSON)
    assert booster.best_iteration + 1 < booster.num_boosted_rounds()
    everything = booster.predict(xgboost.DMatrix(matrix(numbers(5)), nthread=1))
    assert np.abs(built.scores(numbers(5)) - everything).max() > 0.01


def test_hinge_tells_labels_alone(tmp_path: Path) -> None:
    """The hinge objective answers a label; all that it does not know is null."""
    case = BY_NAME["two"]
    app = build(case, tmp_path).app
    booster = train({"objective": "binary:hinge"}, lambda x: classes(x, 2))
    booster.save_model(tmp_path / UBJ)
    found = App(tmp_path).predict([tuple(row) for row in matrix(numbers(20))], Options())
    codes = booster.predict(xgboost.DMatrix(matrix(numbers(20)), nthread=1)).astype(int)
    assert set(codes) == {0, 1}
    assert found.predictions == [
        ClassPrediction(TWO[code], None, None, ClassUncertainty(), []) for code in codes
    ]
    assert app.names == ("m",)


def test_file_tells_what_it_is(tmp_path: Path) -> None:
    """The number of columns, their names, the task and the classes' number come from the file."""
    booster = train({"objective": "multi:softprob", "num_class": 3}, three)
    booster.feature_names = ["c", "a", "b"]
    model = opened(saved(tmp_path, booster, "m.ubj"))
    assert (model.platform, model.task, model.features, model.labels, model.notes) == (
        "xgboost", "classification", ("c", "a", "b"), (), ()
    )  # fmt: skip
    assert [spec.shape for spec in (*model.inputs, *model.outputs)] == [(None, 3), (None, 3)]


def test_columns_are_asked_for_in_their_order(tmp_path: Path) -> None:
    """podium.toml may list the features in another order than the file names them."""
    built = build(BY_NAME["classes"], tmp_path)
    x = matrix(numbers(150))
    booster = train({"objective": "multi:softprob", "num_class": 3}, three)
    booster.feature_names = ["c", "a", "b"]
    booster.save_model(tmp_path / UBJ)
    asked = xgboost.DMatrix(x[:5][:, [2, 0, 1]], feature_names=["c", "a", "b"], nthread=1)
    found = App(tmp_path).predict([tuple(row) for row in x[:5]], Options(top=3))
    labels = built.case.labels
    shares = [[one.probabilities[label] for label in labels] for one in found.predictions]  # type: ignore[union-attr,index]
    np.testing.assert_allclose(shares, booster.predict(asked), 0, 1e-6)


def test_named_categories_are_inputs_of_their_own(tmp_path: Path) -> None:
    """Where the file knows its categories, each column is an input, and texts are choices."""
    build(BY_NAME["categories"], tmp_path)
    told = [(spec.name, spec.dtype.kind, spec.choices) for spec in opened(tmp_path / UBJ).inputs]
    assert told == [("width", "f", ()), ("count", "f", ()), ("flag", "f", ()),
                    ("colour", "O", ("blue", "green", "red"))]  # fmt: skip


def test_categories_by_their_codes_are_a_note(tmp_path: Path) -> None:
    """Where the file does not know the names of its categories, a note says what it takes."""
    build(BY_NAME["codes"], tmp_path)
    assert opened(tmp_path / UBJ).notes == (
        "m.ubj has numbers for the categories of x3, not their names. List choices in the order of "
        'these numbers, from 0 (that of pandas is the alphabet\'s), or write kind = "integer".',
    )


def test_category_that_the_model_does_not_know(tmp_path: Path) -> None:
    """A choice of podium.toml that the model was not trained on is an error in words."""
    build(BY_NAME["categories"], tmp_path)
    text = (tmp_path / "podium.toml").read_text().replace('["red",', '["violet",')
    (tmp_path / "podium.toml").write_text(text)
    with pytest.raises(ModelError, match=r"'violet'; .*blue, green, red"):
        App(tmp_path).served()


def test_numbers_as_categories_are_choices(tmp_path: Path) -> None:
    """Categories that are numbers are asked for by their text."""
    import pandas as pd

    x = pd.DataFrame({"size": pd.Categorical([10, 20, 40] * 20), "a": np.arange(60.0)})
    fitted = xgboost.XGBRegressor(n_estimators=3, enable_categorical=True, n_jobs=1)
    fitted.fit(x, np.tile([1.0, 5.0, 3.0], 20))
    model = opened(saved(tmp_path, fitted.get_booster(), "m.ubj"))
    assert model.inputs[0].choices == ("10", "20", "40")
    texts = np.array(["40", "10", ""], np.object_)
    found = model.predict({"size": texts, "a": np.zeros(3)})["value"]
    asked = pd.DataFrame(
        {"size": pd.Categorical([40, 10, None], x["size"].cat.categories), "a": 0.0}
    )
    np.testing.assert_allclose(found, fitted.predict(asked), 0, 1e-6)


@pytest.mark.parametrize(
    ("objective", "y", "told"),
    [
        ("rank:ndcg", lambda x: classes(x, 2), r"m\.json ranks \(rank:ndcg\).*one query"),
        ("binary:logistic", lambda x: np.stack([classes(x, 2)] * 2, axis=1),
         r"m\.json tells 2 labels at once \(binary:logistic\), shape \[n, 2\]"),
    ],
)  # fmt: skip
def test_what_is_neither_class_nor_value(objective: str, y: Any, told: str, tmp_path: Path) -> None:
    """A model that ranks, or tells several labels at once, is refused in words."""
    x = matrix(numbers(60))
    data = xgboost.DMatrix(x, y(x), qid=np.zeros(60)) if "rank" in objective else None
    data = data or xgboost.DMatrix(x, y(x))
    booster = xgboost.train({"objective": objective, "max_depth": 2, "nthread": 1}, data, 2)
    with pytest.raises(ModelError, match=told):
        opened(saved(tmp_path, booster))


def test_several_values_are_an_error_that_names_the_shape(tmp_path: Path) -> None:
    """A regression of two targets fits no application; the error names the shape."""
    build(BY_NAME["regression"], tmp_path)
    booster = train({}, lambda x: np.stack([values(x)] * 2, axis=1))
    booster.save_model(tmp_path / UBJ)
    with pytest.raises(ModelError, match=r"one number an item.*value \[16, 2\]"):
        App(tmp_path).served()


def test_leaves_of_several_numbers_are_refused(tmp_path: Path) -> None:
    """The experimental trees with several numbers in a leaf are refused in words."""
    params = {"multi_strategy": "multi_output_tree", "tree_method": "hist"}
    booster = train(params, lambda x: np.stack([values(x)] * 2, axis=1))
    with pytest.raises(ModelError, match=r"several numbers stand in one leaf.*one_output_per_tree"):
        opened(saved(tmp_path, booster))


def test_other_version_is_a_note(tmp_path: Path) -> None:
    """A file of another version loads, and a note names both versions and the way out."""
    file = forged(tmp_path, lambda document: document.update(version=[2, 1, 4]))
    assert opened(file).notes == (
        f"m.json was saved with xgboost 2.1.4; installed is {xgboost.__version__}. If it does not "
        "load or answers otherwise: pip install 'xgboost==2.1.4', or save it again.",
    )


def test_unknown_objective_names_reason_and_versions(tmp_path: Path) -> None:
    """What XGBoost cannot load has its reason in one line, and both versions."""

    def change(document: Document) -> None:
        document["version"] = [9, 1, 0]
        document["learner"]["objective"]["name"] = "reg:future"

    with pytest.raises(ModelError) as caught:
        opened(forged(tmp_path, change))
    message = str(caught.value)
    assert message.startswith(
        "m.json: XGBoost cannot load it: Unknown objective function: `reg:future`. m.json was "
        "saved with xgboost 9.1.0; installed is "
    )
    assert "\n" not in message


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b'{"a": 1}', "m.json is no XGBoost model: it has no 'learner'"),
        (b"[1, 2]", r"m\.json is no XGBoost model: it does not begin with '\{'"),
        (b"binf\x00\x00\x00?\x03\x00", r"m\.json is no XGBoost model: .*old binary format"),
        (b"", "m.json is damaged"),
        (b'{"learner": {"learner": ' * 100_000, "m.json is damaged"),
        (b'{"learner": {}, "learner": {}}', "m.json is damaged.*twice"),
    ],
)
def test_other_content_is_told_in_words(body: bytes, told: str, tmp_path: Path) -> None:
    """What is no XGBoost model is told apart by its content."""
    file = tmp_path / "m.json"
    file.write_bytes(body)
    with pytest.raises(ModelError, match=told):
        opened(file)


def test_missing_package_names_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without XGBoost the error names the file, the format and the install command."""
    monkeypatch.setitem(sys.modules, "xgboost", None)
    with pytest.raises(MissingExtra) as caught:
        opened(tmp_path / "m.ubj")
    assert str(caught.value) == (
        "m.ubj (XGBoost model) needs the extra 'xgboost': pip install 'podium[xgboost]'"
    )


def _tree(document: Document) -> Document:
    found: Document = _model(document)["trees"][0]
    return found


def _model(document: Document) -> Document:
    booster = document["learner"]["gradient_booster"]
    found: Document = booster.get("gbtree", booster)["model"]
    return found


def _put(field: str, node: int, value: object) -> Change:
    return lambda document: _tree(document)[field].__setitem__(node, value)


def _set(**fields: object) -> Change:
    return lambda document: _tree(document).update(fields)


def _with_category(**fields: list[int]) -> Change:
    sound = {"categories": [1], "categories_nodes": [0], "categories_segments": [0],
             "categories_sizes": [1], **fields}  # fmt: skip
    return lambda document: _tree(document).update(split_type=[1, 0, 0, 0, 0, 0, 0], **sound)


FORGERIES: dict[str, tuple[Change, str]] = {
    "child-far": (_put("left_children", 0, 10_000), "lead outside"),
    "child-below": (_put("right_children", 0, -7), "lead outside"),
    "child-is-root": (_put("left_children", 1, 0), "in a circle"),
    "child-is-parent": (_put("left_children", 1, 1), "in a circle"),
    "child-of-two": (_put("left_children", 1, 2), "in a circle"),
    "child-wraps": (_put("left_children", 0, 2**32 + 1), "lead outside"),
    "child-no-number": (_put("left_children", 0, "1"), "no whole numbers"),
    "child-half": (_put("left_children", 0, 1.5), "no whole numbers"),
    "column-far": (_put("split_indices", 0, 10**7), "column"),
    "column-next": (_put("split_indices", 0, 3), "column"),
    "column-below": (_put("split_indices", 0, -5), "column"),
    "parent-far": (_put("parents", 3, 10**7), "parent"),
    "parent-other": (_put("parents", 3, 2), "parent"),
    "parent-of-root": (_put("parents", 0, 5), "parent"),
    "nodes-short": (_set(left_children=[1]), "nodes are missing"),
    "nodes-none": (_set(left_children=[], right_children=[], split_indices=[], parents=[]),
                   "nodes are missing"),
    "tree-twice": (_set(id=1), "trees are missing"),
    "class-far": (lambda d: _model(d)["tree_info"].__setitem__(0, 10**6), "no class"),
    "class-below": (lambda d: _model(d)["tree_info"].__setitem__(0, -1), "no class"),
    "rounds-below": (lambda d: _model(d).update(iteration_indptr=[0, -5, 12]), "rounds"),
    "columns-fewer": (lambda d: d["learner"]["learner_model_param"].update(num_feature="1"),
                      "column"),
    "classes-many": (lambda d: d["learner"]["learner_model_param"].update(num_class="99999"),
                     "a class has no tree"),
    "classes-odd": (lambda d: d["learner"]["learner_model_param"].update(num_class="1_0"),
                    "no whole number"),
    "category-start": (_with_category(categories_segments=[10**6]), "outside of their list"),
    "category-size": (_with_category(categories_sizes=[10**6]), "outside of their list"),
    "category-code": (_with_category(categories=[-1]), "out of bounds"),
    "category-node": (_with_category(categories_nodes=[99]), "no node"),
    "category-other": (_with_category(categories_nodes=[1]), "no node"),
    "category-none": (_set(split_type=[1, 0, 0, 0, 0, 0, 0]), "no node"),
    "split-type": (_set(split_type=[7, 0, 0, 0, 0, 0, 0]), "unknown way"),
    "split-types-short": (_set(split_type=[0]), "unknown way"),
    "no-booster": (lambda d: d["learner"].pop("gradient_booster"), "'gradient_booster' is missing"),
    "booster-text": (lambda d: d["learner"].update(gradient_booster="x"), "another form"),
}  # fmt: skip


@pytest.mark.parametrize("name", FORGERIES)
def test_forged_tree_is_refused(name: str, tmp_path: Path) -> None:
    """What would lead XGBoost out of its memory is refused before XGBoost sees it."""
    change, told = FORGERIES[name]
    with pytest.raises(UntrustedModel, match=f"m.json: .*{told}.*damaged or forged"):
        opened(forged(tmp_path, change))


def test_forged_tree_in_ubjson_is_refused(tmp_path: Path) -> None:
    """The audit reads UBJSON as it reads JSON."""
    file = saved(tmp_path, train({"max_depth": 2}, values), "m.ubj")
    body = bytearray(file.read_bytes())
    start = body.index(b"left_children[$l#L") + len(b"left_children[$l#L") + 8
    assert body[start : start + 4] == b"\0\0\0\1"
    body[start : start + 4] = b"\0\0\xff\xff"
    file.write_bytes(body)
    with pytest.raises(UntrustedModel, match=r"m\.ubj: tree 0: its nodes lead outside"):
        opened(file)


def test_weights_that_are_missing_are_refused(tmp_path: Path) -> None:
    """The weights of DART's trees, and of a linear model, are as many as they must be."""

    def change(document: Document) -> None:
        booster = document["learner"]["gradient_booster"]
        table = booster if "weight_drop" in booster else booster["model"]
        field = "weight_drop" if "weight_drop" in booster else "weights"
        table[field] = table[field][:1]

    with pytest.raises(UntrustedModel, match="the weights of trees are missing"):
        opened(forged(tmp_path, change, booster="dart"))
    with pytest.raises(UntrustedModel, match="weights are missing"):
        opened(forged(tmp_path, change, booster="gblinear"))


def test_tree_too_deep_is_refused(tmp_path: Path) -> None:
    """A chain of nodes, down which XGBoost would recurse until its stack ends, is refused."""
    nodes = 2 * (MAX_DEPTH + 1) + 1
    left, right, parents = ([-1] * nodes for _ in range(3))
    for number in range(MAX_DEPTH + 1):
        here = 2 * number - 1 if number else 0
        left[here], right[here] = 2 * number + 2, 2 * number + 1
        parents[2 * number + 1] = parents[2 * number + 2] = here
    parents[0] = 2**31 - 1
    change = _set(left_children=left, right_children=right, parents=parents,
                  split_indices=[0] * nodes)  # fmt: skip
    with pytest.raises(UntrustedModel, match=r"tree 0: it is too deep"):
        opened(forged(tmp_path, change))


SOUND: list[dict[str, Any]] = [
    {"gamma": 5.0, "tree_method": "exact", "max_depth": 6},
    {"grow_policy": "lossguide", "max_leaves": 60, "max_depth": 0},
    {"num_parallel_tree": 3, "subsample": 0.5, "objective": "multi:softprob", "num_class": 3},
    {"max_depth": 1, "min_child_weight": 1e9},
    {"booster": "dart", "one_drop": 1},
    {"objective": "reg:quantileerror", "quantile_alpha": [0.1, 0.9]},
]


@pytest.mark.parametrize("params", SOUND, ids=lambda params: next(iter(params)))
@pytest.mark.parametrize("ending", ["json", "ubj"])
def test_sound_trees_are_loaded(params: dict[str, Any], ending: str, tmp_path: Path) -> None:
    """The audit refuses no tree as XGBoost makes it: pruned, wide, of one leaf, several a round."""
    booster = train(params, three)
    model = opened(saved(tmp_path, booster, f"m.{ending}"))
    x = matrix(numbers(9))
    found = model.predict({"X": x})[model.outputs[0].name]
    expected = booster.predict(xgboost.DMatrix(x, nthread=1))
    np.testing.assert_allclose(found, expected, 0, 1e-6)


def test_missing_values_are_those_of_the_training(tmp_path: Path) -> None:
    """An optional feature that is left out goes the way that the trees learned for it."""
    built = build(BY_NAME["codes"], tmp_path)
    assert built.case.inputs_toml == OPTIONAL_MIXED
    answers = App(tmp_path).predict(rows_of((None, 3, True, None)), Options(top=3)).predictions
    expected = built.oracle([{"width": None, "count": 3, "flag": True}])[0]
    shares = [answers[0].probabilities[label] for label in built.case.labels]  # type: ignore[union-attr,index]
    np.testing.assert_allclose(shares, expected, 0, 1e-6)
