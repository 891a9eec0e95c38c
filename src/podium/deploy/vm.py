"""A server that is reached over ssh: `podium up` serves there, behind nginx."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Final

from podium.bundle.packages import SOURCES
from podium.bundle.target import MACHINES
from podium.bundle.target import Target as Machine
from podium.deploy.facts import facts_of
from podium.deploy.prepare import DIGITS
from podium.deploy.requirements import lock_of, requirements_of
from podium.deploy.steps import Call, Step
from podium.deploy.target import Deployment, Files, Finding, Live, Platform
from podium.deploy.vm_look import LOCK, MARK, WHOLE
from podium.errors import DeployError
from podium.spec.deploy import Vm as Settings
from podium.strict import Size

ARCHIVE: Final = "bundle.tar.gz"
HOST: Final = "HOST"
"""Stands for the server where none is named, as offline."""
OLDEST: Final = (3, 11)
_SOCKET: Final = len("/state/app-0123456/site/run/supervisor.sock")
_LONGEST: Final = 107
"""Bytes in the path of a Unix socket on Linux; source: unix(7)."""


class Vm:
    """A server over ssh."""

    name = "vm"
    title = "a server over ssh"
    facts = facts_of("vm")

    def files(self, app: Deployment) -> Files:
        """Return the bundle: the application, what it needs, and how it is served."""
        settings: Settings = app.settings
        # All is said, so that nothing stays as another version had it.
        up = {
            "domain": domain_of(app), "tls_self_signed": settings.tls == "self-signed",
            "tls_off": settings.tls == "off", "http_port": settings.http_port,
            "https_port": settings.https_port,
        }  # fmt: skip
        told = {"environment": environment_of(app), "up": up}
        made: dict[str, str | bytes | Path] = {
            "settings.json": f"{json.dumps(told, indent=2)}\n",
            "requirements.txt": requirements_of(app),
            app.wheel.name: app.wheel,
            **{f"app/{file.name}": file.path for file in app.bundle.files},
        }
        return {f"{ARCHIVE}/{name}": content for name, content in made.items()}

    def findings(self, app: Deployment, files: Files) -> Iterator[Finding]:  # noqa: ARG002
        """Yield what is not told, and what everybody on the way could read."""
        settings: Settings = app.settings
        if settings.host is None:
            yield Finding(f"No server is named: {HOST} stands for it. [deploy.vm] host names it.")
        if settings.folder.startswith("~") and settings.folder.partition("/")[0] != "~":
            yield Finding(
                f'[deploy.vm] folder = "{settings.folder}" is in the home folder of another user. '
                'Name it by its full path, as in "/srv/podium", or one of your own: "~/podium".',
                fatal=True,
            )
        if settings.tls == "certbot":
            yield Finding(_by_hand(app))
        if settings.tls == "off":
            yield Finding(
                'tls = "off": everybody on the way reads and changes what is sent, unless a proxy '
                "before the server encrypts."
            )

    def plan(self, app: Deployment, live: Live) -> list[Step]:
        """Return the steps: bundle, packages, variables, and then its turn.

        Raises:
            DeployError: the server lacks something; all that it does, at once.
        """
        wrong = list(_wrong(app, live.details)) if live.details else []
        if wrong:
            raise DeployError("\n".join([f"{app.settings.host} cannot serve {app.name} yet:",
                                         *(f"  {one}" for one in wrong)]))  # fmt: skip
        place, version = place_of(app), app.version
        steps = []
        if not live.exists:
            line = f"printf %s {app.name} > {place}/{MARK}"
            steps.append(_step(app, "Make the folder", f"{app.name} has none there yet", line))
        if version not in live.versions:
            steps.append(_copied(app))
        if environment_of(app) not in live.details.get("environments", ()):
            steps.append(_installed(app, version, environment_of(app)))
        steps.append(_step(
            app, "Set the variables", "its servers read them from a file that nobody else reads",
            _written(f"{place}/versions/{version}", "variables", "cat >"), input=app.environment(),
        ))  # fmt: skip
        return [*steps, _turn(app, version, environment_of(app))]

    def back(self, app: Deployment, live: Live, version: str) -> list[Step]:
        """Return how a version that lies there serves: with its own settings and packages."""
        environment = live.details["versions"][version]["environment"]
        there = environment in live.details["environments"]
        steps = [] if there else [_installed(app, version, environment)]
        return [*steps, _turn(app, version, environment)]

    def removal(self, app: Deployment, live: Live) -> list[Step]:
        """Return how it is ended and its folder removed."""
        place = place_of(app)
        steps = []
        if live.details["up"]:
            line = f"{place}/podium down {place}/app --state {place}/state"
            steps.append(_step(app, "End what runs", "requests that have begun are answered", line))
        what, why = "Remove the folder", "data sets and kept answers go with it"
        return [*steps, _step(app, what, why, f"rm -rf {place}")]

    def address(self, app: Deployment, live: Live) -> str | None:
        """Return the address that `podium up` tells."""
        scheme = "http" if app.settings.tls == "off" else "https"
        return live.address or (f"{scheme}://{domain_of(app)}/" if live.exists else None)

    def host(self, app: Deployment) -> str | None:
        """Return the name under which visitors reach it, once a server is named."""
        settings: Settings = app.settings
        return domain_of(app) if settings.host or settings.domain else None

    def connect(self, app: Deployment, environment: Mapping[str, str]) -> Platform:
        """Return the server; ssh finds its keys itself.

        Raises:
            DeployError: none is named.
        """
        from podium.deploy.vm_platform import VmPlatform

        if app.settings.host is None:
            raise DeployError(
                "No server is named. Name it as ssh knows it, in podium.toml:\n  [deploy.vm]\n"
                '  host = "user@server.example.org"'
            )
        return VmPlatform(app, _plain(app), domain_of(app), environment)


def domain_of(app: Deployment) -> str:
    """Return the name under which visitors reach it."""
    settings: Settings = app.settings
    return settings.domain or (settings.host or HOST).rpartition("@")[2]


def _by_hand(app: Deployment) -> str:
    """Return how a certificate is got, which its owner has to agree to."""
    settings: Settings = app.settings
    folder = settings.folder if settings.folder[0] in "/~" else f"~/{settings.folder}"
    site, domain = f"{folder}/{app.name}/state/app-*/site", domain_of(app)
    return (
        f"It is served without encryption until certbot has a certificate for {domain}, which is "
        "free. To get one, once, after the first deployment:\n"
        "  1. On the server: sudo apt-get install certbot\n"
        f"  2. On the server: sudo certbot certonly --webroot -w {site}/acme -d {domain} "
        f'--deploy-hook "$(ls {site}/certbot/renewed.sh)"\n'
        f"  3. Here: podium deploy vm {app.folder}"
    )


def place_of(app: Deployment) -> str:
    """Return the application's folder there, quoted for the shell."""
    return shlex.quote(_plain(app))


def environment_of(app: Deployment) -> str:
    """Return the name of the packages' folder: a hash of all that is installed into it."""
    told = (
        app.settings.python,
        requirements_of(app),
        hashlib.sha256(app.wheel.read_bytes()).hexdigest(),
    )
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:DIGITS]


def _plain(app: Deployment) -> str:
    folder: str = app.settings.folder
    first, _, rest = folder.partition("/")  # ssh begins in the home folder
    return str(PurePosixPath(rest if first == "~" else folder, app.name))


def _step(app: Deployment, what: str, why: str, line: str, file: str = "", **more: Any) -> Step:
    """Return a step that runs a shell's line there, while nobody else holds the lock."""
    lock = f"{_plain(app)}/{LOCK}"
    payload = {"host": app.settings.host or HOST, "lock": lock, "command": line, **more}
    return Step(what, why, Call("ssh", payload, file))


def _written(folder: str, name: str, command: str) -> str:
    """Return a line that makes a file which is there whole, or not at all."""
    return f"umask 077; {command} {folder}/.{name}; mv {folder}/.{name} {folder}/{name}"


def _copied(app: Deployment) -> Step:
    folder = f"{place_of(app)}/versions"
    part = f"{folder}/.{app.version}"
    line = (f"rm -rf {part}; mkdir -p {part}; tar -xzf - --no-same-owner -C {part}; "
            f"mv {part} {folder}/{app.version}")  # fmt: skip
    why = "this version is not there yet; its folder is there whole, or not at all"
    return _step(app, "Copy the bundle", why, line, ARCHIVE)


def _installed(app: Deployment, version: str, environment: str) -> Step:
    place = place_of(app)
    folder = f"{place}/environments/{environment}"
    python = shlex.quote(app.settings.python)
    # By its full name, which stands in the programs that are installed.
    line = (
        f"rm -rf {folder}; {python} -m venv {folder}; python=$(cd {folder}; pwd)/bin/python; "
        f'(cd {place}/versions/{version}; "$python" -m pip install --disable-pip-version-check '
        f"--no-input --progress-bar off -r requirements.txt); touch {folder}/{WHOLE}"
    )
    return _step(app, "Install the packages", "there is no environment with these yet", line)


def _turn(app: Deployment, version: str, environment: str) -> Step:
    place = place_of(app)
    python = f"{place}/environments/{environment}/bin/python"
    return _step(
        app, f"Let version {version} serve",
        "`podium up` starts it beside what serves, asks its examples, and lets it take its turn",
        f"exec {python} -m podium.deploy.vm_there {place} {version}",
    )  # fmt: skip


def _wrong(app: Deployment, there: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the server lacks, or has already."""
    settings: Settings = app.settings
    if there["system"] != "Linux":
        yield f"it runs {there['system']}; `podium up` needs Linux."
    if there["mark"] not in (None, app.name) or (there["mark"] is None and there["exists"]):
        yield (
            f"{there['folder']} is there, and not made by `podium deploy` for {app.name}. Name "
            "another folder or application: [deploy.vm] folder, name"
        )
    yield from _python(app, there)
    packages = {"nginx": "nginx-light", "flock": "util-linux"}
    missing = [name for name in there["missing"]
               if name != "openssl" or settings.tls == "self-signed"]  # fmt: skip
    if missing:
        named = " ".join(packages.get(name, name) for name in missing)
        yield f"{', '.join(missing)} is not installed there: sudo apt-get install {named}"
    ports = [settings.http_port] + ([settings.https_port] if settings.tls != "off" else [])
    if min(ports) < there["first_port"]:
        yield (
            f"ports below {there['first_port']} need root, and {there['user']} is not. Log in as "
            "root, take others ([deploy.vm] http_port, https_port), or once there: "
            f"sudo sysctl net.ipv4.ip_unprivileged_port_start={min(ports)}"
        )
    if not there["lingers"]:
        yield (
            "what runs ends when the user logs out. Once there: "
            f"sudo loginctl enable-linger {there['user']}"
        )
    if len(there["folder"].encode()) + _SOCKET > _LONGEST:
        yield (
            f"{there['folder']} is too long for a socket below it. Take a shorter one: "
            "[deploy.vm] folder, name"
        )
    yield from _room(app, there)


def _python(app: Deployment, there: Mapping[str, Any]) -> Iterator[str]:
    """Yield why the Python there does not do."""
    version = ".".join(map(str, there["python"]))
    if tuple(there["python"]) < OLDEST:
        yield (
            f"{app.settings.python} is Python {version} there; 3.11 or newer is needed. Install "
            'one, and name it: [deploy.vm] python = "python3.11"'
        )
    elif not there["venv"]:
        yield f"Python {version} cannot make environments there: sudo apt-get install python3-venv"
    if not there["compiles"] and environment_of(app) not in there["environments"]:
        yield (
            f"{', '.join(SOURCES)} is compiled where it is installed, and there is no C compiler, "
            "or not Python's header files: sudo apt-get install gcc python3-dev"
        )
    machine = Machine(version, there["machine"])
    lock = lock_of(app)
    fits = lock.target == machine if lock else machine.machine in MACHINES and (
        requirements_of(app, machine) == requirements_of(app))  # fmt: skip
    if not fits:
        theirs = f"requirements.lock is for {lock.target.words}" if lock else "other packages"
        yield (
            f"it has {machine.words}; {theirs}. Make a lock for it: podium lock {app.folder} "
            f"--python {version} --machine {machine.machine}"
        )


def _room(app: Deployment, there: Mapping[str, Any]) -> Iterator[str]:
    """Yield that the disk is too small, as far as sizes are known: two copies, and packages."""
    lock = lock_of(app)
    new = environment_of(app) not in there["environments"]
    packages = (lock.size or 0) if lock and new else 0
    copies = 0 if app.version in there["versions"] else 2 * app.bundle.size
    if copies + packages > there["free"]:
        yield (
            f"its disk has {Size(there['free'])} free; {Size(copies + packages)} are needed. Make "
            "room, or name a folder on another: [deploy.vm] folder"
        )
