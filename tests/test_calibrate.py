"""`podium calibrate`: what is kept beside the models, what is refused, what answers then say."""

from __future__ import annotations

import csv
import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from msgspec import structs
from PIL import Image

from podium import calibrate as calibrate_module
from podium.app import App, Served
from podium.calibrate import Outcome, Wishes, asking, calibrate_application
from podium.calibrated import calibration_file
from podium.cli import main
from podium.errors import CalibrationError, DataError, Mistake, PodiumError, UnknownModel
from podium.options import Options
from podium.pipeline.metrics import Quality
from podium.prediction import ClassPrediction, ValuePrediction
from podium.spec import ModelSpec
from tests.conformance.graphs import WEIGHTS, linear
from tests.support.apps import SIDE, write_colours, write_weights

LABELS = ("left", "middle", "right")
TOML = """
title = "Sides"
[task]
kind = "classification"
target = "side"
labels = ["left", "middle", "right"]
{}
[[features]]
name = "a"
[[features]]
name = "b"
[[features]]
name = "c"
optional = true
[[models]]
name = "m"
file = "models/m.onnx"
[[models]]
name = "twice"
file = "models/twice.onnx"
"""


UNCHECKED = "No [task] training in podium.toml: whether these rows are new could not be checked."


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an application of a model that is as sure as right, and one of twice its logits."""
    linear(tmp_path / "app/models/m.onnx", bias=np.zeros(3))
    linear(tmp_path / "app/models/twice.onnx", weights=2 * WEIGHTS, bias=np.zeros(3))
    (tmp_path / "app/podium.toml").write_text(TOML.format(""))
    return tmp_path / "app"


def drawn_rows(count: int) -> list[list[Any]]:
    """Return rows whose label is drawn with the probabilities of the model m."""
    rng = np.random.default_rng(3)
    inputs = 2 * rng.normal(size=(count, 3)).round(3)
    exponents = np.exp(inputs @ WEIGHTS)
    shares = exponents / exponents.sum(axis=1, keepdims=True)
    places = (shares.cumsum(axis=1) < rng.random((count, 1))).sum(axis=1)
    return [[*row, LABELS[place]] for row, place in zip(inputs.tolist(), places, strict=True)]


def written(file: Path, rows: list[list[Any]], header: str = "a,b,c,side") -> Path:
    """Write a labelled file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", newline="") as stream:
        csv.writer(stream).writerows([header.split(","), *rows])
    return file


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a file of 300 labelled rows."""
    return written(tmp_path / "rows.csv", drawn_rows(300))


def kept(folder: Path, name: str = "m") -> dict[str, Any]:
    """Return what is kept of a model."""
    found: dict[str, Any] = json.loads((folder / f"models/{name}.calibration.json").read_text())
    return found


def left_over(folder: Path) -> list[str]:
    """Return the names of all files that are kept beside the models."""
    return sorted(path.name for path in (folder / "models").iterdir() if path.suffix != ".onnx")


def test_a_calibration_is_kept_beside_each_model(folder: Path, data: Path) -> None:
    """The file tells model, data, date and level, what was learned, and the coverage measured."""
    outcome = calibrate_application(folder, data, Wishes(confidence_level=0.8))
    assert (outcome.passed, outcome.notes) == (True, (UNCHECKED,))
    assert left_over(folder) == ["m.calibration.json", "twice.calibration.json"]
    found = kept(folder, "twice")
    fit, coverage = found.pop("fit"), found.pop("coverage")
    app = App(folder)
    assert found == {
        "format": 1, "model": "twice", "version": app.version("twice"),
        "settings": app.settings(app.spec.models[1]), "data": "rows.csv",
        "sha256": hashlib.sha256(data.read_bytes()).hexdigest(), "rows": 300,
        "date": datetime.now(UTC).date().isoformat(), "confidence_level": 0.8, "passes": 1,
    }  # fmt: skip
    assert (fit["method"], fit["rows"], len(fit["scores"])) == ("lac", 150, 150)
    # The logits are twice too large. 150 rows tell a temperature within about 15%.
    assert 1.2 < fit["temperature"] < 2.8
    assert 0.6 < kept(folder)["fit"]["temperature"] < 1.5
    assert (coverage["level"], coverage["rows"]) == (0.8, 300)
    assert coverage["low"] <= coverage["coverage"] <= coverage["high"]
    # 300 rows: a standard error of 0.023, and as much from the fits.
    assert abs(coverage["coverage"] - 0.8) < 5 * 0.033


def test_answers_then_carry_their_set(folder: Path, data: Path) -> None:
    """An answer has a prediction set at the calibration's own level, or at that asked for."""
    row: Any = [(1.0, 0.5, 0.3)]
    (before,) = App(folder).predict(row, Options()).predictions
    assert isinstance(before, ClassPrediction)
    assert before.uncertainty.prediction_set is None
    calibrate_application(folder, data, Wishes(confidence_level=0.8, models=("m",)))
    sizes = []
    for level in (None, 0.5, 0.95):
        options = Options(confidence_level=level)
        (answer,) = App(folder).predict(row, options).predictions
        assert isinstance(answer, ClassPrediction)
        assert answer.uncertainty.confidence_level == (level or 0.8)
        sizes.append(len(answer.uncertainty.prediction_set or ()))
    assert sizes[1] <= sizes[0] <= sizes[2]
    assert sizes[1] < sizes[2]
    (other,) = App(folder).predict(row, Options(model="twice")).predictions
    assert (left_over(folder), other.uncertainty.confidence_level) == (["m.calibration.json"], None)


def test_a_regression_gets_intervals(tmp_path: Path) -> None:
    """A value that is off by at most 1 gets an interval that is about 2 * 0.9 wide at 90%."""
    folder = write_weights(tmp_path / "app")
    rng = np.random.default_rng(0)
    lengths, off = rng.uniform(0, 10, 200).round(2), rng.uniform(-1, 1, 200)
    rows = [[length, 2, "no", "pine", length + 1020 + error]
            for length, error in zip(lengths, off, strict=True)]  # fmt: skip
    data = written(tmp_path / "w.csv", rows, "length,count,wet,material,weight")
    calibrate_application(folder, data, Wishes(models=("exact", "noisy")))
    fit = kept(folder, "exact")["fit"]
    assert (fit["method"], fit["rows"], fit["temperature"]) == ("absolute", 200, None)
    assert kept(folder, "noisy")["fit"]["method"] == "normalised"
    item: Any = [(4.0, 2, False, "pine")]
    (answer,) = App(folder).predict(item, Options()).predictions
    assert isinstance(answer, ValuePrediction)
    low, high = answer.uncertainty.prediction_interval or (0.0, 0.0)
    # The quantile of 200 errors is off by sqrt(0.9 * 0.1 / 200) = 0.021.
    assert abs(high - low - 1.8) < 2 * 5 * 0.021
    assert abs((low + high) / 2 - 1024) < 1e-3


def test_no_passes_end_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model whose passes may end early makes all of them for each labelled row."""
    folder = write_weights(tmp_path / "app")
    toml = (folder / "podium.toml").read_text()
    early = "samples = 50\nsampling_time = '1 s'\nsampling_width = 10.0"
    (folder / "podium.toml").write_text(toml.replace("samples = 50", early))
    load_model, made = App.load_model, []

    def load(app: App, spec: ModelSpec) -> Served:
        made.append(spec)
        return load_model(app, spec)

    monkeypatch.setattr(App, "load_model", load)
    rows = [[length, 2, "no", "pine", length] for length in range(10)]
    data = written(tmp_path / "w.csv", rows, "length,count,wet,material,weight")
    calibrate_application(folder, data, Wishes(models=("noisy",), confidence_level=0.5))
    (spec,) = made
    assert (spec.samples, spec.sampling_time, spec.sampling_width) == (50, None, None)


def test_the_method_may_be_chosen(folder: Path, data: Path) -> None:
    """--method aps calibrates with it; one of the other task is told for each model."""
    calibrate_application(folder, data, Wishes(method="aps", models=("m",)))
    assert kept(folder)["fit"]["method"] == "aps"
    outcome = calibrate_application(folder, data, Wishes(method="absolute"))
    assert {one.error for one in outcome.models} == {
        "The method 'absolute' is not for a classification. Expected: lac or aps"
    }
    assert kept(folder)["fit"]["method"] == "aps"


def test_a_model_that_cannot_be_calibrated_does_not_stop_others(folder: Path, data: Path) -> None:
    """A model that tells labels alone is told, and so is one that does not load."""
    (folder / "alone.py").write_text(
        "import numpy as np\ndef label(rows):\n    return np.array(['left'] * len(rows))\n"
    )
    with (folder / "podium.toml").open("a") as file:
        file.write('[[models]]\nname = "alone"\npython = "alone:label"\n')
    (folder / "models/twice.onnx").write_bytes(b"broken")
    outcome = calibrate_application(folder, data, Wishes())
    good, broken, alone = outcome.models
    assert good.calibration is not None
    assert (broken.calibration, broken.error[:10]) == (None, "twice.onnx")
    assert (alone.calibration, alone.error[:30]) == (None, "The model tells a label and no")
    assert (outcome.passed, left_over(folder)) == (True, ["m.calibration.json"])


def test_too_few_rows_are_told_before_anything_is_asked(folder: Path, tmp_path: Path) -> None:
    """Too few rows for the level are an error that says how many there are, and are needed."""
    few = written(tmp_path / "few.csv", drawn_rows(12))
    with pytest.raises(CalibrationError, match=r"^There are 12 labelled rows; to cross-validate "
                       r"a confidence level of 0\.9 takes 22 at least"):  # fmt: skip
        calibrate_application(folder, few, Wishes())
    assert left_over(folder) == []


def test_nothing_is_written_when_a_value_is_wrong(folder: Path, tmp_path: Path) -> None:
    """One wrong label refuses the file."""
    rows = [*drawn_rows(100), [1, 2, 3, "up"]]
    with pytest.raises(DataError, match="line 102, side: expected one of the labels; found 'up'"):
        calibrate_application(folder, written(tmp_path / "d.csv", rows), Wishes())
    assert left_over(folder) == []


def test_an_unknown_model_is_told(folder: Path, data: Path) -> None:
    """A model that there is not is told with the known ones."""
    with pytest.raises(UnknownModel, match="There is no model 'n'"):
        calibrate_application(folder, data, Wishes(models=("m", "n")))


def test_rows_without_an_answer_and_labels_without_rows_are_told(
    folder: Path, tmp_path: Path
) -> None:
    """Rows that are left out are counted in a note, and labels of no row named."""
    rows = [row for row in drawn_rows(200) if row[3] != "middle"]
    file = written(tmp_path / "d.csv", [*rows, [1, 2, 3, ""]])
    outcome = calibrate_application(folder, file, Wishes(models=("m",)))
    assert outcome.notes == (
        "1 row of d.csv without a side left out.", "No row of d.csv is of the label middle.",
        UNCHECKED,
    )  # fmt: skip
    assert kept(folder)["rows"] == len(rows)


def test_rows_that_stand_there_twice_are_told(folder: Path, tmp_path: Path) -> None:
    """Equal rows are counted in a note with their lines; known ones, left out, do not count."""
    (folder / "podium.toml").write_text(TOML.format('training = "train.csv"'))
    rows = drawn_rows(60)
    written(folder / "train.csv", rows[:1])
    file = written(tmp_path / "d.csv", [rows[0], *rows, rows[1], rows[1]])
    outcome = calibrate_application(folder, file, Wishes(models=("m",), leave_out_known=True))
    assert outcome.notes == (
        "2 rows that stand in train.csv too left out: lines 2, 3.",
        "3 rows of d.csv stand there more than once (lines 4, 63, 64); equal rows make the "
        "coverage look surer than it is.",
    )


def test_a_column_in_another_case_is_told(folder: Path, tmp_path: Path) -> None:
    """A column that is called a little otherwise is taken, and a note names it."""
    file = written(tmp_path / "d.csv", drawn_rows(60), "A,b,c,side")
    outcome = calibrate_application(folder, file, Wishes(models=("m",)))
    assert outcome.notes == (
        "Columns of d.csv are taken that are written otherwise: 'A' for 'a'.", UNCHECKED,
    )  # fmt: skip


def test_another_target(folder: Path, tmp_path: Path) -> None:
    """The answers may stand in a column of another name."""
    file = written(tmp_path / "d.csv", drawn_rows(60), "a,b,c,truth")
    outcome = calibrate_application(folder, file, Wishes(target="truth", models=("m",)))
    assert outcome.passed


def test_rows_of_the_training_data_are_refused(folder: Path, tmp_path: Path) -> None:
    """Rows that stand in [task] training too are refused by their lines, or left out and told."""
    (folder / "podium.toml").write_text(TOML.format('training = "data/train.csv"'))
    rows = drawn_rows(100)
    written(folder / "data/train.csv", rows[:12], "a,b,c,side")
    file = written(tmp_path / "d.csv", rows)
    with pytest.raises(DataError) as caught:
        calibrate_application(folder, file, Wishes(models=("m",)))
    (mistake,) = caught.value.mistakes
    assert mistake.key == "lines 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 2 more"
    assert mistake.message.startswith("12 rows stand in data/train.csv too, on which")
    assert mistake.message.endswith("--leave-out-known.")
    assert left_over(folder) == []
    outcome = calibrate_application(folder, file, Wishes(models=("m",), leave_out_known=True))
    assert outcome.notes == (
        "12 rows that stand in data/train.csv too left out: "
        "lines 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 2 more.",
    )
    assert kept(folder)["rows"] == 88


def test_a_file_of_training_rows_alone(folder: Path, tmp_path: Path) -> None:
    """When all rows are known there is none left to calibrate on."""
    (folder / "podium.toml").write_text(TOML.format('training = "train.csv"'))
    written(folder / "train.csv", drawn_rows(50))
    file = written(tmp_path / "d.csv", drawn_rows(50))
    with pytest.raises(DataError, match=r"lines: all of them stand in train\.csv"):
        calibrate_application(folder, file, Wishes(leave_out_known=True))


def test_rows_in_an_offered_file_are_told(folder: Path, tmp_path: Path) -> None:
    """Without [task] training, rows that stand in a CSV file among the references are a note."""
    rows = drawn_rows(60)
    written(folder / "all.csv", rows[:5])
    written(folder / "other.csv", [[1]], "x")
    with (folder / "podium.toml").open("a") as file:
        for name in ("all.csv", "other.csv"):
            file.write(f'[[references]]\ntitle = "Data"\nfile = "{name}"\n')
    data = written(tmp_path / "d.csv", rows)
    (note,) = calibrate_application(folder, data, Wishes(models=("m",))).notes
    assert note.startswith("5 rows stand in all.csv too. If the models were trained on it, ")
    assert "write training = 'all.csv' under [task]" in note


def test_rows_are_asked_in_parts(folder: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In parts and at once a model learns the same; how far it is can be followed."""
    calibrate_application(folder, data, Wishes(models=("m",)))
    whole, told = kept(folder), []
    monkeypatch.setattr(asking, "ROWS_AT_ONCE", 120)
    calibrate_application(folder, data, Wishes(models=("m",)), lambda *seen: told.append(seen))
    assert told == [("m", 120, 300), ("m", 240, 300), ("m", 300, 300)]
    assert kept(folder)["fit"]["scores"] == pytest.approx(whole["fit"]["scores"], abs=1e-6)


def test_of_very_many_rows_some_are_drawn(
    folder: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows beyond what fits in memory are left out by chance, and the command says so."""
    monkeypatch.setattr(asking, "LEAST_ROWS", 100)
    monkeypatch.setattr(asking, "VALUES", 120 * len(LABELS))
    done = podium("calibrate", folder, data, "--model", "m")
    assert "m: 120 rows of them were drawn, for the memory\n" in done.stdout
    assert (kept(folder)["rows"], kept(folder)["coverage"]["rows"]) == (120, 120)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Return a labelled file of 40 images of one colour each."""
    rng = np.random.default_rng(5)
    rows = []
    (tmp_path / "img").mkdir()
    for number in range(40):
        colour = tuple(rng.integers(0, 255, 3).tolist())
        Image.new("RGB", (SIDE, SIDE), colour).save(tmp_path / f"img/{number}.png")
        rows.append([f"img/{number}.png", ("red", "green", "blue", "rest")[number % 4]])
    return written(tmp_path / "images.csv", rows, "image,colour")


def test_images(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Images are read a few at a time by their pixels, and every model learns of all."""
    folder = write_colours(tmp_path / "app")
    monkeypatch.setattr(asking, "PIXELS_AT_ONCE", 2 * SIDE * SIDE)
    told: list[int] = []
    wishes = Wishes(confidence_level=0.5, models=("whole",))
    calibrate_application(folder, images, wishes, lambda _, done, __: told.append(done))
    assert told == list(range(2, 41, 2))
    assert kept(folder, "whole")["rows"] == 40


def test_images_that_cannot_be_read_are_all_told(images: Path, tmp_path: Path) -> None:
    """Damaged images are told by their lines, and nothing is written."""
    folder = write_colours(tmp_path / "app")
    for number in (0, 7):
        (tmp_path / f"img/{number}.png").write_bytes(b"no image")
    with pytest.raises(DataError) as caught:
        calibrate_application(folder, images, Wishes(confidence_level=0.5))
    assert [one.key for one in caught.value.mistakes] == ["line 2", "line 9"]
    assert caught.value.mistakes[0].message.startswith(f"{tmp_path / 'img/0.png'} is not an image")
    for number in range(7):
        (tmp_path / f"img/{number}.png").write_bytes(b"no image")
    with pytest.raises(DataError) as caught:
        calibrate_application(folder, images, Wishes(confidence_level=0.5))
    assert (caught.value.count, len(caught.value.mistakes)) == (8, 6)
    assert caught.value.mistakes[5] == Mistake("and 3 more like this", "lines 7, 8, 9")
    assert left_over(folder) == []


def test_rows_that_the_model_does_not_answer_are_told(folder: Path, tmp_path: Path) -> None:
    """A row with a gap that the model cannot do without is told by its line."""
    rows = [*drawn_rows(60), [1, 2, "", "left"]]
    with pytest.raises(DataError) as caught:
        calibrate_application(folder, written(tmp_path / "d.csv", rows), Wishes(models=("m",)))
    assert [tuple(one) for one in caught.value.mistakes] == [
        ("line 62", "the model gives no finite answer for these values")
    ]


def test_where_calibrations_are_kept(tmp_path: Path) -> None:
    """Beside the model's file, the first of an ensemble, or podium.toml; never outside."""
    cases = {
        "deep/m.onnx": ModelSpec(name="a", file="deep/m.onnx"),
        "deep/b": ModelSpec(name="a", files=("deep/b", "c")),
        "podium.toml": ModelSpec(name="a", python="m:f"),
        "x": ModelSpec(name="a", file="."),
    }
    assert {beside: calibration_file(tmp_path, spec) for beside, spec in cases.items()} == {
        beside: (tmp_path / beside).parent / "a.calibration.json" for beside in cases
    }


def test_a_folder_that_cannot_be_written_to(
    folder: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A calibration that cannot be written is told, and nothing half written is left."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(PodiumError, match="cannot be written: No space left on device"):
        calibrate_application(folder, data, Wishes(models=("m",)))
    assert left_over(folder) == []


def podium(*arguments: object) -> Result:
    """Run a command on a wide screen."""
    texts = [str(argument) for argument in arguments]
    runner = CliRunner(env={"COLUMNS": "200"})
    return runner.invoke(main, texts, prog_name="podium", catch_exceptions=False)


def test_the_command_prints_what_was_found(folder: Path, data: Path) -> None:
    """A table, where each calibration is kept, and what to do next."""
    done = podium("calibrate", folder, data, "--model", "m", "--method", "aps")
    assert (done.exit_code, done.stderr) == (0, "")
    measured = kept(folder)["coverage"]
    assert "300 rows of rows.csv" in done.stdout
    assert "Coverage at 0.9" in done.stdout
    assert f"{measured['coverage']:.1%} [{measured['low']:.1%}, " in done.stdout
    assert f"Wrote {folder / 'models/m.calibration.json'}" in done.stdout
    # 150 rows are behind the quantiles: 150 / 151, rounded down.
    assert "a confidence_level of up to 0.993; --confidence-level takes more rows" in done.stdout
    assert done.stdout.endswith(f"Next:\n  podium serve {folder}\n")


def test_the_command_tells_a_temperature_that_did_not_help(
    folder: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log loss that is visibly worse with the temperature is told by the model; no other is."""
    found = calibrate_application(folder, data, Wishes()).models[0].calibration
    assert found is not None
    told = {}
    for loss in (0.0755, 0.06964, 0.05):
        before, after = Quality(0.0696, 0.1, 0.1), Quality(loss, 0.1, 0.1)
        coverage = structs.replace(found.coverage, before=before, after=after)
        monkeypatch.setattr(calibrate_module, "cross_validate", lambda *_, kept=coverage: kept)
        told[loss] = podium("calibrate", folder, data, "--model", "m").stdout
    assert [loss for loss, text in told.items() if "log loss" in text] == [0.0755]
    assert (
        "m: its temperature made the log loss of rows left out worse (0.0696 to 0.0755): more rows "
        "would tell.\n"
    ) in told[0.0755]


def test_the_command_fails_when_no_model_was_calibrated(folder: Path, data: Path) -> None:
    """Each model's reason is printed, and the exit code is 1."""
    done = podium("calibrate", folder, data, "--method", "normalised")
    assert (done.exit_code, left_over(folder)) == (1, [])
    assert "twice: The method 'normalised' is not for a classification." in done.stdout
    assert done.stdout.endswith("No model was calibrated.\n")


def test_the_command_hands_its_options_on(
    folder: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every option of the command line is a wish."""
    made: list[Wishes] = []

    def keep(folder: Path, file: Path, wishes: Wishes, _: object) -> Outcome:
        made.append(wishes)
        raise PodiumError(f"{folder.name} {file.name}")

    monkeypatch.setattr(calibrate_module, "calibrate_application", keep)
    done = podium(
        "calibrate", folder, data, "--confidence-level", "0.75", "--model", "m", "--model", "twice",
        "--method", "lac", "--target", "t", "--leave-out-known",
    )  # fmt: skip
    assert (done.exit_code, done.stderr) == (1, "podium: app rows.csv\n")
    assert made == [Wishes(confidence_level=0.75, models=("m", "twice"), method="lac", target="t",
                           leave_out_known=True)]  # fmt: skip
    assert podium("calibrate", folder, data, "--confidence-level", "1").exit_code == 2
