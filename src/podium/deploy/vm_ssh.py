"""A server that is reached over ssh, by the system's own program: its keys, agents and jump hosts.

Nobody is asked for a password. All that ssh says becomes DeployErrors here.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import IO, Final

from podium.deploy.target import Say
from podium.errors import DeployError

BUSY: Final = 75
"""How a command ends that finds another one at work; EX_TEMPFAIL of sysexits.h."""
_SSH: Final = 255
"""How ssh ends where it could not do its part; source: ssh(1)."""
_OPTIONS: Final = ("BatchMode=yes", "ConnectTimeout=20", "ServerAliveInterval=15",
                   "ServerAliveCountMax=4")  # fmt: skip
_CHUNK: Final = 1 << 16
_TOLD: Final = 20
"""How many lines an error repeats of what a command has written."""
_ASK: Final = "Connect once by hand, which says more: {by_hand}"
_WRONG: Final = {
    "could not resolve hostname": "ssh does not know the host. Mend [deploy.vm] host, or add it to "
                                  "~/.ssh/config.",
    "remote host identification has changed": (
        "The host shows another key than it did before: it was set up anew, or somebody stands in "
        "between. Compare the key with what the server's provider shows; only if it is right: "
        "ssh-keygen -R {name}"
    ),
    "host key verification failed": (
        "The host's key is not known. Connect once by hand, and compare the key with what the "
        "server's provider shows before you agree: {by_hand}"
    ),
    "permission denied": (
        "It lets nobody in with the keys that ssh has here. Show it yours (ssh-copy-id {host}), "
        "load it into the agent (ssh-add), or name another user: [deploy.vm] host = \"USER@{name}\""
    ),
    "connection refused": "Nothing listens for ssh there. Mend [deploy.vm] port, or start sshd.",
    "timed out": "Nobody answers. Is the server up, and does a firewall let ssh in? " + _ASK,
    "no route to host": "Nobody answers. Is the server up? " + _ASK,
    "network is unreachable": "This machine has no network.",
}  # fmt: skip
"""What ssh says, in lower-case letters, and what to do about it."""


class Ssh:
    """One server."""

    def __init__(self, host: str, port: int | None, environment: Mapping[str, str]) -> None:
        self.host, self._environment = host, environment
        given = [word for option in _OPTIONS for word in ("-o", option)]
        self._command = ["ssh", "-T", *given, *(["-p", str(port)] if port else []), "--", host]
        self._by_hand = " ".join(["ssh", *(["-p", str(port)] if port else []), host])

    def output(self, line: str, text: str = "") -> str:
        """Return what a shell's line writes there.

        Raises:
            DeployError: it cannot be run, or fails.
        """
        found: list[str] = []
        self.run(line, found.append, [text.encode()] if text else None)
        return "\n".join(found)

    def run(self, line: str, say: Say, sent: Iterable[bytes] | None = None) -> None:
        """Run a shell's line there, tell what it writes as it comes, and give it what is sent.

        Raises:
            DeployError: it cannot be run, or fails.
        """
        with self._running(line, sent is not None) as (process, errors):
            if sent is not None:
                feeding = Thread(target=_feed, args=(process.stdin, sent))
                feeding.start()
            assert process.stdout is not None
            for told in process.stdout:
                say(told.decode("utf-8", "replace").rstrip())
            if sent is not None:
                feeding.join()
            process.wait()
        if process.returncode:
            raise self._error(process.returncode, errors())

    def lines(self, line: str) -> Iterator[str]:
        """Yield what a shell's line writes there, as it comes; it ends with whoever reads.

        Raises:
            DeployError: it cannot be run, or fails.
        """
        with self._running(line, False) as (process, errors):
            assert process.stdout is not None
            for told in process.stdout:
                yield told.decode("utf-8", "replace").rstrip()
            process.wait()
        if process.returncode:
            raise self._error(process.returncode, errors())

    @contextmanager
    def _running(
        self, line: str, fed: bool
    ) -> Iterator[tuple[subprocess.Popen[bytes], Callable[[], str]]]:
        """Run a line; what it writes to standard error is gathered, and it ends with the block."""
        command = [*self._command, f"exec sh -euc {shlex.quote(line)}"]
        try:
            process = subprocess.Popen(  # noqa: S603  a list, not a shell's text
                command, env={**os.environ, **self._environment},
                stdin=subprocess.PIPE if fed else subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )  # fmt: skip
        except FileNotFoundError as err:
            raise DeployError("ssh is not installed: apt-get install openssh-client") from err
        assert process.stderr is not None
        stderr, gathered = process.stderr, list[bytes]()
        reader = Thread(target=lambda: gathered.extend(stderr))
        reader.start()

        def errors() -> str:
            reader.join()
            return b"".join(gathered).decode("utf-8", "replace").strip()

        with process:
            try:
                yield process, errors
            except BaseException:
                process.kill()
                raise
            finally:
                reader.join()  # before what it reads is closed

    def _error(self, code: int, said: str) -> DeployError:
        last = "\n".join(said.splitlines()[-_TOLD:])
        if code == _SSH:
            return DeployError(self._connection(said))
        if code == BUSY:
            return DeployError(
                f"Another `podium deploy` is at work on {self.host}, or one whose connection was "
                "lost has not ended there. Wait, and run it again."
            )
        if "No space left on device" in said:
            return DeployError(
                f"The disk of {self.host} is full. Make room, and run it again.\n{last}"
            )
        return DeployError(last or f"A command on {self.host} failed with exit code {code}.")

    def _connection(self, said: str) -> str:
        """Return what went wrong with the connection, and the way out."""
        words = {"host": self.host, "name": self.host.rpartition("@")[2], "by_hand": self._by_hand}
        last = (said.splitlines() or ["it ended"])[-1].strip()
        for told, way_out in _WRONG.items():
            if told in said.lower():
                return f"{self.host}: {way_out.format(**words)}\nssh: {last}"
        return f"The connection to {self.host} was lost. Run it again: it goes on.\nssh: {last}"


def in_parts(file: Path, say: Say) -> Iterator[bytes]:
    """Yield a file's bytes, and tell how far it is, in tenths."""
    size, sent = max(file.stat().st_size, 1), 0
    with file.open("rb") as read:
        while part := read.read(_CHUNK):
            yield part
            before, sent = sent, sent + len(part)
            if 10 * sent // size > 10 * before // size:
                say(f"{10 * (10 * sent // size)}% of {size / 1e6:,.1f} MB")


def _feed(stream: IO[bytes] | None, sent: Iterable[bytes]) -> None:
    assert stream is not None
    with contextlib.suppress(BrokenPipeError), stream:  # its exit status says what is wrong
        for part in sent:
            stream.write(part)
