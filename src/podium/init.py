"""`podium init`: a model file becomes an application folder."""

from __future__ import annotations

import json
import shutil
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

from podium.errors import PodiumError, SpecError
from podium.folder import FILE
from podium.inspect import Guess, inspect_model
from podium.runtimes import model_files
from podium.spec import Feature, Image, Spec
from podium.strict import read

Ask = Callable[[Guess], Guess]
"""Shows a guess to someone and returns it corrected."""


def create_application(model: Path, folder: Path, ask: Ask | None = None) -> tuple[str, ...]:
    """Make `folder` with the model copied in and a first podium.toml.

    Returns:
        What the model file did not tell, in words.

    Raises:
        PodiumError: the folder holds something already; nothing is overwritten.
        ModelError: the model cannot be loaded or described.
        SpecError: what it says of itself makes no application, such as a feature named "seed".
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise PodiumError(f"{folder} exists and is not empty. Choose another with --output.")
    guess = inspect_model(model)
    guess = ask(guess) if ask else guess
    text = podium_toml(guess, model)
    _, mistakes = read(Spec, tomllib.loads(text))
    if mistakes:
        raise SpecError(folder / FILE, mistakes)
    for file in model_files(model):
        copy = folder / "models" / file.relative_to(model.parent)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, copy)
    (folder / FILE).write_text(text, "utf-8")
    return guess.notes


def podium_toml(guess: Guess, model: Path) -> str:
    """Return the text of a first podium.toml."""
    return "\n".join([*_head(guess), *_inputs(guess), *_model(model)]) + "\n"


def _head(guess: Guess) -> Iterator[str]:
    yield f"title = {_toml(guess.title)}"
    yield f"summary = {_toml('')}"
    yield from (f"# {note}" for note in guess.notes)
    yield "\n[task]"
    yield f"kind = {_toml(guess.kind)}"
    if guess.labels:
        yield f"labels = {_toml(list(guess.labels))}"
    else:
        yield '# target = "strain"\n# unit = "%"'


def _inputs(guess: Guess) -> Iterator[str]:
    if guess.image:
        yield from _image(guess.image)
    for index, feature in enumerate(guess.features):
        yield from _feature(feature, explain=index == 0)


def _image(image: Image) -> Iterator[str]:
    yield "\n[image]"
    yield f"size = {_toml(list(image.size))}"
    yield f"colour = {_toml(image.colour)}"
    yield f"layout = {_toml(image.layout)}"
    if image.scale == 1:
        yield "scale = 1.0"
    yield "# scale = 0.00392156862745098  # multiplies the 8-bit values\n# mean = []\n# std = []"


def _feature(feature: Feature, explain: bool) -> Iterator[str]:
    yield "\n[[features]]"
    yield f"name = {_toml(feature.name)}"
    yield f"kind = {_toml(feature.kind)}"
    if explain:
        yield '# label = "Bill length"\n# unit = "mm"'
        yield "# range = [32.1, 59.6]  # of the training data"


def _model(model: Path) -> Iterator[str]:
    yield "\n[[models]]"
    yield f"name = {_toml(_name(model.stem))}"
    yield f"file = {_toml(f'models/{model.name}')}"


def _name(stem: str) -> str:
    """Return a file's stem as a model name may be."""
    kept = "".join(c if (c.isascii() and c.isalnum()) or c in "._-" else "-" for c in stem)
    return kept.lstrip("._-") or "model"


def _toml(value: str | list[str] | list[int]) -> str:
    """Return a value as TOML; its strings and lists are written as JSON's are."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
