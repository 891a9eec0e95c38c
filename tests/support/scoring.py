"""Data sets scored for tests, outside of any job."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

from podium.app import App
from podium.datasets.findings import Findings
from podium.datasets.place import Place
from podium.datasets.reading import Upload
from podium.datasets.run import run
from podium.datasets.wishes import Wishes

Table = list[dict[str, str]]


def quiet(*_: object) -> None:
    """Hear what is done, and say nothing."""


def write_python_app(folder: Path, code: str, features: str, head: str = "") -> Path:
    """Write a regression whose model is `models:answer`; `features` and `head` are TOML."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "models.py").write_text(f"import numpy as np\n{code}\n")
    head = head or '[task]\nkind = "regression"\ntarget = "y"'
    (folder / "podium.toml").write_text(
        f'title = "Own"\n{head}\n{features}\n[[models]]\nname = "own"\npython = "models:answer"\n'
    )
    return folder


def run_csv(
    app: App, place: Path, text: str, progress: Callable[..., None] = quiet, **wishes: Any
) -> Findings:
    """Score the text of a CSV file in the folder `place`, where its results then are."""
    place.mkdir(parents=True, exist_ok=True)
    file = place / "data.csv"
    file.write_text(text, "utf-8")
    return run(app, Place(place), Upload(file, file.name), Wishes(**wishes), ("csv",), progress)


def results_of(place: Path) -> Table:
    """Return the rows of results.csv."""
    with (place / "results.csv").open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


def scored(app: App, place: Path, text: str, **wishes: Any) -> Table:
    """Return the results of the text of a CSV file."""
    run_csv(app, place, text, **wishes)
    return results_of(place)
