"""What tests of deployments share: a small application, its wheel, and the shelf it goes to."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from podium.deploy import checks, targets
from podium.strict import Size
from tests.deploy.shelf import FOLDER, ShelfPlatform

METADATA = """\
Metadata-Version: 2.4
Name: podium
Version: 0.0
Requires-Dist: flask>=3.1
Provides-Extra: sklearn
Requires-Dist: scikit-learn>=1.7; extra == "sklearn"
"""


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small wheel in place of Podium's, which knows the extra of the penguins."""
    return write_wheel(tmp_path_factory.mktemp("wheel"))


def write_wheel(folder: Path) -> Path:
    """Write a wheel whose bytes are the same whatever Podium's code is."""
    path = folder / "podium-0.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(zipfile.ZipInfo("podium-0.0.dist-info/METADATA"), METADATA)
    return path


@pytest.fixture(autouse=True)
def measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every application need 100 MB: to measure it takes seconds."""
    monkeypatch.setattr(checks, "needed_memory", lambda _app, _place: Size(100_000_000))


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """Return an application whose model is a few lines of Python."""
    folder = tmp_path / "rule"
    folder.mkdir()
    write_rule(folder, 1)
    return folder


def write_rule(folder: Path, factor: int, more: str = "") -> None:
    """Write an application: value = factor times a; `more` stands under [deploy.cloud-run]."""
    (folder / "rule.py").write_text(f"def predict(rows):\n    return {factor} * rows[:, 0]\n")
    (folder / "podium.toml").write_text(
        'title = "Rule"\n[task]\nkind = "regression"\n[[features]]\nname = "a"\n'
        '[[models]]\nname = "rule"\npython = "rule:predict"\n'
        f"[server]\nworkers = 1\n[deploy.cloud-run]\n{more}\n"
    )


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ShelfPlatform]:
    """Return the shelf, which stands there in place of Cloud Run; its server ends with the test."""
    place = ShelfPlatform(tmp_path / "shelf")
    monkeypatch.setenv(FOLDER, str(place.folder))
    monkeypatch.setitem(targets.TARGETS, "cloud-run", "tests.deploy.shelf:Shelf")
    yield place
    place.stop()
