"""`podium score` writes the rows of a file with the models' answers beside them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner, Result

from podium.cli import DEMOS, main
from tests.support.scoring import write_python_app

PENGUINS = DEMOS / "penguins"
DATA = PENGUINS / "data/penguins.csv"
X = '[[features]]\nname = "x"\n'


@pytest.fixture
def half(tmp_path: Path) -> Path:
    """Return the folder of a regression: the half of x, told beside it as y."""
    code = "def answer(x):\n    if x.max() > 1000: raise ValueError('too long')\n    return x / 2"
    return write_python_app(tmp_path / "app", code, X)


def score(*arguments: object) -> Result:
    """Run `podium score`."""
    return CliRunner().invoke(main, ["score", *map(str, arguments)])


def left_in(folder: Path) -> set[str]:
    """Return the names of what lies in a folder, hidden or not."""
    return {file.name for file in folder.iterdir()}


def test_penguins_are_scored_by_two_models(tmp_path: Path) -> None:
    """Results, metrics and the comparison are all told; nothing else is left behind."""
    output = tmp_path / "results.csv"
    done = score(PENGUINS, DATA, "-o", output, "--model", "bnn", "--model", "tree")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == f"Wrote {output}: 344 rows"
    assert "2 of 344 rows without an answer; podium_error says why:" in done.stdout
    assert "  row 4: bill_length_mm: is missing; expected a number in mm" in done.stdout
    for told in ("Accuracy", "F1 of Gentoo", "Decision tree", "(p "):
        assert told in done.stdout
    lines = output.read_text().splitlines()
    assert len(lines) == 345
    assert "podium_label_bnn" in lines[0]
    assert "podium_label_tree" in lines[0]
    assert left_in(tmp_path) == {"results.csv"}


@pytest.mark.parametrize(("width", "beside"), [(60, 1), (80, 2), (120, 2), (160, 4)])
def test_a_table_has_the_models_that_the_terminal_has_room_for(
    tmp_path: Path, width: int, beside: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names of metrics and whole intervals are there at every width; others follow below."""
    monkeypatch.setenv("COLUMNS", str(width))
    models = [more for name in ("bnn", "forest", "tree", "bayes") for more in ("--model", name)]
    held_out = PENGUINS / "data/held_out.csv"
    done = score(PENGUINS, held_out, "-o", tmp_path / "results.csv", *models)
    assert done.exit_code == 0
    rows = [line for line in done.stdout.splitlines() if line.startswith("│ Accuracy ")]
    assert [line.count(" to ") for line in rows] == [beside] * (4 // beside)
    assert all(len(line) <= width for line in rows)
    assert "Expected calibration error" in done.stdout


def test_the_end_of_the_name_says_the_format(half: Path, tmp_path: Path) -> None:
    """A .parquet file is one, whatever the case of its ending."""
    data, output = tmp_path / "data.csv", tmp_path / "Results.PARQUET"
    data.write_text("x\n1\n-2\n")
    done = score(half, data, "-o", output)
    assert done.exit_code == 0
    found = duckdb.execute(f"SELECT x, podium_value FROM read_parquet('{output}')").fetchall()  # noqa: S608
    assert found == [(1.0, 0.5), (-2.0, -1.0)]


def test_the_seed_decides_the_noise_and_the_level_the_interval(tmp_path: Path) -> None:
    """The same seed writes the same bytes; another one does not."""
    runs = {"a": ["--seed", "1"], "b": ["--seed", "1"], "c": ["--seed", "2"]}
    for name, more in runs.items():
        assert score(PENGUINS, DATA, "-o", tmp_path / f"{name}.csv", *more).exit_code == 0
    a, b, c = ((tmp_path / f"{name}.csv").read_bytes() for name in runs)
    assert a == b
    assert a != c


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["-o", "out.xlsx"], "out.xlsx ends in '.xlsx'; expected results.csv or results.parquet."),
        (["-o", "out"], "out has no ending; expected results.csv or results.parquet."),
        (["-o", "no/such/out.csv"], "There is no folder no/such to write out.csv into"),
        (["-o", "data.csv"], "data.csv is the data set itself; name another file."),
        (["-o", "here.csv"], "here.csv is a folder"),
        (["--model", "owm"], "There is no model 'owm'. Did you mean 'own'? Known: own."),
        (["--target", "z"], "there is no such column"),
    ],
)
def test_what_cannot_be_done_is_told_and_writes_nothing(
    half: Path, tmp_path: Path, more: list[str], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names what is wrong; the data set stays as it is, and nothing is left behind."""
    monkeypatch.chdir(tmp_path)
    Path("data.csv").write_text("x\n1\n")
    Path("here.csv").mkdir()
    done = score(half, "data.csv", *more)
    assert done.exit_code == 1
    assert told in done.stderr
    assert Path("data.csv").read_text() == "x\n1\n"
    assert left_in(tmp_path) == {"app", "data.csv", "here.csv"}


def test_a_file_that_is_not_there_is_told(half: Path, tmp_path: Path) -> None:
    """The message says what it might be."""
    done = score(half, tmp_path / "no.csv", "-o", tmp_path / "o.csv")
    assert (done.exit_code, "no.csv is not there. Expected a CSV," in done.stderr) == (1, True)


def test_when_no_row_can_be_scored_each_has_its_reason(half: Path, tmp_path: Path) -> None:
    """The file is written all the same, and the command fails."""
    data, output = tmp_path / "data.csv", tmp_path / "results.csv"
    data.write_text("x,y\none,1\ntwo,2\n")
    done = score(half, data, "-o", output)
    assert done.exit_code == 1
    assert "2 of 2 rows without an answer" in done.stdout
    lines = output.read_text().splitlines()
    assert [line.rpartition(",")[2] for line in lines[1:]] == [
        "x: expected a number; found 'one'.", "x: expected a number; found 'two'."
    ]  # fmt: skip


def test_a_model_that_fails_on_every_row_leaves_the_old_results(half: Path, tmp_path: Path) -> None:
    """The reason is told; a file of that name keeps what it held."""
    data, output = tmp_path / "data.csv", tmp_path / "results.csv"
    data.write_text("x\n" + "2000\n" * 200)
    output.write_text("old")
    done = score(half, data, "-o", output)
    assert done.exit_code == 1
    assert "own fails on every row so far: " in done.stderr
    assert output.read_text() == "old"
    assert left_in(tmp_path) == {"app", "data.csv", "results.csv"}


def test_an_interrupt_leaves_nothing_behind(tmp_path: Path) -> None:
    """Ctrl+C in the midst of the work ends it, and its folder is gone."""
    code = (
        "import time\n"
        "from pathlib import Path\n"
        "def answer(x):\n"
        "    if len(x) > 100:\n"
        "        Path(__file__).with_name('begun').touch()\n"
        "        time.sleep(0.2)\n"
        "    return x"
    )
    app = write_python_app(tmp_path / "app", code, X)
    (tmp_path / "data.csv").write_text("x\n" + "1\n" * 1_000_000)
    command = [sys.executable, "-m", "podium", "score", "app", "data.csv", "-o", "results.csv"]
    # What runs the tests in the background may have had interrupts ignored, which is inherited.
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    process = subprocess.Popen(  # noqa: S603
        command, cwd=tmp_path, stderr=subprocess.PIPE, preexec_fn=heard
    )
    try:
        while not (app / "begun").exists():
            assert process.poll() is None
        os.kill(process.pid, signal.SIGINT)
        _, told = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, told.strip()) == (1, b"Aborted!")
    assert left_in(tmp_path) == {"app", "data.csv"}


def test_a_disk_that_is_full_is_told(
    half: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the system says is told, with where the room is needed; nothing is left behind."""
    data = tmp_path / "data.csv"
    data.write_text("x\n1\n")

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("podium.datasets.writing.shutil.copyfileobj", fail)
    done = score(half, data, "-o", tmp_path / "results.csv")
    assert done.exit_code == 1
    assert done.stderr == (
        "podium: data.csv cannot be scored: [Errno 28] No space left on device. The work is done "
        f"in {tmp_path}, where it takes about three times the room of the file.\n"
    )
    assert left_in(tmp_path) == {"app", "data.csv"}
