"""What the maker says of a model that its file does not: options, or answers on a terminal."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, get_args

from podium.errors import FieldError, InvalidInput
from podium.init.described import Description, describe
from podium.runtimes import Task
from podium.spec import MAX_SIDE, RESERVED, Image, check_labels

MAX_COLUMNS: Final = 10_000


@dataclass(frozen=True)
class Hints:
    """What is known from the maker; None, () and False where nothing was said.

    `columns` is the number of features where their names are not known. `size` is height, width
    and, where it was said, the number of channels. `described` is what a file that the maker named
    says of pictures, and `beside` such files that lie beside the model.
    """

    title: str | None = None
    task: Task | None = None
    target: str | None = None
    unit: str | None = None
    labels: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    columns: int | None = None
    size: tuple[int, ...] = ()
    text: bool = False
    described: Description | None = None
    beside: tuple[Path, ...] = ()

    @classmethod
    def parse(cls, texts: Mapping[str, str | None], text: bool = False) -> Hints:
        """Return the options `title`, `task`, `target`, `unit`, `labels`, `features`, `size`, ...

        Raises:
            InvalidInput: naming every one that is wrong.
        """
        hints, wrong = cls(text=text), []
        for name, value in texts.items():
            try:
                hints = hints if value is None else hints.having(name, value)
            except ValueError as err:
                wrong.append(FieldError(f"--{name.replace('_', '-')}", str(err)))
        wrong += hints._contradictions()
        if wrong:
            raise InvalidInput(wrong)
        return hints

    def having(self, name: str, text: str) -> Hints:
        """Return the hints with one more, as it is written in an option.

        Raises:
            ValueError: saying in words what is wrong with it.
        """
        return replace(self, **_PARSERS[name](text))

    @property
    def image(self) -> Image | None:
        """The image that `size`, or a file that the maker named, describes."""
        height, width, channels = (*self.size, 3)[:3] if self.size else (None, None, 3)
        size = (height, width) if height and width else None
        if self.described and (size or "size" in self.described.keys):
            return self.described.image(size, grey=channels == 1)
        return Image(size=size, colour="grey" if channels == 1 else "rgb") if size else None

    def _contradictions(self) -> Iterator[FieldError]:
        if self.size and (self.text or self.features or self.columns):
            yield FieldError("--size", "is of images, and --text or --features of another input")
        if self.described and (self.text or self.features or self.columns):
            yield FieldError("--image-config", "is of images, and --text or --features of another "
                             "input")  # fmt: skip
        try:
            _ = self.image
        except ValueError as err:
            yield FieldError("--image-config", str(err))
        if self.text and (self.columns or len(self.features) > 1):
            yield FieldError("--features", "a text is one column; name it, or leave --text out")
        if self.task == "regression" and self.labels:
            yield FieldError("--labels", "belongs to a classification; leave it out")
        if self.unit and (self.task == "classification" or self.labels):
            yield FieldError("--unit", "belongs to a regression; leave it out")


def _word(key: str) -> Callable[[str], dict[str, Any]]:
    def parse(text: str) -> dict[str, Any]:
        if not text.strip():
            raise ValueError("is empty")
        return {key: text.strip()}

    return parse


def _task(text: str) -> dict[str, Any]:
    if text not in get_args(Task):
        raise ValueError(f"expected {' or '.join(get_args(Task))}; found {text!r}")
    return {"task": text}


def _features(text: str) -> dict[str, Any]:
    if text.strip().isdecimal():
        count = int(text)
        if not 1 <= count <= MAX_COLUMNS:
            raise ValueError(f"expected from 1 to {MAX_COLUMNS:,} columns; found {count}")
        return {"columns": count, "features": ()}
    names = _listed(text)
    wrong = [f"{name!r} stands there twice" for name in _twice(names)]
    wrong += [f"{name!r} is a query parameter, which no feature may be called"
              for name in names if name in RESERVED]  # fmt: skip
    if wrong:
        raise ValueError("; ".join(wrong))
    return {"features": names, "columns": None}


def _labels(text: str) -> dict[str, Any]:
    """Return labels separated by commas, or those of a file with one a line."""
    file = Path(text)
    try:
        lines = file.read_text("utf-8").splitlines() if "," not in text and file.is_file() else []
    except (OSError, UnicodeDecodeError) as err:
        raise ValueError(f"{text} cannot be read: {err}") from err
    labels = tuple(line.strip() for line in lines if line.strip()) or _listed(text)
    wrong = "; ".join(mistake.message for mistake in check_labels(labels))
    if wrong:
        raise ValueError(f"{wrong}. Expected a,b,c or a file with one a line")
    return {"labels": labels}


def _size(text: str) -> dict[str, Any]:
    match = re.fullmatch(r"\s*(\d+)(?:x(\d+)(?:x([13]))?)?\s*", text, re.ASCII)
    sides = [int(side or match[1]) for side in match.groups()[:2]] if match else []
    if not match or not all(1 <= side <= MAX_SIDE for side in sides):
        raise ValueError(
            f"expected 224, 224x320 (height x width, at most {MAX_SIDE}) or, with the channels, "
            f"28x28x1; found {text!r}"
        )
    return {"size": (*sides, int(match[3])) if match[3] else tuple(sides)}


def _image_config(text: str) -> dict[str, Any]:
    return {"described": describe(Path(text))}


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _twice(names: Sequence[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})


_PARSERS: Final[dict[str, Callable[[str], dict[str, Any]]]] = {
    "title": _word("title"), "task": _task, "target": _word("target"),
    "unit": _word("unit"), "labels": _labels, "features": _features, "size": _size,
    "image_config": _image_config,
}  # fmt: skip
