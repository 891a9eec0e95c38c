"""The maker's own code: "module:name" in modules beside podium.toml, and what it needs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import metadata, util
from pathlib import Path
from types import ModuleType
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement


def load_object(folder: Path, name: str) -> Any:
    """Return what "module:name" names, the module found in `folder`; a module is run once.

    Raises:
        ImportError: there is no such module, or no such name in it.
        TypeError: it cannot be called.
        Exception: whatever the module itself raises.
    """
    module_name, _, attribute = name.partition(":")
    module = _module(folder, module_name)
    try:
        found = getattr(module, attribute)
    except AttributeError as err:
        raise ImportError(f"{module_file(folder, name).name} has no {attribute!r}") from err
    if not callable(found):
        raise TypeError(f"{attribute!r} is not callable")
    return found


def module_file(folder: Path, name: str) -> Path:
    """Return the file of the module in "module:name"."""
    module_name, _, _ = name.partition(":")
    return folder.joinpath(*module_name.split(".")).with_suffix(".py")


def missing_requirement(requirement: str) -> str:
    """Return in words why a requirement such as "scipy>=1.14" is not met, or ""."""
    try:
        wanted = Requirement(requirement)
    except InvalidRequirement as err:
        return f"is no requirement such as 'scipy>=1.14': {err}"
    if wanted.marker is not None and not wanted.marker.evaluate():
        return ""
    try:
        installed = metadata.version(wanted.name)
    except metadata.PackageNotFoundError:
        return f"is not installed: pip install '{requirement}'"
    if not wanted.specifier.contains(installed, prereleases=True):
        return f"is not met by the installed {installed}: pip install '{requirement}'"
    return ""


def missing_requirements(requirements: Sequence[str]) -> dict[int, str]:
    """Return what is wrong with each requirement that is not met, by its index."""
    told = {index: missing_requirement(one) for index, one in enumerate(requirements)}
    return {index: message for index, message in told.items() if message}


def _module(folder: Path, module_name: str) -> ModuleType:
    file = module_file(folder, module_name)
    # A name of its own keeps the maker's "features.py" apart from any installed package.
    own_name = f"podium_app.{module_name}"
    known = sys.modules.get(own_name)
    if known is not None and known.__file__ == str(file):
        return known
    spec = util.spec_from_file_location(own_name, file)
    if spec is None or spec.loader is None or not file.is_file():
        raise ImportError(f"there is no {file}")
    module = util.module_from_spec(spec)
    sys.modules[spec.name] = module
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[spec.name]
        raise
    return module
