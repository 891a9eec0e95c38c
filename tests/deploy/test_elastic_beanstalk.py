"""The whole cycle against Elastic Beanstalk's own protocol, with instances that really serve."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from podium.deploy.run import Outcome, PutBack, destroy, rollback, show
from podium.errors import DeployError
from tests.deploy.beanstalk import EXPIRED, GONE
from tests.deploy.beanstalk_account import Account, account_of, answered
from tests.deploy.beanstalk_calls import OUT_OF_MEMORY

FIRST = ["CreateRole", "AttachRolePolicy", "CreateInstanceProfile", "AddRoleToInstanceProfile",
         "CreateRole", "AttachRolePolicy", "AttachRolePolicy", "CreateStorageLocation",
         "CreateApplication", "PUT", "CreateApplicationVersion", "CreateEnvironment"]  # fmt: skip
UPDATE = ["PUT", "CreateApplicationVersion", "UpdateEnvironment"]
CANARY = "canary-of-the-application"


@pytest.fixture
def account(tmp_path: Path, wheel: Path) -> Iterator[Account]:
    """Return an account that has nothing yet."""
    with account_of(tmp_path, wheel) as there:
        yield there


@pytest.fixture
def serving(tmp_path: Path, wheel: Path) -> Iterator[Account]:
    """Return an account whose instances run Podium."""
    with account_of(tmp_path, wheel, real=True) as there:
        yield there


def test_cycle(serving: Account) -> None:
    """First, again without a change, update, rollback, destroy: each sends what it needs alone."""
    first = serving.deploy()
    assert serving.changes() == FIRST
    assert answered(first.address) == 2
    assert any(line.endswith("INFO  createEnvironment is starting.") for line in serving.said())

    assert serving.deploy() == Outcome(first.address, first.version, changed=False)
    assert serving.changes() == []

    serving.write(10)
    second = serving.deploy()
    assert serving.changes() == UPDATE
    assert answered(second.address) == 20

    assert rollback(serving.task(), lambda: True) == Outcome(first.address, first.version, True)
    assert serving.changes() == ["UpdateEnvironment"]
    assert answered(first.address) == 2

    assert destroy(serving.task(), lambda: True) is True
    assert serving.changes() == ["TerminateEnvironment", "DeleteApplicationVersion",
                                 "DeleteApplicationVersion", "DeleteApplication"]  # fmt: skip
    assert serving.aws.place.versions == {}
    assert destroy(serving.task(), lambda: True) is False


@pytest.mark.parametrize("keeps_label", [False, True], ids=["old label", "new label"])
def test_failed_update_goes_back(account: Account, keeps_label: bool) -> None:
    """A version that runs out of memory gives way to the one before, whose label it is or not."""
    first = account.deploy()
    account.write(10)
    place, broken = account.aws.place, account.task().app.version
    place.fails[broken], place.keeps_label = OUT_OF_MEMORY, keeps_label
    with pytest.raises(PutBack) as failed:
        account.deploy()
    assert failed.value.exit_code == 3
    assert str(failed.value) == (
        f"The environment did not take version {broken}. Failed to deploy application.\n"
        f"AWS Elastic Beanstalk: An instance ran out of memory ({OUT_OF_MEMORY}). Choose a larger "
        "one: [deploy.elastic-beanstalk] instance_type and memory.\n"
        f"Version {first.version} serves again."
    )
    assert answered(first.address) == 2
    assert account.changes() == [*FIRST, *UPDATE, "UpdateEnvironment"]


def test_first_deployment_that_fails(account: Account) -> None:
    """The platform's own words tell why, and a second run mends it without another upload."""
    place, version = account.aws.place, account.task().app.version
    place.fails[version] = "ModuleNotFoundError: No module named 'such'"
    with pytest.raises(DeployError) as failed:
        account.deploy()
    assert str(failed.value) == (
        f"The environment did not take version {version}. Failed to deploy application.\n"
        "AWS Elastic Beanstalk: Following services are not running: web. "
        "Its log says: ModuleNotFoundError: No module named 'such'"
    )
    place.fails.clear()
    assert account.changes() == FIRST
    assert answered(account.deploy().address) == 2
    assert account.changes() == ["UpdateEnvironment"]


@pytest.mark.parametrize(
    "call", ["CreateInstanceProfile", "CreateApplication", "PUT", "CreateEnvironment"]
)
def test_interrupted_half_way(account: Account, call: str) -> None:
    """Wherever the network goes, the second run goes on from there."""
    account.aws.refuses[call] = (GONE, "")
    with pytest.raises(DeployError, match=r"AWS cannot be reached.*run it again: it goes on"):
        account.deploy()
    account.aws.refuses.clear()
    account.changes()
    assert answered(account.deploy().address) == 2
    again = account.changes()
    assert again[-1] == "CreateEnvironment"
    assert again.count("CreateApplication") == (
        FIRST.index(call) <= FIRST.index("CreateApplication")
    )


def test_interrupted_while_it_launches(account: Account) -> None:
    """What is under way is waited for, and nothing is sent again."""
    version = account.task().app.version
    account.aws.last = "CreateEnvironment"
    with pytest.raises(DeployError, match=r"AWS cannot be reached"):
        account.deploy()
    account.aws.last = ""
    account.aws.refuses.clear()
    account.changes()
    assert account.deploy().version == version
    assert account.changes() == []


def test_credentials_that_expire_half_way(account: Account) -> None:
    """It is told, with the way to new ones; the same command then goes on."""
    account.aws.refuses["CreateApplicationVersion"] = (EXPIRED, "The security token is expired.")
    account.aws.refuses["RequestEnvironmentInfo"] = (EXPIRED, "The security token is expired.")
    with pytest.raises(DeployError) as failed:
        account.deploy()
    assert str(failed.value) == (
        "CreateApplicationVersion: The security token is expired (ExpiredToken). They have "
        "expired. Log in again (`aws sso login`), and run the same command: it goes on."
    )


def test_quota(account: Account) -> None:
    """A quota that is used up is told in the platform's words, with the way out."""
    account.aws.refuses["CreateEnvironment"] = (
        "TooManyEnvironmentsException", "You already have 10 environments.",
    )  # fmt: skip
    with pytest.raises(DeployError, match=r"You already have 10 environments \(TooMany.*Quotas"):
        account.deploy()


def test_what_credentials_may_not_do(account: Account) -> None:
    """The policy that allows it is named."""
    account.aws.refuses["*"] = ("AccessDenied", "User: me is not authorized.")
    with pytest.raises(DeployError, match=r"GetCallerIdentity: User: me is not.*AdministratorAcc"):
        account.deploy()


def test_application_of_somebody_else(account: Account) -> None:
    """An application of this name that Podium has not made is left alone."""
    boto3.client("elasticbeanstalk").create_application(
        ApplicationName="rule", Description="The other one"
    )
    account.changes()
    with pytest.raises(DeployError, match=r"has an application 'rule' that Podium has not made"):
        account.deploy()
    assert account.changes() == []


def test_without_credentials(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Podium looks for them is told."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(DeployError, match=r"There are no AWS credentials. Podium takes.*configure"):
        account.deploy()


def test_without_a_region(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where one is set is told."""
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(DeployError, match=r'No AWS region is set. Name one: .* region = "eu-cen'):
        account.deploy()


def test_wrong_region(account: Account) -> None:
    """The nearest region is named, before anything is asked."""
    account.write(1, 'region = "eu-cental-1"')
    with pytest.raises(DeployError, match=r"no region 'eu-cental-1'.* Did you mean 'eu-central-1'"):
        account.deploy()
    assert account.aws.asked == []


def test_python_that_is_not_there(account: Account) -> None:
    """The Pythons of the platform are listed."""
    account.write(1, python="3.99")
    with pytest.raises(DeployError, match=r"with Python 3.99 there; it has .*3.11, 3.12, 3.13"):
        account.deploy()


def test_roles_that_one_may_not_look_at(account: Account) -> None:
    """Who may not ask for the roles cannot make them either: they are taken as there."""
    account.aws.refuses["GetInstanceProfile"] = ("AccessDenied", "Not you.")
    account.aws.refuses["ListAttachedRolePolicies"] = ("AccessDenied", "Not you.")
    account.deploy()
    assert account.changes() == FIRST[FIRST.index("CreateStorageLocation") :]


def test_role_of_ones_own_that_is_missing(account: Account) -> None:
    """A role with a name of one's own is not made: it may be misspelt."""
    account.write(1, 'instance_profile = "podiom"')
    with pytest.raises(DeployError, match=r"instance_profile: the account has no 'podiom'"):
        account.deploy()
    assert account.changes() == []


def test_secrets_are_where_the_platform_keeps_them(
    account: Account, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A secret's value is in the options of the environment, and in nothing else; it can go."""
    monkeypatch.setenv("TOKEN", CANARY)
    account.write(1, 'secrets = ["TOKEN"]\nvariables = { GREETING = "hello" }')
    show(account.task())
    outcome = account.deploy()
    told = json.dumps(account.events)
    assert CANARY not in told
    assert "the value of TOKEN" in told
    assert [name for name, body in account.aws.bodies if CANARY.encode() in body] == [
        "CreateEnvironment"
    ]
    account.task().render(account.state / "rendered")
    assert [file for file in (*account.state.rglob("*"), *account.app.rglob("*"))
            if file.is_file() and CANARY.encode() in file.read_bytes()] == []  # fmt: skip
    assert CANARY not in "".join(capfd.readouterr())
    assert not any(b"canary-of-the-account" in body for _, body in account.aws.bodies)

    account.write(1)
    assert account.deploy().address == outcome.address
    (options,) = account.aws.place.options.values()
    assert "TOKEN" not in [name for _, name in options]


def test_a_secret_becomes_a_plain_variable(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its old value, which wins over the bundle's, is removed from the environment."""
    monkeypatch.setenv("TOKEN", CANARY)
    account.write(1, 'secrets = ["TOKEN"]')
    account.deploy()
    account.write(1, 'variables = { TOKEN = "plain" }')
    account.deploy()
    (told,) = boto3.client("elasticbeanstalk").describe_configuration_settings(
        ApplicationName="rule", EnvironmentName="rule"
    )["ConfigurationSettings"]
    assert ("TOKEN", "plain") in [
        (one["OptionName"], one["Value"]) for one in told["OptionSettings"]
    ]
