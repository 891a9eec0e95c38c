"""A release takes its turn: nobody who asks meanwhile notices, or nothing has changed."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from podium import __version__
from podium.check import judged
from podium.errors import ServeError, counted
from podium.folder import Parsed, parse
from podium.hosting import RELEASE
from podium.keys import CredentialsFile
from podium.operate.account import environment_of
from podium.operate.asking import Door, front_door, made_up, question_of, slot_door
from podium.operate.front import Front
from podium.operate.home import Home, Options, Record
from podium.operate.links import turn_link
from podium.operate.logs import Mark
from podium.operate.sites import site_of
from podium.operate.units import Unit, wait_until
from podium.operate.variables import digest_of
from podium.production.gunicorn import serve_command
from podium.production.site import SLOTS, Site

Say = Callable[[str], None]

LOADING_S: Final = 900.0
"""How long an application may take until all its models are loaded."""
LOADING_LOOK_S: Final = 0.25
FRONT_S: Final = 20.0
"""How long nginx may take until it answers."""
SETTLE_S: Final = 1.0
"""How long the old server goes on taking what was on its way when the new one took its turn."""
KEY_S: Final = 3600.0


def switch(home: Home, source: Path, options: Options, release: str, say: Say) -> Record:
    """Let a release serve, once it has shown that it can; what served before is ended then.

    Raises:
        SpecError: the release's podium.toml has mistakes.
        ServeError: it does not start, or does not answer as its examples say; all is as before.
    """
    folder, before = home.releases.path(release), home.record
    parsed = parse(folder)
    site = site_of(home, options, parsed.spec)
    slot = next(slot for slot in SLOTS if before is None or slot != before.slot)
    front = Front(home, site)
    if before is not None:
        front.turn(before.slot)  # a change that was killed may have left it otherwise
    with ExitStack() as undo, way_in(home.state, parsed) as headers:
        changed = front.write(undo)
        _vacate(home, slot, site.stop_s)
        undo.callback(_vacate, home, slot, site.stop_s)
        door = slot_door(site, slot, headers or {})
        _start(home, site, slot, folder, door, say)
        if headers is None:
            say("Nobody comes in with a key ([access] require): the examples are not asked.")
        else:
            _test(door, folder, parsed, say)
        front.take(slot, changed, undo)
        told = site.variables.get(RELEASE, release)  # as whoever put it there calls it
        _prove(home, front_door(site, headers or {}), parsed, folder, told, headers is not None)
        record = Record(
            source=source, options=options, slot=slot, release=release, since=time.time(),
            podium=__version__, stop_s=site.stop_s, before=_before(before, release),
            variables=digest_of(site.variables),
        )  # fmt: skip
        home.write(record)
        undo.pop_all()
    if before is not None:
        _retire(home, before, say)
    home.releases.sweep({release, *filter(None, [record.before])})
    return record


@contextmanager
def way_in(state: Path, parsed: Parsed) -> Iterator[Mapping[str, str] | None]:
    """Yield the headers that let a request in, by a key for so long; None if no key does."""
    require = parsed.spec.access.require
    if "key" not in require:
        yield None if require else {}
        return
    keys, name = CredentialsFile(state), f"podium-{secrets.token_hex(4)}"
    token = keys.add(name, KEY_S)
    try:
        yield {"Authorization": f"Bearer {token}"}
    finally:
        keys.revoke(name)


def _before(before: Record | None, release: str) -> str | None:
    """Return the release that a rollback would bring back."""
    if before is None:
        return None
    return before.release if before.release != release else before.before


def _start(home: Home, site: Site, slot: str, folder: Path, door: Door, say: Say) -> None:
    """Start the server of a slot, and return when it has loaded its models."""
    turn_link(site.release(slot), os.path.relpath(folder, site.release(slot).parent))
    command, added = serve_command(site, slot, site.release(slot))
    mark, ready = Mark(home.log(slot)), set[int]()
    say(f"Starting release {folder.name} with {counted(site.workers, 'worker')} ...")
    home.log(slot).touch()  # whoever starts it, its log is the owner's
    home.give()
    unit = Unit(
        name=slot, command=tuple(command), grace_s=site.stop_s, user=site.user,
        environment={**os.environ, **environment_of(site.user), **added},
    )  # fmt: skip
    try:
        home.units.start(unit)
    except ServeError as err:
        raise ServeError(f"Release {folder.name} does not start: {err}\n{mark.tail()}") from err

    def loaded() -> bool:
        running = home.units.states()[slot]
        if running.ended:
            raise ServeError(f"Release {folder.name} does not start: it {running.told}.\n"
                             f"{mark.tail()}")  # fmt: skip
        ready.update(door.ready_workers(site.workers))
        return len(ready) >= site.workers

    if not wait_until(loaded, LOADING_S, LOADING_LOOK_S):
        raise ServeError(f"Release {folder.name} has not loaded its models within "
                         f"{LOADING_S:.0f} s.\n{mark.tail()}")  # fmt: skip


def _test(door: Door, folder: Path, parsed: Parsed, say: Say) -> None:
    """Ask the examples of podium.toml, each of which must be answered as it says.

    Where there are none, it is enough that something is predicted.
    """
    name = parsed.spec.models[0].name
    told = [
        judged(example, name, door.prediction(question_of(folder, example)), counts=True)
        for example in parsed.spec.examples
    ]
    wrong = [f'  "{one.title}": expected {one.expected}, answered {one.found}'
             for one in told if not one.passed]  # fmt: skip
    if wrong:
        raise ServeError("\n".join([f"{counted(len(wrong), 'example')} of {len(told)} came out "
                                    "otherwise:", *wrong]))  # fmt: skip
    if told:
        say(f"{counted(len(told), 'example')} answered as expected.")
    else:
        door.prediction(made_up(parsed))


def _prove(
    home: Home, door: Door, parsed: Parsed, folder: Path, release: str, asks: bool
) -> None:  # fmt: skip
    """Look which release answers through nginx, and make one prediction.

    nginx may ask for that over a connection which it has kept to the server before.
    """
    mark = Mark(home.log("nginx"))
    if not wait_until(door.is_alive, FRONT_S):
        raise ServeError(f"nginx does not answer for the application.\n{mark.tail()}")
    if asks:
        told = door.get("/models")
        if told.status != 200 or told.json.get("release") != release:
            raise ServeError(f"nginx does not lead to release {release}: {told.told}")
        examples = parsed.spec.examples
        door.prediction(question_of(folder, examples[0]) if examples else made_up(parsed))


def _retire(home: Home, before: Record, say: Say) -> None:
    """End the server that served before: it finishes what it has."""
    if before.slot in home.units.states():
        time.sleep(SETTLE_S)
        say("The release before finishes what it has begun ...")
        begun = time.monotonic()
        _vacate(home, before.slot, before.stop_s)
        if time.monotonic() - begun >= before.stop_s:
            say(f"It had not finished within {before.stop_s} s, and was killed.")


def _vacate(home: Home, slot: str, stop_s: int) -> None:
    """End what runs in a slot, if anything does."""
    if slot in home.units.states():
        home.units.stop(slot)
        wait_until(lambda: slot not in home.units.states(), stop_s + FRONT_S)
