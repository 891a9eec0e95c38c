"""The image that some platforms pull: its files, and how it gets into its registry."""

from __future__ import annotations

import subprocess
from typing import Final

import msgspec

from podium.bundle.packages import packages_of
from podium.bundle.target import Target as Machine
from podium.container.facts import Container
from podium.container.render import files_of_models, render
from podium.deploy.requirements import lock_for
from podium.deploy.steps import Command, Step
from podium.deploy.target import Deployment, Files

CONTEXT: Final = "image"
"""The folder of the files that make the image."""
MACHINE: Final = "x86_64"
ARCHITECTURE: Final = "linux/amd64"
"""The only one that all platforms run."""
_ASK_S: Final = 60.0
_OURS: Final = ("compose.yaml", "nginx/")
"""What runs an image here, and which no platform has a use for."""


def image_files(app: Deployment) -> Files:
    """Return what `docker build` takes, under image/: the same files as of `podium build`.

    Raises:
        BundleError: a package brings CUDA along, or the lock is none of these packages.
        DeployError: the lock is for another kind of processor.
    """
    lock = lock_for(app, "an image", MACHINE)
    here = Machine.here()._replace(machine=MACHINE)
    packages = lock.packages if lock else packages_of(app.parsed, app.folder, here, (), app.wheel)
    container = Container(
        name=app.name, tag=app.name, spec=app.parsed.spec, packages=packages, lock=lock,
        wheel=app.wheel.name,
    )  # fmt: skip
    files = render(container, app.bundle, files_of_models(app.parsed, app.folder), app.wheel)
    return {f"{CONTEXT}/{name}": file for name, file in files.items() if not name.startswith(_OURS)}


def image_of(app: Deployment, otherwise: str = "") -> str:
    """Return the image with its tag, the version; `otherwise` is its name where none is set."""
    return f"{app.settings.image or otherwise}:{app.version}"


def image_steps(image: str, digest: str | None) -> list[Step]:
    """Return how an image gets into its registry; no step where `digest` tells that it is there.

    `docker` takes the credentials of `docker login`, and PYTHON_IMAGE and PYTORCH_INDEX from the
    environment, which name another image to build on and another index of PyTorch.
    """
    if digest is not None:
        return []
    arguments = ("--platform", ARCHITECTURE, "--build-arg", "PYTHON_IMAGE", "--build-arg",
                 "PYTORCH_INDEX", "--tag", image, CONTEXT)  # fmt: skip
    build, push = Command(("docker", "build", *arguments)), Command(("docker", "push", image))
    return [
        Step(
            "Build the image",
            "the application with all it needs, from the files in image/; its "
            "tag is the version, a hash of content and settings",
            build,
        ),
        Step("Push the image", "to its registry, from where the platform pulls it", push),
    ]


def digest_of(image: str) -> str | None:
    """Return the digest by which a registry has an image; None where it has none, or tells none.

    Only reads. An image that is pushed once more does no harm, so that no failure is told here.
    """
    if image.endswith(":"):  # without a version none is to be pushed
        return None
    # A registry on this machine has no TLS, which the engine takes as it is, and this command not.
    plain = ("--insecure",) if image.startswith(("localhost:", "127.")) else ()
    command = ("docker", "manifest", "inspect", *plain, "--verbose", image)
    try:
        told = subprocess.run(  # noqa: S603  the arguments are a list, not a shell's text
            command, capture_output=True, check=True, timeout=_ASK_S, stdin=subprocess.DEVNULL
        ).stdout
        found = msgspec.json.decode(told)
    except (OSError, subprocess.SubprocessError, msgspec.DecodeError):
        return None
    first = found[0] if isinstance(found, list) and found else found
    return str(first["Descriptor"]["digest"]) if isinstance(first, dict) else None
