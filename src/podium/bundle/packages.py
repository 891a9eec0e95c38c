"""Which packages an application needs beside Podium itself, for processors alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from pathlib import Path
from typing import Final, NamedTuple

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from podium.app import sources_of
from podium.bundle.cuda import refuse_cuda
from podium.bundle.target import Target
from podium.bundle.wheel import NAME, requires_of
from podium.errors import BundleError
from podium.folder import FILE, Parsed
from podium.runtimes import runtime_of

EXTRAS: Final = {
    "onnx": (),
    "python": (),
    "sklearn": ("sklearn",),
    "torch": ("torch",),
    "transformers": ("transformers",),
    # Of its backends the one that loads every Keras model, those of Keras 2 included.
    "keras": ("keras", "tensorflow"),
    "tensorflow": ("tensorflow",),
    "tflite": ("tflite",),
    "xgboost": ("xgboost",),
    "lightgbm": ("lightgbm",),
    "mlflow": ("mlflow",),
}
"""The extras of Podium that each runtime needs."""
SOURCES: Final = ("gunicorn-h1c",)
"""Packages of Podium without a wheel for Linux: whoever installs them needs a C compiler."""
TORCH: Final = ("torch", "torchvision", "torchaudio")
_EXTRA: Final = re.compile(r"""extra == ["']([\w-]+)""")


class Packages(NamedTuple):
    """What is installed before Podium's wheel: `lines` of a requirements file, sorted.

    `extras` are those of Podium that the models need; their requirements and Podium's own stand
    in `lines`, with those of the maker and of MLflow folders. No line has a marker: they hold for
    `target` alone.
    """

    target: Target
    extras: tuple[str, ...]
    lines: tuple[str, ...]

    @property
    def needs_torch(self) -> bool:
        """Whether PyTorch is among them, whose builds for processors have an index of their own."""
        return any(name_of(line) in TORCH for line in self.lines)

    @property
    def text(self) -> str:
        """The requirements file."""
        return "".join(f"{line}\n" for line in self.lines)


def packages_of(
    parsed: Parsed, folder: Path, target: Target | None = None,
    extras: Sequence[str] = (), wheel: Path | None = None,
) -> Packages:  # fmt: skip
    """Return the packages of the application in `folder`, and of more `extras` of Podium.

    `wheel` is the Podium that goes along; None is the running one.

    Raises:
        BundleError: a requirement is none, brings CUDA along, or Podium has no such extra.
    """
    target = target or Target.here()
    own = [(f"{FILE}: requirements[{index}]", line)
           for index, line in enumerate(parsed.spec.requirements)]  # fmt: skip
    asked = _read([*own, *_logged(parsed, folder)], target)
    wanted = {*extras, *_extras(parsed, folder)}
    wanted |= {extra for one in asked if _is_podium(one) for extra in one.extras}
    lines = {
        line_of(one)
        for one in [*_podiums(requires_of(wheel), target, wanted), *asked]
        if not _is_podium(one)
    }
    return Packages(target, tuple(sorted(wanted)), tuple(sorted(lines)))


def _extras(parsed: Parsed, folder: Path) -> Iterator[str]:
    """Yield the extras of Podium that the models and podium.toml ask for."""
    if parsed.spec.access.rate_store is not None:
        yield "redis"
    for runtime in _runtimes(parsed, folder):
        yield from EXTRAS[runtime]


def _runtimes(parsed: Parsed, folder: Path) -> Iterator[str]:
    for spec in parsed.spec.models:
        for source in sources_of(folder, spec):
            runtime = runtime_of(source.file, source.runtime)
            yield runtime
            inner = _inner(source.file) if runtime == "mlflow" else None
            if inner:
                yield inner


def _inner(folder: Path) -> str | None:
    from podium.runtimes.mlflow import inner_runtime

    return inner_runtime(folder)


def _logged(parsed: Parsed, folder: Path) -> Iterator[tuple[str, str]]:
    """Yield what MLflow folders that are programs require, each line with where it stands.

    For what is data, Podium's own extras are enough. MLflow itself comes with its extra, which
    leaves its server out.
    """
    for spec in parsed.spec.models:
        for source in sources_of(folder, spec):
            runtime = runtime_of(source.file, source.runtime)
            if runtime == "mlflow" and _inner(source.file) is None:
                yield from _lines(source.file / "requirements.txt", folder)


def _lines(file: Path, folder: Path) -> Iterator[tuple[str, str]]:
    text = file.read_text("utf-8") if file.is_file() else ""
    for number, line in enumerate(text.splitlines(), 1):
        plain = line.partition(" #")[0].strip()
        if plain and not plain.startswith("#") and name_of(plain) != "mlflow":
            yield f"{file.relative_to(folder).as_posix()}, line {number}", plain


def _read(told: Iterable[tuple[str, str]], target: Target) -> list[Requirement]:
    """Return requirements, each told with where it stands, whose markers hold."""
    found = {}
    for where, line in told:
        try:
            one = Requirement(line)
        except InvalidRequirement as err:
            raise BundleError(
                f"{where}: {line!r} is no requirement such as 'scipy>=1.14'. Write name and "
                "version alone."
            ) from err
        if target.applies(one):
            found[where] = one
    refuse_cuda(found, target)
    return list(found.values())


def _podiums(
    requires: Sequence[str], target: Target, extras: Iterable[str]
) -> Iterator[Requirement]:
    """Yield what Podium requires with its extras, one of which may ask for others."""
    known = {extra for line in requires for extra in _EXTRA.findall(line)}
    for extra in sorted({*extras} - known):
        raise BundleError(f"Podium has no extra {extra!r}. Known: {', '.join(sorted(known))}.")
    for one in map(Requirement, requires):
        if target.applies(one, extras):
            if _is_podium(one):
                yield from _podiums(requires, target, one.extras)
            else:
                yield one


def line_of(requirement: Requirement) -> str:
    """Return a requirement whose marker holds as a line without it."""
    plain = copy(requirement)
    plain.marker = None
    return str(plain)


def name_of(line: str) -> str:
    """Return the canonical name of the package in a line; what no requirement is, as it is."""
    try:
        return canonicalize_name(Requirement(line).name)
    except InvalidRequirement:
        return line


def _is_podium(requirement: Requirement) -> bool:
    return canonicalize_name(requirement.name) == NAME
