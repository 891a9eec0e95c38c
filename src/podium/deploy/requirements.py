"""What pip installs of what goes along: the application's packages, and requirements.lock."""

from __future__ import annotations

import hashlib

from podium.bundle.lock import Lock, read_lock
from podium.bundle.packages import packages_of
from podium.bundle.target import Target as Machine
from podium.deploy.target import Deployment
from podium.errors import PYTORCH_INDEX, DeployError


def lock_of(app: Deployment) -> Lock | None:
    """Return requirements.lock; None where there is none.

    Raises:
        BundleError: it is none of these packages.
    """
    return read_lock(app.folder, app.parsed, wheel=app.wheel)


def lock_for(app: Deployment, who: str, machine: str, python: str | None = None) -> Lock | None:
    """Return requirements.lock, made for the machine of `who`, such as "the instance".

    Raises:
        BundleError: it is none of these packages.
        DeployError: it is for another kind of processor, or another Python where one is told.
    """
    lock = lock_of(app)
    if lock is None or lock.target == (there := Machine(python or lock.target.python, machine)):
        return lock
    raise DeployError(
        f"{app.folder}/requirements.lock is for {lock.target.words}; {who} has {there.words}. Make "
        f"it anew: podium lock {app.folder} --python {there.python} --machine {there.machine}"
    )


def requirements_of(app: Deployment, machine: Machine | None = None) -> str:
    """Return requirements.txt with Podium's own wheel, for the machine of the lock, or for another.

    Without a lock it is this host's machine when left out.

    Raises:
        BundleError: a package brings CUDA along, or the lock is none of these packages.
    """
    lock = lock_of(app)
    packages = (
        lock.packages if lock else packages_of(app.parsed, app.folder, machine, (), app.wheel)
    )
    index = f"--extra-index-url {PYTORCH_INDEX}\n" if packages.needs_torch else ""
    own = f"./{app.wheel.name}"
    if lock is None:
        return f"{index}{packages.text}{own}\n"
    digest = hashlib.sha256(app.wheel.read_bytes()).hexdigest()
    return f"{index}{lock.text}{own} \\\n    --hash=sha256:{digest}\n"
