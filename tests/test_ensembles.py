"""Several files as one model: each has a vote, whatever its format."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import skops.io
import torch
from numpy.typing import NDArray
from scipy.special import softmax
from scipy.stats import entropy
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import BayesianRidge, LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import LinearSVC

from podium.app import App
from podium.check import check_application
from podium.errors import InvalidInput, ModelError
from podium.optimize import Wishes, optimize_application
from podium.options import Options
from podium.predict import predict_once
from podium.prediction import Caution, ClassPrediction, ClassUncertainty, OcclusionMap
from tests.conformance import onnx_cases, torch_cases
from tests.conformance import torch_nets as nets
from tests.conformance.cases import LABELS, NUMBERS, build, matrix, numbers
from tests.conformance.graphs import BIAS, WEIGHTS, linear
from tests.conformance.sklearn_cases import forest, training_set

# The filter that a runtime sets when it loads does not outlive pytest's setup phase.
pytestmark = pytest.mark.filterwarnings("ignore:X does not have valid feature names")

Floats = NDArray[np.float64]

X = matrix(numbers(6))
ROWS: Any = [tuple(row) for row in X.tolist()]
FITTED = LogisticRegression().fit(*training_set())
ORDER = [list(FITTED.classes_).index(label) for label in LABELS]
"""scikit-learn sorts its classes; the application lists them in another order."""


def write(folder: Path, *files: str, toml: str = "", inputs: str = NUMBERS, task: str = "") -> App:
    """Write and open an application whose only model is the ensemble of `files`."""
    task = task or f'kind = "classification"\nlabels = {json.dumps(LABELS)}'
    named = ", ".join(f'"{file}"' for file in files)
    model = f'[[models]]\nname = "m"\nfiles = [{named}]\n{toml}'
    (folder / "podium.toml").write_text(f'title = "Votes"\n[task]\n{task}\n{inputs}\n{model}')
    return App(folder)


def put(folder: Path, **estimators: Any) -> None:
    """Save estimators by their names in models/."""
    (folder / "models").mkdir(exist_ok=True)
    for name, estimator in estimators.items():
        skops.io.dump(estimator, folder / f"models/{name}.skops")


def graph(folder: Path, name: str = "a", scale: float = 1.0, **options: Any) -> Floats:
    """Write models/NAME.onnx, and return its probabilities for X."""
    linear(folder / f"models/{name}.onnx", weights=WEIGHTS * scale, **options)
    return np.asarray(softmax(X @ WEIGHTS * scale + BIAS, axis=1))


def asked(app: App, **options: Any) -> tuple[Floats, list[ClassPrediction]]:
    """Return the probabilities for X in the order of the labels, and the predictions."""
    found: Any = app.predict(ROWS, Options(**options)).predictions
    return np.array([[one.probabilities[label] for label in LABELS] for one in found]), found


def shares(estimator: Any) -> Floats:
    """Return an estimator's own probabilities for X, in the order of the labels."""
    order = [list(estimator.classes_).index(label) for label in LABELS]
    return np.asarray(estimator.predict_proba(X)[:, order])


def test_members_of_several_formats_have_a_vote_each(tmp_path: Path) -> None:
    """An ONNX graph of logits, estimators and a forest: the mean, and the parts of its entropy."""
    trees = forest(RandomForestClassifier).fit(*training_set())
    votes = [graph(tmp_path), shares(FITTED), shares(trees)]
    put(tmp_path, b=FITTED, c=trees)
    app = write(tmp_path, "models/a.onnx", "models/b.skops", "models/c.skops")
    found, predictions = asked(app, include=frozenset({"samples"}))
    np.testing.assert_allclose(found, np.mean(votes, axis=0), atol=1e-6)
    total = entropy(np.mean(votes, axis=0), axis=1)
    noise = np.mean(entropy(np.array(votes), axis=2), axis=0)
    for index, one in enumerate(predictions):
        certainty = one.uncertainty
        assert certainty.entropy == pytest.approx(total[index], abs=1e-6)
        assert certainty.aleatoric == pytest.approx(noise[index], abs=1e-6)
        assert certainty.epistemic == pytest.approx(total[index] - noise[index], abs=1e-6)
        assert (certainty.samples, certainty.reproducible) == (3, True)
        assert isinstance(certainty.sample_probabilities, dict)
        told = [certainty.sample_probabilities[label] for label in LABELS]
        np.testing.assert_allclose(told, np.array(votes)[:, index].T, atol=1e-6)
    assert app.served().platform == "1 x onnx + 2 x sklearn"


def test_a_label_alone_is_a_vote(tmp_path: Path) -> None:
    """A member that tells no probability votes for its label; the parts are then unknown."""
    machine = LinearSVC(random_state=0).fit(*training_set())
    put(tmp_path, b=machine)
    hot = machine.predict(X)[:, None] == np.array(LABELS)
    expected = (graph(tmp_path) + hot) / 2
    found, predictions = asked(write(tmp_path, "models/a.onnx", "models/b.skops"))
    np.testing.assert_allclose(found, expected, atol=1e-6)
    certainty = predictions[0].uncertainty
    assert certainty.entropy == pytest.approx(entropy(expected[0]), abs=1e-6)
    assert (certainty.aleatoric, certainty.epistemic) == (None, None)


def test_weights_of_one_factory(tmp_path: Path) -> None:
    """The classic deep ensemble: one module, trained several times."""
    torch_cases.write_nets(tmp_path)
    (tmp_path / "models").mkdir()
    answers = []
    for seed in range(3):
        torch.manual_seed(seed)
        module = nets.Table().eval()
        (tmp_path / f"models/{seed}.pt").write_bytes(torch_cases.weights(module))
        with torch.no_grad():
            answers.append(softmax(module(torch.tensor(X).float()).numpy(), axis=1))
    files = [f"models/{seed}.pt" for seed in range(3)]
    app = write(tmp_path, *files, toml='factory = "nets:Table"')
    found, predictions = asked(app)
    np.testing.assert_allclose(found, np.mean(answers, axis=0), atol=1e-6)
    assert app.served().platform == "3 x torch"
    assert predictions[0].uncertainty.samples == 3
    epistemic = predictions[0].uncertainty.epistemic
    assert epistemic is not None
    assert epistemic > 0.001


def noisy(folder: Path, *names: str) -> App:
    """Return an ensemble of the same graph several times over, which takes its noise as an input.

    Each file has a byte of its own.
    """
    built = build(CASES["onnx-noise"], folder)
    body = (built.app.folder / "models/m.onnx").read_bytes()
    for name in names:
        (folder / f"models/{name}.onnx").write_bytes(body)
    return write(folder, *(f"models/{name}.onnx" for name in names),
                 toml='noise = "eps"\nsamples = 40')  # fmt: skip


CASES = {case.name: case for case in onnx_cases.CASES}


def test_members_draw_noise_of_their_own(tmp_path: Path) -> None:
    """Stochastic members vote with their passes, and no two of them with the same noise."""
    app = noisy(tmp_path, "a", "b")
    _, predictions = asked(app, seed=3, include=frozenset({"samples"}))
    samples: Any = predictions[0].uncertainty.sample_probabilities
    assert predictions[0].uncertainty.samples == 80
    first, second = (np.array(samples["left"])[part] for part in (slice(40), slice(40, 80)))
    assert len({*first.round(9), *second.round(9)}) == 80
    own = build(CASES["onnx-noise"], tmp_path / "alone").app
    alone: Any = own.predict(ROWS, Options(seed=3, include=frozenset({"samples"}))).predictions[0]
    np.testing.assert_allclose(first, alone.uncertainty.sample_probabilities["left"][:40])


def test_a_stochastic_ensemble_is_reproducible(tmp_path: Path) -> None:
    """The same seed gives the same answer, also in a longer request; another seed another one."""
    app = noisy(tmp_path, "a", "b")
    found, predictions = asked(app, seed=3)
    again, _ = asked(app, seed=3)
    other, _ = asked(app, seed=4)
    np.testing.assert_array_equal(found, again)
    assert not np.array_equal(found, other)
    assert predictions[0].uncertainty.reproducible
    first: Any = app.predict(ROWS[:1], Options(seed=3)).predictions[0]
    assert first.probabilities == pytest.approx(predictions[0].probabilities, abs=1e-6)


def test_a_member_without_noise_is_named(tmp_path: Path) -> None:
    """`noise` and `samples` hold for every member; one that takes none is told by its file."""
    noisy(tmp_path, "a", "c")
    graph(tmp_path, "b")
    app = write(tmp_path, "models/a.onnx", "models/b.onnx", toml='noise = "eps"\nsamples = 5')
    with pytest.raises(ModelError, match=r"^models/b\.onnx: noise = 'eps' is no float input"):
        app.served()


REGRESSION = 'kind = "regression"\nunit = "mm"'


def test_values_are_pooled(tmp_path: Path) -> None:
    """A regression's value is the mean, its epistemic part the variance of the members."""
    x, _ = training_set()
    line = BayesianRidge().fit(x, x[:, 0])
    trees = forest(RandomForestRegressor).fit(x, x[:, 0])
    put(tmp_path, a=line, b=trees)
    app = write(tmp_path, "models/a.skops", "models/b.skops", task=REGRESSION)
    both = np.stack([line.predict(X), trees.predict(X)])
    found: Any = app.predict(ROWS, Options()).predictions
    np.testing.assert_allclose([one.value for one in found], both.mean(axis=0))
    np.testing.assert_allclose([one.uncertainty.epistemic for one in found], both.var(axis=0))
    assert {one.uncertainty.aleatoric for one in found} == {None}


def test_pictures_of_members_that_call_them_otherwise(tmp_path: Path) -> None:
    """Members whose input has other names answer pictures, with a map, each as in a model alone."""
    built = build(CASES["onnx-image-nchw"], tmp_path)
    body = (tmp_path / "models/m.onnx").read_bytes()
    (tmp_path / "models/other.onnx").write_bytes(renamed(body, "images", "photo"))
    inputs = onnx_cases.image_toml("NCHW")
    app = write(tmp_path, "models/m.onnx", "models/other.onnx", inputs=inputs)
    assert [one.model.inputs[0].name for one in app.served().pipeline.members] != ["X", "X"]
    alone = built.ask(onnx_cases.pictures(2), MAP)
    pair = type(built)(built.case, app, built.oracle).ask(onnx_cases.pictures(2), MAP)
    for one, other in zip(alone, pair, strict=True):
        assert isinstance(one, ClassPrediction)
        assert isinstance(other, ClassPrediction)
        assert other.probabilities == pytest.approx(one.probabilities, abs=1e-6)
        assert isinstance(one.map, OcclusionMap)
        assert isinstance(other.map, OcclusionMap)
        assert other.map.label == one.map.label
        assert other.uncertainty.samples == 2


MAP = Options(top=100, include=frozenset({"map"}))


def renamed(body: bytes, *names: str) -> bytes:
    """Return a graph whose inputs have other names."""
    import onnx

    model = onnx.load_from_string(body)
    for given, name in zip(model.graph.input, names, strict=False):
        for node in model.graph.node:
            node.input[:] = [name if one == given.name else one for one in node.input]
        given.name = name
    return bytes(model.SerializeToString())


def test_version_is_the_digest_of_all_files(tmp_path: Path) -> None:
    """The version names the content of all members, in their order, loaded or not."""
    graph(tmp_path)
    put(tmp_path, b=FITTED)
    files = ["models/a.onnx", "models/b.skops"]
    app = write(tmp_path, *files)
    body = b"".join((tmp_path / file).read_bytes() for file in files)
    digest = hashlib.sha256(body).hexdigest()[:6]
    assert app.version("m") == digest
    assert app.served().version == digest


def test_check_tells_formats_and_whose_note_it_is(tmp_path: Path) -> None:
    """`podium check` names each format, and before a note the member that it is about."""
    graph(tmp_path)
    old = LogisticRegression().fit(*training_set())
    put(tmp_path, b=old)
    outdate(tmp_path / "models/b.skops")
    write(tmp_path, "models/a.onnx", "models/b.skops")
    report = check_application(tmp_path)
    (model,) = report.models
    assert (report.passed, model.platform) == (True, "1 x onnx + 1 x sklearn")
    (note,) = model.notes
    assert note.startswith("models/b.skops: b.skops was saved with scikit-learn 0.1.0")


def outdate(file: Path) -> None:
    """Let another version of scikit-learn have saved a file."""
    import zipfile

    import sklearn

    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    version = sklearn.__version__.encode()
    parts["schema.json"] = parts["schema.json"].replace(version, b"0.1.0")
    with zipfile.ZipFile(file, "w") as archive:
        for name, part in parts.items():
            archive.writestr(name, part)


def test_labels_are_learned_from_the_member_that_names_them(tmp_path: Path) -> None:
    """Where no labels are written, the first member that knows them tells them."""
    graph(tmp_path)
    put(tmp_path, b=FITTED)
    app = write(tmp_path, "models/a.onnx", "models/b.skops", task='kind = "classification"')
    assert app.signature.labels == tuple(sorted(LABELS))
    assert app.predict(ROWS[:1], Options()).predictions[0].uncertainty.samples == 2


def test_an_ensemble_is_merged_unless_it_draws(tmp_path: Path) -> None:
    """Requests to an ensemble are answered together where an item's number does not matter."""
    (tmp_path / "still").mkdir()
    graph(tmp_path / "still", "a")
    graph(tmp_path / "still", "b", 2.0)
    still = write(tmp_path / "still", "models/a.onnx", "models/b.onnx")
    assert still._merges(Options())
    drawing = noisy(tmp_path / "drawing", "a", "b")
    assert not drawing._merges(Options())


def test_predict_without_a_server(tmp_path: Path) -> None:
    """`podium predict` answers with the ensemble, and the answer names every key."""
    graph(tmp_path)
    put(tmp_path, b=FITTED)
    write(tmp_path, "models/a.onnx", "models/b.skops")
    answer = json.loads(predict_once(tmp_path, ["a=1", "b=2", "c=3"], {}))
    certainty: Mapping[str, Any] = answer["predictions"][0]["uncertainty"]
    assert certainty["samples"] == 2
    names = {field.encode_name for field in msgspec.structs.fields(ClassUncertainty)}
    assert set(certainty) == names - {"sample_probabilities"}


INTEGERS = """
[[features]]
name = "a"
range = [0, 1.5]
[[features]]
name = "b"
kind = "integer"
range = [0, 1000000]
[[features]]
name = "c"
"""


def test_values_outside_the_training_range_are_warned_of(tmp_path: Path) -> None:
    """An ensemble warns as any model does: for each feature its value and its range, in full."""
    graph(tmp_path)
    graph(tmp_path, "b", 2.0)
    app = write(tmp_path, "models/a.onnx", "models/b.onnx", inputs=INTEGERS)
    rows: Any = [(1.5, 1000000, 99.0), (1.5000001, 1000001, 0.0)]
    inside, outside = app.predict(rows, Options()).predictions
    assert inside.warnings == []
    assert outside.warnings == [
        Caution("a", "outside_training_range",
                "1.5000001 is outside the training range, 0 to 1.5"),
        Caution("b", "outside_training_range",
                "1000001 is outside the training range, 0 to 1000000"),
    ]  # fmt: skip


def test_optimize_names_the_way_out(tmp_path: Path) -> None:
    """An ensemble is not exported as one; its members can be."""
    put(tmp_path, a=FITTED, b=GaussianNB().fit(*training_set()))
    write(tmp_path, "models/a.skops", "models/b.skops")
    before = (tmp_path / "podium.toml").read_text()
    with pytest.raises(ModelError) as caught:
        optimize_application(tmp_path, Wishes(), lambda _: None)
    assert str(caught.value) == (
        "m is an ensemble; optimize its members one by one. Give each a [[models]] of its own, "
        "optimize that, and name the graphs in files."
    )
    assert (tmp_path / "podium.toml").read_text() == before


def test_what_is_wrong_with_an_input_is_told_once(tmp_path: Path) -> None:
    """A mistake in a request to an ensemble is that of a request to any model."""
    graph(tmp_path)
    graph(tmp_path, "b", 2.0)
    app = write(tmp_path, "models/a.onnx", "models/b.onnx")
    with pytest.raises(InvalidInput) as caught:
        app.predict(ROWS[:1], MAP)
    assert [error.field for error in caught.value.errors] == ["include"]
