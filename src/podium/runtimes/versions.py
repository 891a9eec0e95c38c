"""Files remember the framework that saved them; another one may read them otherwise."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from packaging.version import InvalidVersion, Version


def mismatch(file: str, saved: str | None, *packages: str) -> str:
    """Return a sentence with both versions when major or minor differ, else "".

    `packages` are the names under which the framework may be installed, such as "tensorflow"
    and "tensorflow-cpu"; the first is the one that the sentence names.
    """
    installed = installed_version(*packages)
    if not saved or installed is None or _minor(saved) == _minor(installed):
        return ""
    return (
        f"{file} was saved with {packages[0]} {saved}; installed is {installed}. "
        f"If it does not load or answers otherwise: pip install '{packages[0]}=={saved}', "
        "or save it again."
    )


def installed_version(*packages: str) -> str | None:
    """Return the version of the first of `packages` that is installed, or None."""
    for package in packages:
        try:
            return version(package)
        except PackageNotFoundError:
            continue
    return None


def _minor(text: str) -> tuple[int, ...] | str:
    try:
        return Version(text).release[:2]
    except InvalidVersion:
        return text
