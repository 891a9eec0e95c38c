"""docs/formats.md, run as a reader would run it: from a saved file to an answered curl."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import podium
from podium.runtimes import RUNTIMES
from tests.conformance import transformers_cases
from tests.conformance.cases import LABELS
from tests.docs.test_commands import ROOT, blocks, curl, lines, run
from tests.support.server import running

PAGE = (ROOT / "docs" / "formats.md").read_text("utf-8")
PHOTO = Path(podium.__file__).parent / "demos" / "digits" / "examples" / "query_image.jpg"
PENGUINS = Path(podium.__file__).parent / "demos" / "penguins" / "data" / "penguins.csv"
SECTIONS = {
    section.partition("\n")[0]: section
    for section in PAGE.split("\n## ")[1:]
    if blocks(section, "console")
}


def make_files(section: str, folder: Path) -> None:
    """Write a section's scripts, each under the name in its first line, and run train.py."""
    for script in blocks(section, "python"):
        name = re.match(r"# (\w+\.py)\n", script)
        assert name is not None, script
        (folder / name[1]).write_text(script)
    if (folder / "train.py").exists():
        run([sys.executable, "train.py"], folder)


@pytest.mark.parametrize("name", [name for name in SECTIONS if name != "Hugging Face"])
def test_from_a_saved_file_to_an_answered_curl(name: str, tmp_path: Path) -> None:
    """A section's script, its `podium init`, its `podium serve` and its curl line work as told."""
    shutil.copy(PENGUINS, tmp_path)
    make_files(SECTIONS[name], tmp_path)
    (init,), (serve, *_) = (lines(SECTIONS[name], start) for start in ("podium init", "podium s"))
    run(shlex.split(init), tmp_path)
    (line,) = lines(SECTIONS[name], "curl")
    with running(tmp_path, "serve", str(tmp_path / shlex.split(serve)[2])) as server:
        answer = curl(line, server.client.port)
    (prediction,) = answer["predictions"]
    assert prediction["uncertainty"]["samples"] is None
    if "virginica" in SECTIONS[name]:
        assert prediction["label"] == "virginica"


@pytest.mark.parametrize("kind", ["flowers", "sentiment"])
def test_from_a_hugging_face_folder_to_an_answered_curl(kind: str, tmp_path: Path) -> None:
    """The commands for a folder of save_pretrained work, for images and for texts."""
    section = SECTIONS["Hugging Face"]
    calls = dict(zip(("flowers", "sentiment"), lines(section, "curl"), strict=True))
    (init,) = (line for line in lines(section, "podium init") if kind in line)
    if kind == "flowers":
        shutil.copy(PHOTO, tmp_path)
        parts = transformers_cases.vit(), transformers_cases.processor()
    else:
        parts = transformers_cases.bert(), transformers_cases.wordpiece()
    transformers_cases.save(tmp_path, *parts).rename(tmp_path / kind)
    run(shlex.split(init), tmp_path)
    with running(tmp_path, "serve", str(tmp_path / "app")) as server:
        answer = curl(calls[kind], server.client.port, tmp_path)
    assert set(answer["predictions"][0]["probabilities"]) == set(LABELS)


def test_the_table_names_every_format() -> None:
    """Each ending and each folder that a runtime answers to stands in the table or the text."""
    known = [name for ends, marker in RUNTIMES.values() for name in (*ends, marker) if name]
    assert [name for name in known if f"`{name}`" not in PAGE] == []


def test_the_table_names_the_versions_that_were_tested() -> None:
    """The versions of the table are the installed ones, which constraints.txt pins."""
    table = "\n".join(line for line in PAGE.splitlines() if line.startswith("|"))
    told = set(re.findall(r"([a-z-]+) (\d+\.\d+\.\d+)", table))
    assert len(told) > 10
    names = {"tensorflow": "tensorflow-cpu", "xgboost": "xgboost-cpu"}
    installed = {(name, version(names.get(name, name)).partition("+")[0]) for name, _ in told}
    assert told == installed
