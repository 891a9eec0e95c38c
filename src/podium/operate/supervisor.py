"""The supervisor: one process that keeps a site's units alive where there is no systemd.

python -m podium.operate.supervisor FOLDER

Started so, it takes leave of its terminal; the command returns once it takes orders. These come on
a Unix socket that only its user can open: a line of JSON each, answered by one. What it runs stands
in a file, so that a supervisor that was killed is followed by one that goes on with the same
processes: they serve meanwhile.
"""

from __future__ import annotations

import contextlib
import logging
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from podium.jobs.owner import dead_among, name_of, process_of
from podium.logs import log_to_stderr
from podium.operate.account import identity_of
from podium.operate.locked import locked
from podium.operate.processes import end_session
from podium.operate.units import Running, Unit

PATIENCE_S: Final = 0.25
LONGEST_S: Final = 30.0
"""How long to wait before a unit that keeps ending is started again: doubled up to this."""
STEADY_S: Final = 10.0
"""One that has lived as long is started again at once."""
LOGS_S: Final = 60.0
LOG_BYTES: Final = 50_000_000
"""How often logs are looked at, and how long one may be: then it is kept as NAME.log.1."""

log = logging.getLogger("podium")


class Order(Struct, frozen=True):
    """What the supervisor is asked to do; without a name only to tell."""

    start: Unit | None = None
    stop: str = ""
    signal: tuple[str, int] | None = None
    close: bool = False


class Reply(Struct, frozen=True):
    """How the units are doing; or what is wrong with the order."""

    states: dict[str, Running] = {}
    error: str = ""


class Kept(Struct):
    """A unit and its process, as the supervisor's file holds them."""

    unit: Unit
    process: str = ""
    """What names the process, or nothing while none runs."""
    since: float = 0.0
    ended: int = 0
    told: str = ""
    stopping: bool = False

    @property
    def running(self) -> Running:
        """How the unit is doing."""
        pid = int(process_of(self.process)) if self.process else None
        return Running(pid=pid, since=self.since, ended=self.ended, told=self.told)


class Paths(Struct, frozen=True):
    """Where the supervisor of a site keeps what."""

    site: Path

    @property
    def socket(self) -> Path:
        """Where it takes orders."""
        return self.site / "run" / "supervisor.sock"

    @property
    def lock(self) -> Path:
        """What it holds as long as it lives."""
        return self.site / "run" / "supervisor.lock"

    @property
    def units(self) -> Path:
        """What it runs."""
        return self.site / "run" / "units.json"

    @property
    def logs(self) -> Path:
        """Where all output goes."""
        return self.site / "logs"

    def log(self, name: str) -> Path:
        """Where a unit's output goes, and the supervisor's own."""
        return self.logs / f"{name}.log"


class Minder:
    """Keeps one unit alive: knows its process, and when the next thing is due."""

    def __init__(self, kept: Kept, log_file: Path) -> None:
        self.kept = kept
        self.due: float | None = None
        """When it is started again, or killed."""
        self.pidfd = -1
        self._log = log_file
        self._child: subprocess.Popen[bytes] | None = None
        self._wait = PATIENCE_S

    def start(self) -> None:
        """Start the process."""
        unit, self.due, self.kept.since = self.kept.unit, None, time.time()
        with self._log.open("ab") as output:
            self._child = subprocess.Popen(  # noqa: S603  a list, not a shell's text
                unit.command, env=unit.environment, cwd=self._log.parent, stdout=output,
                stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT, start_new_session=True,
                **identity_of(unit.user),
            )  # fmt: skip
        self.kept.process = name_of(self._child.pid)
        self.pidfd = os.pidfd_open(self._child.pid)
        log.info("%s runs as process %d", unit.name, self._child.pid)

    def adopt(self) -> bool:
        """Take over the process that an earlier supervisor started; False if it has ended."""
        process = self.kept.process
        if not process or process.endswith("/unknown") or dead_among([process]):
            return False
        try:
            self.pidfd = os.pidfd_open(int(process_of(process)))
        except ProcessLookupError:
            return False
        return not dead_among([process])

    def stop(self) -> None:
        """Tell the unit to end; it is killed after its grace."""
        self.kept.stopping = True
        self.send(self.kept.unit.stop_signal)
        self.due = time.monotonic() + self.kept.unit.grace_s

    def send(self, number: int) -> None:
        """Send a signal to the main process, if it runs."""
        with contextlib.suppress(ProcessLookupError):
            if self.pidfd >= 0:
                signal.pidfd_send_signal(self.pidfd, number)

    def kill(self) -> None:
        """End what has not ended by itself."""
        unit = self.kept.unit
        log.error("%s has not ended within %.0f s: it is killed", unit.name, unit.grace_s)
        self.due = None
        end_session(self.kept.process, signal.SIGKILL)

    def forget(self) -> None:
        """Settle what follows after the process has ended."""
        kept, unit = self.kept, self.kept.unit
        os.close(self.pidfd)
        self.pidfd = -1
        # Workers whose main process was killed: nginx's would hold the port.
        end_session(kept.process, signal.SIGKILL if kept.stopping else unit.stop_signal)
        code = self._child.wait() if self._child else None
        self._child, kept.process = None, ""
        kept.told = _ending(code)
        log.log(logging.INFO if kept.stopping else logging.ERROR, "%s %s", unit.name, kept.told)
        if not kept.stopping:
            self.start_later()

    def start_later(self) -> None:
        """Start the process again: at once if it had lived for long, else after a while."""
        kept, now = self.kept, time.time()
        kept.ended += 1
        steady = now - kept.since >= STEADY_S
        self._wait = PATIENCE_S if steady else min(2 * self._wait, LONGEST_S)
        kept.since = now
        self.due = time.monotonic() + (0 if steady else self._wait)


class Supervisor:
    """Keeps the units of one site alive, in one thread, without polling."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._minders: dict[str, Minder] = {}
        self._listener = _listening(paths.socket)
        self._closing = False
        self._logs_due = 0.0

    def run(self) -> None:
        """Take orders and look after the units until all are to end."""
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        self._wake_on_signals()
        self._go_on()
        while self._minders or not self._closing:
            for key, _ in self._selector.select(self._timeout()):
                key.data(key.fileobj)
            self._do_what_is_due()
        self._paths.socket.unlink(missing_ok=True)
        self._paths.units.unlink(missing_ok=True)
        log.info("all has ended")

    def _wake_on_signals(self) -> None:
        read, write = os.pipe()
        for end in (read, write):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(write)
        for one in (signal.SIGTERM, signal.SIGINT):
            signal.signal(one, lambda *_: self._close())
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self._selector.register(read, selectors.EVENT_READ, lambda _: os.read(read, 4096))

    def _go_on(self) -> None:
        """Take over what an earlier supervisor ran."""
        with contextlib.suppress(FileNotFoundError):
            for kept in msgspec.json.decode(self._paths.units.read_bytes(), type=list[Kept]):
                minder = self._minder(kept)
                if minder.adopt():
                    log.info("%s is taken over: process %d", kept.unit.name, kept.running.pid)
                    self._watch(minder)
                    if kept.stopping:
                        minder.stop()
                elif kept.stopping:
                    del self._minders[kept.unit.name]
                else:
                    if kept.process:
                        end_session(kept.process, kept.unit.stop_signal)
                    kept.process = ""
                    self._start(minder)

    def _minder(self, kept: Kept) -> Minder:
        name = kept.unit.name
        self._minders[name] = Minder(kept, self._paths.log(name))
        return self._minders[name]

    def _start(self, minder: Minder) -> None:
        try:
            minder.start()
        except OSError as err:
            minder.kept.told = f"cannot be started: {err}"
            log.error("%s %s", minder.kept.unit.name, minder.kept.told)
            minder.start_later()
        else:
            self._watch(minder)
        self._save()

    def _watch(self, minder: Minder) -> None:
        def ended(_: object) -> None:
            self._selector.unregister(minder.pidfd)
            minder.forget()
            if minder.kept.stopping:
                self._remove(minder)
            self._save()

        self._selector.register(minder.pidfd, selectors.EVENT_READ, ended)

    def _remove(self, minder: Minder) -> None:
        del self._minders[minder.kept.unit.name]
        if self._closing:
            self._close()

    def _stop(self, minder: Minder) -> None:
        minder.stop()
        if minder.pidfd < 0:
            self._remove(minder)
        self._save()

    def _close(self) -> None:
        """Stop all units: first those in front, and once they have ended the others."""
        self._closing = True
        there = list(self._minders.values())
        front = [minder for minder in there if minder.kept.unit.front]
        for minder in front or there:
            if not minder.kept.stopping:
                self._stop(minder)

    def _timeout(self) -> float:
        due = [minder.due for minder in self._minders.values() if minder.due is not None]
        return max(0.0, min([self._logs_due, *due]) - time.monotonic())

    def _do_what_is_due(self) -> None:
        now = time.monotonic()
        for minder in list(self._minders.values()):
            if minder.due is None or minder.due > now:
                continue
            if minder.kept.stopping:
                minder.kill()
            else:
                self._start(minder)
        if self._logs_due <= now:
            self._logs_due = now + LOGS_S
            for file in self._paths.logs.glob("*.log"):
                with contextlib.suppress(OSError):  # the disk is full
                    turn_over(file)

    def _save(self) -> None:
        file = self._paths.units
        part = file.with_suffix(".part")
        try:
            part.touch(mode=0o600)  # environments may hold secrets
            part.write_bytes(msgspec.json.encode([m.kept for m in self._minders.values()]))
            part.replace(file)
        except OSError as err:  # on a full disk units need looking after, too
            log.error("what runs cannot be noted: %s", err)

    def _accept(self, listener: socket.socket) -> None:
        client, _ = listener.accept()
        with client:
            client.settimeout(1.0)
            with contextlib.suppress(OSError):
                line = client.makefile("rb").readline()
                client.sendall(msgspec.json.encode(self._answer(line)) + b"\n")

    def _answer(self, line: bytes) -> Reply:
        try:
            self._obey(msgspec.json.decode(line, type=Order))
        except (msgspec.MsgspecError, ValueError) as err:
            return Reply(error=str(err))
        return Reply({name: minder.kept.running for name, minder in self._minders.items()})

    def _obey(self, order: Order) -> None:
        if order.start is not None:
            if order.start.name in self._minders:
                raise ValueError(f"{order.start.name} runs already")
            self._start(self._minder(Kept(order.start)))
        if order.stop in self._minders:
            self._stop(self._minders[order.stop])
        if order.signal is not None and order.signal[0] in self._minders:
            self._minders[order.signal[0]].send(order.signal[1])
        if order.close:
            self._close()


def _listening(path: Path) -> socket.socket:
    """Return a socket that only its user can open."""
    path.unlink(missing_ok=True)  # left by one that was killed
    listener = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    listener.bind(str(path))
    os.umask(before)
    listener.listen()
    listener.setblocking(False)
    return listener


def turn_over(file: Path) -> None:
    """Keep a log that has grown long as NAME.log.1, and let it begin anew.

    Its writers append: they need not open it again.
    """
    if file.stat().st_size <= LOG_BYTES:
        return
    shutil.copyfile(file, file.with_name(f"{file.name}.1"))
    os.truncate(file, 0)


def _ending(code: int | None) -> str:
    if code is None:
        return "has ended"
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with exit status {code}"


def main(arguments: list[str]) -> int:
    """Leave a process behind that supervises the site in a folder; return the exit status."""
    paths = Paths(Path(arguments[0]))
    log_to_stderr()
    with locked(paths.lock) as mine:
        if mine:  # else another one was quicker
            supervisor = Supervisor(paths)
            if os.fork() == 0:
                os.setsid()
                supervisor.run()
                os._exit(0)  # so that the lock is held to the very end
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
