"""A calibration that is kept is applied to its own model alone, and a damaged one is told."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from podium.app import App
from podium.calibrated import write_calibration
from podium.check import check_application, render_report
from podium.errors import PodiumError
from podium.options import Options
from podium.pipeline.calibration import Calibration
from podium.pipeline.conformal import Coverage, Fit
from podium.web import wsgi
from tests.conformance.cases import build
from tests.conformance.onnx_cases import CASES as ONNX
from tests.support.pages import client_of

CASES = {case.name: case for case in ONNX}
ROW: Any = [(1.0, 2.0, 3.0)]
SCORES = tuple(number / 40 for number in range(40))
FIT = Fit("lac", 1.5, 1e-6, 40, SCORES)
COVERAGE = Coverage(0.8, 5, 80, 0.825, 0.7274, 0.8928, 1.4)


def calibration(version: str, **others: Any) -> Calibration:
    """Return a calibration of the model m."""
    told: dict[str, Any] = {
        "model": "m", "version": version, "settings": "", "data": "rows.csv",
        "sha256": "0" * 64, "rows": 80, "date": "2026-11-23", "confidence_level": 0.8, "fit": FIT,
        "coverage": COVERAGE,
    }  # fmt: skip
    return Calibration(**told | others)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an application of one model."""
    build(CASES["onnx-logits"], tmp_path)
    return tmp_path


def keep(folder: Path, **others: Any) -> Path:
    """Keep a calibration beside the model m."""
    file = folder / "models/m.calibration.json"
    write_calibration(file, calibration(**current(App(folder)) | others))
    return file


def current(app: App) -> dict[str, Any]:
    """Return what a calibration says of the model as it is now."""
    return {"version": app.version("m"), "settings": app.settings(app.spec.models[0])}


def test_what_is_written_is_read(folder: Path) -> None:
    """A calibration comes back as it was written; its scores stand on one line."""
    file = keep(folder)
    kept = App(folder).kept("m")
    assert (kept.calibration, kept.trouble) == (calibration(**current(App(folder))), "")
    lines = file.read_text().splitlines()
    assert lines[1:3] == ['  "format": 1,', '  "model": "m",']
    assert sum(" 0.5, 0.525, " in line for line in lines) == 1
    assert file.read_text().endswith("}\n")
    assert [path.name for path in file.parent.iterdir() if "calib" in path.name] == [file.name]


def test_a_calibration_is_applied(folder: Path) -> None:
    """A model that is loaded takes its calibration up; it tells the same once loaded."""
    keep(folder)
    app = App(folder)
    before = app.kept("m")
    (answer,) = app.predict(ROW, Options()).predictions
    assert answer.uncertainty.confidence_level == 0.8
    assert app.kept("m") == before


def test_without_a_file_there_is_nothing_to_tell(folder: Path) -> None:
    """A model that was never calibrated has no calibration and no trouble."""
    kept = App(folder).kept("m")
    assert (kept.calibration, kept.trouble) == (None, "")


def test_a_calibration_of_another_version_is_not_applied(folder: Path) -> None:
    """A model whose file changed since is served as if it had never been calibrated."""
    keep(folder, version="abcdef")
    app = App(folder)
    (answer,) = app.predict(ROW, Options()).predictions
    assert answer.uncertainty.confidence_level is None
    version = app.version("m")
    assert app.kept("m").trouble == (
        f"calibrated for version abcdef, the model is {version}: calibrate again"
    )


@pytest.mark.parametrize(
    ("others", "trouble"),
    [
        ({"format": 2}, "has format 2, and this Podium reads 1"),
        ({"model": "n"}, "is of the model 'n'"),
        ({"fit": Fit("absolute", None, None, 40, SCORES)},
         "has the method 'absolute', which is not for a classification"),
        ({"fit": Fit("lac", 1.5, 1e-6, 50, SCORES)},
         "has 40 scores, not those of 50 rows in order"),
        ({"fit": Fit("lac", 1.5, 1e-6, 40, SCORES[::-1])},
         "has 40 scores, not those of 40 rows in order"),
        ({"fit": Fit("lac", 1.5, 1e-6, 0, ())}, "has 0 scores, not those of 0 rows in order"),
        ({"fit": Fit("lac", 1.5, 1e-6, 1, (-5.0,))}, "has a score below 0, -5"),
        ({"fit": Fit("lac", 0.0, 1e-6, 40, SCORES)},
         "has a temperature of 0.0, which the method 'lac' cannot have"),
        ({"fit": Fit("lac", None, 1e-6, 40, SCORES)},
         "has a temperature of None, which the method 'lac' cannot have"),
        ({"fit": Fit("lac", 1.5, 1e308, 40, SCORES)},
         "has a floor of 1e+308, which the method 'lac' cannot have"),
        ({"confidence_level": 1.0}, "has a level or a coverage that is no share"),
        ({"coverage": Coverage(0.8, 5, 80, 0.825, -1e308, 0.8928, 1.4)},
         "has a level or a coverage that is no share"),
        ({"rows": 39}, "has 39 rows and 1 passes, which cannot be"),
    ],
)  # fmt: skip
def test_a_foreign_calibration_is_told(others: dict[str, Any], trouble: str, folder: Path) -> None:
    """A calibration that cannot be this model's is told with its file, and not applied."""
    keep(folder, **others)
    kept = App(folder).kept("m")
    assert (kept.calibration, kept.trouble) == (
        None, f"m.calibration.json {trouble}; calibrate again",
    )  # fmt: skip
    assert App(folder).served().pipeline.calibration is None


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe", b"[]", b'{"format": 1}', b"[" * 100_000, b'{"format": 1e99}']
)
def test_a_damaged_calibration_is_told(content: bytes, folder: Path) -> None:
    """A file that is no calibration is told with its name, and the model serves without."""
    file = folder / "models/m.calibration.json"
    file.write_bytes(content)
    app = App(folder)
    assert app.kept("m").trouble.startswith("m.calibration.json is no calibration: ")
    assert app.predict(ROW, Options()).predictions[0].uncertainty.confidence_level is None


def test_an_unreadable_calibration_is_told(folder: Path) -> None:
    """What cannot be read as a file is told with the system's reason."""
    app, file = App(folder), folder / "models/m.calibration.json"
    file.mkdir()
    told = "m.calibration.json is no file of at most 2,000,000 bytes; calibrate again"
    assert app.kept("m").trouble == told
    file.rmdir()
    os.mkfifo(file)  # reading it would wait for ever
    assert app.kept("m").trouble == told
    file.unlink()
    file.write_bytes(b" " * 2_000_001)
    assert app.kept("m").trouble == told


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"left", "middle"', '"middle", "left"'),
        ('file = "models', 'samples = 10\nnoise = "eps"\nfile = "models'),
        ('name = "a"', 'name = "d"'),
    ],
)
def test_a_calibration_of_other_settings_is_not_applied(old: str, new: str, folder: Path) -> None:
    """Labels, passes and features make an answer as the file does: changed, no promise holds."""
    keep(folder)
    toml = folder / "podium.toml"
    assert old in toml.read_text()
    toml.write_text(toml.read_text().replace(old, new, 1))
    assert App(folder).kept("m").trouble == (
        "calibrated when podium.toml, or the code it names, had the model asked otherwise: "
        "calibrate again"
    )


@pytest.mark.parametrize("key", ["python", "preprocess"])
def test_another_function_of_the_same_module_is_another_setting(key: str, tmp_path: Path) -> None:
    """A name in podium.toml decides the answers, though neither module nor model changed."""
    (tmp_path / "own.py").write_text(
        "import numpy as np\n"
        "def first(x): return np.ones((len(x), 2)) / 2\n"
        "def second(x): return np.ones((len(x), 2)) / 2\n"
    )
    toml = (
        'title = "T"\n[task]\nkind = "classification"\nlabels = ["a", "b"]\n'
        '[[features]]\nname = "x"\n[[models]]\nname = "m"\n'
        'python = "own:PYTHON"\n[pipeline]\npreprocess = "own:PREPROCESS"\n'
    )

    def settings(changed: str) -> str:
        names = {"python": "first", "preprocess": "first", changed: "second"}
        text = toml
        for name in ("python", "preprocess"):
            text = text.replace(name.upper(), names[name])
        (tmp_path / "podium.toml").write_text(text)
        app = App(tmp_path)
        return app.settings(app.spec.models[0])

    assert settings(key) != settings("none")


def test_a_folder_that_cannot_be_written_to_is_told(folder: Path) -> None:
    """What the system says is told, and what is left over of the attempt is no other mistake."""
    with pytest.raises(PodiumError, match=r"cannot be written: File name too long$"):
        write_calibration(folder / f"{'m' * 240}.calibration.json", calibration("abcdef"))


def test_check_tells_what_a_model_is_calibrated_on(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`podium check` has a line for each calibrated model, and is well."""
    keep(folder)
    report = check_application(folder)
    words = ("calibrated at 0.8 with lac on rows.csv (80 rows, 2026-11-23): coverage 82.5% "
             "[72.7%, 89.3%]")  # fmt: skip
    assert [(one.calibration, one.notes) for one in report.models] == [(words, ())]
    render_report(report)
    assert f"m: {words}\n" in capsys.readouterr().out


def test_check_tells_what_keeps_a_calibration_from_being_applied(folder: Path) -> None:
    """`podium check` notes a calibration of another version, and is well otherwise."""
    keep(folder, version="abcdef")
    report = check_application(folder)
    (model,) = report.models
    assert (model.calibration, report.passed) == ("", True)
    assert model.notes[-1].startswith("calibrated for version abcdef, the model is ")


def test_the_server_logs_what_is_served_uncalibrated(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A worker that starts logs a line for each calibration that it does not apply."""
    keep(folder, version="abcdef")
    app = App(folder)
    wsgi.load_rest(app)
    told = [record.getMessage() for record in caplog.records]
    assert told == [f"Model 'm' is served uncalibrated: {app.kept('m').trouble}"]


def test_models_tell_their_calibration(folder: Path) -> None:
    """GET /models has what each model's sets rest on, and its card has it in words."""
    keep(folder)
    client = client_of(folder)
    (model,) = msgspec.json.decode(client.get("/models").data)["models"]
    assert model["calibration"] == {
        "method": "lac", "confidence_level": 0.8, "temperature": 1.5, "coverage": 0.825,
        "coverage_interval": [0.7274, 0.8928], "rows": 80, "date": "2026-11-23",
        "data": "rows.csv", "sha256": "0" * 64,
    }  # fmt: skip
    card = " ".join(client.get("/models/m").text.split())
    assert "Calibrated on 80 labelled rows of rows.csv, 2026-11-23." in card
    assert "of 80% the prediction sets held the truth in 82.5% of them (72.7% to 89.3%)" in card
    assert "<td><code>lac</code></td>" in card
    assert "<td>1.5</td>" in card


def test_a_calibration_is_no_download(folder: Path) -> None:
    """The file beside the model is sent to nobody, as long as podium.toml does not offer it."""
    keep(folder)
    client = client_of(folder)
    assert json.loads(client.get("/files/models/m.calibration.json").data)["status"] == 404
