"""`podium status`: what is up, and how it is doing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from podium import __version__
from podium.errors import ServeError
from podium.folder import parse
from podium.jobs.state import StateFolder
from podium.operate.asking import Door, front_door, slot_door
from podium.operate.home import Home, Record, ago, is_there
from podium.operate.processes import memory_of
from podium.operate.sites import site_of
from podium.operate.supervised import Supervised
from podium.operate.units import Running


class UnitStatus(Struct, frozen=True, kw_only=True):
    """One program: its process, since when, how often it has ended by itself, and its memory."""

    name: str
    pid: int | None
    since: float
    ended: int
    told: str
    memory_bytes: int


class Status(Struct, frozen=True, kw_only=True):
    """What is up. `problems` says what is not as it should be; nothing when all is well."""

    source: str
    address: str
    release: str
    slot: str
    since: float
    before: str | None
    workers: int
    ready: bool
    reachable: bool
    memory_bytes: int
    units: tuple[UnitStatus, ...]
    logs: str
    problems: tuple[str, ...]


def status_of(source: Path, state: StateFolder) -> Status:
    """Return what is up, and how it is doing.

    Raises:
        ServeError: nothing is up.
    """
    home, source = Home(state), source.resolve()
    record = is_there(home.record, source)
    spec = parse(home.releases.path(record.release)).spec
    site = site_of(home, record.options, spec, make=False)
    states = home.units.states()
    units = tuple(
        UnitStatus(
            name=name, pid=state.pid, since=state.since, ended=state.ended, told=state.told,
            memory_bytes=memory_of(state.pid) if state.pid else 0,
        )
        for name, state in sorted(states.items())
    )  # fmt: skip
    ready = record.slot in states and _ready(slot_door(site, record.slot, {}), site.workers)
    reachable = "nginx" in states and front_door(site, {}).is_alive()
    return Status(
        source=str(record.source), address=site.url, release=record.release, slot=record.slot,
        since=record.since, before=record.before, workers=site.workers, ready=ready,
        reachable=reachable, memory_bytes=sum(unit.memory_bytes for unit in units), units=units,
        logs=str(home.logs),
        problems=tuple(_problems(home, record, ready, reachable, states)),
    )  # fmt: skip


def in_words(status: Status) -> str:
    """Return a status for people."""
    state = "is up" if not status.problems else "IS NOT WELL"
    lines = [
        f"{status.source} {state}: {status.address}",
        f"Release {status.release} in slot {status.slot} since {ago(status.since)}, "
        f"workers: {status.workers}, memory: {_megabytes(status.memory_bytes)}",
    ]
    if status.before:
        lines.append(f"`podium rollback` goes back to release {status.before}")
    lines += [f"  {_line(unit)}" for unit in status.units]
    lines += [f"Problem: {problem}" for problem in status.problems]
    return "\n".join([*lines, f"Logs: {status.logs}"])


def _line(unit: UnitStatus) -> str:
    if unit.pid is None:
        return f"{unit.name}: {unit.told}; it is started again"
    again = f"; it has ended {unit.ended} times, the last one {unit.told}" if unit.ended else ""
    return (f"{unit.name}: process {unit.pid} since {ago(unit.since)}, "
            f"{_megabytes(unit.memory_bytes)}{again}")  # fmt: skip


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.0f} MB"


def _ready(door: Door, workers: int) -> bool:
    try:
        return bool(door.ready_workers(workers))
    except ServeError:
        return False


def _problems(
    home: Home, record: Record, ready: bool, reachable: bool, states: Mapping[str, Running]
) -> Iterator[str]:
    """Yield what is not as it should be, and what to do about it."""
    if not states:
        yield (
            "nothing runs: the host was started anew, or the processes were ended. Bring it up "
            f"again: podium up {record.source}"
        )
        return
    if isinstance(home.units, Supervised) and not home.units.lives:
        yield (
            "the supervisor has ended; what it ran serves on, but is not started again when it "
            f"ends. `podium up {record.source}` starts the supervisor, which takes it over."
        )
    if not ready:
        yield f"the server does not answer, or is not ready: see {home.log(record.slot)}"
    elif not reachable:
        yield f"nginx does not answer: see {home.log('nginx')}"
    if record.podium != __version__:
        yield (
            f"Podium {record.podium} serves, {__version__} is installed: "
            f"`podium reload {record.source}` changes over."
        )
