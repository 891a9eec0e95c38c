"""What is told of a row is what POST /predict answers to it."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from podium.app import App
from podium.cli import DEMOS
from podium.datasets.scoring.answers import BETWEEN
from podium.options import Options
from podium.pipeline.calibration import Calibration
from podium.pipeline.conformal import Coverage, Fit, Method
from podium.prediction import ClassPrediction, ValuePrediction
from tests.support.apps import LONG_NOTE, SHORT_NOTE, write_notes, write_weights
from tests.support.scoring import Table, scored, write_python_app

PENGUINS = DEMOS / "penguins"
WEIGHTS = [(0.5, 1, True, "oak"), (20.0, 2, False, "pine"), (3.0, 9, True, "pine")]
WORDS = {True: "yes", False: "no"}
MIXED = """\
[[features]]
name = "x"
range = [0, 10]
[[features]]
name = "n"
kind = "integer"
optional = true
[[features]]
name = "wet"
kind = "boolean"
[[features]]
name = "wood"
kind = "category"
choices = ["oak", "pine"]
optional = true
"""
CLASSES = '[task]\nkind = "classification"\nlabels = ["low", "high"]'
ROWS: list[dict[str, object]] = [
    {"x": 1.5, "n": 3, "wet": True, "wood": "pine"},
    {"x": 40.0, "wet": False, "wood": "oak"},
    {"x": -1.0, "n": -2, "wet": True},
]


@pytest.fixture(scope="module")
def penguins() -> App:
    """Return the penguins demo, which leaves no calibration behind."""
    return App(PENGUINS)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> App:
    """Return the regression of every kind of feature."""
    return App(write_weights(tmp_path_factory.mktemp("weights") / "app"))


def calibration(method: Method, scores: Any, level: float = 0.9) -> Calibration:
    """Return a calibration as if it had been found."""
    classes = method in ("lac", "aps")
    found = tuple(sorted(float(one) for one in scores))
    fit = Fit(method, 1.3 if classes else None, 1e-6 if classes else 0.1, len(found), found)
    return Calibration(
        model="m", version="v", settings="s", data="d.csv", sha256="0", rows=2 * len(found),
        date="2026-11-23", confidence_level=level, fit=fit,
        coverage=Coverage(level, 5, 100, 0.9, 0.8, 0.95, 1.0),
    )  # fmt: skip


def csv_of(header: list[str], rows: list[list[Any]]) -> str:
    """Return a CSV file; None is a missing cell."""
    stream = io.StringIO()
    csv.writer(stream).writerows([header, *rows])
    return stream.getvalue()


def assert_same(table: Table, app: App, items: Any, suffix: str = "", **options: Any) -> None:
    """Compare the results of each row with the answer to a request of all of them."""
    predictions: Any = app.predict(items, Options(**options)).predictions
    assert len(table) == len(predictions)
    for row, one in zip(table, predictions, strict=True):
        told = {name.removeprefix("podium_").removesuffix(suffix): text
                for name, text in row.items() if name.endswith(suffix)}  # fmt: skip
        expected = _of_class(one) if isinstance(one, ClassPrediction) else _of_value(one)
        for name, value in expected.items():
            if isinstance(value, float):
                assert float(told[name] or "nan") == pytest.approx(value, rel=1e-9, abs=1e-12), name
            else:
                assert (told[name] or None) == value, name
        ranged = [c for c in one.warnings if c.code == "outside_training_range"]
        assert row["podium_warning"] == "; ".join(f"{c.field}: {c.message}" for c in ranged)
        assert row["podium_error"] == ""


def _of_class(one: ClassPrediction) -> dict[str, Any]:
    sure = one.uncertainty
    return {"label": one.label, "probability": one.probability, "entropy": sure.entropy,
            "aleatoric": sure.aleatoric, "epistemic": sure.epistemic,
            "set": BETWEEN.join(sure.prediction_set or ()) or None}  # fmt: skip


def _of_value(one: ValuePrediction) -> dict[str, Any]:
    sure = one.uncertainty
    interval = sure.prediction_interval if sure.confidence_level else sure.interval
    low, high = interval or (None, None)
    return {"value": one.value, "std": sure.std, "aleatoric": sure.aleatoric,
            "epistemic": sure.epistemic, "lower": low, "upper": high}  # fmt: skip


def penguin_rows() -> list[dict[str, str]]:
    """Return some birds with all that the models need; of one the sex is not known."""
    with (PENGUINS / "data/penguins.csv").open() as stream:
        rows = [row for row in csv.DictReader(stream) if row["bill_length_mm"]]
    return [*rows[::17], *(row for row in rows if not row["sex"])][:24]


def penguin_csv() -> tuple[str, list[Any]]:
    """Return the birds as a CSV file and as items."""
    rows = penguin_rows()
    header = list(rows[0])
    features = ("bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g")
    items = [(*(float(row[name]) for name in features), row["island"], row["sex"] or None)
             for row in rows]  # fmt: skip
    return csv_of(header, [list(row.values()) for row in rows]), items


@pytest.mark.parametrize("model", ["bnn", "forest", "tree", "bayes"])
def test_classes_are_those_of_predict(penguins: App, tmp_path: Path, model: str) -> None:
    """Passes, votes and a single answer: all that is known of each bird is the same."""
    text, items = penguin_csv()
    table = scored(penguins, tmp_path, text, models=(model,), seed=7)
    seed: dict[str, Any] = {"seed": 7} if model == "bnn" else {}
    assert_same(table, penguins, items, model=model, **seed)


def test_several_models_stand_side_by_side(penguins: App, tmp_path: Path) -> None:
    """Each model's columns end in its name, and hold its own answers."""
    text, items = penguin_csv()
    table = scored(penguins, tmp_path, text, models=("bnn", "tree"), seed=7)
    for model, seed in (("bnn", 7), ("tree", None)):
        assert_same(table, penguins, items, f"_{model}", model=model, seed=seed)


@pytest.mark.parametrize("method", ["lac", "aps"])
@pytest.mark.parametrize("level", [None, 0.5, 0.9999])
def test_sets_are_those_of_predict(
    penguins: App, tmp_path: Path, method: Method, level: float | None, monkeypatch: Any
) -> None:
    """A calibrated model's set is the same, at its own level, another, and one out of reach."""
    pipeline = penguins.served("bnn").pipeline
    found = calibration(method, np.linspace(0.001, 0.9, 60))
    monkeypatch.setattr(pipeline, "calibration", found)
    text, items = penguin_csv()
    table = scored(penguins, tmp_path, text, models=("bnn",), confidence_level=level)
    assert_same(table, penguins, items, model="bnn", confidence_level=level)
    if level == 0.9999:
        assert {len(row["podium_set"].split(BETWEEN)) for row in table} == {3}


@pytest.mark.parametrize("model", ["exact", "noisy"])
@pytest.mark.parametrize("level", [None, 0.5])
def test_values_are_those_of_predict(
    weights: App, tmp_path: Path, model: str, level: float | None
) -> None:
    """A value, its spread and its interval are the same; so is what lies outside the range."""
    rows = [[x, n, WORDS[wet], wood] for x, n, wet, wood in WEIGHTS]
    text = csv_of(["length", "count", "wet", "material"], rows)
    table = scored(weights, tmp_path, text, models=(model,), seed=2, confidence_level=level)
    assert_same(table, weights, WEIGHTS, model=model, seed=2, confidence_level=level)
    assert [bool(row["podium_warning"]) for row in table] == [False, True, True]


@pytest.mark.parametrize("method", ["absolute", "normalised"])
@pytest.mark.parametrize("level", [None, 0.5, 0.9999])
def test_intervals_are_those_of_predict(
    weights: App, tmp_path: Path, method: Method, level: float | None, monkeypatch: Any
) -> None:
    """A calibrated model's interval is the same; there is none at a level out of reach."""
    pipeline = weights.served("noisy").pipeline
    monkeypatch.setattr(pipeline, "calibration", calibration(method, np.linspace(0.01, 3, 60)))
    rows = [[x, n, WORDS[wet], wood] for x, n, wet, wood in WEIGHTS]
    text = csv_of(["length", "count", "wet", "material"], rows)
    table = scored(weights, tmp_path, text, models=("noisy",), confidence_level=level)
    assert_same(table, weights, WEIGHTS, model="noisy", confidence_level=level)
    assert (table[0]["podium_upper"] == "") == (level == 0.9999)


@pytest.mark.parametrize(
    "code",
    [
        "def answer(x):\n    high = np.nan_to_num(x).sum(axis=1) > 5\n"
        "    return np.stack([1 - 0.8 * high, 0.8 * high], axis=1)",
        "def answer(x):\n    return (np.nan_to_num(x).sum(axis=1) > 5).astype(int)",
    ],
    ids=["probabilities", "labels alone"],
)
def test_cells_of_every_kind_are_read_as_predict_reads_them(tmp_path: Path, code: str) -> None:
    """Whole numbers, booleans, categories and gaps become what a request's values become."""
    app = App(write_python_app(tmp_path / "app", code, MIXED, CLASSES))
    text = csv_of(["wood", "x", "extra", "n", "wet"], [["pine", "1.5", "", "3", "TRUE"],
                  ["oak", "4e1", "", "NA", "0"], ["", "-1", "", "-2.0", "yes"]])  # fmt: skip
    items = [app.signature.row_of(row) for row in ROWS]
    assert_same(scored(app, tmp_path, text), app, items)


def test_the_makers_functions_get_what_they_get_from_predict(tmp_path: Path) -> None:
    """A preprocess sees the same dicts, a postprocess the same outputs."""
    folder = write_python_app(tmp_path / "app", "def answer(x):\n    return x", MIXED)
    (folder / "own.py").write_text(
        "import zlib\n"
        "def prepare(rows):\n    return [[zlib.crc32(repr(row).encode())] for row in rows]\n"
        "def name(outputs):\n    return outputs['output'][:, 0] / 2\n"
    )
    toml = folder / "podium.toml"
    more = '[pipeline]\npreprocess = "own:prepare"\npostprocess = "own:name"\n'
    toml.write_text(toml.read_text() + more)
    app = App(folder)
    text = csv_of(["x", "n", "wet", "wood"], [["1.5", "3", "1", "pine"], ["40", "", "no", "oak"],
                                             ["-1.0", "-2", "on", ""]])  # fmt: skip
    assert_same(scored(app, tmp_path, text), app, [app.signature.row_of(row) for row in ROWS])


def test_texts_arrive_to_the_last_byte(tmp_path: Path) -> None:
    """A text with quotes, line ends and other scripts is answered as in a request."""
    app = App(write_notes(tmp_path / "app"))
    texts = ["a", SHORT_NOTE.strip(), LONG_NOTE.strip()]
    table = scored(app, tmp_path, csv_of(["text"], [[text] for text in texts]))
    assert_same(table, app, texts)


def test_an_ensemble_answers_as_in_predict(tmp_path: Path) -> None:
    """The members of an ensemble draw each with a seed of its own, by the number of the row."""
    folder = write_weights(tmp_path / "app")
    noisy = folder / "models/noisy.onnx"
    (folder / "models/second.onnx").write_bytes(noisy.read_bytes())
    head = (folder / "podium.toml").read_text().partition("[[models]]")[0]
    (folder / "podium.toml").write_text(
        head
        + """
[[models]]
name = "both"
files = ["models/noisy.onnx", "models/second.onnx"]
noise = "eps"
samples = 9
"""
    )
    app = App(folder)
    rows = [[x, n, WORDS[wet], wood] for x, n, wet, wood in WEIGHTS]
    table = scored(app, tmp_path, csv_of(["length", "count", "wet", "material"], rows), seed=4)
    assert len(app.served("both").pipeline.members) == 2
    assert_same(table, app, WEIGHTS, seed=4)


def test_what_no_model_knows_is_an_empty_cell(penguins: App, tmp_path: Path) -> None:
    """A decision tree has no epistemic part: its cells are empty, not NaN."""
    text, _ = penguin_csv()
    (row, *_) = scored(penguins, tmp_path, text, models=("tree",))
    assert (row["podium_aleatoric"], row["podium_epistemic"], row["podium_set"]) == ("", "", "")
    assert not math.isnan(float(row["podium_entropy"]))
