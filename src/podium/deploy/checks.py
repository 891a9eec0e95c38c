"""An application held against a platform, before anything is sent."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from podium.deploy.memory import Unmeasured, needed_memory
from podium.deploy.prepare import is_archive
from podium.deploy.steps import SHORT
from podium.deploy.target import Deployment, Files, Finding, Target
from podium.strict import Size

DATABASE: Final = "PODIUM_DATABASE"
STORE: Final = "PODIUM_RATE_STORE"
_READ: Final = 1_000_000
_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}


def findings(
    target: Target, app: Deployment, files: Files, written: Mapping[str, Path],
    environment: Mapping[str, str], workplace: Path,
) -> Iterator[Finding]:  # fmt: skip
    """Yield what of an application does not fit a platform.

    What was measured of it is kept in the workplace.
    """
    yield from _limits(target, app)
    yield from _hosts(target, app)
    yield from _bundle(target, written)
    yield from _kept(target, app)
    yield from _several(app)
    yield from _datasets(target, app)
    yield from _architecture(target)
    yield from _leaks(app, files, environment)
    yield from _memory(target, app, lambda: needed_memory(app, workplace))
    yield from target.findings(app, files)


def _limits(target: Target, app: Deployment) -> Iterator[Finding]:
    for key, told in app.lowered.items():
        if key == "dataset" and not app.datasets:
            continue
        own = getattr(app.parsed.spec.limits, key)
        yield Finding(f"[limits] {key} is {told} at {target.title}, in place of {own}.")


def _hosts(target: Target, app: Deployment) -> Iterator[Finding]:
    """Yield that visitors would not be answered, nor the request that proves a deployment."""
    host = target.host(app)
    names = [name.lower() for name in app.parsed.spec.server.hosts]
    if host is None or not names:
        return
    if host.startswith("."):
        lists = any(name.endswith(host) for name in names)
        told = f"a name ending in {host}, such as {target.title} gives"
        way_out = "Leave hosts out until the first deployment has told the name, and add it then."
    else:
        lists, told = host.lower() in names, host
        way_out = f"Add it, or name another: [deploy.{target.name}] domain"
    if not lists:
        yield Finding(
            f"[server] hosts does not list {told}, so that nobody would be answered. {way_out}",
            fatal=True,
        )


def _bundle(target: Target, written: Mapping[str, Path]) -> Iterator[Finding]:
    most = target.facts.bundle
    for name, path in written.items():
        if most is not None and is_archive(name) and path.stat().st_size > most.value:
            yield Finding(
                f"{name} has {Size(path.stat().st_size)}; {target.title} takes "
                f"{Size(most.value)} ({most.source}). Leave out what is not needed "
                "(.podiumignore), or make the models smaller: podium optimize.",
                fatal=True,
            )


def _kept(target: Target, app: Deployment) -> Iterator[Finding]:
    """Yield what an application would keep, where nothing stays."""
    spec, disk = app.parsed.spec, target.facts.disk
    if disk.value:
        return
    ways = [way for way in spec.access.require if way != "header"]
    if ways:
        # With the header of a proxy the platform lets somebody in all the same.
        yield Finding(
            f"[access] require asks for a {' or a '.join(ways)}, kept in the state folder; "
            f"{target.title}: {disk.told} Nobody could be let in that way. Let the platform ask, "
            "or take one whose disk stays.",
            fatal=len(ways) == len(spec.access.require),
        )
    if spec.history.on and not _has_database(app):
        yield Finding(
            f"[history] on: links to answers do not hold at {target.title}. {disk.told} With "
            f"{DATABASE} among its secrets, the address of a PostgreSQL, they do."
        )


def _several(app: Deployment) -> Iterator[Finding]:
    """Yield what instances that share nothing would each keep for themselves."""
    _, most = getattr(app.settings, "instances", (1, 1))
    if most > 1 and app.parsed.spec.history.on and not _has_database(app):
        yield Finding(
            f"[history] on: {most} instances share no disk, so that a link to an answer would hold "
            f"at one of them alone. Name {DATABASE} among the secrets, the address of a "
            "PostgreSQL, or let instances end in 1.",
            fatal=True,
        )
    if most > 1 and app.parsed.spec.access.rate and not _has_store(app):
        yield Finding(
            f"[access] rate: each of up to {most} instances counts by itself. {STORE}, the address "
            "of a Redis, lets them count together."
        )


def _has_database(app: Deployment) -> bool:
    return DATABASE in (*app.hosted.secrets, *app.hosted.variables)


def _has_store(app: Deployment) -> bool:
    named = STORE in (*app.hosted.secrets, *app.hosted.variables)
    return named or app.parsed.spec.access.rate_store is not None


def _datasets(target: Target, app: Deployment) -> Iterator[Finding]:
    if not app.datasets:
        facts = target.facts
        told = [one.told for one in (facts.disk, facts.background) if not one.value]
        yield Finding(
            f"Whole data sets are off at {target.title}, and its page says so. {' '.join(told)} "
            f"`podium score` scores them here, and /predict takes "
            f"{app.parsed.spec.limits.rows:,} rows at once."
        )


def _architecture(target: Target) -> Iterator[Finding]:
    fact = target.facts.architecture
    here = _ARCHITECTURES.get(platform.machine(), platform.machine())
    if fact is not None and here != fact.value:
        yield Finding(
            f"{target.title}: {fact.told} This machine is {here}, so Docker emulates, which takes "
            "its time."
        )


def _leaks(app: Deployment, files: Files, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Yield where the value of a secret stands in a file."""
    values = {name: environment[name].encode() for name in app.hosted.hidden
              if len(environment.get(name, "")) >= SHORT}  # fmt: skip
    for file, content in files.items() if values else ():
        found = {name for part in _parts(content, max(map(len, values.values())))
                 for name, value in values.items() if value in part}  # fmt: skip
        for name in sorted(found):
            yield Finding(
                f"{file} holds the value of {name}, which [deploy.*] secrets names. Take it out, "
                "and read it from the environment.",
                fatal=True,
            )


def _parts(content: str | bytes | Path, longest: int) -> Iterator[bytes]:
    """Yield all of a file in parts, of which each has what the one before ended with."""
    if not isinstance(content, Path):
        yield content.encode() if isinstance(content, str) else content
        return
    with content.open("rb") as read:
        end = b""
        while part := read.read(_READ):
            yield end + part
            end = part[-longest:]


def _memory(target: Target, app: Deployment, needed: Callable[[], Size]) -> Iterator[Finding]:
    there: Size | None = getattr(app.settings, "memory", None)
    workers, limit = app.workers, target.facts.memory
    if limit is not None:
        there, workers = Size(limit.value), 1  # each process has as much
    if there is None:
        return
    try:
        need = needed()
    except Unmeasured as err:
        yield Finding(f"How much memory the models need could not be measured: {err}")
        return
    whole = Size(need * workers)
    told = (
        f"{workers} x {need} are needed (measured here, a web worker with its models), and an "
        f"instance has {there}"
    )
    way_out = (
        f"[deploy.{target.name}] memory, where it can be more, [server] workers, or smaller "
        "models: podium optimize."
    )
    if whole > there:
        yield Finding(f"{target.title} would run out of memory: {told}. {way_out}", fatal=True)
    elif whole > 0.8 * there:
        yield Finding(f"Memory is short at {target.title}: {told}. {way_out}")
