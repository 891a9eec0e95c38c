"""An application folder is read: podium.toml, its labels, and the files it names."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Final

from msgspec import Struct

from podium.catalogue import language_mistakes
from podium.errors import Mistake, SpecError, nearest
from podium.spec import Spec, Task, check_labels
from podium.strict import read
from podium.usercode import module_file

FILE: Final = "podium.toml"
_MODEL: Final = re.compile(r"models\[\d+\]\.files?(\[\d+\])?")
"""The key that may name a folder."""
_LOGOS: Final = (".svg", ".png", ".jpg", ".jpeg", ".gif", ".webp", ".avif")
_FONTS: Final = (".woff2", ".woff", ".ttf", ".otf")
_ENDINGS: Final = {"theme.logo": _LOGOS, "theme.logo_dark": _LOGOS, "theme.font_file": _FONTS}
"""The names of files that browsers take, where a key wants such a one."""
_INHERITED: Final = re.compile(r"models\[(\d+)\]\.image\.(\w+).*")
"""The key of a model's own [image], and its name there."""


class Parsed(Struct, frozen=True):
    """A read podium.toml with its labels."""

    spec: Spec
    labels: tuple[str, ...]


def parse(folder: Path) -> Parsed:
    """Return the application that `folder`/podium.toml describes.

    Raises:
        SpecError: with every mistake in the file, and every file it names that is not there.
    """
    file = folder / FILE
    document = _load(file)
    spec, mistakes = read(Spec, _inherited(document))
    mistakes = [one for one in mistakes if not _is_told_of_image(one, document)]
    assert spec is not None  # tomllib returns a table
    mistakes += _check_files(folder, spec)
    labels, wrong = _labels(folder, spec.task)
    mistakes += [*wrong, *_check_expected(spec, labels)]
    mistakes += language_mistakes(folder, spec.language)
    if mistakes:
        raise SpecError(file, mistakes)
    return Parsed(spec, labels)


def inside(folder: Path, name: str) -> Path | None:
    """Return the file `name` in `folder`, or None when it leads outside of it."""
    path = (folder / PurePosixPath(name)).resolve()
    return path if path.is_relative_to(folder.resolve()) else None


def _load(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError as err:
        hint = f"is missing; `podium init MODEL --output {file.parent}` makes one"
        raise SpecError(file, [Mistake(FILE, hint)]) from err
    except NotADirectoryError as err:
        raise SpecError(file, [Mistake(FILE, "expected an application folder")]) from err
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as err:
        raise SpecError(file, [Mistake("TOML", str(err))]) from err


def _inherited(document: dict[str, Any]) -> dict[str, Any]:
    """Return podium.toml with each [models.image] filled up from [image]."""
    image, models = document.get("image"), document.get("models")
    if not isinstance(image, dict) or not isinstance(models, list):
        return document
    return {**document, "models": [_with_image(model, image) for model in models]}


def _with_image(model: Any, image: dict[str, Any]) -> Any:
    own = model.get("image") if isinstance(model, dict) else None
    if not isinstance(own, dict):
        return model
    # Either says how large a picture is made, so one of the model's own replaces both.
    told = {"crop", "resize_size"} if own.keys() & {"crop", "resize_size"} else set()
    kept = {key: value for key, value in image.items() if key not in told}
    return {**model, "image": {**kept, **own}}


def _is_told_of_image(mistake: Mistake, document: dict[str, Any]) -> bool:
    """Whether a mistake in a [models.image] is that of [image], from which the key comes."""
    found = _INHERITED.fullmatch(mistake.key)
    if found is None or not isinstance(document.get("image"), dict):
        return False
    own = document["models"][int(found[1])]["image"]
    return found[2] in document["image"] and isinstance(own, dict) and found[2] not in own


def _check_files(folder: Path, spec: Spec) -> Iterator[Mistake]:
    for key, name in named_files(spec):
        path = inside(folder, name)
        if path is None:
            yield Mistake(key, f"{name!r} leads outside the application folder")
        elif not path.is_file() and not (path.is_dir() and _MODEL.fullmatch(key)):
            yield Mistake(key, f"there is no file {name!r} in {folder}")
        elif path.suffix.lower() not in (known := _ENDINGS.get(key, (path.suffix.lower(),))):
            yield Mistake(key, f"{name!r} does not end in one of {', '.join(known)}")
    for index, model in enumerate(spec.models or ()):
        for part, code in (("python", model.python), ("factory", model.factory)):
            module, colon, _ = (code or "").partition(":")
            if colon and not module_file(folder, module).is_file():
                message = f"there is no module {module!r} in {folder}"
                yield Mistake(f"models[{index}].{part}", message)


def named_files(spec: Spec) -> Iterator[tuple[str, str]]:
    """Yield each key of podium.toml that names a file or a model's folder, and the name."""
    single: dict[str, str | None] = {"about": spec.about}
    if spec.theme is not None:
        theme = spec.theme
        single |= {"theme.logo": theme.logo, "theme.logo_dark": theme.logo_dark}
        single["theme.font_file"] = theme.font_file
    if spec.task is not None:
        single["task.training"] = spec.task.training
        if isinstance(spec.task.labels, str):
            single["task.labels"] = spec.task.labels
    for index, model in enumerate(spec.models or ()):
        single |= {f"models[{index}].file": model.file, f"models[{index}].card": model.card}
        single |= {f"models[{index}].files[{i}]": name for i, name in enumerate(model.files)}
    for index, reference in enumerate(spec.references):
        single[f"references[{index}].file"] = reference.file
    for index, example in enumerate(spec.examples):
        single[f"examples[{index}].image"] = example.image
    yield from ((key, name) for key, name in single.items() if name)


def _check_expected(spec: Spec, labels: tuple[str, ...]) -> Iterator[Mistake]:
    """Yield what no model of the task could answer to an example."""
    for index, example in enumerate(spec.examples):
        value, key = example.expected, f"examples[{index}].expected"
        if value is None or spec.task is None:
            continue
        if spec.task.kind == "regression" and not isinstance(value, (int, float)):
            yield Mistake(key, f"expected a number; found {value!r}")
        if labels and str(value) not in labels:
            hint = nearest(str(value), labels)
            yield Mistake(key, f"expected one of the labels; found {value!r}.{hint}")


def _labels(folder: Path, task: Task | None) -> tuple[tuple[str, ...], list[Mistake]]:
    """Return the labels, read from their file where a file is named; () when left out."""
    if task is None or not isinstance(task.labels, str):
        return (task.labels if task and isinstance(task.labels, tuple) else ()), []
    path = inside(folder, task.labels)
    if path is None or not path.is_file():
        return (), []  # told with the other files
    try:
        lines = path.read_text("utf-8").splitlines()
    except UnicodeDecodeError as err:
        return (), [Mistake("task.labels", f"{task.labels}: {err}")]
    labels = tuple(line.strip() for line in lines if line.strip())
    wrong = [Mistake("task.labels", f"{task.labels}: {m.message}") for m in check_labels(labels)]
    return labels, wrong
