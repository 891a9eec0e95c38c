"""The way of a data set: it goes on wherever it was left."""

from __future__ import annotations

from pathlib import Path

import pytest

from podium.app import App
from podium.datasets.findings import read_findings
from podium.datasets.place import Place
from podium.datasets.reading import Upload
from podium.datasets.run import run, take_in
from podium.datasets.wishes import Wishes
from tests.support.scoring import quiet, write_python_app

X = '[[features]]\nname = "x"\n'


@pytest.fixture
def app(tmp_path: Path) -> App:
    """Return a regression: x itself."""
    return App(write_python_app(tmp_path / "app", "def answer(x):\n    return x", X))


@pytest.fixture
def upload(tmp_path: Path) -> Upload:
    """Return a data set of three rows with its name."""
    file = tmp_path / "upload"
    file.write_text("x,y\n1,1\n2,2.5\n3,3\n")
    return Upload(file, "mine.csv")


def test_the_steps_are_told_in_their_order(app: App, upload: Upload, tmp_path: Path) -> None:
    """Reading, scoring, judging, writing: each is told up to its end."""
    heard: list[tuple[str, int, int]] = []
    place = Place(tmp_path / "w")
    run(app, place, upload, Wishes(), ("csv",), lambda *told: heard.append(told))
    steps = list(dict.fromkeys(step for step, _, _ in heard))
    assert steps == ["reading", "scoring", "judging", "writing"]
    last = {step: (done, rows) for step, done, rows in heard}
    assert (last["scoring"], last["writing"]) == ((3, 3), (3, 3))


def test_what_was_found_lies_beside_the_results(app: App, upload: Upload, tmp_path: Path) -> None:
    """The findings that are returned are those in the file; the results are all there."""
    place = Place(tmp_path / "w")
    found = run(app, place, upload, Wishes(), ("csv", "parquet"), quiet)
    assert (found.file, found.rows, found.failed, found.target) == ("mine.csv", 3, 0, "y")
    assert read_findings(place.findings.read_bytes()) == found
    names = {file.name for file in place.folder.iterdir()}
    assert names >= {"results.csv", "results.parquet", "findings.json", "work.duckdb"}
    assert not [name for name in names if "part" in name]


def test_a_data_set_that_is_taken_in_is_not_read_again(
    app: App, upload: Upload, tmp_path: Path
) -> None:
    """Once it is taken in, the file itself may go."""
    place = Place(tmp_path / "w")
    staged = take_in(app, place, upload, Wishes(), quiet)
    upload.file.unlink()
    heard: list[str] = []
    found = run(app, place, upload, Wishes(), ("csv",), lambda step, *_: heard.append(step))
    assert (found.staged, "reading" in heard) == (staged, False)


class Ended(Exception):
    """The process is ended."""


@pytest.mark.parametrize("at", ["reading", "scoring", "judging", "writing"])
def test_it_goes_on_from_any_step(app: App, upload: Upload, tmp_path: Path, at: str) -> None:
    """Ended in any step and run again, it writes what it would have written."""
    whole, ended = Place(tmp_path / "whole"), Place(tmp_path / "ended")
    expected = run(app, whole, upload, Wishes(), ("csv",), quiet)

    def end(step: str, *_: int) -> None:
        if step == at:
            raise Ended

    with pytest.raises(Ended):
        run(app, ended, upload, Wishes(), ("csv",), end)
    assert run(app, ended, upload, Wishes(), ("csv",), quiet) == expected
    assert ended.results("csv").read_bytes() == whole.results("csv").read_bytes()
