"""`podium optimize` proves that an ONNX graph answers the same, and only then changes anything."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from podium import optimize, runtimes
from podium.app import App
from podium.errors import ModelError, PodiumError
from podium.optimize import Outcome, Pair, Wishes, optimize_application, render_outcome
from podium.optimize.parity import Parity
from podium.options import Options
from podium.runtimes import Arrays, Model, Source
from tests.conformance import keras_cases, sklearn_cases, sklearn_table_cases, torch_cases
from tests.conformance.cases import LABELS, as_array, build, numbers, rows_of
from tests.conformance.graphs import DOUBLE, linear
from tests.conformance.onnx_cases import CASES as ONNX
from tests.conformance.sklearn_cases import forest, training_set
from tests.test_cli import podium

pytestmark = [
    pytest.mark.filterwarnings("ignore:X does not have valid feature names"),
    # Keras warns of itself when a test saves a model.
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy"),
]

CASES = {case.name: case for case in ONNX}
TOML = """# Leaves
title = "Leaves"  # shown
[task]
kind = "classification"

[[features]]
name = "a"
[[features]]
name = "b"
[[features]]
name = "c"

[[models]]
name = "logistic"
file = "models/leaves.skops"  # of Tuesday
runtime = "sklearn"
card = "models/card.md"

[[examples]]
title = "First"
inputs = { a = 1, b = 2,   c = 3 }
"""
CHANGED = TOML.replace("leaves.skops", "logistic.onnx").replace('runtime = "sklearn"\n', "")


def application(folder: Path, estimator: Any = None, text: str = TOML) -> Path:
    """Write an application of three numbers and a scikit-learn model."""
    (folder / "models").mkdir()
    fitted = (LogisticRegression() if estimator is None else estimator).fit(*training_set())
    skops.io.dump(fitted, folder / "models/leaves.skops")
    (folder / "models/card.md").write_text("# A card")
    (folder / "podium.toml").write_text(text)
    return folder


def files(folder: Path) -> dict[str, bytes]:
    """Return a folder's files by their paths."""
    return {str(file.relative_to(folder)): file.read_bytes()
            for file in folder.rglob("*") if file.is_file()}  # fmt: skip


def scores(folder: Path) -> Any:
    """Return an application's answers to 20 inputs, in the order of LABELS."""
    app = App(folder)
    items = [app.signature.row_of(one) for one in numbers(20)]
    return as_array(app.served().pipeline.predict(items, Options(top=9)), LABELS)


def export(offset: float = 0.0) -> Callable[[Source, Arrays, Path], None]:
    """Return an exporter that adds a number to the first logit."""

    def write(source: Source, _example: Arrays, file: Path) -> None:
        fitted = skops.io.load(source.file)
        bias = fitted.intercept_ + offset * np.eye(3)[0]
        linear(file, "Softmax", fitted.coef_.T, bias, element=DOUBLE, output="probabilities")

    return write


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """Return what puts another exporter into scikit-learn's runtime."""
    return lambda write: monkeypatch.setattr(
        "podium.runtimes.sklearn.export_onnx", write, raising=False
    )


@pytest.fixture
def timed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return what sets the measured times: of one answer, and of a batch."""

    def times(one: Pair, batch: Pair) -> None:
        found = {1: one, optimize.BATCH: batch}
        monkeypatch.setattr(optimize, "_medians", lambda _old, _new, items: found[len(items)])

    times(Pair(3.0, 1.0), Pair(8.0, 2.0))
    return times


@pytest.fixture
def same(exporter: Callable[[Any], None], timed: Callable[..., None]) -> Callable[..., None]:
    """Let the exporter write the same model, three times as fast; return what sets the times."""
    exporter(export())
    return timed


def optimized(folder: Path, **wishes: Any) -> Outcome:
    """Optimise an application silently."""
    return optimize_application(folder, Wishes(**wishes), lambda _: None)


@pytest.mark.usefixtures("same")
def test_a_faster_graph_that_answers_the_same_takes_the_place(tmp_path: Path) -> None:
    """The graph lies beside the old file, and podium.toml names it; nothing else has changed."""
    before = files(application(tmp_path))
    answers = scores(tmp_path)
    told: list[str] = []
    outcome = optimize_application(tmp_path, Wishes(), told.append)
    after = files(tmp_path)
    assert after.pop("podium.toml").decode() == CHANGED
    graph = after.pop("models/logistic.onnx")
    assert after == {name: data for name, data in before.items() if name != "podium.toml"}
    np.testing.assert_allclose(scores(tmp_path), answers, 0, 1e-12)
    assert App(tmp_path).served().platform == "onnx"
    assert (outcome.model, outcome.platform, outcome.file) == (
        "logistic", "sklearn", "models/logistic.onnx",
    )  # fmt: skip
    assert outcome.replaced == ('file = "models/leaves.skops"  # of Tuesday', 'runtime = "sklearn"')
    assert (outcome.one, outcome.batch) == ((3, 1), (8, 2))
    assert outcome.size == (len(before["models/leaves.skops"]), len(graph))
    assert outcome.parity.greatest < 1e-12
    assert told == [
        "Exporting models/leaves.skops to ONNX ...", "Comparing the answers ...", "Measuring ...",
    ]  # fmt: skip


@pytest.mark.usefixtures("timed")
def test_a_graph_that_answers_otherwise_is_refused(
    tmp_path: Path, exporter: Callable[[Any], None]
) -> None:
    """The greatest difference is told with its input, and nothing is changed."""
    exporter(export(offset=0.01))
    before = files(application(tmp_path))
    told = (
        r"^logistic: its ONNX graph answers otherwise\. The largest difference is 0\.00\d+, for "
        r"a = [^,]+, b = [^,]+, c = [^,]+; allowed is 0\.0001\. Nothing was changed; --tolerance "
        r"allows more\.$"
    )
    with pytest.raises(ModelError, match=told):
        optimized(tmp_path)
    assert files(tmp_path) == before


@pytest.mark.usefixtures("timed")
def test_the_tolerance_is_the_makers(tmp_path: Path, exporter: Callable[[Any], None]) -> None:
    """What one tolerance refuses, another takes."""
    exporter(export(offset=0.01))
    assert optimized(application(tmp_path), tolerance=0.01).file == "models/logistic.onnx"


@pytest.mark.parametrize(
    ("one", "batch"), [(Pair(1.0, 0.99), Pair(8, 2)), (Pair(3, 1), Pair(1.0, 1.2))]
)
def test_a_graph_that_is_not_faster_changes_nothing(
    one: Pair, batch: Pair, tmp_path: Path, same: Callable[..., None]
) -> None:
    """Neither one answer that is not faster, nor a batch that is slower, is a gain."""
    same(one, batch)
    before = files(application(tmp_path))
    outcome = optimized(tmp_path)
    assert (outcome.file, outcome.replaced, outcome.one, outcome.batch) == ("", (), one, batch)
    assert files(tmp_path) == before
    assert optimized(tmp_path, even_if_slower=True).file == "models/logistic.onnx"
    assert (tmp_path / "podium.toml").read_text() == CHANGED


@pytest.mark.usefixtures("same")
def test_a_file_of_another_content_is_not_overwritten(tmp_path: Path) -> None:
    """Where the name is taken, the next free number is; the same content is used again."""
    application(tmp_path)
    taken = [tmp_path / "models/logistic.onnx", tmp_path / "models/logistic-2.onnx"]
    for file in taken:
        file.write_bytes(b"mine")
    assert optimized(tmp_path).file == "models/logistic-3.onnx"
    assert [file.read_bytes() for file in taken] == [b"mine", b"mine"]
    (tmp_path / "models/logistic-3.onnx").rename(taken[0])
    (tmp_path / "podium.toml").write_text(TOML)
    assert optimized(tmp_path).file == "models/logistic.onnx"


@pytest.mark.usefixtures("same")
@pytest.mark.parametrize("failing", ["_write", "App"])
def test_a_failure_at_the_end_is_undone(
    failing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If podium.toml cannot be written, or the application not be loaded, all is as it was."""
    before = files(application(tmp_path))
    whole, calls = getattr(optimize, failing), 0

    def fail(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == {"_write": 1, "App": 2}[failing]:
            raise OSError("No space left on device")
        return whole(*arguments, **options)

    monkeypatch.setattr(optimize, failing, fail)
    with pytest.raises(OSError, match="No space left"):
        optimized(tmp_path)
    assert calls == 2
    assert files(tmp_path) == before


@pytest.mark.usefixtures("same")
def test_podium_toml_that_changed_meanwhile_is_left_alone(tmp_path: Path) -> None:
    """What the maker writes while the model is measured is not lost."""
    application(tmp_path)
    changed = TOML.replace("Leaves", "Needles")

    def tell(told: str) -> None:
        if told.startswith("Measuring"):
            (tmp_path / "podium.toml").write_text(changed)

    with pytest.raises(PodiumError, match=r"podium\.toml was changed meanwhile"):
        optimize_application(tmp_path, Wishes(), tell)
    assert (tmp_path / "podium.toml").read_text() == changed
    assert not (tmp_path / "models/logistic.onnx").exists()


@pytest.mark.usefixtures("same")
def test_labels_keep_their_order(tmp_path: Path) -> None:
    """The graph names its classes: an application may list them otherwise, or not at all."""
    for name, labels in {"none": "", "other": 'labels = ["right", "left", "middle"]\n'}.items():
        (tmp_path / name).mkdir()
        text = TOML.replace('kind = "classification"\n', f'kind = "classification"\n{labels}')
        folder = application(tmp_path / name, text=text)
        before, signature = scores(folder), App(folder).signature
        optimized(folder)
        assert App(folder).signature == signature
        np.testing.assert_allclose(scores(folder), before, 0, 1e-12)


@pytest.mark.usefixtures("timed")
def test_columns_keep_their_order(tmp_path: Path, exporter: Callable[[Any], None]) -> None:
    """The graph names its columns, which the model may have learned in another order."""
    exporter(export())
    application(tmp_path)
    x, y = training_set()
    fitted = LogisticRegression().fit(x[:, [2, 0, 1]], y)
    fitted.feature_names_in_ = np.array(["c", "a", "b"], np.object_)
    skops.io.dump(fitted, tmp_path / "models/leaves.skops")
    before = scores(tmp_path)
    assert optimized(tmp_path).file
    np.testing.assert_allclose(scores(tmp_path), before, 0, 1e-12)


@pytest.mark.usefixtures("same")
def test_a_forest_stays_a_forest(tmp_path: Path) -> None:
    """Its trees' votes would be lost, and with them how sure it is."""
    before = files(application(tmp_path, forest(RandomForestClassifier)))
    with pytest.raises(ModelError, match="logistic has members with a vote each, such as a"):
        optimized(tmp_path)
    assert files(tmp_path) == before


@pytest.mark.parametrize(
    ("case", "told"),
    [("onnx-logits", "m is ONNX already: models/m.onnx"), ("onnx-noise", "m is ONNX already")],
)
def test_a_graph_needs_no_export(case: str, told: str, tmp_path: Path) -> None:
    """A model that is ONNX stays as it is."""
    build(CASES[case], tmp_path)
    before = files(tmp_path)
    with pytest.raises(ModelError, match=told):
        optimized(tmp_path)
    assert files(tmp_path) == before


def test_python_code_is_not_exported(tmp_path: Path) -> None:
    """The maker's own code stays as it is."""
    (tmp_path / "own.py").write_text("def ask(x):\n    return x / x.sum(1, keepdims=True)\n")
    text = TOML.replace('file = "models/leaves.skops"  # of Tuesday\nruntime = "sklearn"\n',
                        'python = "own:ask"\n').replace('"classification"',
                        '"classification"\nlabels = ["l", "m", "r"]')  # fmt: skip
    application(tmp_path, text=text)
    with pytest.raises(ModelError, match="logistic is Python code of your own, which cannot be"):
        optimized(tmp_path)


@pytest.mark.usefixtures("same")
def test_an_unusual_podium_toml_is_refused_at_once(tmp_path: Path) -> None:
    """A [[models]] table that cannot be edited is told before anything is exported."""
    head, _, tail = TOML.partition('runtime = "sklearn"\n')
    application(tmp_path, text=f'{head}"runtime" = "sklearn"\n{tail}')
    told: list[str] = []
    with pytest.raises(PodiumError, match="one key a line"):
        optimize_application(tmp_path, Wishes(), told.append)
    assert told == []


@pytest.mark.usefixtures("same")
def test_unknown_model(tmp_path: Path) -> None:
    """A model that there is not is told with those that there are."""
    with pytest.raises(PodiumError, match=r"no model 'logistics'\. Did you mean 'logistic'"):
        optimized(application(tmp_path), model="logistics")


def fails(error: Exception) -> Callable[[Source, Arrays, Path], None]:
    """Return an exporter that leaves half a file, and raises."""

    def write(_source: Source, _example: Arrays, file: Path) -> None:
        file.write_bytes(b"half")
        raise error

    return write


@pytest.mark.parametrize(
    ("write", "told"),
    [
        (fails(NotImplementedError("Operator 'x' is\nunknown")),
         r"^leaves\.skops cannot be exported to ONNX: NotImplementedError: Operator 'x' is$"),
        (fails(ModelError("It is odd")), "^It is odd$"),
        (fails(ImportError("Install skl2onnx")),
         r"^leaves\.skops \(export to ONNX\) needs the extra 'optimize': pip install "),
        (lambda _source, _example, file: linear(file, weights=np.ones((4, 3))),
         r"^logistic: its ONNX graph does not fit here: The model takes \[n, 4\]"),
        (lambda _source, _example, file: linear(file, weights=np.ones((3, 2)), bias=np.ones(2)),
         r"^logistic: its ONNX graph does not fit here: No output fits 3 labels"),
    ],
)  # fmt: skip
def test_an_export_that_fails_leaves_nothing(
    write: Any, told: str, tmp_path: Path, exporter: Callable[[Any], None]
) -> None:
    """An operator that is unknown, a package that is missing, a graph that does not fit."""
    exporter(write)
    before = files(application(tmp_path))
    with pytest.raises(ModelError, match=told):
        optimized(tmp_path)
    assert files(tmp_path) == before
    assert sorted(path.name for path in tmp_path.rglob("*")) == [
        "card.md", "leaves.skops", "models", "podium.toml",
    ]  # fmt: skip


@pytest.mark.usefixtures("timed")
def test_weights_beside_the_graph_are_refused(
    tmp_path: Path, exporter: Callable[[Any], None]
) -> None:
    """A graph that needs a second file is not taken."""

    def write(_source: Source, _example: Arrays, file: Path) -> None:
        file.write_bytes(b"\x0a\x08location\x12\x01w")
        file.with_name("w").write_bytes(b"")

    exporter(write)
    with pytest.raises(ModelError, match="logistic is too large for one ONNX file"):
        optimized(application(tmp_path))


def test_a_runtime_without_export_names_those_with_one(tmp_path: Path) -> None:
    """The error names the runtimes whose models can be exported."""
    source = Source.alone(tmp_path / "a.py", runtime="python", code="a:b")
    told = (
        r"a\.py: a model of the runtime 'python' cannot be exported to ONNX; those of these can: "
    )
    with pytest.raises(ModelError, match=told) as err:
        runtimes.export_onnx(source, {}, tmp_path / "a.onnx")
    able = {"torch", "keras", "sklearn"}
    assert set(re.findall(r"\w+", str(err.value).rpartition(":")[2])) == able


@pytest.mark.parametrize(("budget_s", "runs"), [(14.9, 5), (1e9, 7)])
def test_the_models_take_turns(
    budget_s: float, runs: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One after the other is asked, until the time is up or the runs are done; medians count."""
    old = build(CASES["onnx-logits"], tmp_path / "old").app.served()
    new = build(CASES["onnx-double"], tmp_path / "new").app.served()
    now, asked = 0.0, []

    def infer(model: Model, _inputs: Arrays) -> None:
        nonlocal now
        asked.append(model)
        now += 2.0 if model is old.pipeline.model else 1.0

    for served in (old, new):
        monkeypatch.setattr(served.pipeline.engine, "infer", infer)
    monkeypatch.setattr("podium.optimize.time.perf_counter", lambda: now)
    monkeypatch.setattr(optimize, "BUDGET_S", budget_s)
    monkeypatch.setattr(optimize, "RUNS", 7)
    assert optimize._medians(old, new, rows_of((1.0, 2.0, 3.0))) == (2000, 1000)
    assert asked == [old.pipeline.model, new.pipeline.model] * runs


FRAMEWORKS = (
    *torch_cases.CASES, *keras_cases.CASES, *sklearn_cases.CASES, *sklearn_table_cases.CASES,
)  # fmt: skip
REAL = {
    "torch-columns", "torch-weights-picture", "keras-softmax", "keras-image",
    "sklearn-pipeline-one-hot", "sklearn-labels-only", "sklearn-named-features",
    "sklearn-whole-number-classes", "sklearn-linear", "sklearn-table",
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(REAL))
def test_models_of_each_framework(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The graph that takes a real model's place gives the framework's own answers."""
    monkeypatch.setattr(optimize, "BUDGET_S", 0.0)
    built = build({case.name: case for case in FRAMEWORKS}[name], tmp_path)
    outcome = optimized(tmp_path, even_if_slower=True)
    assert outcome.parity.greatest < optimize.TOLERANCE
    app = App(tmp_path)
    assert app.served().platform == "onnx"
    inputs = built.case.inputs(50)
    answers = replace(built, app=app).scores(inputs)
    np.testing.assert_allclose(answers, built.oracle(inputs), 0, 1e-5)


OUTCOME = Outcome(
    "net", "torch", Parity(93, 3.14e-06, 1e-5, "x"), Pair(54.04, 15), Pair(864, 240),
    Pair(18.6e6, 18.5e6), "models/net.onnx", ('file = "net.pt"', 'factory = "a:b"'),
)  # fmt: skip


def printed(
    outcome: Outcome, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """Return the lines of an outcome on a wide terminal; a row's cells have one space between."""
    monkeypatch.setenv("COLUMNS", "300")
    render_outcome(outcome)
    lines = capsys.readouterr().out.splitlines()
    return [" ".join(line.replace("│", " ").replace("┃", " ").split()) for line in lines]


def test_what_is_printed_of_a_gain(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Times and sizes with their ratio, the parity, and how to go back."""
    lines = printed(OUTCOME, capsys, monkeypatch)
    assert "torch onnx Ratio" in lines
    assert "One answer 54 ms 15 ms 3.6" in lines
    assert "Batch of 16 864 ms 240 ms 3.6" in lines
    assert "File 18.6 MB 18.5 MB 1.0" in lines
    assert lines[-4:] == [
        "93 inputs: the largest difference of the answers is 3e-06.",
        "podium.toml now names models/net.onnx; the old file stays. To go back, write again:",
        'file = "net.pt"',
        'factory = "a:b"',
    ]


def test_what_is_printed_without_a_gain(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says that nothing was changed, and how it would be."""
    lines = printed(replace(OUTCOME, file="", replaced=()), capsys, monkeypatch)
    assert lines[-1] == (
        "The ONNX graph is not faster; nothing was changed. --even-if-slower takes it all the same."
    )


@pytest.mark.usefixtures("same")
def test_the_command(tmp_path: Path) -> None:
    """`podium optimize DIR --model NAME` does it, tells its steps, and shows the table."""
    done = podium("optimize", application(tmp_path), "--model", "logistic")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith("Exporting models/leaves.skops to ONNX ...\n")
    assert "podium.toml now names models/logistic.onnx; " in done.stdout
    again = podium("optimize", tmp_path)
    assert (again.exit_code, again.stdout) == (1, "")
    assert again.stderr == "podium: logistic is ONNX already: models/logistic.onnx\n"


@pytest.mark.parametrize("arguments", [("--tolerance", "-1"), ("--tolerance", "x")])
def test_wrong_options(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """A tolerance is a number, zero or greater."""
    done = podium("optimize", tmp_path, *arguments)
    assert (done.exit_code, "--tolerance" in done.stderr) == (2, True)
