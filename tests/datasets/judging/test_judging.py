"""What is told of a scored data set: counts, metrics, comparisons, and what may mislead."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner

from podium.app import App
from podium.cli import DEMOS, main
from podium.datasets.findings import Judged, read_findings
from podium.datasets.judging import judgement
from podium.datasets.judging import verdict as verdicts
from podium.datasets.judging.verdict import MAX_FIGURED
from tests.support.judging import classes, sample, verdict
from tests.support.scoring import run_csv, write_python_app

PENGUINS = DEMOS / "penguins"
X = '[[features]]\nname = "x"\n'
CLASSES = '[task]\nkind = "classification"\ntarget = "y"\nlabels = ["low", "high"]\n'
VOTE = """\
def answer(x):
    one = 1 / (1 + np.exp(-x))
    return np.column_stack([1 - one[:, 0], one[:, 0]])
"""
LINES = [f"{x},{'high' if x > 0 else 'low'}" for x in range(-20, 20)]


@pytest.fixture
def app(tmp_path: Path) -> App:
    """Return a classification: "high" above 0."""
    return App(write_python_app(tmp_path / "app", VOTE, X, CLASSES))


def value(judged: Judged, name: str) -> float | None:
    """Return a metric of a model as a whole."""
    return next(one.value for one in judged.metrics if one.name == name and one.label is None)


def table(lines: list[str]) -> str:
    """Return a CSV file with the columns x and y."""
    return "\n".join(["x,y", *lines, ""])


def test_a_model_is_told_with_counts_and_metrics(app: App, tmp_path: Path) -> None:
    """Rows, answers by label, how many could be judged, metrics, and what they rest on."""
    found = run_csv(app, tmp_path / "w", table([*LINES, "oops,low", "5,"]))
    (judged,) = found.models
    assert (found.rows, found.failed, found.bootstrap, found.level) == (42, 1, 1000, 0.95)
    assert [row for row, _ in found.problems] == [41]
    assert (judged.model, judged.title, judged.rows, judged.judged) == ("own", "own", 41, 40)
    # At 0 both labels are as likely, and the first is the answer.
    assert judged.counts == {"low": 21, "high": 20}
    assert value(judged, "accuracy") == 1.0
    assert value(judged, "coverage") is None
    assert found.notes == ("1 row has no true answer in 'y': nothing judges it.",)


def test_without_the_column_of_answers_nothing_is_judged(app: App, tmp_path: Path) -> None:
    """The findings say so; what the model answered is counted all the same."""
    found = run_csv(app, tmp_path / "w", "x\n1\n-2\n")
    assert found.target is None
    assert (found.bootstrap, found.models[0].metrics, found.models[0].judged) == (0, (), 0)
    assert found.models[0].counts == {"low": 1, "high": 1}
    assert found.notes == (
        "There is no column 'y', so nothing says which answers are right: the models are not "
        "judged.",
    )


def test_unknown_answers_are_named(app: App, tmp_path: Path) -> None:
    """Rows with what is none of the labels are counted, with the commonest of them."""
    found = run_csv(app, tmp_path / "w", table([*LINES, "1,huge", "2,huge", "3,tiny"]))
    assert found.notes == (
        "3 rows with what is none of the labels in 'y' ('huge', 'tiny') cannot be judged.",
    )
    assert found.models[0].judged == 40


def test_a_column_without_any_known_answer_judges_nothing(app: App, tmp_path: Path) -> None:
    """No metrics are made of no rows."""
    found = run_csv(app, tmp_path / "w", table(["1,", "2,"]))
    assert (found.models[0].metrics, found.comparisons) == ((), ())
    assert found.notes == (
        "No row has a true answer in the column 'y' that the application knows.",
    )


@pytest.mark.parametrize(("lines", "note"), [
    (["1,high", "-1,low"], "Only 2 rows can be judged: that says little, and for some metrics no "
                           "interval can be told."),
    (LINES[10:30], "Only 20 rows can be judged: the intervals are wide."),
    (LINES[:20] * 2, "No row that is judged is of the label high: nothing says how well it "
                        "is found."),
])  # fmt: skip
def test_what_rests_on_little_says_so(
    app: App, tmp_path: Path, lines: list[str], note: str
) -> None:
    """Few rows, and labels without rows, are pointed out."""
    assert note in run_csv(app, tmp_path / "w", table(lines)).notes


def test_rows_that_stand_there_twice_are_pointed_out(app: App, tmp_path: Path) -> None:
    """Equal rows make the intervals too narrow; numbers are equal however they are written."""
    found = run_csv(app, tmp_path / "w", table([*LINES, "5.0,high", "5e0,high"]))
    assert found.notes == (
        "3 rows stand there more than once: equal rows make the intervals narrower than they "
        "should be.",
    )  # fmt: skip


def with_training(folder: Path, key: str) -> App:
    """Return the application with ten of the rows in train.csv, which podium.toml names."""
    head = CLASSES + ('training = "train.csv"' if key == "training" else "")
    more = "" if key == "training" else '\n[[references]]\ntitle = "Data"\nfile = "train.csv"'
    write_python_app(folder, VOTE, X + more, head)
    written = [line.replace(",", ".0;") for line in LINES[:10]]
    (folder / "train.csv").write_text("\n".join(["X;y", *written, ""]))
    return App(folder)


def test_rows_that_the_models_were_trained_on_are_pointed_out(tmp_path: Path) -> None:
    """However they are written; and the accuracy on the others is told."""
    found = run_csv(with_training(tmp_path / "app", "training"), tmp_path / "w", table(LINES))
    assert found.notes == (
        "10 rows of 40 (25.0%) stand in train.csv too, on which the models were trained. Metrics, "
        "comparisons and figures count them: on new rows a model may do worse, most of all one "
        "that learns its rows by heart.",
    )
    assert found.models[0].notes == (
        "On the 30 rows that it was not trained on, its accuracy is 100.0% (95% interval 88.6% to "
        "100.0%).",
    )


def test_training_rows_are_found_however_they_are_written(tmp_path: Path) -> None:
    """Labels in another case, booleans in other words, numbers in single precision."""
    flag = '\n[[features]]\nname = "b"\nkind = "boolean"\n'
    head = CLASSES + 'training = "train.parquet"'
    code = "def answer(x):\n    return np.tile([0.25, 0.75], (len(x), 1))"
    folder = write_python_app(tmp_path / "app", code, X + flag, head)
    rows = "SELECT CAST(i + 0.1 AS FLOAT) AS x, i % 2 = 0 AS b, 'HIGH' AS y FROM range(9) t(i)"
    duckdb.execute(f"COPY ({rows}) TO '{folder / 'train.parquet'}'")
    words = [("yes", "no"), ("TRUE", "False"), ("1", "0")]
    lines = [f"{i}.1,{words[i % 3][i % 2]},high" for i in range(9)]
    text = "\n".join(["x,b,y", *lines, "0.1,no,high", "9.1,no,high"])
    found = run_csv(App(folder), tmp_path / "w", text)
    assert found.notes[0].startswith("9 rows of 11 (81.8%) stand in train.parquet too")
    assert found.models[0].notes == (
        "On the 2 rows that it was not trained on, its accuracy is 100.0% (95% interval 34.2% to "
        "100.0%).",
    )


def test_the_rows_that_are_new_are_all_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that the figures leave out are among them."""
    monkeypatch.setattr(verdicts, "MAX_FIGURED", 20)
    found = run_csv(with_training(tmp_path / "app", "training"), tmp_path / "w", table(LINES))
    (note,) = found.models[0].notes
    assert note.startswith("On the 30 rows that it was not trained on, its accuracy is 100.0%")
    figures = {one.name: one for one in found.models[0].figures}
    counted = figures["confusion"].spec["description"]
    assert counted.startswith("Confusion matrix: 40 of 40 predictions are right.")
    assert figures["reliability"].about.endswith("rows drawn by chance from 40.")
    assert "drawn by chance" not in figures["confusion"].about


def test_labels_in_another_case_are_the_same_row(app: App, tmp_path: Path) -> None:
    """Rows are equal by what is read in them."""
    found = run_csv(app, tmp_path / "w", table([*LINES, "5,HIGH"]))
    assert found.notes[0].startswith("2 rows stand there more than once")


HALF = """\
def answer(x):
    if (x > 15).any(): raise ValueError("too large")
    return np.tile([0.25, 0.75], (len(x), 1))
"""


def test_rows_that_one_model_fails_on_are_told_of_it(tmp_path: Path) -> None:
    """What no model answers has no answer; what one does not is told of that one."""
    folder = write_python_app(tmp_path / "app", VOTE + HALF.replace("answer", "half"), X, CLASSES)
    with (folder / "podium.toml").open("a") as stream:
        stream.write('[[models]]\nname = "half"\npython = "models:half"\n')
    found = run_csv(App(folder), tmp_path / "w", table([*LINES, "oops,low"]),
                    models=("own", "half"))  # fmt: skip
    assert (found.rows, found.failed, found.partly) == (41, 1, 4)
    assert [row for row, _ in found.problems] == [37, 38, 39, 40, 41]
    assert [one.notes for one in found.models] == [
        (), ("It gave no answer to 4 rows that another one answered.",),
    ]  # fmt: skip
    assert [one.judged for one in found.models] == [40, 36]


def test_a_level_that_cannot_be_reached_is_told_of_the_model(tmp_path: Path) -> None:
    """As /predict warns: the sets hold every label, since too few rows were calibrated on."""
    folder = write_python_app(tmp_path / "app", VOTE, X, CLASSES)
    (folder / "labelled.csv").write_text(table(LINES))
    done = CliRunner().invoke(main, ["calibrate", str(folder), str(folder / "labelled.csv")])
    assert done.exit_code == 0, done.output
    found = run_csv(App(folder), tmp_path / "w", table(LINES), confidence_level=0.999)
    assert found.models[0].notes[:2] == (
        "The model was calibrated on 40 labelled rows; a confidence level of 0.999 needs 1997. "
        "The set holds every label.",
        "It was calibrated on this very file (labelled.csv): its coverage, log loss and "
        "calibration error look better here than on new rows.",
    )
    (told,) = run_csv(App(folder), tmp_path / "v", table(LINES[1:]), confidence_level=0.9).models
    assert told.notes == ()


def test_rows_of_a_data_set_on_offer_may_be_known(tmp_path: Path) -> None:
    """Where podium.toml does not name the training data, that on offer may be it."""
    found = run_csv(with_training(tmp_path / "app", "reference"), tmp_path / "w", table(LINES))
    assert found.notes == (
        "10 rows of 40 stand in train.csv too. If models were trained on it, they may do worse on "
        "new rows than the metrics say ([task] training = 'train.csv' has this checked).",
    )


def test_training_data_that_cannot_be_compared_say_nothing(tmp_path: Path) -> None:
    """A training file without the answers, or that cannot be read, is passed over."""
    app = with_training(tmp_path / "app", "training")
    (tmp_path / "app/train.csv").write_text("a,b\n1,2\n")
    assert run_csv(app, tmp_path / "w", table(LINES)).notes == ()


def test_all_penguins_are_told_of_the_same_to_the_last_bit(tmp_path: Path) -> None:
    """Two runs find the very same: metrics, intervals, comparisons, figures."""
    app = App(PENGUINS)
    text = (PENGUINS / "data/penguins.csv").read_text("utf-8")
    models = ("forest", "tree")
    first = run_csv(app, tmp_path / "a", text, models=models)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    (tmp_path / "b/findings.json").unlink()
    second = run_csv(app, tmp_path / "b", text, models=models)
    assert (tmp_path / "a/findings.json").read_bytes() == (
        tmp_path / "b/findings.json"
    ).read_bytes()
    assert [one.title for one in first.models] == ["Random forest", "Decision tree"]
    assert [one.metric for one in first.comparisons] == ["accuracy", "brier"]
    assert read_findings((tmp_path / "a/findings.json").read_bytes()) == second == first


def test_many_rows_are_judged_a_part_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The parts make no difference to what is found of few rows."""
    p, truth = sample(300)
    (tmp_path / "a").mkdir()
    whole = verdict(tmp_path / "a", [classes(p, truth)], ("a", "b", "c"))
    monkeypatch.setattr(judgement, "_AT_ONCE", 70)
    parts = verdict(tmp_path / "b", [classes(p, truth)], ("a", "b", "c"))
    assert parts.models[0].metrics == whole.models[0].metrics
    judged = parts.models[0].judgement
    assert judged is not None
    assert judged.rows.tolist() == list(range(300))


def test_of_very_many_rows_a_sample_goes_into_the_figures(tmp_path: Path) -> None:
    """The metrics are of all rows; the figures' rows are the same for each model."""
    rows = MAX_FIGURED * 2
    p, truth = sample(rows)
    found = verdict(tmp_path, [classes(p, truth), classes(p[:, ::-1], truth)], ("a", "b", "c"))
    assert [one.judged for one in found.models] == [rows, rows]
    first, second = (one.judgement for one in found.models)
    assert first is not None
    assert second is not None
    assert 0.98 * MAX_FIGURED < len(first.rows) < 1.02 * MAX_FIGURED
    assert (first.rows == second.rows).all()
    accuracy = found.models[0].metrics[0].value
    assert accuracy == pytest.approx((p.argmax(axis=1) == truth).mean(), rel=1e-12)
