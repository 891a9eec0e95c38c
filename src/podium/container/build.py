"""`podium build`: from an application folder to an image, and to the files that run it."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

from podium.bundle.files import Bundle, bundle_files
from podium.bundle.lock import read_lock
from podium.bundle.packages import packages_of
from podium.bundle.size import predicted_size
from podium.bundle.target import Target
from podium.bundle.wheel import podium_wheel
from podium.container.dockerfile import FIRST_STEP
from podium.container.facts import Container
from podium.container.render import Files, files_of_models, render
from podium.container.written import write_folder
from podium.errors import BundleError, ServeError, counted
from podium.folder import Parsed, parse

INSTALL: Final = "https://docs.docker.com/engine/install/"
PLATFORMS: Final = {"x86_64": "linux/amd64", "aarch64": "linux/arm64"}
"""An engine's words for the machines."""

OWN: Final = 30_000_000
"""Bytes of Podium itself, and of the bytecode that is made of all; measured."""

Say = Callable[[str], None]


class Wishes(NamedTuple):
    """What the command line asks for; `passed` goes to `docker build` as it is."""

    tag: str | None = None
    render: Path | None = None
    podium_wheel: Path | None = None
    extra: tuple[str, ...] = ()
    dry_run: bool = False
    passed: tuple[str, ...] = ()


def build(folder: Path, wishes: Wishes, say: Say) -> None:
    """Write the files of a container, and build its image unless only they are asked for.

    Raises:
        SpecError: podium.toml has mistakes.
        BundleError: the application cannot go along as it is.
        ServeError: Docker is missing, or cannot build the image.
    """
    folder = folder.resolve()
    parsed = parse(folder)
    bundle = bundle_files(folder, parsed)
    with TemporaryDirectory() as made:
        wheel = podium_wheel(Path(made), wishes.podium_wheel)
        container = _container(folder, parsed, wishes, wheel.name)
        files = render(container, bundle, files_of_models(parsed, folder), wheel)
        _tell(container, bundle, say)
        if wishes.dry_run:
            _show(files, say)
            return
        out = _out(folder, container.name, wishes.render)
        try:
            write_folder(out, files)
        except OSError as err:
            raise BundleError(
                f"{out} cannot be written: {err.strerror}. Choose another with --render."
            ) from err
    say(f"Wrote {counted(len(files), 'file')} to {out}")
    if wishes.render is None:
        _build_image(container, out, wishes.passed, say)
    else:
        say(f"Build it: {shlex.join(_command(container, out))}")
    say(f"Bring it up at https://localhost: {shlex.join(_up(out))}")


def _container(folder: Path, parsed: Parsed, wishes: Wishes, wheel: str) -> Container:
    """Return the facts: what the lock pins, or what would be installed today."""
    name = re.sub(r"[^a-z0-9]+", "-", folder.name.lower())[:40].strip("-") or "app"
    lock = read_lock(folder, parsed, wishes.extra, wishes.podium_wheel)
    packages = lock.packages if lock else packages_of(
        parsed, folder, extras=wishes.extra, wheel=wishes.podium_wheel
    )  # fmt: skip
    return Container(name=name, tag=wishes.tag or name, spec=parsed.spec, packages=packages,
                     lock=lock, wheel=wheel)  # fmt: skip


def _out(folder: Path, name: str, given: Path | None) -> Path:
    """Return where the files go: outside of the application, or they would go along next time."""
    here = Path.cwd()
    usual = folder.parent if here.is_relative_to(folder) else here
    out = (given or usual / f"{name}-container").resolve()
    if out.is_relative_to(folder):
        raise BundleError(
            f"{out} lies in the application, of which all goes along. Choose a folder outside of "
            f"{folder} with --render."
        )
    return out


def _tell(container: Container, bundle: Bundle, say: Say) -> None:
    """Tell what goes along, and how large the image will be."""
    say(f"{container.spec.title}: {counted(len(bundle.files), 'file')}, {_mb(bundle.size)}")
    for file in bundle.largest():
        say(f"  {_mb(file.size):>12}  {file.name}")
    if bundle.left_out:
        say(f"Left out: {', '.join(bundle.left_out)}")
    size, told = _packages_size(container)
    say(f"Packages: {_mb(size)}, {told}")
    say(f"Above its base image, the image will have about {_mb(size + OWN + bundle.size)}.")


def _packages_size(container: Container) -> tuple[int, str]:
    """Return what the packages will take, and how that is known."""
    if container.lock is not None and container.lock.size is not None:
        return container.lock.size, "as requirements.lock pins them"
    told = predicted_size(container.packages)
    newest = (
        "" if container.lock else "; the build takes the newest, unless `podium lock` pins them"
    )
    unknown = f", without {', '.join(told.unknown)}" if told.unknown else ""
    return told.bytes, f"as they are installed here{unknown}{newest}"


def _show(files: Files, say: Say) -> None:
    for name, content in files.items():
        text = content if isinstance(content, str) else f"(a copy of {content})\n"
        say(f"# {name}\n{text}")


def _build_image(container: Container, out: Path, passed: tuple[str, ...], say: Say) -> None:
    docker = shutil.which("docker")
    if docker is None:
        raise ServeError(
            f"Docker is not installed: {INSTALL}. All files are in {out}; with another program, "
            f"build the image {container.tag} from there."
        )
    command = [docker, *_command(container, out, passed)[1:]]
    say(f"{shlex.join(command)}\n")
    # Engines before 23 have BuildKit, and use it only if told.
    environment = {"DOCKER_BUILDKIT": "1", **os.environ}
    if subprocess.run(command, env=environment).returncode:  # noqa: S603  a list, no shell's text
        raise ServeError("Docker has not built the image; what it said last tells why.")
    size = _engine_says(docker, container.tag)
    own = _own_layers(docker, container.tag)
    above = f", of which {_mb(own)} above its base image" if own else ""
    say(f"\n{container.tag}: {_mb(size)}{above}")


def _command(container: Container, out: Path, passed: tuple[str, ...] = ()) -> list[str]:
    """Return the command that builds the image, for another machine where the lock is for one.

    Named alone, an argument has its value from the environment, or that of the Dockerfile.
    """
    packages = container.packages
    arguments = ["PYTHON_IMAGE", *(["PYTORCH_INDEX"] if packages.needs_torch else [])]
    machine = packages.target.machine
    return ["docker", "build", "--tag", container.tag,
            *(word for name in arguments for word in ("--build-arg", name)),
            *(["--platform", PLATFORMS[machine]] if machine != Target.here().machine else []),
            *passed, str(out)]  # fmt: skip


def _up(out: Path) -> list[str]:
    return ["docker", "compose", "-f", str(out / "compose.yaml"), "up", "-d", "--wait"]


def _engine_says(docker: str, image: str) -> int:
    """Return an image's size in bytes; 0 where the engine does not tell it."""
    told = _asked(docker, "image", "inspect", "--format", "{{.Size}}", image)
    return int(told) if told.strip().isdecimal() else 0


def _own_layers(docker: str, image: str) -> int:
    """Return the bytes of an image's layers above its base, which an engine need not have."""
    form = "{{.Size}} {{.CreatedBy}}"
    told = _asked(docker, "history", "--no-trunc", "--human=false", "--format", form, image)
    own = 0
    for line in told.splitlines():  # the newest first
        size, _, made_by = line.partition(" ")
        own += int(size)
        if FIRST_STEP in made_by:
            return own
    return 0


def _asked(docker: str, *arguments: str) -> str:
    told = subprocess.run([docker, *arguments], capture_output=True, text=True)  # noqa: S603  a list
    return told.stdout if told.returncode == 0 else ""


def _mb(size: int) -> str:
    return f"{size / 1e6:,.1f} MB" if size >= 1e6 else f"{size / 1e3:,.1f} kB"
