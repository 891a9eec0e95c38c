"""Models that draw by themselves: ONNX graphs with random operators, the maker's own Python.

The graphs' operators have seeds of their own, so that the tests always see the same numbers; a
Dropout has none, since ONNX Runtime takes the request's.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper
from scipy import stats

from podium.app import App
from podium.check import check_application
from podium.errors import FieldError, InvalidInput, ModelError
from podium.options import Options
from podium.pipeline.member import Member
from podium.pipeline.stochastic import Calls, Rows, Way
from podium.prediction import ClassPrediction
from tests.conformance.cases import NUMBERS, Case, build, numbers, rows_of
from tests.conformance.graphs import FLOAT, WEIGHTS, constant, linear, save, softmax
from tests.conformance.onnx_cases import FILE
from tests.conformance.python_cases import PythonCase, module

Nodes = list[onnx.NodeProto]
ROW = (0.3, -1.0, 0.7)
SAMPLES = Options(include=frozenset({"samples"}))
WEIGHED = helper.make_node("MatMul", ["X", "W"], ["logits"])
SEED = 1.0


def plus(node: str, **attributes: Any) -> Nodes:
    """Return nodes that add what an operator makes of the logits to them."""
    drawn = helper.make_node(node, ["logits"], ["drawn"], seed=SEED, **attributes)
    return [WEIGHED, drawn, helper.make_node("Add", ["logits", "drawn"], ["scores"])]


def weights(node: str, **attributes: Any) -> Nodes:
    """Return nodes that add what an operator draws to the weights, once a call."""
    return [
        helper.make_node(node, [], ["drawn"], shape=[3, 3], seed=SEED, **attributes),
        helper.make_node("Add", ["W", "drawn"], ["weights"]),
        helper.make_node("MatMul", ["X", "weights"], ["scores"]),
    ]


def mixed() -> Nodes:
    """Return nodes that draw for each row and, a quarter of the variance, once a call."""
    return [
        *plus("RandomNormalLike")[:-1],
        helper.make_node("RandomNormal", [], ["one"], shape=[3], seed=SEED, scale=0.58),
        helper.make_node("Add", ["logits", "drawn"], ["sum"]),
        helper.make_node("Add", ["sum", "one"], ["scores"]),
    ]


def bernoulli() -> Nodes:
    """Return nodes that add a coin's throw to each logit."""
    return [
        WEIGHED,
        helper.make_node("Sigmoid", ["logits"], ["chance"]),
        helper.make_node("Bernoulli", ["chance"], ["drawn"], seed=SEED),
        helper.make_node("Add", ["logits", "drawn"], ["scores"]),
    ]


def multinomial() -> Nodes:
    """Return nodes that add 1 to the logit of a class that is drawn by the logits."""
    return [
        WEIGHED,
        helper.make_node("Multinomial", ["logits"], ["class"], sample_size=1, seed=SEED),
        helper.make_node("Equal", ["class", "classes"], ["same"]),
        helper.make_node("Cast", ["same"], ["drawn"], to=FLOAT),
        helper.make_node("Add", ["logits", "drawn"], ["scores"]),
    ]


def dropout() -> Nodes:
    """Return a dropout that is kept in training mode."""
    return [
        WEIGHED,
        helper.make_node("Dropout", ["logits", "ratio", "training"], ["scores"]),
    ]


def hidden() -> Nodes:
    """Return a dropout in the midst of a graph, where ONNX Runtime would take it out."""
    return [
        WEIGHED,
        helper.make_node("Dropout", ["logits", "ratio", "training"], ["kept"]),
        helper.make_node("Relu", ["kept"], ["scores"]),
    ]


CONSTANTS = {
    "W": WEIGHTS.astype(np.float32),
    "ratio": np.array(0.5, np.float32),
    "training": np.array(True),
    "classes": np.arange(3, dtype=np.int32),
}

GRAPHS: dict[str, tuple[Callable[[], Nodes], type[Way]]] = {
    "RandomNormalLike": (lambda: plus("RandomNormalLike"), Rows),
    "RandomUniformLike": (lambda: plus("RandomUniformLike"), Rows),
    "Bernoulli": (bernoulli, Rows),
    "Multinomial": (multinomial, Rows),
    "Dropout": (dropout, Rows),
    "hidden Dropout": (hidden, Rows),
    "RandomNormal": (lambda: weights("RandomNormal"), Calls),
    "RandomUniform": (lambda: weights("RandomUniform"), Calls),
    "both": (mixed, Calls),
}


def write(name: str, batch: int | str = "N") -> Callable[[Path], Any]:
    """Write the graph of this name."""

    def into(folder: Path) -> Callable[..., NDArray[Any]]:
        nodes = GRAPHS[name][0]()
        used = {one for node in nodes for one in node.input}
        save(
            folder / FILE, nodes, [("X", FLOAT, [batch, 3])], [("scores", FLOAT, [batch, 3])],
            [constant(key, value) for key, value in CONSTANTS.items() if key in used],
        )  # fmt: skip
        return lambda _: np.empty(0)

    return into


def served(folder: Path, name: str, samples: int = 100, batch: int | str = "N") -> App:
    """Return an application of the graph of this name."""
    toml = f"samples = {samples}" if samples else ""
    return build(Case(name, FILE, write(name, batch), numbers, model_toml=toml), folder).app


def member(app: App) -> Member:
    """Return the one model of an application."""
    return app.served().pipeline.members[0]


def way(app: App) -> Way:
    """Return the way that was found."""
    passes = member(app).passes
    assert passes is not None
    return passes.way


def passes(app: App, options: Options = SAMPLES) -> NDArray[np.float64]:
    """Return every pass's probabilities of ROW, rounded, shape (samples, classes)."""
    (one,) = app.predict(rows_of(ROW), options).predictions
    assert isinstance(one, ClassPrediction)
    named = msgspec.to_builtins(one.uncertainty)["sample_probabilities"]
    return np.transpose([named[label] for label in app.signature.labels]).round(5)


@pytest.mark.parametrize("batch", ["N", 1, 7])
@pytest.mark.parametrize("name", GRAPHS)
def test_it_is_found_out_what_a_graph_draws_for(
    name: str, batch: int | str, tmp_path: Path
) -> None:
    """Rows share a batch where an operator draws for each, or where each is called alone.

    ONNX Runtime seeds dropout in successive calls by successive numbers, which hang together.
    """
    app = served(tmp_path, name, batch=batch)
    expected = GRAPHS[name][1] if batch != 1 else Rows
    assert type(way(app)) is (Calls if "Dropout" in name and batch != "N" else expected)
    assert len(np.unique(passes(app), axis=0)) > 2


LAWS: dict[str, Callable[[NDArray[np.float64], np.random.Generator], NDArray[np.float64]]] = {
    "RandomNormalLike": lambda x, rng: x @ WEIGHTS + rng.normal(size=(4000, 3)),
    "Dropout": lambda x, rng: x @ WEIGHTS * 2 * rng.integers(2, size=(4000, 3)),
    "hidden Dropout": lambda x, rng: np.maximum(
        x @ WEIGHTS * 2 * rng.integers(2, size=(4000, 3)), 0
    ),
    "RandomNormal": lambda x, rng: x @ (WEIGHTS + rng.normal(size=(4000, 3, 3))),
    "both": lambda x, rng: x @ WEIGHTS + rng.normal(size=(4000, 3)) * np.hypot(1, 0.58),
}
"""What the graphs draw, worked out in numpy."""


@pytest.mark.parametrize("name", LAWS)
def test_passes_have_the_distribution_of_separate_calls(name: str, tmp_path: Path) -> None:
    """By Kolmogorov and Smirnov: the way found, separate calls and numpy draw the same."""
    app = served(tmp_path, name, samples=2000)
    found = passes(app)
    engine, one = member(app).engine, member(app)
    assert one.passes is not None
    seeded = one.passes.way.reproducible
    one.passes.way = Calls(lambda feed, seed: engine.infer(one.model, feed, seed), seeded)
    called = passes(app)
    worked_out = softmax(LAWS[name](np.array(ROW), np.random.default_rng(0))).round(5)
    for column in range(3):
        assert stats.ks_2samp(found[:, column], called[:, column]).pvalue > 1e-3
        assert stats.ks_2samp(found[:, column], worked_out[:, column]).pvalue > 1e-3


def test_the_wrong_way_would_be_seen(tmp_path: Path) -> None:
    """Weights drawn once for all passes are far from the distribution of separate calls."""
    app = served(tmp_path, "RandomNormal", samples=500)
    called, one = passes(app), member(app)
    assert one.passes is not None
    one.passes.way = Rows(lambda feed, seed: one.engine.infer(one.model, feed, seed), False)
    found = passes(app)
    assert len(np.unique(found, axis=0)) == 1
    assert stats.ks_2samp(found[:, 0], called[:, 0]).pvalue < 1e-20


def test_dropout_in_a_graph_takes_seeds(tmp_path: Path) -> None:
    """ONNX Runtime's dropout is seeded anew for each call, so that a seed brings an answer back."""
    app = served(tmp_path, "Dropout")
    found = [passes(app, Options(seed=seed, include=SAMPLES.include)) for seed in (3, 3, 4)]
    np.testing.assert_array_equal(found[0], found[1])
    assert (found[0] != found[2]).any()
    (one,) = app.predict(rows_of(ROW), Options()).predictions
    assert one.uncertainty.reproducible is True


def test_a_graph_keeps_its_own_random_state(tmp_path: Path) -> None:
    """Its answers are not reproducible, and a seed is refused in words."""
    app = served(tmp_path, "RandomNormalLike")
    first, second = (app.predict(rows_of(ROW), Options()).predictions[0] for _ in range(2))
    assert first != second
    assert first.uncertainty.reproducible is False
    with pytest.raises(InvalidInput) as caught:
        app.predict(rows_of(ROW), Options(seed=1))
    message = "this model keeps a random state of its own; leave seed out"
    assert caught.value.errors == (FieldError("seed", message),)


@pytest.mark.parametrize("file", ["plain graph", "dropout for inference"])
def test_samples_of_a_graph_without_chance_are_refused(file: str, tmp_path: Path) -> None:
    """A graph that draws nothing, or lost its dropout, cannot be asked for passes."""

    def into(folder: Path) -> Any:
        if file == "plain graph":
            linear(folder / FILE)
            return None
        nodes = [WEIGHED, helper.make_node("Dropout", ["logits"], ["scores"])]
        shape = ["N", 3]
        save(folder / FILE, nodes, [("X", FLOAT, shape)], [("scores", FLOAT, shape)],
             [constant("W", CONSTANTS["W"])])  # fmt: skip
        return None

    app = build(Case("m", FILE, into, numbers, model_toml="samples = 10"), tmp_path).app
    with pytest.raises(ModelError, match=r"^samples asks for passes that differ, and this model"):
        app.served()


def test_chance_without_samples_is_served_and_told(tmp_path: Path) -> None:
    """A model that draws and is asked once answers, and `podium check` names the way out."""
    app = served(tmp_path, "RandomNormalLike", samples=0)
    (one,) = app.predict(rows_of(ROW), Options()).predictions
    assert (one.uncertainty.samples, one.uncertainty.reproducible) == (None, False)
    with pytest.raises(InvalidInput, match="leave seed out"):
        app.predict(rows_of(ROW), Options(seed=1))
    (report,) = check_application(tmp_path).models
    assert report.notes == (
        "Its answers to the same input differ: it draws something at random. samples = 100 in its "
        "[[models]] would tell how sure it is.",
    )


def test_noise_and_chance_together_are_not_reproducible(tmp_path: Path) -> None:
    """A graph that takes its noise and draws besides is told to be what it is."""

    def into(folder: Path) -> Any:
        nodes = [
            WEIGHED,
            helper.make_node("RandomNormalLike", ["logits"], ["drawn"], seed=SEED),
            helper.make_node("Add", ["logits", "drawn"], ["sum"]),
            helper.make_node("Add", ["sum", "eps"], ["scores"]),
        ]
        inputs = [("X", FLOAT, ["N", 3]), ("eps", FLOAT, ["N", 3])]
        save(folder / FILE, nodes, inputs, [("scores", FLOAT, ["N", 3])],
             [constant("W", CONSTANTS["W"])])  # fmt: skip
        return None

    toml = 'samples = 10\nnoise = "eps"'
    app = build(Case("m", FILE, into, numbers, model_toml=toml), tmp_path).app
    (one,) = app.predict(rows_of(ROW), Options()).predictions
    assert (one.uncertainty.samples, one.uncertainty.reproducible) == (10, False)


SEEDED = """
class Net:
    def __init__(self):
        self.rng = np.random.default_rng()

    def seed(self, value):
        self.rng = np.random.default_rng(value)

    def predict(self, x):
        return (x[:, None] @ (WEIGHTS + self.rng.normal(size={size})))[:, 0]
"""


def own(folder: Path, text: str, toml: str = "samples = 50") -> App:
    """Return an application of the maker's class."""
    case = PythonCase("own", "m.py", module(text, lambda _: np.empty(0)), numbers,
                      inputs_toml=NUMBERS, model_toml=toml, code="m:Net")  # fmt: skip
    return build(case, folder).app


@pytest.mark.parametrize(
    ("size", "kind"), [("(3, 3)", Calls), ("(len(x), 3, 3)", Rows)], ids=["call", "row"]
)
def test_a_seed_method_makes_own_models_reproducible(
    size: str, kind: type[Way], tmp_path: Path
) -> None:
    """The maker's object is seeded before each call, so that a seed brings the answer back."""
    app = own(tmp_path, SEEDED.format(size=size))
    assert type(way(app)) is kind
    found = [passes(app, Options(seed=seed, include=SAMPLES.include)) for seed in (3, 3, 4)]
    np.testing.assert_array_equal(found[0], found[1])
    assert (found[0] != found[2]).all()
    np.testing.assert_array_equal(
        passes(app), passes(app, Options(seed=0, include=SAMPLES.include))
    )
    (one,) = app.predict(rows_of(ROW), Options()).predictions
    assert one.uncertainty.reproducible is True


def test_own_models_without_a_seed_method_refuse_seeds(tmp_path: Path) -> None:
    """What draws from a state that nobody can set is not reproducible."""
    text = SEEDED.format(size="(3, 3)").replace("def seed", "def other")
    app = own(tmp_path, text)
    assert way(app).reproducible is False
    with pytest.raises(InvalidInput, match="leave seed out"):
        app.predict(rows_of(ROW), Options(seed=1))


def test_width_and_time_stand_in_podium_toml(tmp_path: Path) -> None:
    """With sampling_width, an answer says how many passes it took."""
    toml = 'samples = 1000\nsampling_width = 0.1\nsampling_time = "50 s"'
    app = own(tmp_path, SEEDED.format(size="(3, 3)"), toml)
    found = app.predict(rows_of(ROW, (0.0, 0.0, 0.01)), Options()).predictions
    counts = [one.uncertainty.samples or 0 for one in found]
    assert 32 < counts[0] < 1000
    assert counts[1] == 32
