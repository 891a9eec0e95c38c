"""A real sshd on loopback: own configuration, keys and port, in a folder.

It lets in whoever runs the tests, by a key made for them. The system's own `ssh` finds it as the
host "server", by a program of that name which comes first on the PATH.
"""

from __future__ import annotations

import getpass
import os
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support.front import free_port
from tests.support.missing import program

START_S = 20.0
SEPARATED = Path("/run/sshd")
"""Where sshd of root looks into an empty folder; Debian's service makes it."""


class Sshd:
    """The server, and what a client needs to reach it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.log = folder / "sshd.log"
        folder.mkdir(parents=True)
        for name in ("host_key", "other_key", "key", "stranger"):
            make_key(folder / name)
        (folder / "bin").mkdir()
        self.known_hosts("host_key")
        self.configure()

    def known_hosts(self, key: str | None) -> None:
        """Let the client know this key as the server's, or none."""
        lines = ""
        if key is not None:
            public = (self.folder / f"{key}.pub").read_text()
            lines = f"[127.0.0.1]:{self.port} {public}"
        (self.folder / "known_hosts").write_text(lines)

    def configure(self, key: str = "key", **options: object) -> None:
        """Let the client show a key, and be configured so."""
        told = {
            "HostName": "127.0.0.1", "Port": self.port, "User": getpass.getuser(),
            "IdentityFile": self.folder / key, "IdentitiesOnly": "yes", "IdentityAgent": "none",
            "UserKnownHostsFile": self.folder / "known_hosts", "GlobalKnownHostsFile": "/dev/null",
            **options,
        }  # fmt: skip
        lines = "".join(f"  {name} {value}\n" for name, value in told.items())
        (self.folder / "config").write_text(f"Host server\n{lines}")
        client = self.folder / "bin" / "ssh"
        real = shlex.quote(program("ssh", "openssh-client"))
        client.write_text(f'#!/bin/sh\nexec {real} -F {self.folder}/config "$@"\n')
        client.chmod(0o700)

    @property
    def path(self) -> str:
        """The PATH on which the client comes first."""
        return f"{self.folder / 'bin'}:{os.environ['PATH']}"

    def hang_up(self) -> None:
        """End all connections, as a network that goes."""
        for pid in map(int, self._children.read_text().split()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    @contextmanager
    def running(self, variables: Mapping[str, str]) -> Iterator[None]:
        """Run the server; `variables` are set for whoever comes in."""
        (self.folder / "sshd_config").write_text(self._settings(variables))
        if os.geteuid() == 0:  # it stays: another sshd may run beside this one
            SEPARATED.mkdir(mode=0o755, exist_ok=True)
        binary = shutil.which("sshd", path="/usr/sbin:/sbin") or program("sshd", "openssh-server")
        command = [binary, "-D", "-f", str(self.folder / "sshd_config"), "-E", str(self.log)]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603  a list
        self._children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        try:
            self._await(process)
            yield
        finally:
            process.terminate()
            process.wait()

    def _await(self, process: subprocess.Popen[bytes]) -> None:
        ends = time.monotonic() + START_S
        while "Server listening" not in (self.log.read_text() if self.log.exists() else ""):
            assert process.poll() is None, self.log.read_text()
            assert time.monotonic() < ends, self.log.read_text()
            time.sleep(0.02)

    def _settings(self, variables: Mapping[str, str]) -> str:
        set_env = "".join(f' "{name}={value}"' for name, value in variables.items())
        lines = {
            "ListenAddress": "127.0.0.1", "Port": self.port, "HostKey": self.folder / "host_key",
            "AuthorizedKeysFile": self.folder / "key.pub", "PidFile": "none", "UsePAM": "no",
            "PasswordAuthentication": "no", "KbdInteractiveAuthentication": "no",
            "StrictModes": "no",  # the folder for temporary files is everybody's
            **({"SetEnv": set_env} if set_env else {}),
        }  # fmt: skip
        return "".join(f"{name} {value}\n" for name, value in lines.items())


def make_key(file: Path) -> None:
    """Make a pair of keys without a passphrase."""
    keygen = program("ssh-keygen", "openssh-client")
    command = [keygen, "-q", "-t", "ed25519", "-N", "", "-f", str(file)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)  # noqa: S603  a list
