"""What goes to PythonAnywhere: the application as an archive, its packages, and the WSGI file.

At the account's home they lie in podium/NAME: versions/ holds a folder a version, unpacked from its
archive by the WSGI file, environments/ the virtual environments, and state/ what outlives versions.
A virtual environment is made anew only where other packages are needed.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from string import Template
from typing import Final

from podium.bundle.packages import Packages, name_of, packages_of
from podium.bundle.size import Predicted, predicted_size
from podium.bundle.target import Target as Machine
from podium.deploy.prepare import DIGITS
from podium.deploy.requirements import lock_for, lock_of
from podium.deploy.target import Deployment, Files
from podium.errors import PYTORCH_INDEX

ARCHIVE: Final = "bundle.zip"
INSTALL: Final = "install.py"
REQUIREMENTS: Final = "requirements.txt"
WSGI: Final = "wsgi.py"
PROXIES: Final = 1
"""The platform's own, which adds who asks to X-Forwarded-For."""
_SERVER: Final = ("gunicorn", "gunicorn-h1c")
"""Packages of Podium's own server: the platform brings one."""
_LOCKED: Final = re.compile(
    rf"^(?:{'|'.join(_SERVER).replace('-', '[-_.]')})==.*\\\n(?:    --hash=.*\n)+", re.MULTILINE
)
_RELEASED: Final = re.compile(r'^RELEASE = "([\w.-]+)"$', re.MULTILINE)
_MADE: Final = '"""{}: made by podium deploy'
_WSGI: Final = Template("""\
\"""$name: made by podium deploy, which writes this file anew each time.\"""

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from zipfile import ZipFile

RELEASE = "$release"
place = Path.home() / "podium" / "$name"
folder = place / "versions" / RELEASE
archive = folder.parent / f"{RELEASE}.zip"
variables = folder.parent / f"{RELEASE}.json"


def unpack():
    part = Path(tempfile.mkdtemp(prefix=".", dir=folder.parent))
    try:
        ZipFile(archive).extractall(part)
        for wheel in part.glob("*.whl"):
            ZipFile(wheel).extractall(part / "lib")
            wheel.unlink()
        part.rename(folder)
        archive.unlink()
    except OSError:
        shutil.rmtree(part, ignore_errors=True)
        if not folder.exists():  # else another worker was faster
            raise


if not folder.exists():
    unpack()
variables.chmod(0o600)
os.environ.update(json.loads(variables.read_text("utf-8")))
sys.path.insert(0, str(folder / "lib"))

from podium.web.hosted import application_of

application = application_of(folder / "app", state=place / "state", proxies=$proxies)
""")


def files_of(app: Deployment) -> Files:
    """Return all that goes there.

    Raises:
        BundleError: a package brings CUDA along, or the lock is none of these packages.
        DeployError: the lock is for another Python or another kind of processor.
    """
    inside: dict[str, str | bytes | Path] = {
        app.wheel.name: app.wheel,
        **{f"app/{file.name}": file.path for file in app.bundle.files},
    }
    return {
        WSGI: wsgi_of(app, release_of(app)),
        REQUIREMENTS: requirements_of(app),
        INSTALL: Path(__file__).with_name("pythonanywhere_install.py").read_text("utf-8"),
        **{f"{ARCHIVE}/{name}": content for name, content in inside.items()},
    }


def wsgi_of(app: Deployment, release: str) -> str:
    """Return the WSGI file that lets a release serve."""
    proxies = app.parsed.spec.server.proxies + PROXIES
    return _WSGI.substitute(name=app.name, release=release, proxies=proxies)


def is_ours(wsgi: str, app: Deployment) -> bool:
    """Whether a WSGI file was made for this application."""
    return wsgi.startswith(_MADE.format(app.name))


def release_in(wsgi: str) -> str | None:
    """Return the release that a WSGI file lets serve."""
    found = _RELEASED.search(wsgi)
    return found and found[1]


def release_of(app: Deployment) -> str:
    """Return what this version is called there, by which its virtual environment is known too."""
    return f"{app.version}-{environment_of(app)}"


def split(release: str) -> tuple[str, str]:
    """Return version and virtual environment of a release."""
    version, _, environment = release.partition("-")
    return version, environment


def python_of(environment: str) -> str:
    """Return the Python of a virtual environment, such as "3.11"."""
    return environment.partition("-")[0]


def environment_of(app: Deployment) -> str:
    """Return the virtual environment's name: its Python, and a hash of what is installed."""
    told = hashlib.sha256(requirements_of(app).encode()).hexdigest()[:DIGITS]
    return f"{machine_of(app).python}-{told}"


def machine_of(app: Deployment) -> Machine:
    """Return the Python there, as [deploy], else requirements.lock, else this host has it."""
    lock = lock_of(app)
    here = Machine.here().python
    return Machine(app.settings.python or (lock.target.python if lock else here), "x86_64")


def requirements_of(app: Deployment) -> str:
    """Return what pip installs: the application's packages and Podium's, without its server."""
    machine = machine_of(app)
    lock = lock_for(app, "the account", machine.machine, machine.python)
    if lock is None:
        packages = packages_there(app)
        index = f"--extra-index-url {PYTORCH_INDEX}\n" if packages.needs_torch else ""
        return f"{index}{packages.text}"
    index = f"--extra-index-url {PYTORCH_INDEX}\n" if lock.packages.needs_torch else ""
    return f"{index}{_LOCKED.sub('', lock.text)}"


def packages_there(app: Deployment) -> Packages:
    """Return the packages that are installed there."""
    packages = packages_of(app.parsed, app.folder, machine_of(app), (), app.wheel)
    lines = tuple(line for line in packages.lines if name_of(line) not in _SERVER)
    return packages._replace(lines=lines)


def size_of(app: Deployment) -> Predicted:
    """Return what the packages take when they are installed, in bytes."""
    lock = lock_of(app)
    if lock is not None and lock.size is not None:
        return Predicted(lock.size)
    return predicted_size(packages_there(app))
