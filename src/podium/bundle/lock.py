"""requirements.lock: every package pinned, with its hash, as pip's own resolver finds them."""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from podium.bundle.cuda import is_cuda
from podium.bundle.packages import Packages, packages_of
from podium.bundle.resolver import Found, Indexes, resolve
from podium.bundle.size import wheels_size
from podium.bundle.target import Target
from podium.errors import PYTORCH_INDEX, BundleError, counted
from podium.folder import Parsed, parse

FILE: Final = "requirements.lock"
_HEAD: Final = re.compile(
    r"# Made by podium lock from sha256:(?P<made_from>[0-9a-f]{64})\n"
    r"# Python (?P<python>3\.\d+) on Linux (?P<machine>\w+)(, podium\[(?P<extras>[\w,]+)\])?\n"
    r"# Installed size: (?P<size>\d+|unknown)\n"
)
_PIN: Final = re.compile(r"^([A-Za-z0-9][\w.-]*)==(\S+) \\$", re.MULTILINE)


class Lock(NamedTuple):
    """A lock as it stands in its file, and the packages that it was made for.

    `size` is what they take when installed, in bytes, without what an image leaves out; None
    where it could not be told of all.
    """

    text: str
    packages: Packages
    pins: dict[str, str]
    size: int | None

    @property
    def target(self) -> Target:
        """The Python and the machine whose wheels it names."""
        return self.packages.target


class Wishes(NamedTuple):
    """What the command line asks for; what is None is as it is here."""

    python: str | None = None
    machine: str | None = None
    index_url: str | None = None
    extra_index_urls: tuple[str, ...] = ()
    pytorch_index: str = PYTORCH_INDEX
    podium_wheel: Path | None = None
    extra: tuple[str, ...] = ()

    @property
    def target(self) -> Target:
        """The Python and the machine that the lock is for."""
        here = Target.here()
        return Target(self.python or here.python, self.machine or here.machine)

    @property
    def indexes(self) -> Indexes:
        """Where packages are looked for."""
        return Indexes(self.index_url, self.extra_index_urls, self.pytorch_index)


def lock_application(folder: Path, wishes: Wishes, say: Callable[[str], None]) -> None:
    """Write the lock of the application in `folder`.

    Raises:
        SpecError: podium.toml has mistakes.
        BundleError: as `packages_of` and `make_lock` say; the lock that was there stays.
    """
    packages = packages_of(parse(folder), folder, wishes.target, wishes.extra, wishes.podium_wheel)
    own = wishes.pytorch_index if packages.needs_torch else ""
    torch = f", PyTorch in {own}" if own else ""
    say(f"Finding versions for {packages.target.words}{torch} ...")
    lock = make_lock(packages, wishes.indexes, wishes.extra)
    file = folder / FILE
    part = file.with_name(f".{FILE}.part")
    try:
        part.write_text(lock.text, "utf-8")
        part.replace(file)
    except OSError as err:
        raise BundleError(f"{file} cannot be written: {err.strerror}") from err
    size = "" if lock.size is None else f", {lock.size / 1e6:,.1f} MB when installed"
    say(f"Wrote {file}: {counted(len(lock.pins), 'package')}{size}")


def check_lock(folder: Path, wishes: Wishes, say: Callable[[str], None]) -> None:
    """Tell that the lock of the application in `folder` fits.

    Raises:
        SpecError: podium.toml has mistakes.
        BundleError: there is no lock, or it does not fit.
    """
    lock = read_lock(folder, parse(folder), wishes.extra, wishes.podium_wheel)
    if lock is None:
        raise BundleError(f"There is no {folder / FILE}. Make it: podium lock {folder}")
    if (wishes.python or wishes.machine) and lock.target != wishes.target:
        raise BundleError(
            f"{folder / FILE} is for {lock.target.words}, not for {wishes.target.words}. Make it "
            f"anew: {_command(folder, wishes.target, wishes.extra)}"
        )
    say(f"{folder / FILE} fits: {counted(len(lock.pins), 'package')} for {lock.target.words}")


def make_lock(packages: Packages, indexes: Indexes, extras: Sequence[str] = ()) -> Lock:
    """Return a lock for packages; pip is asked, and nothing is installed or written.

    `extras` are those that were asked for, beyond what the application itself needs.

    Raises:
        BundleError: no versions go together, or what was found brings CUDA along.
    """
    found = resolve(packages, indexes)
    _refuse_cuda(found, packages)
    size = wheels_size(found, packages.target)
    told = "unknown" if size.unknown else size.bytes
    more = f", podium[{','.join(extras)}]" if extras else ""
    head = (
        f"# Made by podium lock from sha256:{_digest(packages)}\n"
        f"# {packages.target.words}{more}\n"
        f"# Installed size: {told}\n"
    )
    lines = (f"{one.line} \\\n    --hash=sha256:{one.sha256}\n" for one in found)
    return _parsed(head + "".join(lines), packages)


def read_lock(
    folder: Path, parsed: Parsed, extras: Sequence[str] = (), wheel: Path | None = None
) -> Lock | None:
    """Return the lock of the application in `folder`; None where there is none.

    `extras` and `wheel` are those of `packages_of`; the lock may have more extras.

    Raises:
        BundleError: it is no lock of Podium, or was made from other packages; with the command
            that renews it.
    """
    file = folder / FILE
    if not file.exists():
        return None
    text = file.read_text("utf-8", errors="replace")
    head = _HEAD.match(text)
    if head is None:
        raise BundleError(
            f"{file} was not made by podium lock. Remove it, or: podium lock {folder}"
        )
    target = Target(head["python"], head["machine"])
    asked = dict.fromkeys((*filter(None, (head["extras"] or "").split(",")), *extras))
    packages = packages_of(parsed, folder, target, tuple(asked), wheel)
    lock = _parsed(text, packages)
    lacking = ", ".join(line for line in packages.lines if not _meets(lock.pins, line))
    if lacking or _digest(packages) != head["made_from"]:
        raise BundleError(
            f"{file} was made from other packages than the application and this Podium need now"
            f"{lacking and f', such as {lacking}'}. Renew it: {_command(folder, target, asked)}"
        )
    return lock


def _parsed(text: str, packages: Packages) -> Lock:
    head = _HEAD.match(text)
    assert head is not None
    size = None if head["size"] == "unknown" else int(head["size"])
    pins = {str(canonicalize_name(name)): version for name, version in _PIN.findall(text)}
    return Lock(text, packages, pins, size)


def _command(folder: Path, target: Target, extras: Iterable[str]) -> str:
    """Return the command that makes a lock for the same target anew."""
    here = Target.here()
    options = [
        *(f"--extra {extra}" for extra in extras),
        *([f"--python {target.python}"] if target.python != here.python else []),
        *([f"--machine {target.machine}"] if target.machine != here.machine else []),
    ]
    return " ".join(["podium lock", shlex.quote(str(folder)), *options])


def _meets(pins: Mapping[str, str], line: str) -> bool:
    wanted = Requirement(line)
    version = pins.get(canonicalize_name(wanted.name))
    if version is None or wanted.url:
        return version is not None
    return wanted.specifier.contains(version, prereleases=True)


def _digest(packages: Packages) -> str:
    told = "\n".join((packages.target.words, *packages.lines))
    return hashlib.sha256(told.encode()).hexdigest()


def _refuse_cuda(found: Sequence[Found], packages: Packages) -> None:
    wrong = [one for one in found if is_cuda(one.name, one.version)]
    if not wrong:
        return
    named = ", ".join(f"{one.name} {one.version}" for one in wrong[:3])
    more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
    parts = {one.name for one in wrong}
    by = [f"{one.name} {one.version}" for one in found if one.name not in parts
          and any(_names(line) in parts for line in one.requires)]  # fmt: skip
    torch = (
        " Builds of PyTorch for processors have an index of their own: --pytorch-index."
        if packages.needs_torch else ""
    )  # fmt: skip
    raise BundleError(
        f"CUDA would come along, which no processor has a use for: {named}{more}, required by "
        f"{', '.join(by) or 'the application'}.{torch}"
    )


def _names(line: str) -> str:
    return canonicalize_name(Requirement(line).name)
