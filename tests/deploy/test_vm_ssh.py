"""What ssh says, against a real sshd, and what somebody can do about it."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from podium.deploy.prepare import prepare
from podium.deploy.vm import Vm
from podium.deploy.vm_ssh import Ssh, in_parts
from podium.errors import DeployError
from tests.deploy.conftest import write_rule
from tests.deploy.sshd import Sshd
from tests.deploy.vm_server import PYTHON
from tests.support.front import free_port


@pytest.fixture(scope="module")
def sshd() -> Iterator[Sshd]:
    """Run a server for all tests of this module."""
    with tempfile.TemporaryDirectory(prefix="podium-") as folder:
        server = Sshd(Path(folder, "ssh"))
        with server.running({}):
            yield server


@pytest.fixture
def server(sshd: Sshd) -> Iterator[Sshd]:
    """Return the server; how a client is configured is as before afterwards."""
    yield sshd
    sshd.known_hosts("host_key")
    sshd.configure()


def ssh(sshd: Sshd, host: str = "server", port: int | None = None) -> Ssh:
    """Return a client."""
    return Ssh(host, port, {"PATH": sshd.path})


def wrong(sshd: Sshd, line: str = "true", port: int | None = None, host: str = "server") -> str:
    """Return what is said of a command that fails."""
    with pytest.raises(DeployError) as failed:
        ssh(sshd, host, port).output(line)
    return str(failed.value)


def test_output_and_input(server: Sshd) -> None:
    """A line runs in a POSIX shell, whatever is in it, and reads what it is given."""
    line = """read word; printf '%s|' "$word" 'a b' "it's" '$HOME'; echo $((1 + 1))"""
    assert ssh(server).output(line, "given\n") == "given|a b|it's|$HOME|2"


def test_file_is_sent_whole_with_its_progress(server: Sshd, tmp_path: Path) -> None:
    """All bytes arrive, and each tenth is told."""
    (tmp_path / "file").write_bytes(os.urandom(1_000_000))
    said: list[str] = []
    received = tmp_path / "received"
    ssh(server).run(f"cat > {received}", said.append, in_parts(tmp_path / "file", said.append))
    assert received.read_bytes() == (tmp_path / "file").read_bytes()
    assert said == [f"{tenth}0% of 1.0 MB" for tenth in range(1, 11)]


def test_failing_command_is_told_in_its_own_words(server: Sshd) -> None:
    """What it wrote last is repeated; a full disk is told with the way out."""
    assert wrong(server, "echo nothing; echo this is wrong >&2; exit 3") == "this is wrong"
    assert wrong(server, "exit 3") == "A command on server failed with exit code 3."
    assert wrong(server, "cat /dev/zero > /dev/full").startswith(
        "The disk of server is full. Make room, and run it again.\n"
    )


def test_unknown_key_of_the_host(server: Sshd) -> None:
    """A host that was never seen is not believed; how it is met first is told."""
    server.known_hosts(None)
    told = wrong(server)
    assert told.startswith("server: The host's key is not known. Connect once by hand, and compare")
    assert "before you agree: ssh server\nssh: Host key verification failed." in told


def test_changed_key_of_the_host(server: Sshd) -> None:
    """A host that shows another key may be somebody else."""
    server.known_hosts("other_key")
    assert wrong(server).startswith(
        "server: The host shows another key than it did before: it was set up anew, or somebody "
        "stands in between."
    )


def test_key_that_is_not_let_in(server: Sshd) -> None:
    """Nobody is asked for a password; how to be let in is told."""
    server.configure("stranger")
    told = wrong(server)
    assert told.startswith(
        "server: It lets nobody in with the keys that ssh has here. Show it yours"
    )
    assert "(ssh-copy-id server)" in told
    assert "Permission denied" in told


def test_host_that_is_nowhere(server: Sshd) -> None:
    """A name that leads nowhere, or a port where nobody listens."""
    assert wrong(server, host="nowhere.invalid").startswith(
        "nowhere.invalid: ssh does not know the host. Mend [deploy.vm] host, or add it to ~/.ssh"
    )
    assert wrong(server, port=free_port()).startswith("server: Nothing listens for ssh there.")


def test_connection_that_is_lost(server: Sshd) -> None:
    """Half-way it says so, and that the same command goes on."""
    ended = threading.Timer(0.5, server.hang_up)
    ended.start()
    assert wrong(server, "sleep 30").startswith(
        "The connection to server was lost. Run it again: it goes on.\nssh: "
    )
    ended.join()


def test_ssh_that_is_not_installed(tmp_path: Path) -> None:
    """Without the program it is told what to install."""
    with pytest.raises(DeployError, match="ssh is not installed: apt-get install openssh-client"):
        Ssh("server", None, {"PATH": str(tmp_path)}).output("true")


def test_lines_end_with_whoever_reads(server: Sshd) -> None:
    """Who follows a log and stops leaves no process behind."""
    lines = ssh(server).lines("while true; do echo line; sleep 0.1; done")
    assert [next(lines), next(lines)] == ["line", "line"]
    lines.close()  # type: ignore[attr-defined]


def test_server_without_its_python(server: Sshd, app: Path, wheel: Path, tmp_path: Path) -> None:
    """It is told which one is missing; one that is there looks at the server."""

    def platform(python: str) -> object:
        write_rule(app, 1)
        with (app / "podium.toml").open("a") as toml:
            toml.write(f'\n[deploy.vm]\nhost = "server"\nfolder = "{tmp_path}/p"\n')
            toml.write(f'python = "{python}"\n')
        made = prepare(Vm(), app, tmp_path / "made", wheel)
        return Vm().connect(made, {"PATH": server.path})

    with pytest.raises(DeployError, match=r"server has no 'python3\.0'\. Install Python 3\.11 or"):
        platform("python3.0").look()  # type: ignore[attr-defined]
    live = platform(PYTHON).look()  # type: ignore[attr-defined]
    assert (live.exists, live.version, live.versions) == (False, None, ())
    assert live.details["folder"] == f"{tmp_path}/p/rule"


def test_command_asks_nobody(tmp_path: Path) -> None:
    """The system's ssh is run without questions, notices a dead connection, and takes no options.

    The line comes as one word, for a POSIX shell whatever the login shell is.
    """
    client = tmp_path / "ssh"
    client.write_text("#!/bin/sh\nprintf '%s\\n' \"$@\"\n")
    client.chmod(0o700)
    told = Ssh("me@host", 2222, {"PATH": f"{tmp_path}:{os.environ['PATH']}"}).output("echo 'a b'")
    assert told.splitlines() == [
        "-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=20", "-o", "ServerAliveInterval=15",
        "-o", "ServerAliveCountMax=4", "-p", "2222", "--", "me@host",
        "exec sh -euc 'echo '\"'\"'a b'\"'\"''",
    ]  # fmt: skip
