"""How large the installed packages will be, told before anything is built."""

from __future__ import annotations

import io
import sys
import zipfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple
from urllib.parse import urlsplit
from urllib.request import Request, url2pathname, urlopen

from podium.bundle.cuda import is_cuda
from podium.bundle.packages import Packages
from podium.bundle.resolver import Found
from podium.bundle.target import Target

TEST_FOLDERS: Final = ("tests", "joblib/test", "sqlalchemy/testing", "torch/test")
"""Folders of packages that an image does without."""
SOURCE_ENDINGS: Final = (
    ".a", ".c", ".cc", ".cpp", ".cu", ".cuh", ".h", ".hpp", ".pxd", ".pxi", ".pyx", ".tp",
)  # fmt: skip
"""Endings of files of packages that an image does without: they serve compilers. Stubs (.pyi) stay,
since packages that load their parts lazily read them."""
C_LIBRARIES: Final = ("libonnxruntime.so*",)
"""Names of libraries for programs in C: the module that Python loads has all of one in itself."""
_TIMEOUT_S: Final = 30
_AT_ONCE: Final = 8
_TAILS: Final = (1 << 16, 1 << 23)
"""How much of a wheel's end is fetched: few tables of contents are larger than the first."""


class Predicted(NamedTuple):
    """Bytes of the installed packages; those of `unknown` could not be told and are not counted."""

    bytes: int
    unknown: tuple[str, ...] = ()


def is_kept(name: str) -> bool:
    """Whether an image keeps a file of a package, by its path in site-packages."""
    path = PurePosixPath(name)
    tests = any(folder.match(name) for folder in path.parents for name in TEST_FOLDERS)
    unused = path.suffix in (*SOURCE_ENDINGS, ".pyc") or any(map(path.match, C_LIBRARIES))
    return not tests and not unused and path.parts[0] != ".."


def predicted_size(packages: Packages) -> Predicted:
    """Return what the packages take, as they are installed here, without what an image leaves out.

    With a lock, its own size tells it of the very wheels.
    """
    names = packages.target.closure(packages.lines, _requires)
    wanted = [name for name in sorted(names) if not is_cuda(name)]
    return _summed(wanted, (_installed(name) for name in wanted))


def wheels_size(found: Sequence[Found], target: Target) -> Predicted:
    """Return what wheels take when they are installed, without what an image leaves out.

    Those that are installed here are measured here; of the others the table of contents is read,
    where they are, which may fetch a few hundred kilobytes.
    """

    def size(one: Found) -> int | None:
        if not one.url.endswith(".whl"):
            return _installed(one.name)  # a source does not tell; another version is as large
        here = _installed(one.name, one.version) if target == Target.here() else None
        return _wheel_size(one.url) if here is None else here

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return _summed([one.name for one in found], pool.map(size, found))


def _summed(names: Sequence[str], sizes: Iterable[int | None]) -> Predicted:
    told = dict(zip(names, sizes, strict=True))
    unknown = tuple(name for name, size in told.items() if size is None)
    return Predicted(sum(size or 0 for size in told.values()), unknown)


def _requires(name: str) -> Sequence[str]:
    try:
        return metadata.requires(name) or ()
    except metadata.PackageNotFoundError:
        return ()


def _installed(name: str, version: str | None = None) -> int | None:
    """Return the bytes of a package that is installed here as an image would have it, or None."""
    try:
        here = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return None
    other = version is not None and here.version != version
    if other or is_cuda(name, here.version) or not sys.platform.startswith("linux"):
        return None
    files = [file for file in here.files or () if is_kept(file.as_posix())]
    return sum(file.size or 0 for file in files) or None


def _wheel_size(url: str) -> int | None:
    """Return the bytes of a wheel's files as an image has them, or None if it cannot be read."""
    for length in _TAILS:
        try:
            # A zip archive has its table of contents at the end; its offsets are then corrected.
            with zipfile.ZipFile(io.BytesIO(_end_of(url, length))) as archive:
                return sum(one.file_size for one in archive.infolist() if is_kept(one.filename))
        except zipfile.BadZipFile:
            continue
        except (OSError, ValueError):
            return None
    return None


def _end_of(url: str, length: int) -> bytes:
    """Return the last bytes of what lies at an address; ValueError where it gives no part."""
    parts = urlsplit(url)
    if parts.scheme == "file":
        with Path(url2pathname(parts.path)).open("rb") as stream:
            stream.seek(max(0, stream.seek(0, io.SEEK_END) - length))
            return stream.read()
    if parts.scheme != "https":
        raise ValueError(f"{url} is not read")
    asked = Request(url, headers={"Range": f"bytes=-{length}"})  # noqa: S310  https
    with urlopen(asked, timeout=_TIMEOUT_S) as answer:  # noqa: S310  # nosec B310
        if answer.status != HTTPStatus.PARTIAL_CONTENT:
            raise ValueError(f"{url} is not sent in parts")
        return bytes(answer.read())
