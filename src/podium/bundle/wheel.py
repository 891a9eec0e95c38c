"""A wheel of the running Podium, made without a build backend and without a network."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from email.parser import HeaderParser
from importlib import metadata
from pathlib import Path
from typing import Final

import podium
from podium.errors import BundleError

NAME: Final = "podium"
_WHEEL: Final = """\
Wheel-Version: 1.0
Generator: podium
Root-Is-Purelib: true
Tag: py3-none-any
"""
_OWN: Final = re.compile(r"METADATA|entry_points\.txt|licenses/.+")
"""The files of a distribution's metadata that tell of the package, not of how it came here."""
_NAMED: Final = re.compile(r"podium-[^-]+(-\d[^-]*)?-py3-none-any\.whl", re.IGNORECASE)
_TIME: Final = (1980, 1, 1, 0, 0, 0)
"""The first that a zip archive can tell."""


def podium_wheel(out: Path, given: Path | None = None) -> Path:
    """Write a wheel of the running Podium into the folder `out`, or copy `given`; return its path.

    The same Podium makes the same bytes, wherever and however it is installed.

    Raises:
        BundleError: `given` is no wheel of Podium, or the running one is not installed whole.
    """
    out.mkdir(parents=True, exist_ok=True)
    if given is not None:
        requires_of(given)
        if not (out / given.name).exists() or not (out / given.name).samefile(given):
            with _whole(out / given.name) as part:
                shutil.copyfile(given, part)
        return out / given.name
    told = _distribution()
    path = out / f"{NAME}-{told.version}-py3-none-any.whl"
    with (
        _whole(path) as part,
        zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive,
    ):
        for name, content in _contents(told):
            archive.writestr(_entry(name), content)
    return path


def requires_of(wheel: Path | None) -> tuple[str, ...]:
    """Return the requirements of a wheel of Podium with their markers; None is the running Podium.

    Raises:
        BundleError: it is no wheel of Podium, or the running one is not installed whole.
    """
    if wheel is None:
        return tuple(_distribution().requires or ())
    told = HeaderParser().parsestr(_metadata(wheel))
    if told["Name"] != NAME:
        raise BundleError(f"{wheel} is a wheel of {told['Name']!r}; expected one of Podium.")
    return tuple(told.get_all("Requires-Dist") or ())


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """Yield where to write a file that is then there whole: another process may be reading it."""
    with tempfile.TemporaryDirectory(prefix=".", dir=path.parent) as made:
        part = Path(made, path.name)
        yield part
        part.replace(path)


def _metadata(wheel: Path) -> str:
    if not wheel.exists():
        raise BundleError(f"There is no wheel {wheel}.")
    wrong = f"{wheel} is no wheel of Podium; `pip wheel --no-deps SOURCE` makes one of its source."
    if not _NAMED.fullmatch(wheel.name):
        raise BundleError(f"{wrong} Its name is podium-VERSION-py3-none-any.whl.")
    try:
        with zipfile.ZipFile(wheel) as archive:
            names = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
            return archive.read(names[0]).decode("utf-8")
    except (OSError, zipfile.BadZipFile, IndexError, UnicodeDecodeError) as err:
        raise BundleError(wrong) from err


def _distribution() -> metadata.Distribution:
    try:
        told = metadata.distribution(NAME)
    except metadata.PackageNotFoundError as err:
        raise BundleError(
            "Podium runs here without being installed, so that its requirements are not known. "
            "Install it from its source (`pip install .`), or name a wheel of it with "
            "--podium-wheel."
        ) from err
    if told.version != podium.__version__:
        raise BundleError(
            f"Podium {podium.__version__} runs here, but {told.version} is installed. Install it "
            "again (from its source: `pip install -e .`), or name a wheel of it with "
            "--podium-wheel."
        )
    return told


def _contents(told: metadata.Distribution) -> Iterator[tuple[str, bytes]]:
    """Yield the names and contents of the wheel's files, the record of all of them last."""
    folder = f"{NAME}-{told.version}.dist-info"
    files = {**_package(), **_metadata_files(told, folder), f"{folder}/WHEEL": _WHEEL.encode()}
    names = sorted(files, key=lambda name: (name.startswith(f"{folder}/"), name))
    for name in names:
        yield name, files[name]
    record = f"{folder}/RECORD"
    lines = [f"{name},sha256={_hash(files[name])},{len(files[name])}\n" for name in names]
    yield record, "".join([*lines, f"{record},,\n"]).encode()


def _package() -> dict[str, bytes]:
    top = Path(podium.__file__).parent
    return {
        f"{NAME}/{path.relative_to(top).as_posix()}": path.read_bytes()
        for path in top.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def _metadata_files(told: metadata.Distribution, folder: str) -> dict[str, bytes]:
    """Return the distribution's files that stand in every wheel of it, by their names there."""
    found = {}
    for path in told.files or ():
        top, _, name = path.as_posix().partition("/")
        if top.endswith(".dist-info") and _OWN.fullmatch(name):
            found[f"{folder}/{name}"] = path.read_binary()
    return found


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _TIME)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o100644 << 16
    return entry


def _hash(content: bytes) -> str:
    digest = hashlib.sha256(content).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")
