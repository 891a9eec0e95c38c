"""Which versions go together: pip's own resolver is asked; nothing is installed."""

from __future__ import annotations

import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

import msgspec
from packaging.utils import canonicalize_name, parse_wheel_filename

from podium.bundle.packages import SOURCES, TORCH, Packages, line_of, name_of
from podium.bundle.target import Target
from podium.errors import PYTORCH_INDEX, BundleError


class Indexes(NamedTuple):
    """Where packages are looked for; what is None is left to pip's own configuration.

    `pytorch` is searched as well where PyTorch is needed, which then comes from there; "" for no
    such index.
    """

    main: str | None = None
    extra: tuple[str, ...] = ()
    pytorch: str = PYTORCH_INDEX


class Found(NamedTuple):
    """A file that the resolver chose, mostly a wheel; `direct` where a requirement named it."""

    name: str
    version: str
    sha256: str
    url: str
    direct: bool
    requires: tuple[str, ...]

    @property
    def line(self) -> str:
        """The package pinned, as a requirement."""
        return f"{self.name} @ {self.url}" if self.direct else f"{self.name}=={self.version}"


def resolve(packages: Packages, indexes: Indexes) -> tuple[Found, ...]:
    """Return the files to install for the packages and all that they require, sorted by name.

    On the very target pip may choose a package's source where there is no wheel; from elsewhere
    only wheels can be chosen, but for SOURCES.

    Raises:
        BundleError: pip is not installed, or finds no versions that go together.
    """
    if find_spec("pip") is None:
        raise BundleError(f"pip is needed to find versions: {sys.executable} -m ensurepip")
    options, target = _options(indexes), packages.target
    lines, sources = list(packages.lines), {}
    if not _is_here(target):
        apart = [line for line in lines if name_of(line) in SOURCES]
        sources = _ask(apart, ["--no-deps", "--no-binary", ":all:", *options])
        lines = [line for line in lines if line not in apart]
        options += _elsewhere(target)
    if packages.needs_torch and indexes.pytorch:
        lines += _torch_pins(lines, target, indexes)
        options += ["--extra-index-url", indexes.pytorch]
    while True:
        found = {**_ask(lines, options), **sources}
        needed = target.closure([*lines, *sources], partial(_requires, found))
        # pip reads markers as those of this machine; what only the target needs is asked for.
        missing = [line_of(one) for name, one in needed.items() if name not in found]
        if not missing:
            chosen = tuple(found[name] for name in sorted(needed))
            _refuse_newer(chosen, target)
            return chosen
        lines += missing


def _is_here(target: Target) -> bool:
    """Whether what fits this Python is what fits the target."""
    return target == Target.here() and platform.libc_ver()[0] == "glibc"


def _elsewhere(target: Target) -> list[str]:
    """Return the options with which pip chooses wheels for another Python or machine."""
    platforms = (part for tag in target.platforms for part in ("--platform", tag))
    return ["--only-binary", ":all:", "--implementation", "cp", "--python-version", target.python,
            *platforms]  # fmt: skip


def _torch_pins(lines: Sequence[str], target: Target, indexes: Indexes) -> list[str]:
    """Return PyTorch as its index has it; the main one may have a newer version, for CUDA."""
    wanted = [line for line in lines if name_of(line) in TORCH]
    own = Indexes(indexes.pytorch)
    found = _ask(wanted, _options(own) + ([] if _is_here(target) else _elsewhere(target)))
    return [found[name].line for name in TORCH if name in found]


def _refuse_newer(found: Iterable[Found], target: Target) -> None:
    """Raise BundleError for a wheel that fits this machine alone, of a newer system."""
    known = {"any", *target.platforms}
    for one in found:
        file = PurePosixPath(unquote(urlsplit(one.url).path)).name
        tags = parse_wheel_filename(file)[-1] if file.endswith(".whl") else ()
        if tags and known.isdisjoint(tag.platform for tag in tags):
            raise BundleError(
                f"{file} is for a newer Linux than an image's, Debian bookworm. Ask for an older "
                f"{one.name} in requirements."
            )


def _requires(found: Mapping[str, Found], name: str) -> Sequence[str]:
    return found[name].requires if name in found else ()


def _options(indexes: Indexes) -> list[str]:
    main = ["--index-url", indexes.main] if indexes.main else []
    return [*main, *(part for url in indexes.extra for part in ("--extra-index-url", url))]


def _ask(lines: Sequence[str], options: Sequence[str]) -> dict[str, Found]:
    """Return what pip would install for requirements, by its name."""
    with tempfile.TemporaryDirectory(prefix="podium-") as name:
        wanted, report = Path(name) / "requirements.txt", Path(name) / "report.json"
        wanted.write_text("".join(f"{line}\n" for line in lines), "utf-8")
        command = [
            sys.executable, "-m", "pip", "install", "-qq", "--dry-run", "--ignore-installed",
            "--disable-pip-version-check", "--no-input", "--retries", "2", "--prefer-binary",
            # pip before 24 takes platforms only with a target, which a dry run does not touch.
            "--target", str(Path(name) / "target"), "--report", str(report), *options,
            "-r", str(wanted),
        ]  # fmt: skip
        done = subprocess.run(  # noqa: S603  this Python's pip
            command, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise BundleError(_told(done.stderr))
        listed = msgspec.json.decode(report.read_bytes())["install"]
    return {one.name: one for one in map(_found, listed)}


def _found(told: Mapping[str, Any]) -> Found:
    metadata, download = told["metadata"], told["download_info"]
    name, url = canonicalize_name(metadata["name"]), download["url"]
    sha256 = download.get("archive_info", {}).get("hashes", {}).get("sha256")
    if not sha256 or (told["is_direct"] and url.startswith("file:")):
        raise BundleError(
            f"{name} comes from {url}, which a lock cannot pin. Put a wheel of it on an index, and "
            "name it by its version."
        )
    requires = tuple(metadata.get("requires_dist", ()))
    return Found(name, metadata["version"], sha256, url, told["is_direct"], requires)


def _told(stderr: str) -> str:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    why = "\n".join(f"  {line}" for line in lines[-12:]) or "  It says nothing."
    return (
        f"pip finds no versions that go together:\n{why}\n"
        "Change requirements in podium.toml, or name another index with --index-url or "
        "--extra-index-url."
    )
