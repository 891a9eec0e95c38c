"""An application in production: real nginx, real Gunicorn, real load."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from click.testing import Result

from podium.keys import CredentialsFile
from tests.operate.sites import Commands, commands, processes_of, supervisor_of
from tests.support.apps import write_notes
from tests.support.missing import program
from tests.support.visitors import Visitors, visiting, write_offset
from tests.support.waiting import until

CLIENTS = 6
PAUSE_S = 0.01
"""Between two requests of a client, since the clients share the processors with what they test."""
ENOUGH = 300
"""How many answers are waited for before and after a change."""
OFFSET = 1000
"""What the site's model adds; each test leaves it so."""


class Up(NamedTuple):
    """A site that is up, and what was said as it came up."""

    site: Commands
    said: Result


@pytest.fixture(scope="module")
def up() -> Iterator[Up]:
    """Bring a site up, for all tests of this module."""
    with commands() as site:
        write_offset(site.app, OFFSET)
        done = site.up()
        assert (done.exit_code, done.stderr) == (0, "")
        yield Up(site, done)


@pytest.fixture
def site(up: Up) -> Iterator[Commands]:
    """Return the site; its folder is afterwards what it was."""
    yield up.site
    write_offset(up.site.app, OFFSET)


def answered(visitors: Visitors, more: int) -> None:
    """Wait until so many more requests have been answered."""
    count = visitors.count
    until(lambda: visitors.count >= count + more or visitors.failures)


def test_up_tells_the_address_and_a_call_that_works(up: Up) -> None:
    """The last words of `up` are the address, a line for the terminal, and where the logs are."""
    site, said = up.site, up.said.stdout
    assert f"Offset: https://localhost:{site.https_port}/\n" in said
    assert f"Logs: {site.site / 'logs'}\n" in said
    found = re.search(r"^ +(curl .*)$", said, re.MULTILINE)
    assert found is not None
    call = [program("curl", "curl"), "-sS", *shlex.split(found[1])[1:]]
    answer = json.loads(subprocess.run(call, capture_output=True, check=True).stdout)  # noqa: S603
    assert answer["predictions"][0]["value"] == 50_000 + OFFSET
    status, page = site.get("/")
    assert (status, b"<title>Offset</title>" in page) == (200, True)


def test_status_tells_what_is_up(site: Commands) -> None:
    """Status tells release, address, processes and memory, for people and as JSON."""
    told = site.status()
    assert (told["problems"], told["ready"], told["reachable"]) == ([], True, True)
    assert (told["address"], told["workers"]) == (f"https://localhost:{site.https_port}/", 1)
    assert {told["release"]} == site.releases
    assert [unit["name"] for unit in told["units"]] == [told["slot"], "nginx"]
    assert all(unit["pid"] and unit["memory_bytes"] > 1_000_000 for unit in told["units"])
    done = site.run("status")
    assert (done.exit_code, done.stderr) == (0, "")
    assert f"{site.app} is up: https://localhost:{site.https_port}/" in done.stdout


def test_reload_without_a_change_does_nothing(site: Commands) -> None:
    """Where the folder is what serves, it is said, and no process is started."""
    before = site.pids()
    done = site.run("reload")
    assert (done.exit_code, done.stdout[:19]) == (0, "Nothing has changed")
    assert site.pids() == before


@pytest.mark.parametrize(
    ("file", "content", "told"),
    [
        ("podium.toml", 'titel = "x"\n', "Did you mean 'title'?"),
        ("models/m.onnx", "no graph", "m.onnx: ONNX Runtime cannot load it"),
        ("podium.toml", None, '"One": expected 7, answered 1001'),
    ],
    ids=["unknown key", "no model", "failing example"],
)
def test_broken_version_leaves_the_old_one_serving(
    site: Commands, file: str, content: str | None, told: str
) -> None:
    """What does not start, or answers its examples otherwise, is refused with the reason.

    Nothing of it stays behind.
    """
    before, pids, releases = site.models(), site.pids(), site.releases
    if content is None:
        write_offset(site.app, OFFSET, expected=7)
    else:
        (site.app / file).write_text(content)
    done = site.run("reload")
    assert done.exit_code == 1
    assert told in done.stderr
    assert (site.models(), site.pids(), site.releases) == (before, pids, releases)
    assert site.status()["problems"] == []


def test_reload_and_rollback_under_load_lose_nothing(site: Commands) -> None:
    """While clients ask, a new model takes its turn and goes again: each request is answered.

    Each answer is right for the version that it names.
    """
    first = site.models()
    with visiting(site.https_port, CLIENTS, pause_s=PAUSE_S) as visitors:
        answered(visitors, ENOUGH)
        write_offset(site.app, 3000)
        done = site.run("reload")
        assert (done.exit_code, done.stderr) == (0, "")
        second = site.models()
        answered(visitors, ENOUGH)
        done = site.run("rollback")
        assert (done.exit_code, done.stderr) == (0, "")
        answered(visitors, ENOUGH)
    assert visitors.failures == []
    versions = [told["models"][0]["version"] for told in (first, second)]
    assert [visitors.offsets[version] for version in versions] == [OFFSET, 3000]
    assert set(visitors.answers) == set(versions)
    assert site.models() == first
    assert {first["release"], second["release"]} == site.releases
    assert site.status()["before"] == second["release"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_reload_that_is_told_to_end_is_undone(site: Commands, number: signal.Signals) -> None:
    """Ctrl+C or SIGTERM amid a change leaves what served before, and nothing of the new."""
    before, pids, releases = site.models(), site.pids(), site.releases
    write_offset(site.app, 4000)
    words = [sys.executable, "-m", "podium", "reload", str(site.app), "--state", str(site.state)]
    with subprocess.Popen(  # noqa: S603
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        # Who runs in the background of a script, as these tests may, ignores Ctrl+C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as change:  # fmt: skip
        assert change.stdout is not None
        assert change.stdout.readline().startswith("Starting release")
        until(lambda: len(site.pids()) == 3)
        change.send_signal(number)
        said, wrong = change.communicate()
    assert (change.returncode, said) == (1, f"Release {before['release']} goes on serving.\n")
    assert wrong.strip() == "Aborted!"
    assert (site.models(), site.pids(), site.releases) == (before, pids, releases)


def test_only_one_change_at_a_time(site: Commands) -> None:
    """While somebody changes the site, another change is refused in words."""
    with (site.site / "run" / "change.lock").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        done = site.run("reload")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "of this application is under way. Wait for its end." in done.stderr


def test_killed_supervisor_is_told_and_followed_by_another(site: Commands) -> None:
    """Without its supervisor the site serves on; status says so, and `up` mends it."""
    before = site.pids()
    os.kill(supervisor_of(site.site), signal.SIGKILL)
    until(lambda: site.run("status").exit_code == 1)
    assert site.get("/healthz")[0] == 200
    assert "the supervisor has ended" in site.run("status").stdout
    done = site.run("up")
    assert (done.exit_code, "Nothing has changed" in done.stdout) == (0, True)
    assert (site.status()["problems"], site.pids()) == ([], before)


def test_logs_of_all_programs_are_told(site: Commands) -> None:
    """`podium logs` prints the last lines of each log, led by its name."""
    for _ in range(3):
        site.get("/healthz")
    lines = site.run("logs", "-n", 3).stdout.splitlines()
    names = [line.partition(":")[0] for line in lines]
    assert {"access", "supervisor"} <= set(names)
    assert (names.count("access"), names.count(site.status()["slot"])) == (3, 3)


def test_two_sites_do_not_disturb_each_other(site: Commands) -> None:
    """A second application comes up and goes down beside the first, and leaves no process.

    It is run as a user would: each command is a process of its own, which ends. What `up` was told
    once it keeps.
    """
    with commands() as other:
        write_offset(other.app, 9)
        ports = ("--http-port", other.http_port, "--https-port", other.https_port)

        def run(command: str, *more: object) -> subprocess.CompletedProcess[str]:
            words = [sys.executable, "-m", "podium", command, other.app, "--state", other.state]
            return subprocess.run(  # noqa: S603  a list, not a shell's text
                [str(word) for word in (*words, *more)], capture_output=True, text=True, timeout=300
            )

        done = run("up", "--tls-self-signed", *ports, "--base-path", "/lab", "--workers", 1)
        assert (done.returncode, done.stderr) == (0, "")
        assert "Nothing has changed" in run("up").stdout
        assert other.status()["address"] == f"https://localhost:{other.https_port}/lab/"
        assert (site.get("/healthz")[0], other.get("/lab/healthz")[0]) == (200, 200)
        done = run("down")
        assert (done.returncode, done.stderr) == (0, "")
        assert processes_of(other.state) == {}
        again = run("down")
        assert (again.returncode, again.stderr) == (
            1, f"podium: {other.app} is not up. Bring it up first: podium up {other.app}\n"
        )  # fmt: skip
    assert site.status()["problems"] == []


def test_what_cannot_come_up_leaves_nothing() -> None:
    """A port that is taken, or an application that does not load, is told; nothing runs after."""
    with commands() as site, socket.socket() as taken:
        write_offset(site.app, 9)
        taken.bind(("", site.https_port))
        taken.listen()
        done = site.up()
        assert (done.exit_code, done.stdout) == (1, "")
        told = f"Port {site.https_port} cannot be listened on: Address already in use"
        assert told in done.stderr
        assert "--https-port 8443" in done.stderr
        taken.close()
        (site.app / "models/m.onnx").write_text("no graph")
        done = site.up()
        assert done.exit_code == 1
        assert "m.onnx: ONNX Runtime cannot load it" in done.stderr
        assert processes_of(site.state) == {}
        assert site.releases == set()
        assert "is not up" in site.run("status").stderr


def test_application_that_wants_a_key_shows_what_it_can() -> None:
    """Below its prefix, with texts and a key that counts for this alone, `up` gets a prediction."""
    with commands() as site:
        toml = write_notes(site.app) / "podium.toml"
        access = '[access]\nrequire = ["key"]\n[server]\nbase_path = "/lab"\n'
        toml.write_text(toml.read_text() + access)
        done = site.up()
        assert (done.exit_code, done.stderr) == (0, "")
        assert "2 examples answered as expected." in done.stdout
        log = site.site / "logs" / "access.log"
        until(lambda: "/lab/predict" in log.read_text())
        lines = map(json.loads, log.read_text().splitlines())
        told = [(line["method"], line["path"], line["status"]) for line in lines]
        assert told[-2:] == [("GET", "/lab/models", 200), ("POST", "/lab/predict", 200)]
        assert site.get("/lab/models")[0] == 401
        assert CredentialsFile(site.site.parent).read().keys == ()
