"""`podium build`: what it writes, what it tells, and what Docker is asked for."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from podium.bundle import lock as locking
from podium.bundle.packages import name_of
from podium.bundle.size import Predicted
from podium.bundle.target import Target
from podium.bundle.wheel import podium_wheel
from podium.cli import main
from podium.container.build import PLATFORMS
from tests.bundle.folders import oldest
from tests.support.apps import write_weights

DOCKER = """#!{python}
import json, os, sys
with open({log!r}, "a") as log:
    print(json.dumps([os.environ.get("DOCKER_BUILDKIT"), *sys.argv[1:]]), file=log)
if sys.argv[1] == "image":
    print(500_000_000)
if sys.argv[1] == "history":
    print("0 CMD", "369000000 COPY /opt", "1000000 RUN groupadd -g 10001 podium &&",
          "130000000 ADD debian", sep="\\n")
sys.exit({code} if sys.argv[1] == "build" else 0)
"""
"""A program that writes down what it is asked, and tells sizes as the engine does."""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """Return an application with three models and a picture."""
    return write_weights(tmp_path / "weights")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in a folder of its own, where no Docker is."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv("PYTHON_IMAGE", raising=False)


def build(*arguments: object) -> Result:
    """Run the command."""
    return CliRunner().invoke(main, ["build", *map(str, arguments)])


def install_docker(folder: Path, code: int = 0) -> Path:
    """Put the stand-in on the path; return the file of what it is asked."""
    (folder / "bin").mkdir()
    version = ".".join(map(str, sys.version_info[:2]))
    told = {"python": sys.executable, "log": str(folder / "asked"), "version": version}
    (folder / "bin" / "docker").write_text(DOCKER.format(**told, code=code))
    (folder / "bin" / "docker").chmod(0o755)
    return folder / "asked"


def names(folder: Path) -> list[str]:
    """Return the names of a folder's files, but for the refusals of nginx."""
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in found if "refusals" not in name)


def test_rendering_needs_no_docker(app: Path, tmp_path: Path) -> None:
    """All files are there, the models apart from the rest, and the next commands are told."""
    out = tmp_path / "out"
    done = build(app, "--render", out, "--tag", "birds:2")
    assert done.exit_code == 0, done.output
    assert names(out) == [
        ".dockerignore", ".written-by-podium", "Dockerfile", "app/about.md", "app/beam.png",
        "app/podium.toml", "compose.yaml", "models/models/exact.onnx", "models/models/noisy.onnx",
        "models/models/slow.onnx", "nginx/nginx.conf", "nginx/site.conf", "nginx/upstream.conf",
        "requirements.txt", "wheels/podium-0.1.0-py3-none-any.whl",
    ]  # fmt: skip
    assert done.output.splitlines()[-2:] == [
        f"Build it: docker build --tag birds:2 --build-arg PYTHON_IMAGE {out}",
        f"Bring it up at https://localhost: docker compose -f {out}/compose.yaml up -d --wait",
    ]


def test_the_same_is_written_again(app: Path, tmp_path: Path) -> None:
    """The same application and Podium make the same bytes, and nothing is touched."""
    wheel = podium_wheel(tmp_path / "made")
    given = wheel.rename(wheel.with_name("podium-0.1.0-1-py3-none-any.whl"))
    for name in ("one", "two"):
        assert build(app, "--render", tmp_path / name, "--podium-wheel", given).exit_code == 0
    one, two = ({name: (folder / name).read_bytes() for name in names(folder)}
                for folder in (tmp_path / "one", tmp_path / "two"))  # fmt: skip
    assert one == two
    assert f"COPY wheels/{given.name} /tmp/" in one["Dockerfile"].decode()
    before = {name: (tmp_path / "one" / name).stat().st_mtime_ns for name in one}
    build(app, "--render", tmp_path / "one", "--podium-wheel", given)
    assert {name: (tmp_path / "one" / name).stat().st_mtime_ns for name in one} == before


def test_size_is_told_before_anything_is_written(app: Path) -> None:
    """With --dry-run all files are shown, and none is written."""
    done = build(app, "--dry-run")
    assert done.exit_code == 0, done.output
    told = done.output.partition("# Dockerfile\n")
    assert "Weights: 6 files, " in told[0]
    assert re.search(r"Packages: [\d.]+ MB, as they are installed here; the build takes", told[0])
    assert re.search(r"Above its base image, the image will have about [\d.]+ MB\.", told[0])
    assert "HEALTHCHECK" in told[2]
    assert f"(a copy of {app / 'beam.png'})" in told[2]
    assert list(Path.cwd().iterdir()) == []


def test_docker_is_asked_for_the_image(app: Path, tmp_path: Path) -> None:
    """The size is told as the engine has it, and what follows -- is passed on."""
    asked = install_docker(tmp_path)
    done = build(app, "--tag", "birds:2", "--", "--network", "host")
    out = Path.cwd() / "weights-container"
    assert done.exit_code == 0, done.output
    assert asked.read_text().splitlines()[0] == (
        f'["1", "build", "--tag", "birds:2", "--build-arg", "PYTHON_IMAGE", "--network", "host", '
        f'"{out}"]'
    )
    assert done.output.splitlines()[-2:] == [
        "birds:2: 500.0 MB, of which 370.0 MB above its base image",
        f"Bring it up at https://localhost: docker compose -f {out}/compose.yaml up -d --wait",
    ]


def test_lock_is_what_is_built(app: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its versions, their size, its Python, and its machine where that is not this one."""
    other = {"x86_64": "aarch64", "aarch64": "x86_64"}[Target.here().machine]
    monkeypatch.setattr(locking, "resolve", oldest)
    monkeypatch.setattr(locking, "wheels_size", lambda *_: Predicted(300_000_000))
    locking.lock_application(app, locking.Wishes("3.12", other), lambda _: None)
    out = tmp_path / "out"
    done = build(app, "--render", out)
    assert (out / "requirements.txt").read_text() == (app / "requirements.lock").read_text()
    assert "PYTHON_IMAGE=python:3.12-slim-bookworm" in (out / "Dockerfile").read_text()
    assert "--require-hashes" in (out / "Dockerfile").read_text()
    assert "Packages: 300.0 MB, as requirements.lock pins them" in done.output
    assert done.output.splitlines()[-2] == (
        "Build it: docker build --tag weights --build-arg PYTHON_IMAGE --platform "
        f"{PLATFORMS[other]} {out}"
    )


def test_packages_that_are_asked_for(app: Path, tmp_path: Path) -> None:
    """On the command line as in podium.toml; PyTorch has an index that Docker is told of."""
    toml = app / "podium.toml"
    toml.write_text(f'requirements = ["torch"]\n{toml.read_text()}')
    out = tmp_path / "out"
    done = build(app, "--render", out, "--extra", "postgresql")
    lines = (out / "requirements.txt").read_text().splitlines()
    assert {"torch", "psycopg"} <= {name_of(line) for line in lines}
    assert "--build-arg PYTHON_IMAGE --build-arg PYTORCH_INDEX " in done.output


def test_what_goes_along_reaches_the_build(app: Path, tmp_path: Path) -> None:
    """Docker is sent what the Dockerfile copies; a model by another name is one of the models."""
    (app / "models" / "link.onnx").symlink_to("exact.onnx")
    (app / ".hidden").write_text("x")
    out = tmp_path / "out"
    done = build(app, "--render", out)
    assert "Left out: .hidden\n" in done.output
    assert (out / "models" / "models" / "link.onnx").is_file()
    copied = re.findall(r"^COPY (\w[\w.]*)", (out / "Dockerfile").read_text(), re.M)
    sent = re.findall(r"^!(.+)$", (out / ".dockerignore").read_text(), re.M)
    assert sorted(copied) == sorted(sent)


@pytest.mark.parametrize("code", [1, None], ids=["failed", "missing"])
def test_image_that_is_not_built(code: int | None, app: Path, tmp_path: Path) -> None:
    """What is wrong is told, and the files stay for another try."""
    if code is not None:
        install_docker(tmp_path, code)
    done = build(app)
    out = Path.cwd() / "weights-container"
    told = {
        1: "podium: Docker has not built the image; what it said last tells why.",
        None: "podium: Docker is not installed: https://docs.docker.com/engine/install/. All files "
              f"are in {out}; with another program, build the image weights from there.",
    }  # fmt: skip
    assert (done.exit_code, done.output.splitlines()[-1]) == (1, told[code])
    assert (out / "Dockerfile").is_file()


@pytest.mark.parametrize("tag", ["Birds", "birds:", "birds 2", "birds}", "-birds", ""])
def test_tag_that_names_no_image(tag: str, app: Path) -> None:
    """It is told before anything is written."""
    done = build(app, "--tag", tag)
    assert done.exit_code == 2
    assert f"{tag!r} is no tag such as registry.example.org/birds:1" in done.output
    assert list(Path.cwd().iterdir()) == []


def test_file_where_the_folder_is_to_be(app: Path) -> None:
    """It stays, and the way out is told."""
    out = Path.cwd() / "weights-container"
    out.write_text("mine")
    done = build(app)
    assert (done.exit_code, done.output.splitlines()[-1]) == (
        1, f"podium: {out} cannot be written: File exists. Choose another with --render."
    )  # fmt: skip
    assert out.read_text() == "mine"


def test_folder_inside_of_the_application(app: Path) -> None:
    """It would go along with the next build."""
    done = build(app, "--render", app / "out")
    assert done.exit_code == 1
    assert f"podium: {app / 'out'} lies in the application" in done.output
    assert not (app / "out").exists()


def test_in_the_application_itself(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files then go beside it."""
    monkeypatch.chdir(app)
    assert build(".").exit_code == 1  # there is no Docker
    assert (app.parent / "weights-container" / "Dockerfile").is_file()
    assert names(app) == ["about.md", "beam.png", "models/exact.onnx", "models/noisy.onnx",
                          "models/slow.onnx", "podium.toml"]  # fmt: skip
