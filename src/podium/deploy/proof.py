"""Whether a version serves at its address: it says so itself, and makes one real prediction."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable
from typing import Final

from podium.deploy.target import Deployment, Live, Target
from podium.errors import DeployError
from podium.operate.asking import Door, NotNow, made_up, public_door, question_of

READY_S: Final = 300.0
POLL_S: Final = 2.0


def prove(
    app: Deployment, target: Target, live: Live, version: str, say: Callable[[str], None]
) -> str:  # fmt: skip
    """Return the address, once the version answers there, and predicts.

    Raises:
        DeployError: it does not within the time that it has.
    """
    address = target.address(app, live)
    if address is None:
        raise DeployError(f"{target.title} tells no address of {app.name}.")
    door = public_door(address, app.parsed.spec, live.headers, live.trusted)
    say(f"Asking {address} for version {version} and a prediction ...")
    start = target.facts.start
    wait_s = float(start.value) if start is not None else READY_S
    ends = time.monotonic() + wait_s
    while told := _not_ready(door, app, target, version):
        if time.monotonic() > ends:
            raise DeployError(
                f"Version {version} was not ready at {address} within {wait_s:.0f} s: {told}"
            )
        time.sleep(POLL_S)
    _predict(door, app, ends)
    return address


def _not_ready(door: Door, app: Deployment, target: Target, version: str) -> str:
    """Return why a version does not answer yet; "" where it does.

    Where /readyz is the platform's own, /models tells the version; but not to everybody.
    """
    reserved = target.facts.reserved is not None
    try:
        reply = door.get("/models" if reserved else "/readyz?worker")
    except (OSError, http.client.HTTPException) as err:
        return str(err) or type(err).__name__
    if reserved and reply.status == 401 and app.parsed.spec.access.require:
        return ""
    if reply.status != 200 or not isinstance(reply.json, dict):
        return reply.told
    found = reply.json.get("release")
    return "" if found == version else f"version {found} answers"


def _predict(door: Door, app: Deployment, ends: float) -> None:
    """Make one prediction; where there is too much to do, once more, as clients would."""
    if app.parsed.spec.access.require:  # no key is known there yet
        return
    examples = app.parsed.spec.examples
    question = question_of(app.folder, examples[0]) if examples else made_up(app.parsed)
    while True:
        try:
            door.prediction(question)
        except NotNow:
            if time.monotonic() > ends:
                raise
            time.sleep(POLL_S)
        else:
            return
