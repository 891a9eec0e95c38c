"""The command line: exit codes, messages, and what each command hands on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from onnx import helper
from PIL import Image

from podium import __version__, demo, init, serve
from podium.cli import DEMOS, main
from podium.init import Order
from podium.init.bring import Origin
from podium.init.hints import Hints
from podium.jobs.answers import KeptAnswer
from podium.jobs.state import state_folder
from podium.jobs.store import new_id
from podium.serve import ServeOptions
from tests.conformance.cases import build
from tests.conformance.graphs import FLOAT, constant, linear, save
from tests.conformance.onnx_cases import CASES as ONNX

CASES = {case.name: case for case in ONNX}


def podium(*arguments: object, **options: Any) -> Result:
    """Run a command; whatever it raises by mistake is raised here."""
    texts = [str(argument) for argument in arguments]
    return CliRunner().invoke(main, texts, prog_name="podium", catch_exceptions=False, **options)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an application of three numbers."""
    build(CASES["onnx-logits"], tmp_path / "app")
    return tmp_path / "app"


def test_version() -> None:
    """--version tells the version."""
    assert podium("--version").output == f"podium, version {__version__}\n"


def test_help_names_every_command() -> None:
    """--help and -h list the commands."""
    text = podium("--help").output
    assert podium("-h").output == text
    assert all(f"  {name} " in text for name in ("serve", "demo", "check", "predict", "init"))


def test_predict_prints_what_the_api_answers(folder: Path) -> None:
    """name=value pairs are answered with the JSON of POST /predict."""
    done = podium("predict", folder, "a=1", "b = -2", "c=0.5")
    assert (done.exit_code, done.stderr) == (0, "")
    answer = json.loads(done.stdout)
    assert (answer["model"], len(answer["version"]), len(answer["predictions"])) == ("m", 6, 1)
    prediction = answer["predictions"][0]
    assert sorted(prediction) == [
        "label",
        "probabilities",
        "probability",
        "uncertainty",
        "warnings",
    ]
    assert prediction["label"] == "right"
    assert prediction["uncertainty"]["epistemic"] is None
    assert done.stdout.startswith('{\n  "model": "m",\n')


def test_predict_takes_the_apis_options(tmp_path: Path) -> None:
    """Model, seed, level, top and include do what they do in a query."""
    build(CASES["onnx-noise"], tmp_path)
    base = ("predict", tmp_path, "a=1", "b=2", "c=3")
    done = podium(*base, "--model", "m", "--seed", 3, "--confidence-level", 0.5, "--top", 2,
                  "--include", "samples")  # fmt: skip
    prediction = json.loads(done.stdout)["predictions"][0]
    assert len(prediction["probabilities"]) == 2
    assert prediction["uncertainty"]["interval_level"] == 0.5
    assert {len(each) for each in prediction["uncertainty"]["sample_probabilities"].values()} == {
        50
    }
    assert podium(*base, "--seed", 3).stdout == podium(*base, "--seed", 3).stdout
    assert podium(*base, "--seed", 3).stdout != podium(*base, "--seed", 4).stdout


def test_predict_tells_every_mistake(folder: Path) -> None:
    """Wrong values are told a line each on the error stream, with exit code 1."""
    done = podium("predict", folder, "a=x", "d=1")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == (
        "podium: Invalid input\n"
        "  d: is not a feature. Features: a, b, c.\n"
        "  a: expected a number; found 'x'.\n"
        "  b: is missing; expected a number\n"
        "  c: is missing; expected a number\n"
    )


def test_predict_needs_pairs(folder: Path) -> None:
    """What is no name=value is told."""
    done = podium("predict", folder, "a", "b=1")
    assert (done.exit_code, done.stderr) == (1, "podium: Invalid input\n  a: expected name=value\n")


def test_predict_refuses_a_name_given_twice(folder: Path) -> None:
    """A name that is given twice is a mistake; neither value is silently dropped."""
    done = podium("predict", folder, "a=1", "b=1", "c=1", "a=2")
    assert done.exit_code == 1
    assert "a" in done.stderr


def test_predict_images(tmp_path: Path) -> None:
    """Image files are answered in their order; one that is none is told by its name."""
    build(CASES["onnx-image-nchw"], tmp_path)
    for colour in ("red", "lime"):
        Image.new("RGB", (9, 9), colour).save(tmp_path / f"{colour}.png")
    done = podium("predict", tmp_path, tmp_path / "red.png", tmp_path / "lime.png")
    labels = [one["label"] for one in json.loads(done.stdout)["predictions"]]
    assert labels == ["left", "middle"]
    failed = podium("predict", tmp_path, tmp_path / "none.png", tmp_path / "podium.toml")
    assert failed.exit_code == 1
    assert f"{tmp_path / 'none.png'} cannot be read: No such file or directory" in failed.stderr
    assert "is not an image file of a known format" in failed.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--model", "x"), "podium: There is no model 'x'. Known: m."),
        (("--top", "0"), "  top: expected a whole number from 1; found '0'"),
    ],
)
def test_predict_with_wrong_options(arguments: tuple[str, ...], message: str, folder: Path) -> None:
    """A wrong option is told in words, with exit code 1."""
    done = podium("predict", folder, "a=1", "b=1", "c=1", *arguments)
    assert done.exit_code == 1
    assert message in done.stderr.splitlines()


def test_mistakes_of_podium_toml_are_told(tmp_path: Path) -> None:
    """A folder without podium.toml is told with the way out, by every command that takes one."""
    for command in (("predict", tmp_path, "a=1"), ("check", tmp_path), ("serve", tmp_path)):
        done = podium(*command)
        assert (done.exit_code, done.stdout) == (1, "")
        assert "podium init MODEL --output" in done.stderr
        assert "Traceback" not in done.output


def test_check_says_all_is_well(folder: Path) -> None:
    """A good application passes with exit code 0."""
    done = podium("check", folder)
    assert done.exit_code == 0
    assert "All is well." in done.stdout


def test_check_fails_with_a_wrong_example(folder: Path) -> None:
    """An example that comes out otherwise fails with exit code 1."""
    with (folder / "podium.toml").open("a") as file:
        file.write(
            '[[examples]]\ntitle = "E"\ninputs = {a = 5, b = 0, c = 0}\nexpected = "right"\n'
        )
    done = podium("check", folder)
    assert done.exit_code == 1
    assert "Something is wrong" in done.stdout


def test_init_makes_a_folder_and_names_the_next_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder is called after the model; notes and the next commands are printed."""
    monkeypatch.chdir(tmp_path)
    linear(tmp_path / "net.onnx")
    done = podium("init", "net.onnx")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith(
        "The file names no features: write their names, units and ranges.\n"
        "The file names no classes: write their names under [task] labels.\n"
        "Wrote net/podium.toml; its guesses are marked.\n"
    )
    assert done.stdout.endswith("All is well.\nNext:\n  podium serve net\n")
    again = podium("init", "net.onnx")
    assert again.exit_code == 1
    assert again.stderr == ("podium: net exists and is not empty. Choose another with --output.\n")
    assert podium("init", "net.onnx", "--output", "other").exit_code == 0
    assert (tmp_path / "other/podium.toml").is_file()


def test_init_that_does_not_pass_leaves_what_was_made(tmp_path: Path) -> None:
    """Where the check fails, the folder stays for the maker to mend, with exit code 1."""
    nodes = [helper.make_node("Reshape", ["X", "shape"], ["y"])]
    constants = [constant("shape", np.array([-1, 2]))]
    save(tmp_path / "m.onnx", nodes, [("X", FLOAT, ["N", 3])], [("y", FLOAT, ["M", 2])], constants)
    done = podium("init", tmp_path / "m.onnx", "--output", tmp_path / "app")
    assert done.exit_code == 1
    assert "Something is wrong" in done.stdout
    assert done.stdout.endswith(
        f"Everything in {tmp_path / 'app'} stays. Mend podium.toml, then: podium check "
        f"{tmp_path / 'app'}\n"
    )
    assert (tmp_path / "app/podium.toml").is_file()
    quiet = podium("init", tmp_path / "m.onnx", "--output", tmp_path / "b", "--no-check")
    assert (quiet.exit_code, "Something" in quiet.stdout) == (0, False)


def test_init_hands_its_options_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every option of init reaches the order."""
    made: list[tuple[Order, Path]] = []

    def keep(order: Order, folder: Path, _ask: object) -> tuple[str, ...]:
        made.append((order, folder))
        return ()

    monkeypatch.setattr(init, "create_application", keep)
    linear(tmp_path / "n.onnx")
    for name in ("net.py", "d.csv"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    done = podium(
        "init", "n.onnx", "--output", "o", "--title", "T", "--name", "n", "--task",
        "classification", "--labels", "a,b", "--target", "t", "--features", "x,y", "--data",
        "d.csv", "--offer-data", "--factory", "net:build", "--runtime", "onnx", "--trust",
        "--no-check",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    hints = Hints("T", "classification", "t", None, ("a", "b"), ("x", "y"))
    origin = Origin("n.onnx", None, "net:build", "onnx", "n")
    assert made == [(Order(origin, hints, Path("d.csv"), True, True), Path("o"))]
    podium("init", "--python", "net:f", "--size", "8x9", "--unit", "g", "--no-check")
    assert made[1] == (Order(Origin(None, "net:f"), Hints(unit="g", size=(8, 9))), Path("net"))
    podium("init", "net.py:f", "--text", "--no-check")
    assert made[2] == (Order(Origin("net.py", "net:f"), Hints(text=True)), Path("net"))


def test_init_tells_every_wrong_option(tmp_path: Path) -> None:
    """Wrong options are told a line each, with exit code 1."""
    linear(tmp_path / "m.onnx")
    done = podium("init", tmp_path / "m.onnx", "--labels", "a", "--size", "big")
    assert (done.exit_code, done.stdout) == (1, "")
    assert [line[:12] for line in done.stderr.splitlines()] == [
        "podium: Inva", "  --labels: ", "  --size: ex",
    ]  # fmt: skip


def test_init_of_what_is_no_model(tmp_path: Path) -> None:
    """A file that is no model is told in a line, with exit code 1."""
    (tmp_path / "x.onnx").write_bytes(b"x")
    done = podium("init", tmp_path / "x.onnx", "--output", tmp_path / "app")
    assert done.exit_code == 1
    assert done.stderr.startswith("podium: x.onnx: ONNX Runtime cannot load it: ")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, ServeOptions]]:
    """Return what would be served, in place of serving it."""
    made: list[tuple[Path, ServeOptions]] = []
    monkeypatch.setattr(
        serve, "serve_application", lambda source, options, _say: made.append((source, options))
    )
    return made


def test_serve_hands_its_options_on(calls: list[tuple[Path, ServeOptions]], tmp_path: Path) -> None:
    """Every option of serve reaches the server."""
    done = podium("serve", tmp_path, "--host", "0.0.0.0", "--port", 8080, "--workers", 2,  # noqa: S104
                  "--threads", 3, "--state", tmp_path / "state", "--database", "postgresql://h/d",
                  "--reload")  # fmt: skip
    assert done.exit_code == 0
    kept = (tmp_path / "state", "postgresql://h/d")
    assert calls == [(tmp_path, ServeOptions("0.0.0.0", 8080, 2, 3, *kept, True))]  # noqa: S104


def test_serve_behind_a_proxy(calls: list[tuple[Path, ServeOptions]], tmp_path: Path) -> None:
    """The socket and what a proxy needs reach the server; a prefix is taken with its slash, too."""
    podium("serve", tmp_path, "--socket", tmp_path / "s", "--proxies", 2, "--base-path", "/a/b/")
    wanted = ServeOptions(socket=tmp_path / "s", proxies=2, base_path="/a/b")
    assert calls == [(tmp_path, wanted)]


def test_serve_in_a_container(calls: list[tuple[Path, ServeOptions]], tmp_path: Path) -> None:
    """PORT names the port, as platforms say it; data sets may be left to a worker elsewhere."""
    podium("serve", tmp_path, "--no-worker", env={"PORT": "8080"})
    assert calls == [(tmp_path, ServeOptions(port=8080, worker=False))]


def test_serve_listens_on_this_machine_alone_by_default(
    calls: list[tuple[Path, ServeOptions]], tmp_path: Path
) -> None:
    """Without options the server listens on 127.0.0.1:5000."""
    assert podium("serve", tmp_path).exit_code == 0
    assert calls == [(tmp_path, ServeOptions("127.0.0.1", 5000, None, None, None, None, False))]


def test_state_folder_from_the_environment(
    calls: list[tuple[Path, ServeOptions]], tmp_path: Path
) -> None:
    """PODIUM_STATE names the state folder."""
    podium("serve", tmp_path, env={"PODIUM_STATE": str(tmp_path / "s")})
    assert calls[0][1].state == tmp_path / "s"


@pytest.mark.parametrize(
    "arguments",
    [
        ("--port", "70000"),
        ("--workers", "0"),
        ("--threads", "x"),
        ("--nothing",),
        ("--proxies", "-1"),
        ("--base-path", "penguins"),
    ],
)
def test_wrong_options_of_serve(
    arguments: tuple[str, ...], calls: list[tuple[Path, ServeOptions]], tmp_path: Path
) -> None:
    """A wrong option is a usage error: exit code 2, and nothing is served."""
    done = podium("serve", tmp_path, *arguments)
    assert (done.exit_code, calls) == (2, [])
    assert arguments[0] in done.stderr


def test_demo_serves_a_folder_of_the_package(calls: list[tuple[Path, ServeOptions]]) -> None:
    """`podium demo` serves the penguins, `podium demo NAME` another."""
    assert podium("demo").exit_code == 0
    assert calls[0][0] == DEMOS / "penguins"


def test_demo_keeps_made_models_in_the_cache_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: list[tuple[Path, ServeOptions]]
) -> None:
    """--cache goes before PODIUM_CACHE, and what is made ready there is served."""
    asked: list[Path | None] = []

    def ready_folder(folder: Path, cache: Path | None, _say: object) -> Path:
        asked.append(cache)
        return tmp_path / folder.name

    monkeypatch.setattr(demo, "ready_folder", ready_folder)
    environment = {"PODIUM_CACHE": "variable"}
    for arguments, env in (((), {}), ((), environment), (("--cache", "option"), environment)):
        assert podium("demo", "photos", *arguments, env=env).exit_code == 0
    assert asked == [None, Path("variable"), Path("option")]
    assert {folder for folder, _ in calls} == {tmp_path / "photos"}


def test_demo_help_names_every_demo() -> None:
    """The help names all that can be served."""
    text = podium("demo", "--help").output
    assert [name for name in ("penguins", "digits", "photos") if name not in text] == []
    assert {folder.name for folder in DEMOS.iterdir()} == {"penguins", "digits", "photos"}


def test_unknown_demo(calls: list[tuple[Path, ServeOptions]]) -> None:
    """A demo that there is not is told with those that there are."""
    done = podium("demo", "pengiuns")
    assert (done.exit_code, calls) == (1, [])
    assert done.stderr.startswith("podium: There is no demo 'pengiuns'. Did you mean 'penguins'?")
    assert "Demos: " in done.stderr


def test_history_tells_and_clears_what_is_kept(tmp_path: Path, folder: Path) -> None:
    """The maker learns how many answers are kept, and removes them all."""
    answers = state_folder(folder, tmp_path / "state").answers()
    for _ in range(2):
        answers.add(KeptAnswer(id=new_id(), application=answers.application, created=1.0,
                               removed_at=2.0, form={}, answers="[]",
                               image=b"x" * 1_000_000))  # fmt: skip
    done = podium("history", folder, "--state", tmp_path / "state", "--clear")
    assert done.output == "Kept under links: 2 answers, 2.0 MB.\nRemoved: 2 answers.\n"
    assert answers.held() == (0, 0)
    answers.close()
