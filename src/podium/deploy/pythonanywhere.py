"""PythonAnywhere: a classic WSGI web application, the models in the process that answers.

What is uploaded lies in the account's home, and the WSGI file of its domain names what serves: to
go back is to write that file again. Packages are installed in a console, which a browser starts.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec import Struct

from podium.deploy.facts import facts_of
from podium.deploy.pythonanywhere_files import (
    ARCHIVE,
    INSTALL,
    REQUIREMENTS,
    WSGI,
    environment_of,
    files_of,
    machine_of,
    packages_there,
    python_of,
    release_of,
    size_of,
    split,
    wsgi_of,
)
from podium.deploy.steps import Call, Step
from podium.deploy.target import Deployment, Files, Finding, Live, Platform
from podium.spec.deploy import PythonAnywhere as Settings
from podium.strict import Size

USERNAME: Final = "USERNAME"
"""Stands for the account where none is named, as offline."""
INSTALLED: Final = "POST consoles/, POST consoles/ID/send_input/"
"""The calls that type a line into a console; then it is waited until what it makes is there."""
OLDEST: Final = 11
_MEGABYTE: Final = 1_000_000
_TOOLS: Final = 25_000_000
"""Bytes of an environment with pip, without packages."""
_BLOCKS: Final = 1.05
"""How much more a disk takes than files have bytes."""
_DOWNLOADS: Final = 1.25
"""How much more while pip installs a few at a time. All three were measured with the demos."""


class There(Struct, frozen=True, kw_only=True):
    """What the account has of an application; nothing, as it stands here.

    `web_app` is its configuration in the words of the API, `releases` what lies there whole by its
    versions, `parts` the files of those that do not, `environments` the virtual environments that
    are whole, `others` those that are not. `named` is the release that the WSGI file names,
    `served` the version that was noted before another got its turn, and `begun` says whether the
    web application was made for this one.
    """

    web_app: Mapping[str, Any] | None = None
    releases: Mapping[str, str] = {}
    parts: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    named: str | None = None
    served: str | None = None
    begun: bool = False


class PythonAnywhere:
    """PythonAnywhere."""

    name = "pythonanywhere"
    title = "PythonAnywhere"
    facts = facts_of("pythonanywhere")

    def files(self, app: Deployment) -> Files:
        """Return the archive, the WSGI file, and how packages are installed."""
        return files_of(app)

    def findings(self, app: Deployment, files: Files) -> Iterator[Finding]:  # noqa: ARG002
        """Yield what does not fit the account, and what its web applications cannot do."""
        if username_of(app) == USERNAME:
            yield Finding(
                f"No account is named: {USERNAME} stands for it, in the address in small letters. "
                "[deploy.pythonanywhere] username "
                "or PYTHONANYWHERE_USERNAME names it."
            )
        yield from _access(app)
        yield from _room(app)
        yield from _packages(app)

    def plan(self, app: Deployment, live: Live) -> list[Step]:
        """Return the steps: a web app, packages where they are new, the archive, then its turn."""
        there, release = there_of(live), release_of(app)
        steps = [*_web_app(app, there), *_noted(app, live), *_tidied(app, live)]
        if environment_of(app) not in there.environments:
            steps += _installed(app, environment_of(app), upload=True)
        if there.releases.get(app.version) != release:
            archive = f"POST files/path{place_of(app)}/versions/{release}.zip"
            steps.append(Step("Upload the archive", "this version is not there yet",
                              Call(archive, {}, ARCHIVE)))  # fmt: skip
        # After the archive: a release that has no variables is not there whole.
        variables = f"{place_of(app)}/versions/{release}.json"
        steps.append(Step(
            "Set the variables", "the WSGI file reads them from a file that nobody else may read",
            Call(f"POST files/path{variables}", {"json": app.environment()}),
        ))  # fmt: skip
        return [*steps, *_turn(app, there, release, file=WSGI)]

    def back(self, app: Deployment, live: Live, version: str) -> list[Step]:
        """Return how a version that lies there serves: by the WSGI file, with its own packages."""
        there = there_of(live)
        release = there.releases[version]
        environment = split(release)[1]
        whole = environment in there.environments
        steps = [] if whole else _installed(app, environment, upload=False)
        return [*steps, *_turn(app, there, release)]

    def removal(self, app: Deployment, live: Live) -> list[Step]:
        """Return how web application, WSGI file and all files are removed."""
        there, steps = there_of(live), []
        if there.web_app is not None:
            steps = [
                Step("Remove the web app", "its address is free then",
                     Call(f"DELETE webapps/{domain_of(app)}/")),
                Step("Remove the WSGI file", "it names what is removed next",
                     Call(f"DELETE files/path{wsgi_path(app)}")),
            ]  # fmt: skip
        return [*steps, Step("Remove the folder", "kept answers and keys go with it",
                             Call(f"DELETE files/path{place_of(app)}"))]  # fmt: skip

    def address(self, app: Deployment, live: Live) -> str | None:
        """Return the address of the domain, with the base path."""
        return address_of(app) if live.exists else None

    def host(self, app: Deployment) -> str | None:
        """Return the domain, once an account is named."""
        named = username_of(app) != USERNAME or app.settings.domain
        return domain_of(app) if named else None

    def connect(self, app: Deployment, environment: Mapping[str, str]) -> Platform:
        """Return the platform, asked with the account's API token.

        Raises:
            MissingExtra: pythonanywhere-core is not installed.
            DeployError: no account is named, or there is no token.
        """
        from podium.deploy.pythonanywhere_platform import PythonAnywherePlatform

        return PythonAnywherePlatform(app, environment)


def username_of(app: Deployment, environment: Mapping[str, str] = os.environ) -> str:
    """Return the name of the account."""
    settings: Settings = app.settings
    return settings.username or environment.get("PYTHONANYWHERE_USERNAME") or USERNAME


def domain_of(app: Deployment) -> str:
    """Return the name under which visitors reach it."""
    settings: Settings = app.settings
    own = f"{username_of(app)}.{site_of(app).removeprefix('www.')}"
    return (settings.domain or own).lower()


def site_of(app: Deployment, environment: Mapping[str, str] = os.environ) -> str:
    """Return the host of the platform itself, in the US or in the EU."""
    settings: Settings = app.settings
    return environment.get("PYTHONANYWHERE_SITE") or settings.host


def address_of(app: Deployment) -> str:
    """Return the address under which visitors reach it, once it serves."""
    return f"https://{domain_of(app)}{app.parsed.spec.server.base_path}"


def wsgi_path(app: Deployment) -> str:
    """Return where the platform looks for the WSGI file of the domain."""
    return f"/var/www/{domain_of(app).replace('.', '_')}_wsgi.py"


def place_of(app: Deployment) -> str:
    """Return the folder of the application there."""
    return f"/home/{username_of(app)}/podium/{app.name}"


def there_of(live: Live) -> There:
    """Return what the account has; of nothing that is known, nothing."""
    there: There = live.details.get("there", There())
    return there


def _access(app: Deployment) -> Iterator[Finding]:
    """Yield who would not be answered, or let in without being asked."""
    spec = app.parsed.spec
    if "header" in spec.access.require and not spec.server.proxies:
        yield Finding(
            '[access] require: "header" would let in whoever sends that header, since no proxy of '
            "yours stands before the web app. Put one there, and say so: [server] proxies = 1; or "
            "ask for a key or a password.",
            fatal=True,
        )


def _room(app: Deployment) -> Iterator[Finding]:
    """Yield what of the quota packages and application take; that they do not fit is fatal."""
    size, disk = size_of(app), app.settings.disk
    exactly = int(_environment(size.bytes)) + _content(app)
    needed = Size(math.ceil(exactly / _MEGABYTE) * _MEGABYTE)
    if size.unknown:
        yield Finding(
            f"How large {', '.join(size.unknown)} is could not be told; the disk quota has {disk}."
        )
    way_out = (
        "What runs with ONNX Runtime alone fits a small account, PyTorch and TensorFlow do not: "
        "podium optimize makes ONNX files of models. For a larger account: "
        "[deploy.pythonanywhere] disk."
    )
    told = f"installed, packages and application take {needed}"
    if exactly > disk:
        yield Finding(f"The disk is too small: {told}, and its quota is {disk}. {way_out}", True)
    elif _environment(size.bytes, _DOWNLOADS) + _content(app) > disk:
        yield Finding(f"The disk is nearly full then: {told} of {disk}. {way_out}")
    elif not size.unknown:
        yield Finding(f"The disk quota is enough: {told} of {disk}. {way_out}")


def _environment(packages: int, factor: float = _BLOCKS) -> float:
    """Return what a virtual environment takes on a disk, in bytes."""
    return _TOOLS + factor * packages


def _content(app: Deployment) -> int:
    """Return the bytes of the application and of Podium: unpacked, and once more as an archive."""
    return 2 * (app.bundle.size + app.wheel.stat().st_size)


def _packages(app: Deployment) -> Iterator[Finding]:
    python = machine_of(app).python
    if int(python.partition(".")[2]) < OLDEST:
        yield Finding(
            f"Podium needs Python 3.{OLDEST} or newer, and not {python}: [deploy.pythonanywhere] "
            'python = "3.13". The account has it with the system image "innit".',
            fatal=True,
        )
    if "tensorflow" in packages_there(app).extras:
        yield Finding(
            "TensorFlow probably does not start in a web app, as the platform says itself "
            "(https://help.pythonanywhere.com/pages/MachineLearningInWebsiteCode): make ONNX files "
            "of its models, podium optimize."
        )


def _noted(app: Deployment, live: Live) -> Iterator[Step]:
    """Yield how the version that answers is noted, before another one gets its turn."""
    if live.version not in (None, app.version, there_of(live).served):
        yield Step(
            "Note which version serves", "it stays until another one has proved to serve, too",
            Call(f"POST files/path{place_of(app)}/served", {"text": live.version}),
        )  # fmt: skip


def _tidied(app: Deployment, live: Live) -> Iterator[Step]:
    """Yield how what no version needs that serves now or next is removed: the disk is small.

    Where none answers, the one that did last stays as well: what the WSGI file names may be broken.
    """
    there, place = there_of(live), place_of(app)
    serving = there.releases.get(live.version or "", there.named)
    before = there.releases.get(there.served or "") if live.version is None else None
    needing = [split(release) for release in (serving, before) if release]
    kept = {app.version, *(version for version, _ in needing)}
    for version, release in there.releases.items():
        if version not in kept:
            for name in (release, f"{release}.zip", f"{release}.json"):
                yield _removed(f"{place}/versions/{name}", "only the version before is kept")
    for name in there.parts:
        if split(name)[0] not in kept:
            yield _removed(f"{place}/versions/{name}", "its version is not there whole")
    needed = {environment_of(app), *(environment for _, environment in needing)}
    whole = len(needed) * _environment(size_of(app).bytes, _DOWNLOADS) + _content(app)
    for name in (*there.environments, *there.others):
        if name not in needed:
            yield from _without(place, name, "no version needs it that is kept")
        elif whole > app.settings.disk and name != environment_of(app):
            yield from _without(place, name, "two do not fit the disk quota")


def _without(place: str, environment: str, why: str) -> Iterator[Step]:
    for ending in (".whole", ""):
        yield _removed(f"{place}/environments/{environment}{ending}", why)


def _removed(path: str, why: str) -> Step:
    return Step(f"Remove {path.rpartition('/')[2]}", why, Call(f"DELETE files/path{path}"))


def _installed(app: Deployment, environment: str, upload: bool) -> list[Step]:
    """Return how a virtual environment is made, in a console."""
    place, python = place_of(app), python_of(environment)
    line = f"python{python} ~/podium/{app.name}/{INSTALL} {environment}"
    folder = f"{place}/environments"
    wanted = Step("Upload the list of packages", "no virtual environment has these yet",
                  Call(f"POST files/path{folder}/{environment}.txt", {}, REQUIREMENTS))  # fmt: skip
    program = Step("Upload what installs them", "a program that is run in a console",
                   Call(f"POST files/path{place}/{INSTALL}", {}, INSTALL))  # fmt: skip
    install = Step(
        "Install the packages", "in a console, which only a browser can start: you are told its "
        "address; open it, and the line is typed by itself (if it is not, paste it). This happens "
        "once for a set of packages",
        Call(INSTALLED, {"line": line, "working_directory": place,
                         "whole": f"{folder}/{environment}.whole",
                         "failed": f"{folder}/{environment}.failed"}),
    )  # fmt: skip
    return [wanted, program, install] if upload else [install]


def _web_app(app: Deployment, there: There) -> Iterator[Step]:
    if there.web_app is None:
        domain = domain_of(app)
        if not there.begun:
            note = Call(f"POST files/path{place_of(app)}/domain", {"text": domain})
            yield Step("Note the domain", "a run that is interrupted next knows its web app", note)
        payload = {"domain_name": domain, "python_version": _python(machine_of(app).python)}
        yield Step("Make the web app", "there is none of this name", Call("POST webapps/", payload))


def _turn(app: Deployment, there: There, release: str, file: str = "") -> Iterator[Step]:
    """Yield how a release gets the visitors; its WSGI file is that of `file`, or made here."""
    domain, environment = domain_of(app), split(release)[1]
    web_app, python = there.web_app or {}, python_of(environment)
    if web_app.get("python_version", python) != python:
        # Before the environment: one of another Python is refused.
        call = Call(f"PATCH webapps/{domain}/", {"python_version": _python(python)})
        yield Step(f"Set Python {python}", f"the web app has {web_app['python_version']}", call)
    told = {
        "virtualenv_path": f"{place_of(app)}/environments/{environment}",
        "source_directory": place_of(app),
        "force_https": "true",
    }
    if any(str(web_app.get(key)).lower() != value.lower() for key, value in told.items()):
        yield Step("Set virtual environment, folder and HTTPS",
                   "it runs with these packages, and leads visitors to HTTPS",
                   Call(f"PATCH webapps/{domain}/", told))  # fmt: skip
    content = {} if file else {"text": wsgi_of(app, release)}
    yield Step("Write the WSGI file", f"it names version {split(release)[0]}",
               Call(f"POST files/path{wsgi_path(app)}", content, file))  # fmt: skip
    yield Step("Reload the web app", "it then imports the WSGI file, which loads the models",
               Call(f"POST webapps/{domain}/reload/"))  # fmt: skip


def _python(version: str) -> str:
    """Return a Python as the API names it: "python311"."""
    return f"python{version.replace('.', '')}"
