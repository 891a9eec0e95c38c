"""`podium serve` of a model without an application around it."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from podium import serve
from podium.errors import ServeError
from podium.production.keeper import Keeper
from podium.serve import ServeOptions, _address, _application_of, _is_model
from tests.conformance.graphs import linear
from tests.support.apps import write_notes
from tests.support.front import served_at
from tests.support.missing import program
from tests.support.server import running


@pytest.mark.parametrize(
    ("files", "served"),
    [
        (["MLmodel"], True),
        (["saved_model.pb", "variables/x"], True),
        (["config.json"], True),
        (["config.json", "podium.toml"], False),
        (["podium.toml"], False),
        (["notes.txt"], False),
        ([], False),
    ],
)
def test_folder_that_is_a_model(files: list[str], served: bool, tmp_path: Path) -> None:
    """A folder is a model if a file of one lies in it and no podium.toml."""
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert _is_model(tmp_path) is served
    assert all(_is_model(tmp_path / name) for name in files)


def test_model_file_is_served(tmp_path: Path) -> None:
    """A model file is served as it is: features by their numbers, classes by theirs."""
    linear(tmp_path / "net.onnx")
    with running(tmp_path, "serve", str(tmp_path / "net.onnx")) as server:
        answer = server.client.predict({"x0": 1, "x1": 2, "x2": 3}).json()
    assert answer["model"] == "net"
    assert answer["predictions"][0]["label"] == "class 2"


def test_what_keeps_a_model_from_being_served_is_told(tmp_path: Path) -> None:
    """A model that cannot be served as it is says why, without Podium's name twice."""
    (tmp_path / "m.pkl").write_bytes(pickle.dumps({}))
    with pytest.raises(ServeError, match=r"^m\.pkl is a pickle"):
        _application_of(tmp_path / "m.pkl", tmp_path / "app")


def test_workers_that_all_fail_at_once_end_in_words(tmp_path: Path) -> None:
    """Workers that end at the same moment leave the reason on standard error, and no traceback."""
    (tmp_path / "rule.py").write_text("import time\ntime.sleep(1.5 - time.time() % 1)\n1 / 0\n")
    (tmp_path / "podium.toml").write_text(
        'title = "A"\n[task]\nkind = "regression"\n[[features]]\nname = "a"\n'
        '[[models]]\nname = "m"\npython = "rule:predict"\n'
    )
    command = [sys.executable, "-m", "podium", "serve", str(tmp_path), "--port", "0"]
    done = subprocess.run(  # noqa: S603  the interpreter that runs this test
        [*command, "--workers", "6"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode != 0
    assert "'rule:predict' in rule.py cannot be loaded: ZeroDivisionError" in done.stderr
    assert "Traceback" not in done.stderr


def test_server_on_a_socket(tmp_path: Path) -> None:
    """A server may listen on a file, for a proxy: it says so, and knows the path prefix."""
    app = write_notes(tmp_path / "app")
    with served_at(app, tmp_path, "--base-path", "/notes") as path:
        log = (tmp_path / "server.log").read_text()
        command = [program("curl", "curl"), "-sS", "--unix-socket", str(path)]
        done = subprocess.run(  # noqa: S603  the program of this machine
            [*command, "http://localhost/notes/openapi.json"], capture_output=True, check=True
        )
    assert log.splitlines()[0] == f"Notes: unix:{path}"
    assert json.loads(done.stdout)["servers"] == [{"url": "/notes"}]
    assert not path.exists()


@pytest.mark.parametrize("asked", [True, False])
def test_worker_of_data_sets(asked: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server keeps one alive, or none where they are left to `podium worker`."""
    kept: list[Keeper] = []
    call = ([sys.executable, "-c", "input()"], dict(os.environ))
    monkeypatch.setattr(serve, "run", lambda *given: kept.append(given[3]))
    monkeypatch.setattr(serve, "Keeper", partial(Keeper, first_s=0))
    monkeypatch.setattr(serve, "worker_call", lambda _folder, _state: call)
    app = write_notes(tmp_path / "app")
    options = ServeOptions(port=0, state=tmp_path / "state", worker=asked)
    serve.serve_application(app, options, lambda _line: None)
    (keeper,) = kept
    keeper.look()
    try:
        assert (keeper.pid is not None) is asked
    finally:
        keeper.stop()
        keeper.wait()
        keeper.let_go()


def test_path_of_a_socket_that_is_too_long(tmp_path: Path) -> None:
    """What the system could not bind is told before anything starts."""
    options = ServeOptions(socket=tmp_path / ("s" * 100))
    with pytest.raises(ServeError, match=r"longer than 103 bytes.*Choose a folder with a shorter"):
        _address(options)
