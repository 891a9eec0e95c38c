"""What is special about ONNX: noise as an input, fixed shapes, external data, odd graphs."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper
from scipy.stats import entropy

from podium.app import App
from podium.errors import FieldError, InvalidInput, ModelError
from podium.options import Options
from podium.pipeline.decode import JsonReader
from podium.pipeline.stochastic import MAX_ROWS
from podium.prediction import ClassPrediction, ValuePrediction
from podium.runtimes import Source, load
from podium.runtimes.onnx import write_names
from tests.conformance.cases import NUMBERS, Built, Case, build, numbers, rows_of
from tests.conformance.graphs import FLOAT, INT64, WEIGHTS, constant, linear, save, softmax
from tests.conformance.onnx_cases import CASES, FILE, noisy_passes, write_noise

BY_NAME = {case.name: case for case in CASES}
PLAIN = BY_NAME["onnx-logits"]
NOISE = BY_NAME["onnx-noise"]
SAMPLES = Options(include=frozenset({"samples"}))


@pytest.fixture(scope="module")
def noisy(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Return a classifier whose noise is an input, 50 passes."""
    return build(NOISE, tmp_path_factory.mktemp("noise"))


def answers(app: App, inputs: list[dict[str, object]], options: Options | None = None) -> Any:
    """Return the predictions for rows of numbers."""
    rows: Any = [tuple(one.values()) for one in inputs]
    return app.predict(rows, options or Options()).predictions


def samples_of(predictions: Any, labels: tuple[str, ...]) -> NDArray[np.float64]:
    """Return every pass's probabilities, shape (batch, samples, classes)."""
    named = [one.uncertainty.sample_probabilities for one in predictions]
    return np.array([np.transpose([one[label] for label in labels]) for one in named])


def test_noise_makes_passes(noisy: Built) -> None:
    """Every pass has the noise that (seed, row number) gives, and all of them are counted."""
    found = noisy.ask(numbers(6), SAMPLES)
    expected = noisy_passes(numbers(6), 3, 50)
    np.testing.assert_allclose(samples_of(found, noisy.case.labels), expected, 0, 1e-6)
    assert {one.uncertainty.samples for one in found} == {50}


def test_noise_splits_the_entropy(noisy: Built) -> None:
    """Entropy, its aleatoric and its epistemic part come from the passes."""
    passes = noisy_passes(numbers(6), 3, 50)
    total, aleatoric = entropy(passes.mean(axis=1), axis=1), entropy(passes, axis=2).mean(axis=1)
    assert (total - aleatoric > 0.01).all()
    for index, prediction in enumerate(noisy.ask(numbers(6))):
        assert isinstance(prediction, ClassPrediction)
        certainty = prediction.uncertainty
        assert certainty.entropy == pytest.approx(total[index], abs=1e-6)
        assert certainty.aleatoric == pytest.approx(aleatoric[index], abs=1e-6)
        assert certainty.epistemic == pytest.approx((total - aleatoric)[index], abs=1e-6)
        assert certainty.reproducible is True


def test_noise_gives_intervals(noisy: Built) -> None:
    """The interval of a label holds the middle part of its passes."""
    passes = noisy_passes(numbers(4), 3, 50)
    low, high = np.quantile(passes, [0.1, 0.9], axis=1)
    for index, one in enumerate(noisy.ask(numbers(4), Options(confidence_level=0.8))):
        assert isinstance(one, ClassPrediction)
        assert one.uncertainty.interval_level == 0.8
        assert one.uncertainty.intervals is not None
        for column, label in enumerate(noisy.case.labels):
            expected = (low[index, column], high[index, column])
            assert one.uncertainty.intervals[label] == pytest.approx(expected, abs=1e-6)


def test_seed_makes_noise_reproducible(noisy: Built) -> None:
    """The same seed gives the same answer, another seed another one."""
    first = noisy.ask(numbers(5), Options(seed=7))
    assert noisy.ask(numbers(5), Options(seed=7)) == first
    assert noisy.ask(numbers(5), Options(seed=8)) != first
    expected = noisy_passes(numbers(5), 3, 50, seed=7).mean(axis=1)
    np.testing.assert_allclose(noisy.scores(numbers(5), Options(seed=7)), expected, 0, 1e-6)


def test_equal_rows_have_noise_of_their_own(noisy: Built) -> None:
    """The same input twice in a request is answered with two draws of the noise."""
    first, second = noisy.ask([numbers(1)[0]] * 2, SAMPLES)
    assert first.uncertainty != second.uncertainty


def test_noise_does_not_depend_on_chunks(tmp_path: Path) -> None:
    """More rows than one call of the model takes get the noise that they get in a small request."""
    samples = 5000
    case = Case(
        "chunks", FILE, write_noise(3), numbers, model_toml=f'noise = "eps"\nsamples = {samples}'
    )
    inputs = numbers(20)
    assert MAX_ROWS // samples < len(inputs) // 2
    passes = noisy_passes(inputs, 3, samples)
    found = build(case, tmp_path).scores(inputs)
    np.testing.assert_allclose(found, passes.mean(axis=1), 0, 1e-6)


def test_noise_of_a_regression_is_its_spread(tmp_path: Path) -> None:
    """A regression's passes give its standard deviation, variance and interval."""
    built = build(BY_NAME["onnx-noise-regressor"], tmp_path)
    passes = noisy_passes(numbers(4), 1, 50)
    for index, one in enumerate(built.ask(numbers(4), SAMPLES)):
        assert isinstance(one, ValuePrediction)
        certainty = one.uncertainty
        assert certainty.std == pytest.approx(passes[index].std(), abs=1e-6)
        assert certainty.epistemic == pytest.approx(passes[index].var(), abs=1e-6)
        assert certainty.interval == pytest.approx(
            tuple(np.quantile(passes[index], [0.05, 0.95])), abs=1e-6
        )
        np.testing.assert_allclose(certainty.sample_values, passes[index], 0, 1e-6)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["X", "epsilon"])
def test_noise_that_is_no_input(name: str, tmp_path: Path) -> None:
    """Noise must name an input of fixed width; the error lists the inputs."""
    case = Case("none", FILE, write_noise(3), numbers, model_toml=f'noise = "{name}"\nsamples = 5')
    if name == "X":  # X itself may be noise, but then the features have no input of their own
        case = Case("none", FILE, write_noise(3), numbers, model_toml='noise = "X"\nsamples = 5')
    with pytest.raises(ModelError, match=r"eps|\[n, 4\]"):
        build(case, tmp_path).app.served()


@pytest.mark.parametrize("batch", [1, 4])
def test_fixed_batch_is_filled_up(batch: int, tmp_path: Path) -> None:
    """A graph of a fixed batch size answers any number of items."""
    linear(tmp_path / "m.onnx", batch=batch)
    model = load(Source.alone(tmp_path / "m.onnx"))
    x = np.random.default_rng(0).normal(size=(10, 3)).astype(np.float32)
    for rows in (1, batch, batch + 1, 10):
        scores = model.predict({"X": x[:rows]})["scores"]
        np.testing.assert_allclose(scores, x[:rows] @ WEIGHTS + [0.1, -0.2, 0.3], 0, 1e-5)


def test_label_alone_by_number(tmp_path: Path) -> None:
    """A graph whose one output is a class's number answers that label, and no probability."""
    nodes = [
        helper.make_node("MatMul", ["X", "W"], ["scores"]),
        helper.make_node("ArgMax", ["scores"], ["label"], axis=1, keepdims=0),
    ]
    weights = constant("W", WEIGHTS.astype(np.float32))
    save(tmp_path / FILE, nodes, [("X", FLOAT, ["N", 3])], [("label", INT64, ["N"])], [weights])
    (tmp_path / "podium.toml").write_text(PLAIN.toml)
    x = np.random.default_rng(0).normal(size=(20, 3))
    predictions = answers(App(tmp_path), [dict(zip("abc", row, strict=True)) for row in x.tolist()])
    expected = [PLAIN.labels[index] for index in (x @ WEIGHTS).argmax(axis=1)]
    assert [(one.label, one.probability) for one in predictions] == [(n, None) for n in expected]


def test_number_is_not_cut_to_a_whole_one(tmp_path: Path) -> None:
    """A feature of kind number does not fit a graph that takes whole numbers; 1.9 is not 1."""
    nodes = [
        helper.make_node("Cast", ["X"], ["floats"], to=FLOAT),
        helper.make_node("MatMul", ["floats", "W"], ["scores"]),
    ]
    weights = constant("W", WEIGHTS.astype(np.float32))
    outputs = [("scores", FLOAT, ["N", 3])]
    save(tmp_path / FILE, nodes, [("X", INT64, ["N", 3])], outputs, [weights])
    (tmp_path / "podium.toml").write_text(PLAIN.toml)
    with pytest.raises(ModelError, match="int64"):
        App(tmp_path).served()


@pytest.mark.parametrize("value", [2**40, 10**20, 10**400], ids=["2**40", "10**20", "10**400"])
def test_whole_number_too_large_for_the_model(value: int, tmp_path: Path) -> None:
    """A whole number that the graph's type cannot hold is the caller's mistake, never a crash."""
    nodes = [
        helper.make_node("Cast", ["X"], ["floats"], to=FLOAT),
        helper.make_node("MatMul", ["floats", "W"], ["scores"]),
    ]
    weights = constant("W", WEIGHTS.astype(np.float32))
    inputs = [("X", TensorProto.INT32, ["N", 3])]
    save(tmp_path / FILE, nodes, inputs, [("scores", FLOAT, ["N", 3])], [weights])
    text = PLAIN.toml.replace("[[features]]", '[[features]]\nkind = "integer"')
    (tmp_path / "podium.toml").write_text(text)
    body = json.dumps({"inputs": [{"a": value, "b": 0, "c": 0}]}).encode()
    app = App(tmp_path)
    with pytest.raises(InvalidInput) as caught:
        app.predict(JsonReader(app.signature, 1).read(body), Options())
    assert caught.value.errors[0].field.startswith("inputs[0]")


def test_number_too_large_for_single_precision(tmp_path: Path) -> None:
    """A finite number that single precision cannot hold is the caller's mistake."""
    built = build(PLAIN, tmp_path)
    with pytest.raises(InvalidInput) as caught:
        built.ask([numbers(1)[0], {"a": 1e39, "b": 0, "c": 0}])
    assert "inputs[1]" in caught.value.errors[0].field


def test_answer_that_is_not_finite_names_the_item(tmp_path: Path) -> None:
    """An item for which the model gives NaN is refused by its number."""
    nodes = [
        helper.make_node("Log", ["X"], ["logs"]),
        helper.make_node("Identity", ["logs"], ["y"]),
    ]
    save(tmp_path / FILE, nodes, [("X", FLOAT, ["N", 3])], [("y", FLOAT, ["N", 3])])
    (tmp_path / "podium.toml").write_text(
        PLAIN.toml.replace("[[features]]", "[[features]]\nrange = [1, 2]")
    )
    with pytest.raises(InvalidInput) as caught:
        App(tmp_path).predict(rows_of((1.0, 1.0, 1.0), (1.0, -1.0, 1.0)), Options())
    message = "the model gives no finite answer for these values"
    assert caught.value.errors == (FieldError("inputs[1]", message),)


def _external(folder: Path, location: str, value: float = 1.0) -> Path:
    """Write a graph whose weights lie in another file."""
    file = folder / FILE
    linear(file, weights=WEIGHTS * value)
    (file.parent / location).unlink(missing_ok=True)  # onnx would append to it
    model = onnx.load(file)
    onnx.save(
        model, str(file), save_as_external_data=True, location=location, size_threshold=0,
        convert_attribute=True,
    )  # fmt: skip
    return file


def test_external_data_inside_the_folder_is_loaded(tmp_path: Path) -> None:
    """Weights in a file beside the graph are found."""
    model = load(Source.alone(_external(tmp_path, "m.onnx.data")))
    np.testing.assert_allclose(model.predict({"X": np.eye(3)})["scores"][0, 0], 1.0, 0, 1e-6)


def test_external_data_outside_the_folder_is_refused(tmp_path: Path) -> None:
    """A graph that reads a file outside its folder is refused."""
    file = _external(tmp_path, "m.onnx.data")
    (tmp_path / "secret").write_bytes((file.parent / "m.onnx.data").read_bytes())
    model = onnx.load(file, load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = "../secret"
    file.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match=r"m\.onnx"):
        load(Source.alone(file))


def test_version_changes_with_external_data(tmp_path: Path) -> None:
    """Other weights in the file beside the graph are another version."""
    (tmp_path / "podium.toml").write_text(PLAIN.toml)
    _external(tmp_path, "m.onnx.data")
    version = App(tmp_path).version("m")
    _external(tmp_path, "m.onnx.data", value=2.0)
    assert App(tmp_path).version("m") != version


def test_unknown_type_is_named(tmp_path: Path) -> None:
    """An input of a type that Podium does not take is named, with those that it takes."""
    nodes = [helper.make_node("Cast", ["X"], ["y"], to=FLOAT)]
    save(
        tmp_path / "m.onnx", nodes, [("X", TensorProto.UINT16, ["N", 3])], [("y", FLOAT, ["N", 3])]
    )
    with pytest.raises(ModelError, match=r"m\.onnx: 'X' is tensor\(uint16\).*tensor\(float\)"):
        load(Source.alone(tmp_path / "m.onnx"))


def test_input_names_that_do_not_fit(tmp_path: Path) -> None:
    """With an input a feature, other names are refused with both lists."""
    case = BY_NAME["onnx-columns"]
    built = build(case, tmp_path)
    text = case.toml.replace('"width"', '"breadth"')
    (tmp_path / "podium.toml").write_text(text)
    with pytest.raises(ModelError, match=r"inputs colour, count, flag, width.*breadth, count"):
        App(built.app.folder).served()


@pytest.mark.parametrize(
    ("change", "made"),
    [
        ('layout = "NHWC"', r"\[n, 6, 6, 3\]"),
        ('layout = "NCHW"\ncolour = "grey"', r"\[n, 1, 6, 6\]"),
    ],
)
def test_image_of_another_shape(change: str, made: str, tmp_path: Path) -> None:
    """[image] must make the shape that the model takes; the error says both."""
    case = BY_NAME["onnx-image-nchw"]
    build(case, tmp_path)
    (tmp_path / "podium.toml").write_text(case.toml.replace('layout = "NCHW"', change))
    with pytest.raises(ModelError, match=rf"takes \[n, 3, 6, 6\]; \[image\] makes {made}"):
        App(tmp_path).served()


def test_no_output_fits_the_labels(tmp_path: Path) -> None:
    """A graph of four scores does not fit three labels; the error shows what came."""
    linear(tmp_path / FILE, weights=np.ones((3, 4)), bias=np.zeros(4))
    (tmp_path / "podium.toml").write_text(PLAIN.toml)
    with pytest.raises(ModelError, match=r"No output fits 3 labels.*scores \[16, 4\]"):
        App(tmp_path).served()


STEPS_TOML = NUMBERS + '[pipeline]\npreprocess = "steps:prepare"\npostprocess = "steps:name"\n'


def _with_steps(folder: Path, prepare: str, name: str = "return outputs['scores']") -> App:
    linear(folder / FILE, activation="Softmax")
    (folder / "steps.py").write_text(
        "import numpy as np\n\n"
        f"def prepare(items):\n    {prepare}\n\n"
        f"def name(outputs):\n    {name}\n"
    )
    (folder / "podium.toml").write_text(PLAIN.toml.replace(NUMBERS, STEPS_TOML))
    return App(folder)


MATRIX = "return np.array([list(i.values()) for i in items], np.float32)"


def test_own_preprocess_may_return_one_array(tmp_path: Path) -> None:
    """One array goes to the model's one input; items are dicts by the features' names."""
    prepare = "return np.array([[i['a'], i['b'], i['c']] for i in items], np.float32)"
    found = answers(_with_steps(tmp_path, prepare), numbers(3))
    x = np.array([list(one.values()) for one in numbers(3)], np.float64)
    for one, row in zip(found, softmax(x @ WEIGHTS + [0.1, -0.2, 0.3]), strict=True):
        assert one.probabilities == pytest.approx(
            dict(zip(PLAIN.labels, row, strict=True)), abs=1e-5
        )


def test_own_preprocess_refuses_an_input_in_words(tmp_path: Path) -> None:
    """A ValueError of the maker's preprocess is the caller's mistake."""
    prepare = f"""
    if any(i["a"] > 100 for i in items):
        raise ValueError("a is too large")
    {MATRIX}"""
    app = _with_steps(tmp_path, prepare)
    with pytest.raises(InvalidInput) as caught:
        app.predict(rows_of((200.0, 0.0, 0.0)), Options())
    assert caught.value.errors == (FieldError("inputs", "a is too large"),)


def test_own_preprocess_that_forgets_an_input(tmp_path: Path) -> None:
    """A preprocess that makes no array for an input of the model is named at loading."""
    app = _with_steps(tmp_path, "return {'Y': 1}")
    with pytest.raises(ModelError, match="preprocess made no array for X"):
        app.served()


def test_own_postprocess_may_return_passes(tmp_path: Path) -> None:
    """Scores of shape (batch, passes, classes) are passes, with their uncertainty."""
    name = "p = outputs['scores']; return np.stack([p, p[:, ::-1]], axis=1)"
    found = answers(_with_steps(tmp_path, MATRIX, name), numbers(2))
    assert [one.uncertainty.samples for one in found] == [2, 2]
    assert all(one.uncertainty.epistemic > 0 for one in found)


def test_own_postprocess_of_another_shape_is_found_when_loading(tmp_path: Path) -> None:
    """A postprocess that returns the wrong shape is an error of the model, before any request."""
    app = _with_steps(tmp_path, MATRIX, "return outputs['scores'][:, :2]")
    found = [(name, type(error)) for name, error in app.load_all()]
    assert found == [("m", ModelError)]


def test_own_code_that_raises_is_a_podium_error(tmp_path: Path) -> None:
    """What the maker's code raises on a probe batch is an error of the model, in words."""
    app = _with_steps(tmp_path, "raise KeyError('width')")
    with pytest.raises(ModelError, match=r"fails on a probe batch.*width"):
        app.served()


def test_two_models_answer_under_their_names(tmp_path: Path) -> None:
    """Each of several models answers when it is asked for; the first is the default."""
    linear(tmp_path / FILE)
    linear(tmp_path / "models/other.onnx", weights=-WEIGHTS)
    more = '[[models]]\nname = "other"\nfile = "models/other.onnx"\n'
    (tmp_path / "podium.toml").write_text(PLAIN.toml + more)
    app = App(tmp_path)
    rows: Any = [(1.0, 0.0, 0.0)]
    first = app.predict(rows, Options())
    other = app.predict(rows, Options(model="other"))
    assert (first.model, other.model) == ("m", "other")
    assert first == app.predict(rows, Options(model="m"))
    x = np.array([[1.0, 0, 0]])
    for answer, sign in ((first, 1), (other, -1)):
        expected = softmax(sign * x @ WEIGHTS + [0.1, -0.2, 0.3])[0]
        prediction = answer.predictions[0]
        assert isinstance(prediction, ClassPrediction)
        assert prediction.probabilities == pytest.approx(
            dict(zip(PLAIN.labels, expected, strict=True)), abs=1e-5
        )
    assert first.version != other.version


def test_graph_that_fails_on_a_row_of_nothing_is_no_crash(tmp_path: Path) -> None:
    """A graph that knows no empty text is loaded all the same, or refused in words."""
    case = BY_NAME["onnx-columns-one-hot"]
    case.write(tmp_path)
    with suppress(ModelError):
        load(Source.alone(tmp_path / FILE))


def test_labels_in_another_order_of_a_probability_of_the_second(tmp_path: Path) -> None:
    """A single probability is that of the second label, as the application lists them."""
    case = BY_NAME["onnx-single-sigmoid"]
    built = build(case, tmp_path)
    (tmp_path / "podium.toml").write_text(
        case.toml.replace(json.dumps(case.labels), json.dumps(case.labels[::-1]))
    )
    first = answers(built.app, numbers(1))[0].probabilities
    turned = answers(App(tmp_path), numbers(1))[0].probabilities
    assert first == {"yes": turned["no"], "no": turned["yes"]}


def test_squeezed_batch_of_one(tmp_path: Path) -> None:
    """A graph that squeezes its value answers a single row as it answers many."""
    case = BY_NAME["onnx-regressor-one-at-a-time"]
    build(case, tmp_path)
    nodes = [helper.make_node("MatMul", ["X", "W"], ["value"]),
             helper.make_node("Squeeze", ["value"], ["flat"])]  # fmt: skip
    save(tmp_path / FILE, nodes, [("X", FLOAT, ["N", 3])], [("flat", FLOAT, ["M"])],
         [constant("W", WEIGHTS[:, :1].astype(np.float32))])  # fmt: skip
    app, rows = App(tmp_path), numbers(4)
    alone = [answers(app, [row])[0].value for row in rows]
    assert alone == pytest.approx([one.value for one in answers(app, rows)], abs=1e-6)


def test_names_in_the_metadata(tmp_path: Path) -> None:
    """A graph may name its classes and columns; without names there are none."""
    file = tmp_path / "m.onnx"
    linear(file)
    write_names(file, (), ())
    assert (load(Source.alone(file)).labels, load(Source.alone(file)).features) == ((), ())
    write_names(file, ("é", "b", "c"), ("z", "x", "y"))
    model = load(Source.alone(file))
    assert (model.labels, model.features) == (("é", "b", "c"), ("z", "x", "y"))


@pytest.mark.parametrize("text", ["", "left", '{"0": "left"}', "[1, 2]", '["a", '])
def test_names_that_are_no_list(text: str, tmp_path: Path) -> None:
    """Metadata under our keys that is no list of names is told."""
    file = tmp_path / "m.onnx"
    linear(file)
    graph = onnx.load(file)
    graph.metadata_props.add(key="podium.labels", value=text)
    onnx.save(graph, file)
    told = r"^m\.onnx: its metadata 'podium\.labels' is no JSON list of names$"
    with pytest.raises(ModelError, match=told):
        load(Source.alone(file))
