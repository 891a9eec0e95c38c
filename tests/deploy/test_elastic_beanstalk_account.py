"""What is told of an application that lies in an account of AWS already."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import boto3
import pytest
from msgspec import structs

from podium.deploy import elastic_beanstalk_platform
from podium.deploy.elastic_beanstalk import MADE, There
from podium.deploy.run import Outcome
from podium.deploy.steps import Call
from podium.deploy.target import Deployment, Live
from podium.errors import DeployError
from tests.deploy.beanstalk_account import Account, account_of

DEPLOYED: dict[str, Outcome] = {}


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Iterator[Account]:
    """Yield an account that has the application."""
    with (
        pytest.MonkeyPatch.context() as settings,
        account_of(tmp_path_factory.mktemp("account"), wheel) as there,
    ):
        from podium.deploy import checks
        from podium.strict import Size

        settings.setattr(checks, "needed_memory", lambda _app, _place: Size(100_000_000))
        DEPLOYED["first"] = there.deploy()
        yield there


@pytest.fixture
def account(deployed: Account) -> Iterator[Account]:
    """Return the account; what a test writes into the folder is undone."""
    state = deployed.state
    deployed.changes()
    yield deployed
    assert deployed.changes() == []
    deployed.write(1)
    deployed.state = state


def test_all_that_is_known_lies_in_the_account(account: Account) -> None:
    """Another machine, without a record, is told the same."""
    account.state = account.state / "elsewhere"
    live, first = account.task().connect().look(), DEPLOYED["first"]
    assert live == Live(
        exists=True, version=first.version, versions=(first.version,), address=first.address,
        details={"there": There(
            status="Ready", python="3.12", bucket="elasticbeanstalk-eu-central-1-123456789012",
            account="123456789012", variables=live.details["there"].variables,
        )},
    )  # fmt: skip
    assert sorted(live.details["there"].variables) == ["PODIUM_RELEASE", "PODIUM_STATE", "PORT"]


def test_environment_of_another_application(account: Account) -> None:
    """An environment of this name that belongs to another application is left alone."""
    account.write(1, 'name = "other"\nenvironment = "rule"')
    with pytest.raises(DeployError, match=r"environment 'rule' belongs to the application 'rule'"):
        account.deploy()


def test_python_of_an_environment_stays(account: Account) -> None:
    """An environment keeps its Python, so the bundle has to be made for it."""
    account.write(1, python="3.13")
    with pytest.raises(
        DeployError, match=r"rule runs Python 3\.12, and the bundle .* Python 3\.13"
    ):
        account.deploy()


def test_logs(account: Account) -> None:
    """What the application has written last is told."""
    lines = list(account.task().connect().logs(False))
    assert any(line.startswith("Rule: http://localhost:") for line in lines)


def test_a_log_with_odd_bytes(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not UTF-8 is replaced, and the rest told."""
    monkeypatch.setattr(account.aws, "tail", ("200 OK", b"caf\xe9 is odd\n"))
    assert "caf\ufffd is odd" in list(account.task().connect().logs(False))


def test_a_log_that_is_not_given(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal is no log; neither it nor a broken connection tells the log's signed address."""
    monkeypatch.setattr(account.aws, "tail", ("403 Forbidden", b"Request has expired"))
    with pytest.raises(DeployError, match=r"log cannot be fetched: its storage answers with 403\."):
        list(account.task().connect().logs(False))
    monkeypatch.setattr(account.aws.place, "address", "http://127.0.0.1:1")
    with pytest.raises(DeployError, match=r"log cannot be fetched: .*refused") as failed:
        list(account.task().connect().logs(False))
    assert "/tail/" not in str(failed.value)


def test_logs_that_go_on(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written from then on follows, each line once."""
    monkeypatch.setattr(elastic_beanstalk_platform, "FOLLOW_S", 0.01)
    platform = account.task().connect()
    lines = platform.logs(True)
    told = [next(lines) for _ in list(platform.logs(False))]
    with urlopen(f"{DEPLOYED['first'].address}/what-is-new", timeout=20):  # noqa: S310
        assert "/what-is-new" in next(lines)
    assert not any("/what-is-new" in line for line in told)


def test_others_know_it_by_its_description(account: Account) -> None:
    """An application that Podium has made says so to whoever looks."""
    assert account.aws.place.versions
    (told,) = boto3.client("elasticbeanstalk").describe_applications()["Applications"]
    assert (told["ApplicationName"], told["Description"]) == ("rule", MADE)


@pytest.mark.parametrize(
    ("status", "operations"),
    [
        ("Updating", ["WaitUntilReady", "UpdateEnvironment", "WaitUntilReady"]),
        ("Terminating", ["WaitUntilGone", "CreateEnvironment", "WaitUntilReady"]),
    ],
)
def test_change_that_is_under_way(account: Account, status: str, operations: list[str]) -> None:
    """The platform takes one change at a time: the one before is waited for."""
    account.write(3)
    task = account.task()
    app: Deployment = task.app
    live = task.connect().look()
    there = structs.replace(live.details["there"], status=status, stacks={"3.12": "Stack"})
    plan = task.target.plan(app, structs.replace(live, details={"there": there}))
    told = [step.call.operation.partition(":")[2] for step in plan if isinstance(step.call, Call)]
    assert told == ["PutObject", "CreateApplicationVersion", *operations]
