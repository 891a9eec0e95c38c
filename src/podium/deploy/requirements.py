"""requirements.txt of what goes along: the application's packages, then Podium's own wheel."""

from __future__ import annotations

import hashlib

from podium.bundle.lock import read_lock
from podium.bundle.packages import packages_of
from podium.bundle.target import Target as Machine
from podium.deploy.target import Deployment
from podium.errors import PYTORCH_INDEX


def requirements_of(app: Deployment, machine: Machine | None = None) -> str:
    """Return what pip installs, for the machine of requirements.lock, or for another.

    Without a lock it is this host's machine when left out.

    Raises:
        BundleError: a package brings CUDA along, or the lock is none of these packages.
    """
    lock = read_lock(app.folder, app.parsed, wheel=app.wheel)
    packages = (
        lock.packages if lock else packages_of(app.parsed, app.folder, machine, (), app.wheel)
    )
    index = f"--extra-index-url {PYTORCH_INDEX}\n" if packages.needs_torch else ""
    own = f"./{app.wheel.name}"
    if lock is None:
        return f"{index}{packages.text}{own}\n"
    digest = hashlib.sha256(app.wheel.read_bytes()).hexdigest()
    return f"{index}{lock.text}{own} \\\n    --hash=sha256:{digest}\n"
