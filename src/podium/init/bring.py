"""A model, and the code that it needs, are copied into an application folder."""

from __future__ import annotations

import ast
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Final

import msgspec

from podium.errors import FieldError
from podium.runtimes import RUNTIMES, Source, check_inside, model_files
from podium.spec import ModelSpec
from podium.strict import read
from podium.usercode import module_file

MODELS: Final = "models"
_HUB_NAME: Final = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")


@dataclass(frozen=True)
class Origin:
    """Where a model comes from.

    `model` is a path, or a name on the hub. `python` is the maker's own "module:name"; `model` is
    then what its code reads, if anything. `factory` builds the module that weights go into.
    """

    model: str | None = None
    python: str | None = None
    factory: str | None = None
    runtime: str | None = None
    name: str | None = None

    @classmethod
    def parse(cls, model: str | None, **others: str | None) -> Origin:
        """Return an origin; "net.py:predict" stands for the module net and `python`."""
        if model and not others.get("python") and re.search(r"\.py:\w+$", model):
            model, _, attribute = model.rpartition(":")
            others["python"] = f"{Path(model).stem}:{attribute}"
        return cls(model, **others)

    @property
    def path(self) -> Path | None:
        """The model where it lies here, links followed; None when it does not."""
        path = Path(self.model).resolve() if self.model else None
        return path if path and path.exists() else None

    @property
    def on_hub(self) -> bool:
        """Whether it is a name on the hub."""
        path = Path(self.model or "")
        known = (suffix for kind in RUNTIMES.values() for suffix in kind.suffixes)
        local = self.path or path.parent.exists() or path.suffix.lower() in known or self.python
        return not local and bool(_HUB_NAME.fullmatch(self.model or ""))

    @property
    def stem(self) -> str:
        """What the model is called before the maker calls it otherwise."""
        if self.python:
            return self.python.partition(":")[0].rpartition(".")[2]
        path = self.path or Path(self.model or "")
        return path.name if path.is_dir() or self.on_hub else path.stem

    def spec(self, file: str) -> ModelSpec:
        """Return the model's table in podium.toml, with the file for which it is."""
        return ModelSpec(
            name=self.name or _name(self.stem), file=None if self.python else file,
            python=self.python, factory=self.factory, runtime=self.runtime,
        )  # fmt: skip

    def mistakes(self) -> Iterator[FieldError]:
        """Yield what is wrong with it."""
        if not self.model and not self.python:
            yield FieldError("MODEL", "is missing: a file, a folder, or --python module:name")
        elif self.model and not self.path and not self.on_hub:
            yield FieldError("MODEL", f'there is no {self.model!r}; a hub\'s name is "org/name"')
        if self.path and self.path.suffix == ".py" and not self.python:
            yield FieldError("MODEL", f"say what in it answers, such as {self.model}:predict")
        if self.path and self.path.name.encode("utf-8", "replace").decode() != self.path.name:
            yield FieldError("MODEL", f"{self.path.name!r} is no UTF-8; rename it")
        table = msgspec.structs.asdict(self.spec(MODELS))
        _, wrong = read(ModelSpec, {key: value for key, value in table.items() if value})
        yield from (FieldError(f"--{one.key}", one.message) for one in wrong)
        if self.runtime and (self.python or self.runtime not in RUNTIMES):
            yield FieldError("--runtime", f"expected one of {', '.join(RUNTIMES)}, of a file")
        for option in ("python", "factory"):
            code = getattr(self, option)
            if code and option not in {one.key for one in wrong} and self.root(code) is None:
                places = " or ".join(map(str, self._places()))
                name = module_file(Path(), code)
                yield FieldError(f"--{option}", f"there is no {name} in {places}")

    def root(self, code: str) -> Path | None:
        """Return the folder in which the module of "module:name" lies."""
        return next((one for one in self._places() if module_file(one, code).is_file()), None)

    def _places(self) -> list[Path]:
        beside = [self.path.parent] if self.path else []
        return list(dict.fromkeys([*beside, Path.cwd()]))


def bring(origin: Origin, folder: Path) -> ModelSpec:
    """Copy a model and its code into `folder`; return its table in podium.toml.

    Raises:
        UntrustedModel: a file of the model is a link that leads out of it.
        ModelError: no runtime knows it, or it cannot be downloaded.
    """
    for code in filter(None, (origin.python, origin.factory)):
        _copy_code(origin, code, folder)
    if origin.on_hub:
        from podium.runtimes.transformers.hub import download

        download(str(origin.model), folder / MODELS / origin.stem)
        return origin.spec(f"{MODELS}/{origin.stem}")
    path = origin.path
    if path and origin.python:
        _copy_beside(path, folder)
    elif path:
        _copy_model(path, origin.runtime, folder / MODELS)
    return origin.spec(f"{MODELS}/{path.name}" if path else "")


def _copy_model(path: Path, runtime: str | None, folder: Path) -> None:
    """Copy all files of a model, and no other."""
    files = model_files(path, runtime)
    check_inside(Source.alone(path), files)
    for file in files:
        _copy(file, folder / file.relative_to(path.parent))


def _copy_beside(path: Path, folder: Path) -> None:
    """Copy what the maker's code reads, to the same place beside it."""
    if path.is_dir():
        shutil.copytree(path, folder / path.name, dirs_exist_ok=True)
    else:
        _copy(path, folder / path.name)


def _copy_code(origin: Origin, code: str, folder: Path) -> None:
    """Copy the module of "module:name" and those of its folder that it imports."""
    root = origin.root(code)
    assert root is not None  # among the mistakes
    seen: set[Path] = set()
    names = {code.partition(":")[0].partition(".")[0]}
    while names:
        found = {file for name in names for file in _modules(root, name)} - seen
        files = {file for file in found if not file.resolve().is_relative_to(folder.resolve())}
        for file in files:
            _copy(file, folder / file.relative_to(root))
        seen |= files
        imported = {name for file in files for name in _imports(file)}
        names = {name for name in imported if not _is_installed(root, name)}


def _modules(root: Path, name: str) -> Iterator[Path]:
    """Yield the files of the module or the package `name` in a folder; none if it has no such."""
    module = root / f"{name}.py"
    yield from [module] if module.is_file() else (root / name).rglob("*.py")


def _is_installed(root: Path, name: str) -> bool:
    """Whether `name` is installed and in `root` there is no module, but perhaps a folder, of it."""
    if (root / f"{name}.py").is_file() or (root / name / "__init__.py").is_file():
        return False
    paths = [path for path in sys.path if Path(path).resolve() != root.resolve()]
    return name in sys.stdlib_module_names or PathFinder.find_spec(name, paths) is not None


def _imports(file: Path) -> Iterator[str]:
    """Yield the first names of all that a module imports; nothing of one that is no Python."""
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names = [node.module] if node.module else [alias.name for alias in node.names]
            yield from (name.partition(".")[0] for name in names)


def _copy(file: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(file, place)


def _name(stem: str) -> str:
    """Return a file's stem as a model name may be."""
    kept = "".join(c if (c.isascii() and c.isalnum()) or c in "._-" else "-" for c in stem)
    return kept.lstrip("._-") or "model"
