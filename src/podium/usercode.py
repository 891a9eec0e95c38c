"""The maker's own code: "module:name" in modules beside podium.toml, and what it needs."""

from __future__ import annotations

import hashlib
import importlib
import shlex
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from importlib import metadata
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import module_from_spec
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from packaging.requirements import InvalidRequirement, Requirement

from podium.errors import nearest


def load_object(folder: Path, name: str) -> Any:
    """Return what "module:name" names, the module found in `folder`; a module is run once.

    Raises:
        ImportError: there is no such module, or no such name in it.
        TypeError: it cannot be called and has no `predict`.
        Exception: whatever the module itself raises.
    """
    module_name, _, attribute = name.partition(":")
    module = _module(folder.resolve(), module_name)
    try:
        found = getattr(module, attribute)
    except AttributeError as err:
        hint = nearest(attribute, vars(module))
        raise ImportError(f"{module_file(folder, name).name} has no {attribute!r}.{hint}") from err
    if not callable(found) and not hasattr(found, "predict"):
        raise TypeError(f"{attribute!r} is not callable")
    return found


def let_import(folder: Path) -> None:
    """Let modules in `folder` be imported by their plain names, as a pickle knows them."""
    with _lock:
        _siblings.enter(_package(folder.resolve()))


def module_file(folder: Path, name: str) -> Path:
    """Return the file of the module in "module:name"; of a package, its __init__.py."""
    path = folder.joinpath(*name.partition(":")[0].split("."))
    package = path / "__init__.py"
    return package if package.is_file() else path.with_suffix(".py")


def told(error: BaseException, folder: Path) -> str:
    """Return in one line what the maker's code raised, and where in `folder`."""
    root = folder.resolve()
    calls = traceback.extract_tb(error.__traceback__)
    own = [call for call in calls if Path(call.filename).is_relative_to(root)]
    if not own:
        return f"{type(error).__name__}: {error}"
    file = Path(own[-1].filename).relative_to(root).as_posix()
    return f"{type(error).__name__}: {error} ({file}, line {own[-1].lineno})"


def missing_requirement(requirement: str) -> str:
    """Return in words why a requirement such as "scipy>=1.14" is not met, or ""."""
    try:
        wanted = Requirement(requirement)
    except InvalidRequirement as err:
        return f"is no requirement such as 'scipy>=1.14': {' '.join(str(err).split())}"
    unmet = _unmet(wanted)
    return f"{unmet}: pip install {shlex.quote(requirement)}" if unmet else ""


def missing_requirements(requirements: Sequence[str]) -> dict[int, str]:
    """Return what is wrong with each requirement that is not met, by its index."""
    wrong = {index: missing_requirement(one) for index, one in enumerate(requirements)}
    return {index: message for index, message in wrong.items() if message}


def _unmet(wanted: Requirement) -> str:
    """Return why a requirement, or one of its extras, is not met, or ""."""
    if wanted.marker is not None and not wanted.marker.evaluate():
        return ""
    try:
        installed = metadata.version(wanted.name)
    except metadata.PackageNotFoundError:
        return "is not installed"
    if not wanted.specifier.contains(installed, prereleases=True):
        return f"is not met by the installed {installed}"
    added = (one for extra in sorted(wanted.extras) for one in _added_by(wanted.name, extra))
    lacking = [one.name for one in added if _unmet(one)]
    return f"lacks {', '.join(lacking)}" if lacking else ""


def _added_by(package: str, extra: str) -> Iterator[Requirement]:
    """Yield what an extra of an installed package requires beyond the package itself."""
    for line in metadata.requires(package) or ():
        added = Requirement(line)
        marker, added.marker = added.marker, None
        if marker and marker.evaluate({"extra": extra}) and not marker.evaluate():
            yield added


class _Siblings(MetaPathFinder, Loader):
    """Lets the maker's modules import one another by their plain names, as in a script.

    What is installed goes before them. A plain name stands for the module in the package of the
    folder, so that no module runs twice, and is forgotten when another folder's package comes:
    two applications in one process do not mix.
    """

    def __init__(self) -> None:
        self.package = ""
        self.names: set[str] = set()

    def enter(self, package: str) -> None:
        """Let plain names stand for the modules of `package`."""
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)
        if package != self.package:
            for name in [name for name in sys.modules if name.partition(".")[0] in self.names]:
                del sys.modules[name]
            self.names.clear()
        self.package = package

    def find_spec(
        self, fullname: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return a spec for a module of the package that is not installed."""
        top, _, below = fullname.partition(".")
        if not below and self._is_own(fullname):
            self.names.add(fullname)
        return ModuleSpec(fullname, self) if top in self.names else None

    def exec_module(self, module: ModuleType) -> None:
        """Put the package's module in the place of the empty one."""
        own = importlib.import_module(f"{self.package}.{module.__name__}")
        sys.modules[module.__name__] = own

    def _is_own(self, name: str) -> bool:
        if PathFinder.find_spec(name, sys.modules[self.package].__path__) is None:
            return False
        others = (finder for finder in sys.meta_path if finder is not self)
        return all(finder.find_spec(name, None) is None for finder in others)


_siblings: Final = _Siblings()
_lock: Final = threading.RLock()


def _module(folder: Path, module_name: str) -> ModuleType:
    file = module_file(folder, module_name)
    if not file.is_file():
        raise ImportError(f"there is no {file}")
    package = _package(folder)
    with _lock:
        _siblings.enter(package)
        importlib.invalidate_caches()
        try:
            return importlib.import_module(f"{package}.{module_name}")
        except SystemExit as err:
            raise ImportError(
                f"{file.name} ends the program when it is imported. Put what is to run as a "
                'script under: if __name__ == "__main__"'
            ) from err


def _package(folder: Path) -> str:
    """Return the package whose modules are those of `folder`, apart from all that is installed."""
    name = f"podium_app_{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"
    if name not in sys.modules:
        spec = ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = [str(folder)]
        sys.modules[name] = module_from_spec(spec)
    return name
