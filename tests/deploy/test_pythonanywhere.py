"""The whole cycle against PythonAnywhere's own protocol, with web workers that really serve."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from podium.deploy.run import Outcome, PutBack, destroy, rollback, show
from podium.errors import DeployError
from tests.deploy.anywhere_account import Account, account_of, answered

MADE = ["POST domain", "POST webapps"]
PACKAGES = ["POST .txt", "POST install.py", "DELETE .failed"]
VERSION = ["POST .zip", "POST .json"]
NOTED = "POST served"
TURN = ["POST wsgi", "POST reload"]
FIRST = [*MADE, *PACKAGES, *VERSION, "PATCH webapp", *TURN]
CANARY = "canary-of-the-application"


@pytest.fixture
def account(tmp_path: Path, wheel: Path) -> Iterator[Account]:
    """Return an account that has nothing yet."""
    with account_of(tmp_path, wheel) as there:
        yield there


def test_cycle(account: Account) -> None:
    """First, again without a change, update, rollback, destroy: each sends what it needs alone."""
    first = account.deploy()
    assert account.changes() == FIRST
    assert answered(first.address) == 2

    assert account.deploy() == Outcome(first.address, first.version, changed=False)
    assert account.changes() == []

    account.write(10)
    second = account.deploy()
    assert account.changes() == [NOTED, *VERSION, *TURN]  # the packages are the same: no console
    assert answered(second.address) == 20

    assert rollback(account.task(), lambda: True) == Outcome(first.address, first.version, True)
    assert account.changes() == TURN
    assert answered(first.address) == 2
    assert account.deploy() == Outcome(first.address, second.version, True)
    assert account.changes() == ["POST .json", *TURN]  # it lies there, and is noted: no upload

    assert destroy(account.task(), lambda: True) is True
    assert account.changes() == ["DELETE webapp", "DELETE wsgi", "DELETE rule"]
    assert [path for path in account.anywhere.machine.root.rglob("*") if path.is_file()] == [
        account.anywhere.machine.log(account.anywhere.address, "error")
    ]
    assert destroy(account.task(), lambda: True) is False


def test_versions_that_nobody_goes_back_to(account: Account) -> None:
    """Only the version before is kept, since disks there are small."""
    versions = []
    for factor in (1, 2, 3):
        account.write(factor)
        versions.append(account.deploy().version)
    live = account.task().connect().look()
    assert (live.version, sorted(live.versions)) == (versions[2], sorted(versions[1:]))
    kept = sorted(path.name[:12] for path in (account.there / "versions").iterdir())
    assert kept == sorted([*versions[1:], *versions[1:]])  # a folder and its variables each


def test_version_that_served_last_stays_until_another_serves(account: Account) -> None:
    """A version broke, and nobody could put the one before back: that one stays, and is there."""
    good = account.deploy()
    broken = [_broken(account, factor) for factor in (2, 3)]
    live = account.task().connect().look()
    assert (live.version, sorted(live.versions)) == (None, sorted([good.version, *broken]))
    latest = _broken(account, 4)
    live = account.task().connect().look()
    assert sorted(live.versions) == sorted([good.version, broken[1], latest])
    assert rollback(account.task(), lambda: True, good.version).changed
    assert answered(good.address) == 2
    account.write(5)
    assert answered(account.deploy().address) == 10
    assert len(account.task().connect().look().versions) == 2


def _broken(account: Account, factor: int) -> str:
    """Deploy a version that breaks when it gets its turn, just as the network goes."""
    account.write(factor, code="raise RuntimeError('no such luck')")
    anywhere, version = account.anywhere, account.task().app.version

    def reloaded(asked: str) -> bool:
        if asked.endswith("/reload/"):
            anywhere.breaks = lambda _one: True
        return False

    anywhere.breaks = reloaded
    with pytest.raises(DeployError):
        account.deploy()
    anywhere.breaks = lambda _one: False
    return version


def test_other_packages(account: Account) -> None:
    """They get an environment of their own; the one before goes first where both do not fit."""
    first = account.deploy()
    account.write(10, top='requirements = ["joblib"]')
    account.changes()
    account.deploy()
    assert account.changes() == [NOTED, *PACKAGES, *VERSION, "PATCH webapp", *TURN]
    assert answered(first.address) == 20
    rollback(account.task(), lambda: True)
    assert account.changes() == ["PATCH webapp", *TURN]
    assert answered(first.address) == 2

    account.write(7, 'disk = "60 MB"', top='requirements = ["requests"]')
    account.deploy()
    removed = ["DELETE release", "DELETE .zip", "DELETE .json",
               *["DELETE .whole", "DELETE environment"] * 2]  # fmt: skip
    assert account.changes() == [*removed, *PACKAGES, *VERSION, "PATCH webapp", *TURN]
    assert len(list((account.there / "environments").glob("*.whole"))) == 1
    rollback(account.task(), lambda: True)
    assert account.changes() == ["DELETE .failed", "PATCH webapp", *TURN]  # in a console, again
    assert answered(first.address) == 2


def test_failed_update_goes_back(account: Account) -> None:
    """A version that cannot be loaded gives way to the one before, and its error log is told."""
    first = account.deploy()
    account.write(10, code="raise RuntimeError('no such luck')")
    broken = account.task().app.version
    account.changes()
    with pytest.raises(PutBack) as failed:
        account.deploy()
    assert failed.value.exit_code == 3
    told = str(failed.value).splitlines()
    assert told[0].startswith(f"Version {broken} was not ready at {first.address} within 0 s: 502")
    assert told[1].startswith("PythonAnywhere: Its error log ends: ")
    assert "no such luck" in told[1]
    assert told[2] == f"Version {first.version} serves again."
    assert answered(first.address) == 2
    assert account.changes() == [NOTED, *VERSION, *TURN, *TURN]


def test_first_deployment_that_fails(account: Account) -> None:
    """What is in the way is told; once it is out of the way, nothing is uploaded again."""
    account.write(1, code="import os\nif 'GONE' not in os.listdir('.'): raise KeyError('GONE')")
    with pytest.raises(DeployError, match=r"Its error log ends: .*GONE"):
        account.deploy()
    (account.anywhere.machine.home / "GONE").touch()
    account.changes()
    assert answered(account.deploy().address) == 2
    assert account.changes() == ["POST .json", *TURN]


@pytest.mark.parametrize(
    "asked", ["POST webapps", "POST .txt", "POST .zip", "PATCH webapp", "POST wsgi", "POST reload"]
)
def test_interrupted_half_way(account: Account, asked: str) -> None:
    """Wherever the network goes, the second run goes on; both together send everything once."""
    anywhere = account.anywhere
    anywhere.breaks = lambda one: account.short(one) == asked
    with pytest.raises(DeployError, match=r"cannot be reached: .*run it again: it goes on"):
        account.deploy()
    begun = account.changes()
    assert begun == FIRST[: FIRST.index(asked) + 1]
    anywhere.breaks = lambda _one: False
    assert answered(account.deploy().address) == 2
    again = account.changes()
    for once in ("POST webapps", "POST .zip"):
        assert ([*begun[:-1], *again].count(once)) == 1
    assert again[-2:] == TURN
    assert account.deploy().changed is False


def test_token_that_is_revoked_half_way(account: Account) -> None:
    """It is told, with the way to a new one; the same command then goes on."""
    account.anywhere.refuses["POST webapps/"] = (401, "Invalid token.")
    with pytest.raises(DeployError) as failed:
        account.deploy()
    assert str(failed.value) == (
        f"{account.anywhere.address} does not know the token in API_TOKEN. Make an API token on "
        "the page Account, API token, and set API_TOKEN for `podium deploy` alone. An account in "
        'the EU has another host: [deploy.pythonanywhere] host = "eu.pythonanywhere.com". Then run '
        "it again: it goes on."
    )
    account.anywhere.refuses.clear()
    assert answered(account.deploy().address) == 2


def test_disk_that_is_full(account: Account) -> None:
    """A refused upload is told with what makes room; packages are, too. No part is taken for all.

    What the disk has kept of an archive goes with the next version.
    """
    account.anywhere.machine.breaks = "OSError: [Errno 122] Disk quota exceeded"
    with pytest.raises(
        DeployError, match=r"could not be installed: .*\[Errno 122\] Disk quota .*du"
    ):
        account.deploy()
    account.anywhere.machine.breaks = ""
    account.anywhere.fills = lambda name: name.endswith(".zip")
    for factor in (2, 1):
        account.write(factor)
        with pytest.raises(
            DeployError, match=r"Disk quota exceeded \(400\)\. The account's disk is fu"
        ):
            account.deploy()
    live = account.task().connect().look()
    assert (live.versions, len(list((account.there / "versions").glob("*.zip")))) == ((), 1)
    account.anywhere.fills = lambda _name: False
    assert answered(account.deploy().address) == 2


def test_too_many_requests(account: Account) -> None:
    """Of each kind 40 a minute are taken: it waits, says so, and goes on."""
    account.anywhere.throttles = ["GET webapps/", "POST webapps/", "POST files", "POST files"]
    assert answered(account.deploy().address) == 2
    assert account.said().count("  It takes 40 requests a minute: waiting 0 s ...") == 3


def test_secrets_are_in_one_file_that_nobody_else_reads(
    account: Account, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A secret's value is in the variables of its version, and in nothing else."""
    monkeypatch.setenv("TOKEN", CANARY)
    check = f"import os\nassert len(os.environ['TOKEN']) == {len(CANARY)}"
    account.write(1, 'secrets = ["TOKEN"]\nvariables = { GREETING = "Grüß Gott" }', code=check)
    show(account.task())
    assert answered(account.deploy().address) == 2
    told = json.dumps(account.events)
    assert CANARY not in told
    assert "the value of TOKEN" in told
    sent = [account.short(one) for one, body in account.anywhere.bodies if CANARY.encode() in body]
    assert sent == ["POST .json"]
    root = account.anywhere.machine.root
    (file,) = [path for path in (*root.rglob("*"), *account.state.rglob("*"))
               if path.is_file() and CANARY.encode() in path.read_bytes()]  # fmt: skip
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(file.read_text())["GREETING"] == "Grüß Gott"
    assert CANARY not in "".join(capfd.readouterr())
    account.anywhere.machine.log(account.anywhere.address, "error").write_text(f"ah: {CANARY}\n")
    task = account.task()
    said = task.reason(task.connect(), DeployError("It failed."))
    assert said.endswith("Its error log ends: ah: *** (the value of TOKEN)")
