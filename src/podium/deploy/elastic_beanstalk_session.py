"""How AWS is spoken to: credentials, region, clients; and what its errors mean, in one place."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

from podium.errors import DeployError, MissingExtra, nearest

SERVICE: Final = "elasticbeanstalk"
_LOGIN: Final = (
    "Podium takes credentials from where `aws` does: `aws configure sso` or `aws configure` set "
    "them up, AWS_PROFILE chooses, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY come first."
)
_AGAIN: Final = "Log in again (`aws sso login`), and run the same command: it goes on."
_WAYS_OUT: Final = {
    r"ExpiredToken.*|RequestExpired|TokenRefreshRequired": f"They have expired. {_AGAIN}",
    r"InvalidClientTokenId|UnrecognizedClient.*|InvalidAccessKeyId|SignatureDoesNotMatch|Auth.*":
        f"AWS does not know these credentials. {_LOGIN}",
    r"AccessDenied.*|InsufficientPrivileges.*|Unauthorized.*":
        "The credentials may not do that. The policy AdministratorAccess-AWSElasticBeanstalk "
        "covers all that is done, but for roles, which iam:CreateRole and its kind allow.",
    r"TooManyApplicationVersions.*":
        "Remove versions that nobody goes back to: `aws elasticbeanstalk "
        "delete-application-version --delete-source-bundle`.",
    r"TooMany.*|.*LimitExceeded.*":
        "A quota of the account is used up. Remove what is not needed, or ask for more in the "
        "console under Service Quotas.",
    r"OperationInProgress.*": "Another change is under way. Run it again when that has ended.",
    r"S3LocationNotInServiceRegion.*": "The bucket is in another region than the environment.",
}  # fmt: skip


_SDK_WAYS_OUT: Final = {r".*Token.*": _AGAIN, r".*Credential.*|ProfileNotFound": _LOGIN}


def session_of(region: str | None) -> Any:
    """Return a session of boto3 with a region and credentials.

    Raises:
        MissingExtra: boto3 is not installed.
        DeployError: there are no credentials, no region, or none of this name.
    """
    try:
        import boto3
    except ImportError as err:
        raise MissingExtra("AWS Elastic Beanstalk", "aws") from err
    with spoken():
        session = boto3.Session(region_name=region)
        _check_region(session)
        if session.get_credentials() is None:
            raise DeployError(f"There are no AWS credentials. {_LOGIN}")
    return session


class Clients:
    """The services of AWS, each with a client that is made when it is first asked for."""

    def __init__(self, session: Any) -> None:
        self.region: str = session.region_name
        self._session = session
        self._made: dict[str, Any] = {}

    def of(self, service: str) -> Any:
        """Return the client of a service."""
        if service not in self._made:
            self._made[service] = self._session.client(service)
        return self._made[service]

    def ask(self, operation: str, **payload: Any) -> Any:
        """Return what Elastic Beanstalk answers."""
        return self.call(SERVICE, operation, **payload)

    def call(self, service: str, operation: str, **payload: Any) -> Any:
        """Return what a service answers; an operation is named as in its API."""
        from botocore import xform_name

        return getattr(self.of(service), xform_name(operation))(**payload)


def date_of(answer: Any) -> datetime:
    """Return when AWS gave an answer, by its own clock."""
    return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])


def code_of(err: Any) -> str:
    """Return the code of an error that a service has told."""
    return str(err.response["Error"].get("Code", ""))


@contextmanager
def spoken() -> Iterator[None]:
    """Make of every error of the SDK one that tells what AWS said, and the way out.

    Raises:
        DeployError: as said.
    """
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

    try:
        yield
    except ClientError as err:
        raise DeployError(_told(err)) from err
    except HTTPClientError as err:
        raise DeployError(
            f"AWS cannot be reached: {err} Look at the network and the region, and run it again: "
            "it goes on."
        ) from err
    except BotoCoreError as err:
        raise DeployError(f"{err} {_way_out(_SDK_WAYS_OUT, type(err).__name__)}".rstrip()) from err
    except Boto3Error as err:
        if isinstance(err.__context__, ClientError):  # an upload wraps it, and leaves out the code
            raise DeployError(_told(err.__context__)) from err
        raise DeployError(f"AWS: {err}") from err


def _told(err: Any) -> str:
    code = code_of(err)
    message = err.response["Error"].get("Message", "").strip().rstrip(".")
    return f"{err.operation_name}: {message} ({code}). {_way_out(_WAYS_OUT, code)}".rstrip()


def _way_out(known: Mapping[str, str], name: str) -> str:
    return next((told for names, told in known.items() if re.fullmatch(names, name)), "")


def _check_region(session: Any) -> None:
    """Refuse no region, and one that Elastic Beanstalk is not in."""
    if session.region_name is None:
        raise DeployError(
            'No AWS region is set. Name one: [deploy.elastic-beanstalk] region = "eu-central-1", '
            "or AWS_DEFAULT_REGION."
        )
    partitions = session.get_available_partitions()
    known = [one for partition in partitions
             for one in session.get_available_regions(SERVICE, partition)]  # fmt: skip
    if session.region_name not in known:
        raise DeployError(
            f"Elastic Beanstalk has no region {session.region_name!r}, as far as this boto3 knows."
            f"{nearest(session.region_name, known)} For a newer one: pip install -U boto3"
        )
