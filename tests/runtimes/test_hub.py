"""Models by their name on the Hugging Face hub, without a network."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub.errors import RepositoryNotFoundError

from podium.errors import MissingExtra, ModelError
from podium.runtimes.transformers.hub import download

WAY_OUT = (
    "Where there is a way to it: hf download org/name --local-dir model; then give that folder "
    "instead of the name."
)


class Hub:
    """Stands in for snapshot_download: writes what a download leaves, or raises."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, name: str, **options: Any) -> str:
        """Download, as far as a folder shows it."""
        self.calls.append((name, options))
        folder = Path(options["local_dir"])
        (folder / ".cache/huggingface").mkdir(parents=True)
        (folder / ".cache/huggingface/.gitignore").write_text("*")
        if self.error:
            raise self.error
        (folder / "config.json").write_text("{}")
        return str(folder)


def hub(monkeypatch: pytest.MonkeyPatch, error: Exception | None = None) -> Hub:
    """Put a hub in the place of the real one."""
    made = Hub(error)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", made)
    return made


@pytest.mark.parametrize("name", ["org/name", "gpt2", "org-1/name_2.b"])
def test_download(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only data is asked for, at the top of the repository, and the client's cache is removed."""
    asked = hub(monkeypatch)
    folder = tmp_path / "model"
    assert download(name, folder) == folder
    expected = {"local_dir": folder, "ignore_patterns": ["*/*"],
                "allow_patterns": ["*.json", "*.txt", "*.model", "*.safetensors"]}  # fmt: skip
    assert asked.calls == [(name, expected)]
    assert [file.name for file in folder.iterdir()] == ["config.json"]


@pytest.mark.parametrize("name", ["", "a/b/c", "../x", "/a/x", "org/", "a b", ".hidden", "a\nb"])
def test_what_is_no_name(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path is no name, and nothing is asked for it."""
    asked = hub(monkeypatch)
    with pytest.raises(ModelError, match="is no name of a model"):
        download(name, tmp_path / "model")
    assert asked.calls == []


def test_folder_that_holds_something(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is downloaded over what is there, which the client would take for the model."""
    asked = hub(monkeypatch)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ModelError, match="is not empty; a model is downloaded into a new folder"):
        download("org/name", tmp_path)
    assert asked.calls == []


def test_model_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that the hub does not know, or does not show, is told with the way out."""
    answer: Any = SimpleNamespace(headers={}, request=None, status_code=404)
    hub(monkeypatch, RepositoryNotFoundError("404 Client Error.", response=answer))
    with pytest.raises(ModelError) as caught:
        download("org/name", tmp_path / "model")
    assert str(caught.value) == (
        "There is no model 'org/name' on the Hugging Face hub, or it is private or gated: check "
        "its name, or log in with: hf auth login"
    )


def test_no_way_to_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a network the error names the model, the reason in one line, and the way out."""
    hub(monkeypatch, ConnectionError("Name or service not known\nand more"))
    with pytest.raises(ModelError) as caught:
        download("org/name", tmp_path / "model")
    assert str(caught.value) == (
        "'org/name' cannot be downloaded from the Hugging Face hub: Name or service not known. "
        + WAY_OUT
    )
    assert list((tmp_path / "model").iterdir()) == []


def test_switched_off(tmp_path: Path) -> None:
    """With HF_HUB_OFFLINE=1 nothing is asked of the hub, and the error says why."""
    code = (
        "import socket, sys; from pathlib import Path\n"
        "from podium.runtimes.transformers.hub import download\n"
        "socket.socket.connect = socket.getaddrinfo = lambda *a, **k: sys.exit('asked')\n"
        "try: download('org/name', Path(sys.argv[1]))\n"
        "except Exception as err: print(f'{type(err).__name__}: {err}')"
    )
    done = subprocess.run(  # noqa: S603  the interpreter that runs this test
        [sys.executable, "-c", code, tmp_path / "model"], capture_output=True, text=True,
        timeout=60, env={**os.environ, "HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    assert (done.stdout, done.stderr) == (
        "ModelError: 'org/name' cannot be downloaded from the Hugging Face hub: HF_HUB_OFFLINE "
        f"is set. {WAY_OUT}\n", "",
    )  # fmt: skip


def test_missing_package_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the hub's client the error names the extra that brings it."""
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingExtra, match=r"name \(model of the Hugging Face hub\).*transformers"):
        download("org/name", tmp_path / "model")
