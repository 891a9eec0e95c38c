"""What a target is: a platform, told what an application is and what is there already."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from math import ceil
from pathlib import Path
from typing import Any, Protocol

from msgspec import Struct, field

from podium.bundle.files import Bundle
from podium.deploy.facts import Facts
from podium.deploy.steps import Call, Secret, Step
from podium.folder import Parsed
from podium.hosting import DATASETS, LIMITS, RELEASE, STATE
from podium.spec.deploy import Hosted

Say = Callable[[str], None]
Files = dict[str, "str | bytes | Path"]
"""Files by their names: their text or bytes, or the file to copy."""


class Deployment(Struct, frozen=True, kw_only=True):
    """An application on its way to a platform: all from which files and steps are made.

    `version` is the hash of content and settings, `bundle` that content and `wheel` a wheel of
    Podium on this host: all three only where it is to be sent. `lowered` are the limits that the
    platform sets lower than [limits] (see `Facts.lowered`), and `datasets` says whether data sets
    are worked on there.
    """

    folder: Path
    parsed: Parsed
    settings: Any
    name: str
    version: str = ""
    bundle: Bundle = Bundle(())
    wheel: Path = Path()
    lowered: Mapping[str, str] = field(default_factory=dict)
    datasets: bool = True

    @property
    def hosted(self) -> Hosted:
        """The settings that all platforms share."""
        settings: Hosted = self.settings
        return settings

    @property
    def workers(self) -> int:
        """How many web workers serve there: as [server] says, or one a processor of [deploy]."""
        return self.parsed.spec.server.workers or ceil(getattr(self.settings, "cpu", 1))

    def environment(self, state: str | None = None) -> dict[str, str | Secret]:
        """Return the application's environment there; `state` is a folder that stays."""
        limits = "; ".join(f"{key}={told}" for key, told in self.lowered.items())
        return {
            **self.hosted.variables,
            **{name: Secret(name) for name in self.hosted.secrets},
            RELEASE: self.version,
            **({STATE: state} if state else {}),
            **({LIMITS: limits} if limits else {}),
            **({} if self.datasets else {DATASETS: "off"}),
        }


class Finding(Struct, frozen=True):
    """What does not fit: `fatal` where it could not work there; `told` says what, and the way out.

    What is not fatal is done otherwise there than here, and told before anything is sent.
    """

    told: str
    fatal: bool = False


class Live(Struct, frozen=True, kw_only=True):
    """What a platform has of an application; nothing, as it stands here.

    `version` is what visitors get (None where nothing serves, or what is no version of Podium's),
    `versions` are those that lie there, `unfinished` says that a change is under way. `details`
    are the target's own, such as names that the platform gave. `headers` let a request in where the
    platform does not let everybody ask; they are never shown. `trusted` is a certificate (PEM) that
    is believed beside those that this machine believes.
    """

    exists: bool = False
    version: str | None = None
    versions: tuple[str, ...] = ()
    address: str | None = None
    unfinished: bool = False
    details: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    trusted: str = ""


class Platform(Protocol):
    """A platform that is spoken to; its errors become DeployErrors in one place of a target.

    A DeployError tells what the platform said, and the way out.
    """

    def look(self) -> Live:
        """Return what is there; only reads."""

    def send(self, call: Call, files: Mapping[str, Path], say: Say) -> None:
        """Do what a step says; a call that waits streams the platform's events to `say`."""

    def reason(self) -> str:
        """Return why what was put there last does not become ready, in the platform's words."""

    def logs(self, follow: bool) -> Iterator[str]:
        """Yield what the application has written there."""


class Target(Protocol):
    """A platform before it is spoken to: offline, without its SDK and without credentials."""

    name: str
    title: str
    facts: Facts

    def files(self, app: Deployment) -> Files:
        """Return all files that go there or describe what does; the same for the same version."""

    def findings(self, app: Deployment, files: Files) -> Iterator[Finding]:
        """Yield what does not fit beside what `podium.deploy.checks` holds against the facts."""

    def plan(self, app: Deployment, live: Live) -> list[Step]:
        """Return what is done so that `app` serves, given what is there."""

    def back(self, app: Deployment, live: Live, version: str) -> list[Step]:
        """Return what is done so that a version that lies there serves (again)."""

    def removal(self, app: Deployment, live: Live) -> list[Step]:
        """Return what is done so that nothing is left of it, and nothing costs."""

    def address(self, app: Deployment, live: Live) -> str | None:
        """Return the address under which visitors reach it, as far as it is known."""

    def host(self, app: Deployment) -> str | None:
        """Return the name of its address, known beforehand: whole, or its ending from a dot on."""

    def connect(self, app: Deployment, environment: Mapping[str, str]) -> Platform:
        """Return the platform, spoken to with the credentials that its own tools would take.

        Raises:
            MissingExtra: its SDK is not installed.
            DeployError: there are no credentials, or a setting is missing.
        """
