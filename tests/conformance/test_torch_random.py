"""PyTorch models that draw: kept as in training, with a seed, and several passes at once."""

from __future__ import annotations

import inspect
import io
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import stats

from podium.app import App
from podium.errors import ModelError
from podium.options import Options
from podium.pipeline.stochastic import Calls, Rows, Together
from podium.prediction import ClassAnswer, ClassPrediction
from podium.runtimes import Model, Source, TensorSpec, load
from podium.runtimes.torch import TorchModel, together
from podium.runtimes.torch.drawing import drawing
from podium.runtimes.trust import sha256
from podium.signature import Row
from tests.conformance import torch_random_nets as nets
from tests.conformance.cases import LABELS, NUMBERS
from tests.conformance.torch_cases import exported, saved, seeded, tensors, weights
from tests.conformance.transformers_cases import bert, save, texts, wordpiece

FLOATS = TensorSpec("X", np.dtype(np.float64), (None, 3))
ROWS = np.random.default_rng(5).normal(size=(4, 3))
MANY = 4000
"""Passes of a test of distributions."""

SIGMAS = 5.0
CHANCE = 6e-7
"""How likely 5 standard deviations are, both sides together."""

Build = Callable[[], Any]


def write(folder: Path, body: bytes, name: str = "m.pt") -> Path:
    """Write a file and, beside it, the modules."""
    (folder / "random_nets.py").write_text(inspect.getsource(nets), "utf-8")
    (folder / name).write_bytes(body)
    return folder / name


def loaded(folder: Path, build: Build, random: bool = True) -> TorchModel:
    """Return the model that a factory and its weights are."""
    file = write(folder, weights(seeded(build)))
    code = f"random_nets:{build.__name__}"
    model = load(Source.alone(file, code=code, expects=FLOATS, random=random))
    assert isinstance(model, TorchModel)
    return model


def error_of(folder: Path, build: Build) -> str:
    """Return what loading a model fails with."""
    with pytest.raises(ModelError) as caught:
        loaded(folder, build)
    return str(caught.value)


def answer(model: Model, seed: int = 0, rows: NDArray[Any] = ROWS) -> NDArray[Any]:
    """Return a model's one output, or the first of several."""
    with model.drawing(seed):
        return next(iter(model.predict({model.inputs[0].name: rows}).values()))


def calls(model: Model, count: int = MANY, rows: NDArray[Any] = ROWS[:1]) -> NDArray[np.float64]:
    """Return what as many calls of a model answer, shape (calls, rows, classes)."""
    return np.stack([answer(model, seed, rows) for seed in range(count)]).astype(np.float64)


def check_mean(found: NDArray[np.float64], expected: NDArray[Any]) -> None:
    """Check that the mean of passes (axis 0) is the one expected, within 5 standard errors."""
    error = found.std(axis=0) / np.sqrt(len(found))
    assert (error > 0).all()
    assert (np.abs(found.mean(axis=0) - expected) < SIGMAS * error).all()


def check_draws(model: Model) -> None:
    """Check that each of a few rows is drawn for, as the seed says and otherwise by another."""
    rows = np.repeat(ROWS, 32, axis=0)
    first, again, other = (answer(model, seed, rows) for seed in (1, 1, 2))
    np.testing.assert_array_equal(again, first)
    assert (other != first).reshape(len(ROWS), -1).any(axis=1).all()
    assert all(len(np.unique(row, axis=0)) > 1 for row in first.reshape(len(ROWS), 32, -1))


DROPOUTS = (
    nets.Dropped, nets.recurrent, nets.transformer, nets.attention, nets.depth, nets.channels,
    nets.alpha, nets.leaky,
)  # fmt: skip


@pytest.mark.parametrize("build", DROPOUTS)
def test_what_draws_in_training_goes_on(build: Build, tmp_path: Path) -> None:
    """Every kind of dropout draws where it is asked for, as the seed says, and else never."""
    model = loaded(tmp_path, build)
    check_draws(model)
    quiet = loaded(tmp_path, build, random=False)
    expected = seeded(build)(torch.tensor(ROWS, dtype=torch.float32)).detach()
    for seed in range(2):
        np.testing.assert_allclose(answer(quiet, seed), expected, 1e-5, 1e-6)


def by_hand(module: Any) -> NDArray[Any]:
    """Return the mean of what a Dropped answers: what it answers without dropout."""
    part = {key: value.numpy() for key, value in module.state_dict().items()}
    x = (ROWS - part["norm.running_mean"]) / np.sqrt(part["norm.running_var"] + 1e-5)
    hidden = np.maximum(x @ part["first.weight"].T + part["first.bias"], 0)
    return np.asarray(hidden @ part["last.weight"].T + part["last.bias"])


def spread_of(model: Model) -> NDArray[np.float64]:
    """Return what a batch of many copies of ROWS answers, shape (copies, rows, classes)."""
    found = answer(model, 0, np.tile(ROWS, (MANY, 1))).astype(np.float64)
    return found.reshape(MANY, len(ROWS), -1)


def test_batch_norm_is_frozen(tmp_path: Path) -> None:
    """With dropout on, the mean over passes is what is computed by hand from the statistics."""
    model = loaded(tmp_path, nets.Dropped)
    before = {key: value.clone() for key, value in model.module.state_dict().items()}
    found = spread_of(model)
    check_mean(found, by_hand(seeded(nets.Dropped)))
    assert {len(np.unique(row, axis=0)) for row in found.swapaxes(0, 1)} == {MANY}
    for key, value in model.module.state_dict().items():
        torch.testing.assert_close(value, before[key], rtol=0, atol=0)
    assert model.notes == ()


def script(module: Any) -> bytes:
    """Return TorchScript that keeps what training mode changes."""
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(module), buffer)
    return buffer.getvalue()


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
@pytest.mark.parametrize("pack", [tensors, saved, script])
def test_files_that_hold_a_module(pack: Callable[[Any], bytes], tmp_path: Path) -> None:
    """Safetensors, pickled modules and TorchScript draw, with batch-norm frozen."""
    file = write(tmp_path, pack(seeded(nets.Dropped)))
    code, trust = "random_nets:Dropped", sha256(file, (file,))
    model = load(Source.alone(file, code=code, expects=FLOATS, random=True, trust=trust))
    check_mean(spread_of(model), by_hand(seeded(nets.Dropped)))


NOTE = (
    "In training mode a call would change the buffer {!r}; its layer stays in eval mode, and "
    "draws what it draws there."
)
SPECTRAL = "layers.0.parametrizations.weight.0._"


@pytest.mark.parametrize(
    ("build", "paths"),
    [
        (nets.Averaging, ["scale.size"]),
        (nets.Bounded, [f"{SPECTRAL}u", f"{SPECTRAL}v"]),
    ],
)
def test_statistics_under_other_names(build: Build, paths: list[str], tmp_path: Path) -> None:
    """A layer whose buffers a call would change stays in eval mode; others draw; it is told."""
    model = loaded(tmp_path, build)
    assert model.notes == tuple(map(NOTE.format, paths))
    expected = seeded(build)(torch.tensor(ROWS, dtype=torch.float32)).detach().numpy()
    check_mean(spread_of(model), expected)
    state = seeded(build).state_dict()
    for key, value in model.module.state_dict().items():
        torch.testing.assert_close(value, state[key], rtol=0, atol=0)


def test_buffer_that_changes_at_all_times(tmp_path: Path) -> None:
    """A module that counts its calls also in eval mode is refused: answers would hang on it."""
    assert error_of(tmp_path, nets.Counting) == (
        "m.pt: a call changes the buffer 'calls' even in eval mode, so that an answer would hang "
        "on those before it. Take that out of the module's forward"
    )


def test_modules_that_are_others_in_training_mode(tmp_path: Path) -> None:
    """One that returns more, or fails, is refused with the way out."""
    way_out = (
        ". Let the factory return a module that draws in eval mode, such as by "
        "torch.nn.functional.dropout(x, p, training=True); it is then left in that mode"
    )
    assert error_of(tmp_path, nets.Auxiliary) == (
        "m.pt: samples is set, but the module returns output_0 [2, 3], output_1 [2, 64] in "
        f"training mode, and output [2, 3] in eval mode{way_out}"
    )
    assert error_of(tmp_path, nets.Targets) == (
        "m.pt: samples is set, but the module fails in training mode: targets are missing" + way_out
    )


def test_module_that_is_another_in_training_mode_and_draws_in_eval_mode(tmp_path: Path) -> None:
    """It stays in eval mode, and that is told."""
    model = loaded(tmp_path, nets.Leaking)
    assert model.notes == (
        "The module returns output_0 [2, 3], output_1 [] in training mode, and output [2, 3] in "
        "eval mode; it stays in eval mode, where it draws too.",
    )
    assert (answer(model, 1) != answer(model, 2)).any()


@pytest.mark.parametrize("random", [False, True])
@pytest.mark.parametrize("build", [nets.bayes, nets.buffered])
def test_bayesian_networks_draw_in_both_modes(build: Build, random: bool, tmp_path: Path) -> None:
    """Weights that are drawn at each call are so with samples and without."""
    model = loaded(tmp_path, build, random)
    assert model.notes == ()
    first = answer(model, 1)
    np.testing.assert_array_equal(answer(model, 1), first)
    assert (answer(model, 2) != first).all()


def program(folder: Path, body: bytes, random: bool = True) -> TorchModel:
    """Return a torch.export program."""
    model = load(Source.alone(write(folder, body, "m.pt2"), random=random))
    assert isinstance(model, TorchModel)
    return model


def training(build: Build) -> Any:
    """Return a module in training mode, its batch-norm in eval mode."""
    module = seeded(build).train()
    for layer in module.modules():
        if isinstance(layer, torch.nn.BatchNorm1d):
            layer.eval()
    return module


@pytest.mark.parametrize("decomposed", [False, True])
def test_program_with_dropout(decomposed: bool, tmp_path: Path) -> None:
    """A program that was exported with its dropout on draws, where samples ask for it."""
    body = exported(training(nets.Dropped), decomposed=decomposed)
    check_mean(spread_of(program(tmp_path, body)), by_hand(seeded(nets.Dropped)))
    with pytest.raises(ModelError, match="or, to serve it with its dropout on, write samples ="):
        program(tmp_path, body, random=False)


@pytest.mark.filterwarnings("ignore:The tensor attributes self.layer")
@pytest.mark.parametrize("build", DROPOUTS[1:])
def test_programs_of_much_that_draws(build: Build, tmp_path: Path) -> None:
    """What draws in training draws in a program, as the seed says."""
    model = program(tmp_path, exported(training(build)))
    check_draws(model)


def test_program_with_batch_norm_in_training_mode(tmp_path: Path) -> None:
    """Statistics of the batch are refused, samples or not."""
    with pytest.raises(ModelError) as caught:
        program(tmp_path, exported(seeded(nets.Dropped).train()))
    assert str(caught.value) == (
        "m.pt2: its batch-norm was exported in training mode, where answers hang on other rows. "
        "Call eval() on those layers, behind model.train(), before torch.export.export."
    )


def test_drawing_leaves_the_generator_as_it_was() -> None:
    """Who draws without a seed before and after a seeded part draws as without that part."""
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    first = torch.rand(2)
    with drawing(2**63):
        torch.rand(100)
    np.testing.assert_array_equal(torch.cat([first, torch.rand(2)]), expected)


def test_threads_with_seeds(tmp_path: Path) -> None:
    """Two threads that draw at the same time get what each gets alone."""
    model = loaded(tmp_path, nets.Dropped)
    rows = np.tile(ROWS, (50, 1))
    expected = {seed: answer(model, seed, rows) for seed in range(2)}
    found: dict[int, list[NDArray[Any]]] = {0: [], 1: []}
    start = threading.Barrier(2)

    def work(seed: int) -> None:
        start.wait()
        for _ in range(100):
            found[seed].append(answer(model, seed, rows))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed, answers in found.items():
        assert len(answers) == 100
        for one in answers:
            np.testing.assert_array_equal(one, expected[seed])


def passes_of(model: Model, count: int = MANY, rows: NDArray[Any] = ROWS[:1]) -> NDArray[Any]:
    """Return passes that were made together, shape (passes, rows, classes)."""
    made = model.together(count)
    assert made is not None
    return answer(made, 1, rows).astype(np.float64).swapaxes(0, 1)


def check_same_distribution(one: NDArray[Any], other: NDArray[Any]) -> None:
    """Check means and variances within 5 standard errors, and the whole distribution.

    The variance of a sample variance is (m4 - s^4) / n, m4 the fourth central moment.
    """
    one, other = one.reshape(len(one), -1), other.reshape(len(other), -1)
    apart = one.mean(axis=0) - other.mean(axis=0)
    error = np.sqrt(one.var(axis=0) / len(one) + other.var(axis=0) / len(other))
    assert (error > 0).all()
    assert (np.abs(apart) < SIGMAS * error).all()
    fourth = [stats.moment(part, 4, axis=0) - part.var(axis=0) ** 2 for part in (one, other)]
    error = np.sqrt(fourth[0] / len(one) + fourth[1] / len(other))
    assert (np.abs(one.var(axis=0) - other.var(axis=0)) < SIGMAS * error).all()
    likely = [stats.ks_2samp(one[:, column], other[:, column]).pvalue
              for column in range(one.shape[1])]  # fmt: skip
    assert min(likely) > CHANCE


def test_passes_together_are_distributed_as_calls(tmp_path: Path) -> None:
    """Weights that are drawn once a call are drawn once a pass: by mean, variance and shape."""
    model = loaded(tmp_path, nets.bayes)
    check_same_distribution(passes_of(model), calls(model))


def test_passes_together_share_no_draw(tmp_path: Path) -> None:
    """Passes of one call do not correlate with one another, rows of one pass do."""
    model = loaded(tmp_path, nets.bayes)
    made = model.together(2)
    assert made is not None
    rows = np.repeat(ROWS[:1], 2, axis=0)
    pairs = np.stack([answer(made, seed, rows)[..., 0] for seed in range(MANY)])
    one, other = pairs[:, 0].T
    assert abs(np.corrcoef(one, other)[0, 1]) < SIGMAS / np.sqrt(MANY)
    np.testing.assert_allclose(pairs[:, 0], pairs[:, 1], 1e-4, 1e-4)


def test_passes_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many weights are drawn a few passes at a time, which changes no distribution."""
    model = loaded(tmp_path, nets.bayes)
    whole = model.together(MANY)
    monkeypatch.setattr(together, "_DRAWN_AT_ONCE", 1000)
    other = loaded(tmp_path, nets.bayes)
    parts = other.together(MANY)
    assert isinstance(whole, TorchModel)
    assert isinstance(parts, TorchModel)
    assert parts.vectorized == together.Together(MANY, 10, repeated=False)
    found = [answer(one, 1, ROWS[:1])[0].astype(np.float64) for one in (whole, parts)]
    check_same_distribution(*found)
    assert len(np.unique(found[1], axis=0)) == MANY


def test_dropout_in_place(tmp_path: Path) -> None:
    """What draws into its input gets an input of its own for each pass."""
    model = loaded(tmp_path, nets.InPlace)
    made = model.together(3)
    assert isinstance(made, TorchModel)
    assert made.vectorized is not None
    assert made.vectorized.repeated
    check_same_distribution(passes_of(model), calls(model))


@pytest.mark.parametrize("rows", [1, 3])
def test_outputs_of_passes_together(rows: int, tmp_path: Path) -> None:
    """Each output has its axis of passes second, whatever a module drops or returns."""
    squeezed, named = loaded(tmp_path, nets.Squeezed), loaded(tmp_path, nets.Named)
    made = [model.together(5) for model in (squeezed, named)]
    found = [one and one.predict({"X": ROWS[:rows]}) for one in made]
    assert [{name: array.shape for name, array in one.items()} for one in found if one] == [
        {"output": (rows, 5)},
        {"logits": (rows, 5, 3), "index": (rows, 5)},
    ]


@pytest.mark.parametrize("build", [nets.transformer, nets.Dropped])
def test_dropout_together(build: Build, tmp_path: Path) -> None:
    """Layers of attention and dropout can be vectorised too, with the same distribution."""
    model = loaded(tmp_path, build)
    check_same_distribution(passes_of(model), calls(model, 1000))


@pytest.mark.parametrize("axes", [None, ({0: torch.export.Dim("batch")},)])
def test_programs_together(axes: Any, tmp_path: Path) -> None:
    """The passes of a program are made together, however many rows it takes."""
    model = program(tmp_path, exported(training(nets.bayes), axes=axes))
    check_same_distribution(passes_of(model), calls(model, 1000))
    assert passes_of(model, 5, ROWS[:3]).shape == (5, 3, 3)


@pytest.mark.parametrize(
    "build",
    [nets.recurrent, nets.BayesLSTM, nets.Deciding, nets.Elsewhere, nets.leaky, nets.buffered,
     nets.plain],
)  # fmt: skip
def test_what_vmap_cannot_take(build: Build, tmp_path: Path) -> None:
    """Recurrent layers, decisions, draws elsewhere or into buffers, and none: no way together."""
    assert loaded(tmp_path, build).together(5) is None


def write_app(folder: Path, build: Build, samples: int = 50) -> App:
    """Return an application of weights and their factory."""
    write(folder, weights(seeded(build)))
    (folder / "podium.toml").write_text(
        f'title = "Drawn"\n[task]\nkind = "classification"\ntarget = "side"\n'
        f'labels = {list(LABELS)}\n{NUMBERS}\n[[models]]\nname = "m"\nfile = "m.pt"\n'
        f'factory = "random_nets:{build.__name__}"\nsamples = {samples}\n',
        "utf-8",
    )
    return App(folder)


def predicted(app: App, seed: int) -> list[ClassPrediction]:
    """Return an application's answers to two rows, with all passes."""
    items: list[Row] = [tuple(row) for row in ROWS[:2].tolist()]
    found = app.predict(items, Options(seed=seed, include=frozenset({"samples"})))
    assert isinstance(found, ClassAnswer)
    return found.predictions


WAYS = [(nets.Dropped, Rows), (nets.bayes, Together), (nets.BayesLSTM, Calls)]


@pytest.mark.parametrize(("build", "way"), WAYS)
def test_an_application_with_samples(build: Build, way: type, tmp_path: Path) -> None:
    """The way that a model needs is found, and a seed decides what it answers."""
    app = write_app(tmp_path, build)
    passes = app.served("m").pipeline.members[0].passes
    assert passes is not None
    assert type(passes.way) is way
    first = predicted(app, 1)
    assert predicted(app, 1) == first
    assert predicted(app, 2) != first
    for one in first:
        told = one.uncertainty
        assert (told.samples, told.reproducible) == (50, True)
        assert isinstance(told.sample_probabilities, dict)
        assert len(set(told.sample_probabilities["left"])) > 40


def test_hugging_face_model(tmp_path: Path) -> None:
    """The dropout of a Hugging Face model goes on where it is asked for, as the seed says."""
    folder = save(tmp_path, bert(), wordpiece())
    rows = np.array([row["text"] for row in texts(3)], object)
    model, quiet = (load(Source.alone(folder, random=random)) for random in (True, False))
    first = answer(model, 1, rows)
    np.testing.assert_array_equal(answer(model, 1, rows), first)
    assert (answer(model, 2, rows) != first).all()
    np.testing.assert_array_equal(answer(quiet, 1, rows), answer(quiet, 2, rows))
    found = answer(model, 1, np.repeat(rows[:1], 1000)).astype(np.float64)
    assert len(np.unique(found, axis=0)) == 1000
