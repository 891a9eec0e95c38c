"""Units that Podium's own supervisor keeps alive."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from podium.errors import ServeError
from podium.jobs.owner import dead_among
from podium.operate.locked import locked
from podium.operate.supervisor import Kept, Order, Paths, Reply
from podium.operate.units import Running, Unit, wait_until

START_S: Final = 20.0
ORDER_S: Final = 10.0


class Supervised:
    """The units of one site, under the supervisor of this site."""

    def __init__(self, site: Path) -> None:
        self._paths = Paths(site)

    @property
    def lives(self) -> bool:
        """Whether the supervisor answers: its socket may have been left behind."""
        try:
            self._send(Order())
        except OSError:
            return False
        return True

    def start(self, unit: Unit) -> None:
        """Start a unit, and again whenever it ends.

        Raises:
            ServeError: it runs already, or the supervisor does not start.
        """
        self.revive()
        self._ask(Order(start=unit))

    def stop(self, name: str) -> None:
        """Tell a unit to end what it has begun, and then itself; it goes from `states`."""
        self.revive()
        self._ask(Order(stop=name))

    def signal(self, name: str, number: int) -> None:
        """Send a signal to a unit's main process."""
        self.revive()
        self._ask(Order(signal=(name, number)))

    def states(self) -> Mapping[str, Running]:
        """Return how each unit is doing.

        Where the supervisor was killed, what it ran is told as it stands in its file.
        """
        try:
            return self._send(Order()).states
        except OSError:
            kept = self._kept()
        dead = dead_among([one.process for one in kept if one.process])
        return {one.unit.name: one.running for one in kept if one.process not in {"", *dead}}

    def close(self) -> None:
        """Stop all units, those in front first, and the supervisor; return when they have ended."""
        if not self.states():
            self._paths.units.unlink(missing_ok=True)  # what ran before the host was started anew
            if not self.lives:
                return
        self.revive()
        grace_s = sum(kept.unit.grace_s for kept in self._kept())
        self._ask(Order(close=True))
        if not wait_until(self._has_ended, grace_s + ORDER_S):
            raise ServeError(f"The supervisor does not end; see {self._paths.log('supervisor')}")

    def _has_ended(self) -> bool:
        """Whether no supervisor runs: what it held until its end is free."""
        with locked(self._paths.lock) as free:
            return free

    def _kept(self) -> list[Kept]:
        try:
            return msgspec.json.decode(self._paths.units.read_bytes(), type=list[Kept])
        except FileNotFoundError:
            return []

    def revive(self) -> None:
        """Start the supervisor if it does not run; it goes on with what one before it ran.

        Raises:
            ServeError: it does not start.
        """
        if self.lives:
            return
        log = self._paths.log("supervisor")
        for folder in (log.parent, self._paths.socket.parent):
            folder.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            subprocess.run(  # noqa: S603  a list, not a shell's text
                [sys.executable, "-m", "podium.operate.supervisor", str(self._paths.site)],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, timeout=START_S,
            )  # fmt: skip
        if not wait_until(lambda: self.lives, START_S):
            raise ServeError(f"The supervisor does not start; see {log}")

    def _ask(self, order: Order) -> Reply:
        try:
            reply = self._send(order)
        except OSError as err:
            raise ServeError(
                f"The supervisor does not answer ({err}); see {self._paths.log('supervisor')}"
            ) from err
        if reply.error:
            raise ServeError(f"The supervisor refuses: {reply.error}")
        return reply

    def _send(self, order: Order) -> Reply:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(ORDER_S)
            client.connect(str(self._paths.socket))
            client.sendall(msgspec.json.encode(order) + b"\n")
            with client.makefile("rb") as stream:
                line = stream.readline()
        if not line:
            raise ConnectionResetError("no answer")
        return msgspec.json.decode(line, type=Reply)
