"""Models and their code are copied into an application folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from podium.errors import FieldError, UntrustedModel
from podium.init.bring import Origin, bring
from podium.runtimes import RUNTIMES
from podium.runtimes.transformers import hub
from podium.spec import ModelSpec


def files_in(folder: Path) -> list[str]:
    """Return the files below a folder."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*"))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the current folder, with a few modules in it."""
    (tmp_path / "kit/deep").mkdir(parents=True)
    for name, text in {
        "net.py": "import numpy, os.path\nfrom helper import f\nfrom . import cousin\n",
        "helper.py": "def later():\n    import kit.deep\n    import net\n",
        "cousin.py": "",
        "stranger.py": "",
        "broken.py": "import (",
        "kit/__init__.py": "from .inner import x\n",
        "kit/inner.py": "",
        "kit/deep/more.py": "",
        "kit/data.csv": "",
        "m.onnx": "",
        "m.safetensors": "",
    }.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_model_file_goes_into_models(place: Path) -> None:
    """A file is copied into models/; its table names it."""
    spec = bring(Origin("m.onnx"), place / "app")
    assert spec == ModelSpec(name="m", file="models/m.onnx")
    assert files_in(place / "app") == ["models/m.onnx"]


def test_folder_keeps_its_structure(place: Path) -> None:
    """A folder that is a model is copied with all that is in it."""
    (place / "saved/variables").mkdir(parents=True)
    for name in ("saved_model.pb", "variables/variables.index"):
        (place / "saved" / name).write_text(name)
    spec = bring(Origin("saved", name="x"), place / "app")
    assert spec == ModelSpec(name="x", file="models/saved")
    assert files_in(place / "app") == [
        "models/saved/saved_model.pb", "models/saved/variables/variables.index",
    ]  # fmt: skip


def test_code_comes_with_what_it_imports(place: Path) -> None:
    """The factory's module and those beside it that it imports are copied, and no others."""
    spec = bring(Origin("m.safetensors", factory="net:build"), place / "app")
    assert spec == ModelSpec(name="m", file="models/m.safetensors", factory="net:build")
    assert files_in(place / "app") == [
        "cousin.py", "helper.py", "kit/__init__.py", "kit/deep/more.py", "kit/inner.py",
        "models/m.safetensors", "net.py",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["numpy", "email", "helper"])
def test_the_folder_to_make_is_never_copied(name: str, place: Path) -> None:
    """A folder that is called as a module that the code imports is not copied into itself."""
    (place / "net.py").write_text(f"import {name}.deep\n")
    (place / "helper.py").unlink()
    bring(Origin("m.safetensors", factory="net:build"), place / name)
    assert files_in(place / name) == ["models/m.safetensors", "net.py"]


def test_a_folder_called_as_what_is_installed_is_no_module(place: Path) -> None:
    """Python takes the installed package, unless the folder is a package itself."""
    for file in ("numpy/a.py", "email/__init__.py", "email/b.py", "own/c.py"):
        (place / file).parent.mkdir(exist_ok=True)
        (place / file).touch()
    (place / "net.py").write_text("import numpy, email, own.c\n")
    bring(Origin("m.safetensors", factory="net:build"), place / "app")
    assert files_in(place / "app") == [
        "email/__init__.py", "email/b.py", "models/m.safetensors", "net.py", "own/c.py",
    ]  # fmt: skip


def test_code_beside_the_model_is_found_from_elsewhere(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module is looked for beside the model, then in the current folder."""
    (place / "elsewhere").mkdir()
    monkeypatch.chdir(place / "elsewhere")
    bring(Origin(str(place / "m.safetensors"), factory="cousin:build"), Path("app"))
    assert files_in(Path("app")) == ["cousin.py", "models/m.safetensors"]


def test_own_model_with_what_it_reads(place: Path) -> None:
    """With python, the model is what the code reads: it lies beside the module, as before."""
    spec = bring(Origin("m.onnx", python="cousin:f"), place / "app")
    assert spec == ModelSpec(name="cousin", python="cousin:f")
    assert files_in(place / "app") == ["cousin.py", "m.onnx"]
    bring(Origin("kit", python="kit.inner:f"), place / "two")
    assert "kit/data.csv" in files_in(place / "two")


def test_module_and_name_in_one_argument(place: Path) -> None:
    """net.py:predict is the module and what in it answers."""
    origin = Origin.parse("broken.py:predict")
    assert origin == Origin("broken.py", "broken:predict")
    assert list(origin.mistakes()) == []
    assert bring(origin, place / "app") == ModelSpec(name="broken", python="broken:predict")
    assert files_in(place / "app") == ["broken.py"]


def test_link_out_of_a_model_is_refused(place: Path) -> None:
    """What a link in a model's folder leads to is not copied."""
    (place / "hf").mkdir()
    (place / "hf/config.json").write_text("{}")
    (place / "hf/vocab.txt").symlink_to(place / "helper.py")
    with pytest.raises(UntrustedModel, match=r"vocab\.txt leads outside of hf/"):
        bring(Origin("hf"), place / "app")


def test_link_to_a_model_is_followed(place: Path) -> None:
    """The maker may name a model by a link."""
    (place / "latest.onnx").symlink_to("m.onnx")
    assert bring(Origin("latest.onnx"), place / "app").file == "models/m.onnx"


def test_name_on_the_hub_is_downloaded(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """org/name, which is no path, is a model of the hub."""
    calls: list[tuple[str, Path]] = []
    monkeypatch.setattr(hub, "download", lambda name, folder: calls.append((name, folder)))
    spec = bring(Origin("org/small-bert"), place / "app")
    assert spec == ModelSpec(name="small-bert", file="models/small-bert")
    assert calls == [("org/small-bert", place / "app/models/small-bert")]


@pytest.mark.parametrize(
    ("origin", "option", "message"),
    [
        (Origin(), "MODEL", "is missing: a file, a folder, or --python module:name"),
        (Origin("x.onnx"), "MODEL", "there is no 'x.onnx'; a hub's name is \"org/name\""),
        (Origin("kit/name"), "MODEL", "there is no 'kit/name'; a hub's name is \"org/name\""),
        (Origin("runs/x.onnx"), "MODEL", "there is no 'runs/x.onnx'; a hub's name is \"org/name\""),
        (Origin("net.py"), "MODEL", "say what in it answers, such as net.py:predict"),
        (Origin("m.onnx", factory="net"), "--factory", "expected \"module:name\", found 'net'"),
        (Origin("m.onnx", factory="nix.a:b"), "--factory", "there is no nix/a.py in {place}"),
        (Origin(python="nix:b"), "--python", "there is no nix.py in {place}"),
        (Origin("m.onnx", runtime="tensor"), "--runtime",
         f"expected one of {', '.join(RUNTIMES)}, of a file"),
        (Origin("m.onnx", python="net:a", factory="net:b"), "--factory",
         "belongs to a file of weights; remove it"),
    ],
)  # fmt: skip
def test_mistakes(origin: Origin, option: str, message: str, place: Path) -> None:
    """What is wrong is told by its option."""
    assert list(origin.mistakes()) == [FieldError(option, message.format(place=place))]


@pytest.mark.parametrize(
    ("stem", "name"),
    [("my model (1)", "my-model--1-"), ("_x", "x"), ("模型", "model"), ("v1.2-b_c", "v1.2-b_c")],
)
def test_models_name_is_one_that_requests_may_have(stem: str, name: str, place: Path) -> None:
    """A file of any name makes a model of a name that is allowed."""
    (place / f"{stem}.onnx").touch()
    origin = Origin(f"{stem}.onnx")
    assert list(origin.mistakes()) == []
    assert origin.spec("x").name == name
