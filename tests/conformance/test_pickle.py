"""Pickles are programs: none is run before the maker vouches for its bytes."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import pickle
import re
import zlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

from podium.check import check_application
from podium.errors import ModelError, UntrustedModel
from podium.runtimes import Source, load, trust
from podium.runtimes.sklearn import pickles
from tests.conformance.cases import build, matrix, numbers
from tests.conformance.sklearn_cases import training_set
from tests.conformance.sklearn_table_cases import CASES, JOBLIB, LOGISTIC, PICKLE

ENDINGS: Final = (".pkl", ".pickle", ".joblib", ".JobLib")
BY_NAME: Final = {case.name: case for case in CASES}


class Touch:
    """What makes a file when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return Path.touch, (self.file,)


def _joblib(thing: Any) -> bytes:
    stream = io.BytesIO()
    joblib.dump(thing, stream, compress=3)
    return stream.getvalue()


def _packed(compress: Callable[[bytes], bytes], thing: Any) -> bytes:
    return compress(pickle.dumps(thing))


PACKING: Final[dict[str, Callable[[Any], bytes]]] = {
    "protocol 0": partial(pickle.dumps, protocol=0),
    "protocol 2": partial(pickle.dumps, protocol=2),
    "protocol 5": partial(pickle.dumps, protocol=5),
    "joblib": _joblib,
    **{module.__name__: partial(_packed, module.compress) for module in (zlib, gzip, bz2, lzma)},
}


def vouched(file: Path) -> Source:
    """Return a file with the trust in its very bytes."""
    return Source.alone(file, trust=hashlib.sha256(file.read_bytes()).hexdigest())


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("pack", PACKING.values(), ids=PACKING)
def test_pickle_is_refused_and_not_run(
    pack: Callable[[Any], bytes], ending: str, tmp_path: Path
) -> None:
    """However it was written, a pickle is refused; the error says why, and the two ways out."""
    file = tmp_path / f"m{ending}"
    file.write_bytes(pack(Touch(tmp_path / "ran")))
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    with pytest.raises(UntrustedModel) as caught:
        load(Source.alone(file))
    assert str(caught.value) == (
        f"m{ending} is a pickle, which runs code when it is loaded. Save the model as data: "
        'skops.io.dump(model, "model.skops"). Only if you know who made it and what is in it: '
        f'trust = "{digest}" in its [[models]] table.'
    )
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("pack", PACKING.values(), ids=PACKING)
def test_pickle_that_the_maker_vouches_for(pack: Callable[[Any], bytes], tmp_path: Path) -> None:
    """With its sha256 in podium.toml a pickle is loaded, however it was written."""
    file = tmp_path / "m.pkl"
    file.write_bytes(pack(LOGISTIC))
    model = load(vouched(file))
    x = matrix(numbers(5))
    np.testing.assert_array_equal(
        model.predict({"X": x})["probabilities"], LOGISTIC.predict_proba(x)
    )


@pytest.mark.parametrize("body", [PICKLE, JOBLIB], ids=["pickle", "joblib"])
def test_trust_in_other_bytes(body: bytes, tmp_path: Path) -> None:
    """One changed byte is no longer what the maker vouched for, and is not run."""
    file = tmp_path / "m.pkl"
    file.write_bytes(body)
    source = vouched(file)
    file.write_bytes(pickle.dumps(Touch(tmp_path / "ran")))
    with pytest.raises(UntrustedModel, match="It is not the one that trust names"):
        load(source)
    assert not (tmp_path / "ran").exists()


def test_file_that_changes_while_it_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is run are the bytes that were hashed, also when the file is swapped meanwhile."""
    file = tmp_path / "m.pkl"
    file.write_bytes(PICKLE)
    source = vouched(file)

    def swap(*arguments: Any) -> None:
        trust.require_trust(*arguments)
        file.write_bytes(pickle.dumps(Touch(tmp_path / "ran")))

    monkeypatch.setattr(pickles, "require_trust", swap)
    with pytest.raises(UntrustedModel, match=r"m\.pkl changed while it was loaded"):
        load(source)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["sklearn-pkl", "sklearn-joblib"])
def test_check_tells_the_trust_to_write(name: str, tmp_path: Path) -> None:
    """`podium check` names the line that lets a pickle in, and with it the check passes."""
    case = BY_NAME[name]
    build(case, tmp_path)
    told = tmp_path / "podium.toml"
    told.write_text(case.toml.replace(case.model_toml, ""))
    (report,) = check_application(tmp_path).models
    line = re.search(r'trust = "[0-9a-f]{64}"', report.error)
    assert line is not None
    told.write_text(case.toml.replace(case.model_toml, line[0]))
    assert check_application(tmp_path).passed


def test_search_is_its_best_estimator(tmp_path: Path) -> None:
    """A pickled search answers as what it found, with the columns of that."""
    search = GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2).fit(*training_set())
    file = tmp_path / "m.pkl"
    file.write_bytes(pickle.dumps(search))
    model: Any = load(vouched(file))
    assert type(model.estimator) is LogisticRegression
    assert model.labels == ("left", "middle", "right")


MODULE = "def double(x):\n    return 2 * x\n"


def test_pickle_may_need_the_makers_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A function in a module beside podium.toml is found, as where the model was trained."""
    (tmp_path / "own_steps.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    import own_steps  # type: ignore[import-not-found]

    x, y = training_set()
    fitted = make_pipeline(FunctionTransformer(own_steps.double), LogisticRegression()).fit(x, y)
    file = tmp_path / "m.pkl"
    file.write_bytes(pickle.dumps(fitted))
    monkeypatch.undo()
    monkeypatch.delitem(__import__("sys").modules, "own_steps")
    found = load(vouched(file)).predict({"X": x[:3]})["probabilities"]
    np.testing.assert_array_equal(found, fitted.predict_proba(x[:3]))


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"cno_such_module\nThing\n.", "it needs the module 'no_such_module'. Install the package, "
         "or put the module beside podium.toml."),
        (b"c__main__\nThing\n.", "Put that code into a module beside podium.toml, import it from "
         "there where the model is trained, and save the model again."),
        (b"csklearn.linear_model\nThing\n.", "AttributeError: module 'sklearn.linear_model' has no "
         "attribute 'Thing'"),
        (b"hello", "cannot be loaded: "),
        (b"", "EOFError"),
        (PICKLE[:200], "cannot be loaded: "),
    ],
    ids=["a missing module", "code of a notebook", "a missing class", "text", "empty", "truncated"],
)  # fmt: skip
def test_trusted_pickle_that_cannot_be_loaded(body: bytes, told: str, tmp_path: Path) -> None:
    """What a trusted pickle lacks is said in words."""
    file = tmp_path / "m.pkl"
    file.write_bytes(body)
    with pytest.raises(ModelError) as caught:
        load(vouched(file))
    assert str(caught.value).startswith("m.pkl cannot be loaded: ")
    assert told in str(caught.value)
    assert not isinstance(caught.value, UntrustedModel)


def test_pickle_with_an_ending_of_its_own(tmp_path: Path) -> None:
    """Where podium.toml names the runtime, the ending tells nothing."""
    file = tmp_path / "m.sav"
    file.write_bytes(PICKLE)
    with pytest.raises(UntrustedModel, match=r"m\.sav is a pickle"):
        load(Source.alone(file, runtime="sklearn"))
    assert load(replace(vouched(file), runtime="sklearn")).labels == ("left", "middle", "right")


class Doubling:
    """A step that knows nothing of scikit-learn's base classes."""

    def fit(self, _x: Any, _y: Any = None) -> Doubling:
        """Learn nothing."""
        return self

    def transform(self, x: Any) -> Any:
        """Return twice the numbers."""
        return 2 * x


def test_step_of_the_makers_own_class(tmp_path: Path) -> None:
    """A step that is no estimator of scikit-learn's kind does not stand in the way."""
    x, y = training_set()
    hot = ColumnTransformer([("c", OneHotEncoder(sparse_output=False), ["c"])])
    data = pd.DataFrame({"c": np.where(x[:, 2] > 0, "u", "v")})
    fitted = make_pipeline(hot, Doubling(), LogisticRegression()).fit(data, y)
    file = tmp_path / "m.pkl"
    file.write_bytes(pickle.dumps(fitted))
    found = load(vouched(file)).predict({"c": np.array(data["c"][:5], np.object_)})
    np.testing.assert_array_equal(found["probabilities"], fitted.predict_proba(data[:5]))


@pytest.mark.parametrize(
    ("package", "kind", "way"),
    [
        ("xgboost", "XGBRegressor", 'model.save_model("model.json")'),
        ("lightgbm", "LGBMRegressor", 'model.booster_.save_model("model.txt")'),
    ],
)
def test_boosted_trees(package: str, kind: str, way: str, tmp_path: Path) -> None:
    """Pickled wrappers of XGBoost and LightGBM are estimators too, unless they have categories."""
    build_model = getattr(import_module(package), kind)
    options = {"verbose": -1} if package == "lightgbm" else {"enable_categorical": True}
    x, _ = training_set()
    data = pd.DataFrame(x, columns=list("abc"))
    fitted = build_model(n_estimators=3, n_jobs=1, **options).fit(data, x[:, 0])
    file = tmp_path / "m.joblib"
    joblib.dump(fitted, file)
    model = load(vouched(file))
    assert (model.features, model.task) == (("a", "b", "c"), "regression")
    np.testing.assert_allclose(model.predict({"X": x})["value"], fitted.predict(data))
    data["c"] = pd.Categorical(np.where(x[:, 2] > 0, "u", "v"))
    joblib.dump(fitted.fit(data, x[:, 0]), file)
    with pytest.raises(ModelError) as caught:
        load(vouched(file))
    assert str(caught.value) == (
        f"m.joblib: its categories are not told apart in a pickle. Save it: {way}"
    )


def test_trusted_pickle_of_something_else(tmp_path: Path) -> None:
    """A trusted pickle that holds no estimator is refused in words."""
    file = tmp_path / "m.pkl"
    file.write_bytes(pickle.dumps({"weights": [1, 2]}))
    with pytest.raises(ModelError, match=r"m\.pkl: dict is no classifier or regressor"):
        load(vouched(file))


def _older(body: bytes) -> bytes:
    """Return a pickle as scikit-learn 1.2.3 would have written its version."""
    from sklearn import __version__

    name = __version__.encode()
    assert len(name) == 5
    return body.replace(b"\x8c\x05" + name, b"\x8c\x051.2.3")


def test_other_version_is_a_note(tmp_path: Path) -> None:
    """A pickle of another scikit-learn warns nobody on standard error, and says so in a note."""
    file = tmp_path / "m.pkl"
    file.write_bytes(PICKLE)
    assert load(vouched(file)).notes == ()
    file.write_bytes(_older(PICKLE))
    (note,) = load(vouched(file)).notes
    assert note.startswith("m.pkl was saved with scikit-learn 1.2.3; installed is ")


def test_other_version_is_part_of_an_error(tmp_path: Path) -> None:
    """A pickle of another scikit-learn that then fails says both."""
    file = tmp_path / "m.pkl"
    broken = pickle.dumps([LOGISTIC])[:-1].replace(b"]", b"]", 1)
    file.write_bytes(_older(broken))
    with pytest.raises(ModelError, match=r"m\.pkl cannot be loaded: .*scikit-learn 1\.2\.3"):
        load(vouched(file))


def test_pickle_that_calls_itself_skops(tmp_path: Path) -> None:
    """Trust in a pickle does not make a .skops file a program."""
    file = tmp_path / "m.skops"
    file.write_bytes(pickle.dumps(Touch(tmp_path / "ran")))
    with pytest.raises(ModelError, match=r"m\.skops is damaged: it is no zip archive"):
        load(vouched(file))
    assert not (tmp_path / "ran").exists()


def test_symbolic_link_out_of_the_folder(tmp_path: Path) -> None:
    """A link that leads out of the application's folder is not followed."""
    (tmp_path / "outside.pkl").write_bytes(PICKLE)
    folder = tmp_path / "app"
    folder.mkdir()
    link = folder / "linked.pkl"
    link.symlink_to(tmp_path / "outside.pkl")
    with pytest.raises(UntrustedModel, match=r"linked\.pkl leads outside of app/"):
        load(Source(file=link, root=folder, trust=hashlib.sha256(PICKLE).hexdigest()))
