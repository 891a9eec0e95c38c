"""The whole cycle against a real sshd: real packages, real nginx, real load."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import ssl
import stat
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from podium.deploy.record import Record
from podium.deploy.run import Outcome, PutBack, Task, deploy
from podium.deploy.vm_look import LOCK
from podium.errors import DeployError
from podium.operate.processes import session_of
from tests.deploy.vm_server import CANARY, Commands, Server, running_server
from tests.operate.sites import processes_of
from tests.support.missing import program
from tests.support.visitors import Visitors, visiting
from tests.support.waiting import until

NEW = ["Copy the bundle", "Set the variables"]
"""What is done for a version with packages that are there, before its turn."""
CLIENTS = 3
PAUSE_S = 0.02
ENOUGH = 60
"""How many answers are waited for before and after a change."""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Run a server for all tests of this module."""
    with running_server() as made:
        yield made


@pytest.fixture(scope="module")
def first(server: Server) -> Iterator[tuple[Commands, Outcome, list[dict[str, Any]]]]:
    """Deploy an application for the first time, and return what was told of it."""
    commands = Commands(server, "offset")
    try:
        outcome = commands.deploy()
        yield commands, outcome, commands.teller.events
    finally:
        commands.destroy()


@pytest.fixture
def site(first: tuple[Commands, Outcome, list[dict[str, Any]]]) -> Iterator[Commands]:
    """Return the application that is up; afterwards its folder is what serves."""
    yield first[0]
    first[0].write(*first[0].served[-1])


def asked(site: Commands, path: str, body: dict[str, Any] | None = None) -> Any:
    """Return what the application answers over TLS."""
    context = ssl._create_unverified_context()  # noqa: S323  the test's own certificate
    request = urllib.request.Request(
        f"https://localhost:{site.https_port}{path}", json.dumps(body).encode() if body else None,
        {"Content-Type": "application/json"},
    )  # fmt: skip
    with urllib.request.urlopen(request, timeout=30, context=context) as answer:  # noqa: S310
        return json.load(answer)


def offset(site: Commands) -> float:
    """Return what the model adds."""
    told = asked(site, "/predict", {"inputs": [{"x": 1}]})
    return float(told["predictions"][0]["value"]) - 1


def answered(visitors: Visitors, more: int) -> None:
    """Wait until so many more requests have been answered."""
    count = visitors.count
    until(lambda: visitors.count >= count + more or visitors.failures)


def variables(site: Commands) -> dict[str, str]:
    """Return the environment of the server that serves."""
    (file,) = site.place.glob("state/app-*/site/run/units.json")
    units = [one["unit"] for one in json.loads(file.read_bytes()) if not one["stopping"]]
    (told,) = [unit["environment"] for unit in units if unit["name"] in ("a", "b")]
    return dict(told)


def cut_off(site: Commands, server: Server, during: str) -> Task:
    """Return the application on its way, with a connection that is lost once a line is told."""
    task = site.task()
    tell = task.teller.say

    def say(line: str) -> None:
        tell(line)
        if line.strip().startswith(during):
            server.sshd.hang_up()

    task.teller.say = say  # type: ignore[method-assign]
    return task


def not_busy(site: Commands) -> bool:
    """Whether no command holds the lock on the server."""
    with (site.place / LOCK).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def holding(folder: Path, text: str) -> set[str]:
    """Return the files in a folder, links left out, that hold a text."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return {str(path.relative_to(folder)) for path in files if text.encode() in path.read_bytes()}


def test_first_deployment(first: tuple[Commands, Outcome, list[dict[str, Any]]]) -> None:
    """What was planned is done in that order; the version answers at its address, and is noted."""
    site, outcome, events = first
    steps = ["Make the folder", "Copy the bundle", "Install the packages", "Set the variables",
             f"Let version {outcome.version} serve"]  # fmt: skip
    assert outcome == Outcome(f"https://localhost:{site.https_port}/", outcome.version, True)
    assert [one["what"] for one in events if one["event"] == "planned"] == steps
    assert [one["what"] for one in events if one["event"] == "step"] == steps
    said = [one["line"] for one in events if one["event"] == "said"]
    assert any(line.startswith("100% of ") for line in said)
    assert "  1 example answered as expected." in said
    assert asked(site, "/readyz?worker")["release"] == outcome.version
    assert offset(site) == 1000
    noted = site.task().records.read("vm")
    assert isinstance(noted, Record)
    assert (noted.version, noted.before, noted.address) == (outcome.version, None, outcome.address)
    live = site.look()
    assert (live.exists, live.version, live.versions) == (True, outcome.version, (outcome.version,))
    assert (live.address, live.unfinished) == (outcome.address, False)


def test_secret_is_where_servers_read_it(
    first: tuple[Commands, Outcome, list[dict[str, Any]]], server: Server
) -> None:
    """A secret's value stands in files of its owner alone, in no log, record, or line told."""
    site, outcome, events = first
    assert CANARY not in json.dumps(events)
    assert json.dumps(CANARY)[1:-1] not in json.dumps(events)
    found = holding(server.folder, "c4n4ry-42")
    (state,) = (site.place / "state").glob("app-*")
    inside = str((state / "site").relative_to(server.folder))
    assert found == {
        f"p/offset/versions/{outcome.version}/variables", f"{inside}/systemd/environment",
        f"{inside}/run/units.json",
    }  # fmt: skip
    assert {stat.S_IMODE((server.folder / file).stat().st_mode) for file in found} == {0o600}
    assert (variables(site)["TOKEN"], variables(site)["GREETING"]) == (CANARY, "Grüß Gott")


def test_units_are_as_systemd_reads_them(site: Commands) -> None:
    """systemd-analyze finds nothing to say of the units that were written there."""
    analyze = program("systemd-analyze", "systemd")
    files = sorted(map(str, site.place.glob("state/app-*/site/systemd/*.service")))
    assert len(files) == 2
    done = subprocess.run(  # noqa: S603  the program of this machine
        [analyze, "verify", "--man=no", *files], capture_output=True, text=True, check=False
    )
    assert (done.stderr, done.returncode) == ("", 0)


def test_same_again_changes_nothing(site: Commands) -> None:
    """The same version is only looked at, and asked whether it answers."""
    before, version = site.files(), site.look().version
    outcome = site.deploy()
    assert outcome == Outcome(f"https://localhost:{site.https_port}/", version or "", False)
    assert (site.teller.of("planned"), site.teller.steps) == ([], [])
    assert site.files() == before


def test_update_and_rollback_under_load_lose_nothing(site: Commands) -> None:
    """While clients ask, a version takes its turn and gives it back: each request is answered.

    Its variables come and go with it.
    """
    old = site.look().version
    assert variables(site)["GREETING"] == "Grüß Gott"
    with visiting(site.https_port, CLIENTS, pause_s=PAUSE_S) as visitors:
        answered(visitors, ENOUGH)
        site.write(3000, "hello")
        outcome = site.deploy()
        assert site.teller.steps == [*NEW, f"Let version {outcome.version} serve"]
        answered(visitors, ENOUGH)
        assert variables(site)["GREETING"] == "hello"
        assert site.rollback() == Outcome(outcome.address, old or "", changed=True)
        assert site.teller.steps == [f"Let version {old} serve"]
        answered(visitors, ENOUGH)
    assert visitors.failures == []
    assert sorted(visitors.offsets.values()) == [1000, 3000]
    assert (offset(site), variables(site)["GREETING"]) == (1000, "Grüß Gott")
    assert site.look().versions == tuple(sorted((old or "", outcome.version)))


def test_broken_version_leaves_the_old_one_serving(site: Commands) -> None:
    """What cannot be loaded is refused with the reason; the old one goes on, and all is as it was.

    The exit code tells it.
    """
    old = site.look().version
    app = sorted((site.place / "app").rglob("*"))
    (site.app / "models" / "m.onnx").write_text("no graph")
    with pytest.raises(PutBack) as failed:
        site.deploy()
    assert failed.value.exit_code == 3
    assert "m.onnx: ONNX Runtime cannot load it" in str(failed.value)
    assert str(failed.value).endswith(f"Version {old} serves on.")
    assert (site.look().version, offset(site)) == (old, 1000)
    assert sorted((site.place / "app").rglob("*")) == app


def test_lost_connection_leaves_nothing_half_done(site: Commands, server: Server) -> None:
    """Where the connection is lost, what serves goes on; the same command again goes on from there.

    Of a bundle that came in part nothing is there; one that came whole is not sent again.
    """
    old = site.look().version
    site.write(4000)
    new = site.task().app.version
    for during, left in (("50% of", False), ("Starting release", True)):
        with pytest.raises(PutBack) as failed:
            deploy(cut_off(site, server, during), lambda: True)
        assert "server was lost. Run it again: it goes on.\nssh: " in str(failed.value)
        assert str(failed.value).endswith(f"Version {old} serves on.")
        live = site.look()
        assert (live.version, new in live.versions) == (old, left)
        until(lambda: not_busy(site))
    assert site.deploy() == Outcome(live.address or "", new, changed=True)
    assert site.teller.steps == ["Set the variables", f"Let version {new} serve"]
    assert offset(site) == 4000


def test_only_one_change_at_a_time(site: Commands) -> None:
    """While somebody else changes the same there, a deployment is refused in words."""
    site.write(5000)
    with (site.place / LOCK).open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(PutBack, match="Another `podium deploy` is at work on server"):
            site.deploy()


def test_logs_are_told(site: Commands) -> None:
    """`podium logs` of the server tells what its programs have written."""
    lines = list(site.task().connect().logs(follow=False))
    assert {"access", "supervisor"} <= {line.partition(":")[0] for line in lines}


def test_what_ended_comes_up_again_without_an_upload(site: Commands) -> None:
    """After a crash of all programs, as of the host, the same command brings them up."""
    version = site.look().version
    ended = {one for pid in processes_of(site.place) for one in (pid, *session_of(pid))}
    for pid in ended:
        os.kill(pid, signal.SIGKILL)
    until(lambda: not any(Path("/proc", str(pid)).exists() for pid in ended))
    assert site.look().version is None
    assert site.deploy().version == version
    assert site.teller.steps == ["Set the variables", f"Let version {version} serve"]


def test_first_deployment_that_fails_and_destroy(server: Server, site: Commands) -> None:
    """There is nothing to put back: the reason is told, and nothing runs; mended, it serves.

    Then all is removed; once more is told as nothing.
    """
    other = Commands(server, "other")
    server.shared_packages(other, site)
    (other.app / "models" / "m.onnx").write_text("no graph")
    with pytest.raises(DeployError, match=r"m\.onnx: ONNX Runtime cannot load it") as failed:
        other.deploy()
    assert failed.value.exit_code == 1
    assert (other.look().version, processes_of(other.place)) == (None, {})
    other.write(7)
    other.deploy()
    assert offset(other) == 7
    assert other.destroy() is True
    assert other.teller.steps == ["End what runs", "Remove the folder"]
    assert (other.place.exists(), processes_of(other.place)) == (False, {})
    assert other.task().records.read("vm") is None
    assert other.destroy() is False
    assert site.look().version is not None
