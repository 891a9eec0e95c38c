"""From an application folder to all that goes to a platform: offline, and the same each time."""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import shutil
import tarfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from podium.bundle.files import BundleFile, bundle_files
from podium.bundle.wheel import podium_wheel
from podium.deploy.target import Deployment, Files, Target
from podium.errors import DeployError
from podium.folder import parse

DIGITS: Final = 12
_TIME: Final = (1980, 1, 1, 0, 0, 0)
"""The earliest that a zip archive can tell."""


def named(target: Target, folder: Path) -> Deployment:
    """Return an application by its name at a platform, without what would be sent.

    That may be anything: it is neither looked for nor checked.

    Raises:
        SpecError: podium.toml has mistakes.
        DeployError: there is no name for it.
    """
    folder = folder.resolve()
    parsed = parse(folder)
    settings = getattr(parsed.spec.deploy, target.name.replace("-", "_"))
    return Deployment(
        folder=folder, parsed=parsed, settings=settings,
        name=settings.name or _name(folder, target), datasets=target.facts.datasets,
        lowered=target.facts.lowered(parsed.spec.limits),
    )  # fmt: skip


def prepare(target: Target, folder: Path, workplace: Path, wheel: Path | None) -> Deployment:
    """Return an application as it goes to a platform.

    Raises:
        SpecError: podium.toml has mistakes.
        BundleError: a file must not leave this machine, or `wheel` is none of Podium's.
        DeployError: there is no name for it.
    """
    app = named(target, folder)
    bundle = bundle_files(app.folder, app.parsed)
    made = podium_wheel(workplace / "wheels", wheel)
    version = _version(bundle.files, made, target.name, app.settings)
    return replace(app, bundle=bundle, wheel=made, version=version)


def write_files(files: Files, out: Path) -> Mapping[str, Path]:
    """Write files into a folder, emptied before, with archives of what goes along as one.

    What lies in a folder `bundle.zip/` or `bundle.tar.gz/` becomes the archive of that name: its
    entries are sorted and have fixed times, so that the same files make the same bytes.
    """
    _emptied(out)
    archives: dict[str, dict[str, str | bytes | Path]] = {}
    for name, content in sorted(files.items()):
        archive, _, inner = name.partition("/")
        if inner and is_archive(archive):
            archives.setdefault(archive, {})[inner] = content
        else:
            _write(out / name, content)
    for archive, inside in archives.items():
        pack = _zipped if archive.endswith(".zip") else _tarred
        pack(inside, out / archive)
    return {str(path.relative_to(out)): path for path in sorted(out.rglob("*")) if path.is_file()}


def is_archive(name: str) -> bool:
    """Whether a file is one that `write_files` packs."""
    return name in ("bundle.zip", "bundle.tar.gz")


def _name(folder: Path, target: Target) -> str:
    name = re.sub(r"[^a-z0-9]+", "-", folder.name.lower()).strip("-")[:39].strip("-")
    if not re.match("[a-z]", name):
        raise DeployError(
            f"The folder's name {folder.name!r} makes no name for {target.title}. Give one in "
            f'podium.toml:\n  [deploy.{target.name}]\n  name = "..."'
        )
    return name


def _version(files: Iterable[BundleFile], wheel: Path, target: str, settings: object) -> str:
    """Return the hash of content and settings, as hexadecimal digits."""
    whole = hashlib.sha256()
    for name, path in [*((f"app/{file.name}", file.path) for file in files), ("wheel", wheel)]:
        with path.open("rb") as read:
            digest = hashlib.file_digest(read, "sha256").hexdigest()
        whole.update(f"{digest} {name}\n".encode())
    whole.update(target.encode() + b"\n" + _encoded(settings))
    return whole.hexdigest()[:DIGITS]


def _encoded(settings: object) -> bytes:
    return msgspec.json.encode(settings, order="sorted", enc_hook=str)  # sizes are no plain numbers


def _emptied(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _write(file: Path, content: str | bytes | Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, Path):
        shutil.copyfile(content, file)
    else:
        file.write_bytes(content.encode() if isinstance(content, str) else content)


def _zipped(files: Mapping[str, str | bytes | Path], out: Path) -> None:
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, _TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o100644 << 16
            with archive.open(entry, "w", force_zip64=True) as write:
                for part in _parts(content):
                    write.write(part)


def _tarred(files: Mapping[str, str | bytes | Path], out: Path) -> None:
    with (
        out.open("wb") as whole,
        gzip.GzipFile("", "wb", 6, whole, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as archive,
    ):
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.mode = 0o644
            if isinstance(content, Path):
                entry.size = content.stat().st_size
                with content.open("rb") as read:
                    archive.addfile(entry, read)
            else:
                data = b"".join(_parts(content))
                entry.size = len(data)
                archive.addfile(entry, io.BytesIO(data))


def _parts(content: str | bytes | Path) -> Iterator[bytes]:
    if isinstance(content, Path):
        with content.open("rb") as read:
            while part := read.read(1 << 20):
                yield part
    else:
        yield content.encode() if isinstance(content, str) else content
