"""What is special about LightGBM: its answers, what its files tell, and forged texts."""

from __future__ import annotations

import json
import pickle
import re
import sys
import zipfile
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression

from podium.app import App
from podium.errors import MissingExtra, ModelError, UntrustedModel
from podium.options import Options
from podium.prediction import ClassPrediction
from podium.runtimes import Model, Source, load
from tests.conformance.cases import LABELS, build, encoded, matrix, numbers, with_gaps
from tests.conformance.lightgbm_cases import CASES, SKOPS, TXT, save, small
from tests.conformance.xgboost_cases import classes, frame, values

BY_NAME = {case.name.removeprefix("lightgbm-"): case for case in CASES}


def trained(kind: Any = lightgbm.LGBMClassifier, **options: Any) -> Any:
    """Return a model of NUMBERS with three classes, or of values."""
    x = matrix(numbers(150))
    y = classes(x, 3) if kind is lightgbm.LGBMClassifier else values(x)
    return small(kind, **options).fit(x, y)


def opened(file: Path, **options: Any) -> Model:
    """Load a model without an application."""
    return load(Source.alone(file, **options))


def test_file_tells_what_it_is(tmp_path: Path) -> None:
    """The number of columns, the task and the number of classes come from the file."""
    model = opened(save(trained().booster_, tmp_path / "m.txt"))
    assert (model.platform, model.task, model.features, model.labels, model.notes) == (
        "lightgbm", "classification", (), (), ()
    )  # fmt: skip
    assert [spec.shape for spec in (*model.inputs, *model.outputs)] == [(None, 3), (None, 3)]


def test_names_are_those_of_the_file(tmp_path: Path) -> None:
    """LightGBM writes a space in a column's name as "_"; the application names it so, too."""
    x = pd.DataFrame(matrix(numbers(150)), columns=["length", "with a space", "c"])
    fitted = small(lightgbm.LGBMRegressor).fit(x, values(x.to_numpy()))
    assert opened(save(fitted.booster_, tmp_path / "m.txt")).features == (
        "length", "with_a_space", "c"
    )  # fmt: skip


def test_named_categories_are_inputs_of_their_own(tmp_path: Path) -> None:
    """Where the file knows its categories, each column is an input, and texts are choices."""
    build(BY_NAME["categories"], tmp_path)
    told = [(spec.name, spec.dtype.kind, spec.choices) for spec in opened(tmp_path / TXT).inputs]
    assert told == [("width", "f", ()), ("count", "f", ()), ("flag", "f", ()),
                    ("colour", "O", ("blue", "green", "red"))]  # fmt: skip


def test_category_that_the_model_does_not_know(tmp_path: Path) -> None:
    """A choice of podium.toml that the model was not trained on is an error in words."""
    build(BY_NAME["categories"], tmp_path)
    text = (tmp_path / "podium.toml").read_text().replace('["red",', '["violet",')
    (tmp_path / "podium.toml").write_text(text)
    with pytest.raises(ModelError, match=r"'violet'; .*blue, green, red"):
        App(tmp_path).served()


def test_categories_without_their_columns_are_codes(tmp_path: Path) -> None:
    """Where the text does not tell which columns have the categories, codes are asked for."""
    inputs = with_gaps(150)
    fitted = small(lightgbm.LGBMClassifier).fit(frame(inputs), classes(encoded(inputs), 3))
    file = save(fitted.booster_, tmp_path / "m.txt")
    text = re.sub(r"pandas_categorical:.*", 'pandas_categorical:[["a"], ["b"]]', file.read_text())
    file.write_text(text)
    model = opened(file)
    assert [spec.name for spec in model.inputs] == ["X"]
    assert model.notes == (
        "m.txt has numbers for the categories of colour, not their names. List choices in the "
        "order of these numbers, from 0 (that of pandas is the alphabet's), or write kind = "
        '"integer".',
    )


@pytest.mark.parametrize("objective", ["lambdarank", "rank_xendcg"])
def test_ranking_is_refused_in_words(objective: str, tmp_path: Path) -> None:
    """A model that ranks is refused in words."""
    x = matrix(numbers(60))
    fitted = small(lightgbm.LGBMRanker, objective=objective)
    fitted.fit(x, classes(x, 3), group=[30, 30])
    with pytest.raises(ModelError, match=rf"m\.txt ranks \({objective}\).*one query"):
        opened(save(fitted.booster_, tmp_path / "m.txt"))


def test_objective_of_the_makers_own(tmp_path: Path) -> None:
    """A model without an objective gives its trees' sums, and says so."""

    def squares(preds: Any, data: Any) -> Any:
        return preds - data.get_label(), np.ones_like(preds)

    x = matrix(numbers(60))
    params = {"objective": squares, "verbose": -1, "num_threads": 1, "num_leaves": 4}
    booster = lightgbm.train(params, lightgbm.Dataset(x, values(x)), 3)
    model = opened(save(booster, tmp_path / "m.txt"))
    assert (model.task, [spec.name for spec in model.outputs]) == (None, ["sums"])
    assert model.notes == (
        "m.txt was trained with an objective of the maker's own, which the file does not hold: "
        "its answers are the trees' sums as they are. A [pipeline] postprocess can turn them.",
    )
    np.testing.assert_allclose(model.predict({"X": x})["sums"], booster.predict(x), 0, 1e-12)


def test_many_rows_and_few_are_answered_alike(tmp_path: Path) -> None:
    """A thousand rows, which more threads share, have the answers of single ones."""
    model = opened(save(trained().booster_, tmp_path / "m.txt"), threads=2)
    x = np.random.default_rng(0).normal(size=(1200, 3))
    (whole,) = model.predict({"X": x}).values()
    (part,) = model.predict({"X": x[:5]}).values()
    np.testing.assert_array_equal(whole[:5], part)


@pytest.mark.parametrize(
    ("options", "rows"),
    [
        ({}, 150),
        ({"objective": "quantile", "alpha": 0.9}, 150),
        ({"objective": "huber"}, 150),
        ({"reg_sqrt": True}, 150),
        ({"n_estimators": 60, "num_leaves": 40, "min_child_samples": 1}, 150),
        ({}, 8),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_sound_text_is_loaded(
    options: dict[str, Any], rows: int, newline: str, tmp_path: Path
) -> None:
    """The audit refuses no text as LightGBM writes it, with missing values and constant columns."""
    x = np.concatenate([matrix(numbers(rows)), np.ones((rows, 1))], axis=1)
    x[::5, 0] = np.nan
    given = {"min_child_samples": 3 if rows > 20 else 100, **options}
    booster = small(lightgbm.LGBMRegressor, **given).fit(x, values(x)).booster_
    file = save(booster, tmp_path / "m.txt")
    file.write_bytes(file.read_bytes().replace(b"\n", newline.encode()))
    (found,) = opened(file).predict({"X": x}).values()
    np.testing.assert_array_equal(found, booster.predict(x))


def test_missing_package_names_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without LightGBM the error names the file, the format and the install command."""
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    with pytest.raises(MissingExtra) as caught:
        opened(tmp_path / "m.txt")
    assert str(caught.value) == (
        "m.txt (LightGBM model) needs the extra 'lightgbm': pip install 'podium[lightgbm]'"
    )


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("hello", "the first line of one is 'tree'"),
        ("tree\nversion=v4\n", "it ends before 'end of trees'"),
        ("tree\nend of trees\n", "'feature_infos' is missing"),
        ("tree\nversion=v4\nversion=v4\nend of trees\n", "version stands there twice"),
        ("tr\xe9e", "codec can't decode"),
    ],
)
def test_other_content_is_told_in_words(body: str, told: str, tmp_path: Path) -> None:
    """What is no LightGBM model is told apart by its content."""
    file = tmp_path / "m.txt"
    file.write_bytes(body.encode("latin-1"))
    with pytest.raises(ModelError, match=f"m.txt is no LightGBM model, or damaged: .*{told}"):
        opened(file)


FORGERIES = {
    "left_child=1000000 -1 -2 -3": "lead outside",
    "left_child=-99 -1 -2 -3": "lead outside",
    "left_child=0 1 2 3": "in a circle",
    "left_child=1 1 2 3": "in a circle",
    "left_child=1 2": "left_child has 2 numbers instead of 4",
    "left_child=": "left_child has 0 numbers instead of 4",
    "left_child=1 2 3 x": "something else than numbers",
    "left_child=1 2 3 1_0": "something else than numbers",
    "left_child=1 2 3 1.5": "something else than numbers",
    "split_feature=0 0 0 3": "column",
    "split_feature=0 0 0 -1": "column",
    "num_leaves=1000": "leaf_value has 5 numbers instead of 1000",
    "num_leaves=-4": "no whole number",
    "num_leaves=0": "no leaves",
    "threshold=1 2": "threshold has 2 numbers",
    "decision_type=2 2 2 99": "in an unknown way",
    "decision_type=1 1 1 1": "unknown categories",
    "leaf_value=1 2 3 4 1e999": "not finite",
    "shrinkage=x": "something else than numbers",
    "num_cat=7": "'cat_threshold' is missing",
    "is_linear=1": "'leaf_const' is missing",
    "num_tree_per_iteration=0": "no tree",
    "num_tree_per_iteration=2": "trees are missing|other classes",
    "num_tree_per_iteration=1000000": "no tree",
    "max_feature_idx=7": "names of columns",
    "objective=multiclass num_class:7": "other classes",
    "objective=regression": "answers one number",
    "objective=multiclass num_class:3 \u00e9": "no name",
}


def with_line(text: str, line: str) -> str:
    """Return a text in which the first line of its key is another one."""
    key = line.partition("=")[0]
    changed, count = re.subn(rf"(?m)^{key}=.*$", line, text, count=1)
    assert count == 1
    return changed


@pytest.mark.parametrize("line", FORGERIES)
def test_forged_text_is_refused(line: str, tmp_path: Path) -> None:
    """What would lead LightGBM out of its memory, or end the process, is refused before."""
    file = save(trained().booster_, tmp_path / "m.txt")
    file.write_text(with_line(file.read_text(), line))
    with pytest.raises(UntrustedModel, match=f"m.txt: .*({FORGERIES[line]}).*damaged or forged"):
        opened(file)


def test_later_format_is_told_in_words(tmp_path: Path) -> None:
    """A format that came after this Podium is named."""
    file = save(trained().booster_, tmp_path / "m.txt")
    file.write_text(with_line(file.read_text(), "version=v9"))
    with pytest.raises(ModelError, match=r"m\.txt: its format is 'v9'; Podium knows v2, v3, v4\."):
        opened(file)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("cat_boundaries=0 1000000", "outside of their list|cat_boundaries has"),
        ("cat_threshold=", "outside of their list"),
        ("cat_threshold=x", "something else"),
        ("num_cat=0", "unknown categories"),
    ],
)
def test_forged_categories_are_refused(line: str, told: str, tmp_path: Path) -> None:
    """Sets of categories that lead outside of their list are refused."""
    build(BY_NAME["categories"], tmp_path)
    file = tmp_path / TXT
    lines = file.read_text()
    start = re.search(r"(?m)^num_cat=[1-9]", lines)
    assert start is not None
    file.write_text(lines[: start.start()] + with_line(lines[start.start() :], line))
    with pytest.raises(UntrustedModel, match=told):
        opened(file)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("num_features=1000000 0 0", "leaf_features has"),
        ("num_features=-1 0 0", "less than no columns"),
        ("leaf_const=1", "leaf_const has 1"),
    ],
)
def test_forged_linear_leaves_are_refused(line: str, told: str, tmp_path: Path) -> None:
    """The linear models in leaves are as long as they say, and take columns that exist."""
    build(BY_NAME["linear-leaves"], tmp_path)
    file = tmp_path / TXT
    file.write_text(with_line(file.read_text(), line))
    with pytest.raises(UntrustedModel, match=told):
        opened(file)


def test_what_the_text_says_of_places_is_ignored(tmp_path: Path) -> None:
    """Where trees begin, and which files the training read, is not taken from the text."""
    booster = trained().booster_
    file = save(booster, tmp_path / "m.txt")
    text = with_line(file.read_text(), "tree_sizes=99999999 1 -7")
    file.write_text(
        text.replace("[forcedsplits_filename: ]", "[forcedsplits_filename: /etc/passwd]")
    )
    x = matrix(numbers(5))
    (found,) = opened(file).predict({"X": x}).values()
    np.testing.assert_array_equal(found, booster.predict(x))


def test_wrapper_names_its_classes(tmp_path: Path) -> None:
    """A scikit-learn wrapper in skops brings its classes, and answers up to its best round."""
    built = build(BY_NAME["skops"], tmp_path)
    model = opened(tmp_path / SKOPS, runtime="lightgbm")
    assert (model.labels, model.features) == (LABELS, ())
    fitted = skops.io.load(tmp_path / SKOPS, trusted=skops.io.get_untrusted_types(
        file=tmp_path / SKOPS))  # fmt: skip
    assert fitted.booster_.num_trees() > 3 * 3
    x = matrix(numbers(3))
    (found,) = model.predict({"X": x}).values()
    np.testing.assert_array_equal(found, fitted.predict_proba(x, num_iteration=3))
    answer = built.app.predict([tuple(row) for row in x], Options()).predictions[0]
    assert isinstance(answer, ClassPrediction)
    assert answer.label == LABELS[int(found[0].argmax())]


@pytest.mark.parametrize("kind", [str, bool, float, int])
def test_wrapper_names_classes_of_any_kind(kind: Any, tmp_path: Path) -> None:
    """Classes that are numbers or truth values are named by their texts."""
    x = matrix(numbers(60))
    known = [kind(code) for code in (0, 1)]
    y = np.array(known, object if kind is str else None)[classes(x, 2)]
    skops.io.dump(small(lightgbm.LGBMClassifier).fit(x, y), tmp_path / "m.skops")
    assert opened(tmp_path / "m.skops", runtime="lightgbm").labels == tuple(map(str, known))


def _rewritten(file: Path, **parts: bytes) -> Path:
    """Write an archive again with other parts."""
    with zipfile.ZipFile(file) as archive:
        kept = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(file, "w") as archive:
        for name, body in (kept | parts).items():
            archive.writestr(name, body)
    return file


class _Touch:
    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return Path.touch, (self.file,)


def test_pickle_in_a_wrapper_is_never_run(tmp_path: Path) -> None:
    """Classes that are a pickle within the archive are refused and not run."""
    build(BY_NAME["skops"], tmp_path)
    with zipfile.ZipFile(tmp_path / SKOPS) as archive:
        schema = json.loads(archive.read("schema.json"))
        name = schema["content"]["content"]["_classes"]["file"]
    body = pickle.dumps(_Touch(tmp_path / "ran"))
    _rewritten(tmp_path / SKOPS, **{name: body})
    with pytest.raises(ModelError, match=r"m\.skops"):
        opened(tmp_path / SKOPS, runtime="lightgbm")
    array = np.array([_Touch(tmp_path / "ran")], object)
    np.save(tmp_path / "classes.npy", array, allow_pickle=True)
    _rewritten(tmp_path / SKOPS, **{name: (tmp_path / "classes.npy").read_bytes()})
    with pytest.raises(ModelError, match=r"m\.skops.*allow_pickle"):
        opened(tmp_path / SKOPS, runtime="lightgbm")
    assert not (tmp_path / "ran").exists()


def test_other_estimator_in_skops_is_told_in_words(tmp_path: Path) -> None:
    """An archive of something else is no LightGBM model."""
    x = matrix(numbers(9))
    skops.io.dump(LogisticRegression().fit(x, classes(x, 2)), tmp_path / "m.skops")
    with pytest.raises(ModelError, match=r"m\.skops is no LightGBM model.*'_Booster' is missing"):
        opened(tmp_path / "m.skops", runtime="lightgbm")
