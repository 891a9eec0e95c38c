"""AWS Elastic Beanstalk spoken to: what is there, one call after another, and its events."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Any, Final

from podium.deploy.elastic_beanstalk import (
    ENDING,
    MADE,
    UNDER_WAY,
    WAIT_GONE,
    WAIT_READY,
    There,
    environment_of,
)
from podium.deploy.elastic_beanstalk_bundle import VARIABLES
from podium.deploy.elastic_beanstalk_logs import new_lines, tail_of
from podium.deploy.elastic_beanstalk_roles import ROLES, role_of
from podium.deploy.elastic_beanstalk_session import (
    SERVICE,
    Clients,
    code_of,
    date_of,
    session_of,
    spoken,
)
from podium.deploy.steps import Call
from podium.deploy.target import Deployment, Live, Say
from podium.errors import DeployError

POLL_S: float = 5.0
LONGEST_S: Final = 3600.0
FOLLOW_S: Final = 15.0
_STACK: Final = re.compile(r"64bit Amazon Linux 2023 v([\d.]+) running Python (3\.\d+)")
_PYTHON: Final = re.compile(r"Python (3\.\d+)")
_OUT_OF_MEMORY: Final = re.compile(r".*(?:out of memory|oom-kill|OOM killer).*", re.IGNORECASE)


class BeanstalkPlatform:
    """Elastic Beanstalk, and what it needs of S3, IAM and STS, in one region of one account."""

    def __init__(self, app: Deployment) -> None:
        self._app, self._aws = app, Clients(session_of(app.settings.region))
        self._environment = {"EnvironmentName": environment_of(app)}
        self._since: datetime | None = None
        self._told: set[tuple[datetime, str]] = set()

    def look(self) -> Live:
        """Return what the account has of the application.

        Raises:
            DeployError: a name is taken, or AWS does not answer as it should.
        """
        with spoken():
            identity = self._aws.call("sts", "GetCallerIdentity")
            exists, environment = self._application(), self._find()
            self._check_name(environment)
            if self._since is None:
                self._since = date_of(identity)
                self._events(lambda _line: None)  # what was before is no news
            versions = self._versions() if exists else ()
            there = self._there(environment, identity["Account"])
        label, name = (environment or {}).get("VersionLabel"), (environment or {}).get("CNAME")
        base_path = self._app.parsed.spec.server.base_path
        well = there.status in ("", "Ready") and (environment or {}).get("Health") != "Red"
        return Live(
            exists=exists, version=None if there.status == ENDING else label, versions=versions,
            address=f"http://{name}{base_path}" if name else None, unfinished=not well,
            details={"there": there},
        )  # fmt: skip

    def send(self, call: Call, files: Mapping[str, Path], say: Say) -> None:
        """Do what a step says; whatever it waits for tells its events.

        Raises:
            DeployError: AWS refuses, or a change fails.
        """
        waits = {WAIT_READY: self._wait_until_ready, WAIT_GONE: self._wait_until_gone}
        with spoken():
            if call.operation in waits:
                waits[call.operation](call.payload.get("VersionLabel"), say)
            elif call.file:
                self._upload(call.payload, files[call.file], say)
            else:
                service, _, operation = call.operation.partition(":")
                self._do(service, operation, call.payload, say)

    def reason(self) -> str:
        """Return why a version does not become ready: out of memory before all else.

        Else what the platform's health says, and the last line of the logs that tells of an error.
        """
        lines: list[str] = []
        with suppress(DeployError), spoken():
            parts = tail_of(self._aws, self._environment).values()
            lines = [line.strip() for part in parts for line in part if line.strip()]
        memory = next((line for line in lines if _OUT_OF_MEMORY.match(line)), None)
        if memory is not None:
            return (
                f"An instance ran out of memory ({memory}). Choose a larger one: "
                "[deploy.elastic-beanstalk] instance_type and memory."
            )
        wrong = [line for line in lines if "error" in line.lower()]
        ends = [f"Its log says: {line}" for line in (wrong or lines)[-1:]]
        with spoken():
            return " ".join([*self._causes(), *ends])

    def logs(self, follow: bool) -> Iterator[str]:
        """Yield what the application and its worker have written last, and then what is new.

        Raises:
            DeployError: there is no environment, or its log does not come.
        """
        last: dict[str, list[str]] = {}
        while True:
            with spoken():
                parts = tail_of(self._aws, self._environment)
            for path, lines in parts.items():
                yield from new_lines(last.get(path, []), lines)
            last = parts
            if not follow:
                return
            time.sleep(FOLLOW_S)

    def _application(self) -> bool:
        names = [self._app.name]
        found = self._aws.ask("DescribeApplications", ApplicationNames=names)["Applications"]
        if found and found[0].get("Description") != MADE:
            raise DeployError(
                f"The account has an application {self._app.name!r} that Podium has not made. Name "
                'another: [deploy.elastic-beanstalk] name = "..."'
            )
        return bool(found)

    def _find(self) -> dict[str, Any] | None:
        names = [environment_of(self._app)]
        found = self._aws.ask("DescribeEnvironments", EnvironmentNames=names, IncludeDeleted=False)
        there = (one for one in found["Environments"] if one["Status"] != "Terminated")
        return next(there, None)

    def _check_name(self, environment: Mapping[str, Any] | None) -> None:
        if environment and environment["ApplicationName"] != self._app.name:
            raise DeployError(
                f"The environment {environment['EnvironmentName']!r} belongs to the application "
                f"{environment['ApplicationName']!r}. Name another: [deploy.elastic-beanstalk] "
                'environment = "..."'
            )

    def _versions(self) -> tuple[str, ...]:
        pages = self._aws.of(SERVICE).get_paginator("describe_application_versions")
        found = pages.paginate(ApplicationName=self._app.name).build_full_result()
        made = sorted(found["ApplicationVersions"], key=lambda one: one["DateCreated"])
        return tuple(one["VersionLabel"] for one in made)

    def _there(self, environment: Mapping[str, Any] | None, account: str) -> There:
        bucket, told = f"elasticbeanstalk-{self._aws.region}-{account}", environment or {}
        status = told.get("Status", "")
        if status in ("", ENDING):  # one is to be made
            return There(status=status, stacks=self._stacks(), missing=tuple(self._missing()),
                         bucket=bucket, account=account)  # fmt: skip
        python = _PYTHON.search(f"{told.get('SolutionStackName')} {told.get('PlatformArn')}")
        return There(
            status=status, python=python and python[1], bucket=bucket, account=account,
            variables=self._variables() if status == "Ready" else (),
        )  # fmt: skip

    def _variables(self) -> tuple[str, ...]:
        what = {"ApplicationName": self._app.name, **self._environment}
        (told,) = self._aws.ask("DescribeConfigurationSettings", **what)["ConfigurationSettings"]
        options = told["OptionSettings"]
        return tuple(one["OptionName"] for one in options if one["Namespace"] == VARIABLES)

    def _stacks(self) -> dict[str, str]:
        """Return the newest platform of each Python."""
        told = self._aws.ask("ListAvailableSolutionStacks")["SolutionStacks"]
        found = [match for name in told if (match := _STACK.fullmatch(name))]
        found.sort(key=lambda match: [int(part) for part in match[1].split(".")])
        newest = {match[2]: match[0] for match in found}
        return dict(sorted(newest.items(), key=lambda one: int(one[0].partition(".")[2])))

    def _missing(self) -> Iterator[str]:
        """Yield which roles are not there, or not as they should be, as far as one may know."""
        errors = self._aws.of("iam").exceptions
        for kind in ROLES:
            try:
                if self._lacks(kind):
                    yield kind
            except errors.NoSuchEntityException:
                yield kind
            except errors.ClientError as err:
                if "AccessDenied" not in code_of(err):  # who may not look cannot make them either
                    raise

    def _lacks(self, kind: str) -> bool:
        """Whether a role is there by half; how one's own is made up is nobody's business."""
        name, usual = role_of(self._app, kind)
        role = name if kind == "service" else self._role_in(name)
        if role is None:
            return True
        told = self._aws.call("iam", "ListAttachedRolePolicies", RoleName=role)
        return usual and not told["AttachedPolicies"]

    def _role_in(self, profile: str) -> str | None:
        told = self._aws.call("iam", "GetInstanceProfile", InstanceProfileName=profile)
        roles = told["InstanceProfile"]["Roles"]
        return roles[0]["RoleName"] if roles else None

    def _do(self, service: str, operation: str, payload: Mapping[str, Any], say: Say) -> None:
        try:
            self._aws.call(service, operation, **payload)
        except self._aws.of("iam").exceptions.EntityAlreadyExistsException:
            say("  It is there already.")  # from a run that was interrupted

    def _upload(self, payload: Mapping[str, Any], file: Path, say: Say) -> None:
        place = dict(payload)
        bucket, key = place.pop("Bucket"), place.pop("Key")
        self._aws.of("s3").upload_file(
            str(file), bucket, key, ExtraArgs=place,
            Callback=_Progress(file.stat().st_size, say).more,
        )  # fmt: skip

    def _wait_until_ready(self, version: str | None, say: Say) -> None:
        """Wait until no change is under way; with a version, until that one was taken."""
        ends, wrong = time.monotonic() + LONGEST_S, []
        while True:
            environment = self._find()
            wrong += self._events(say)
            status = environment["Status"] if environment else ENDING
            if status not in UNDER_WAY:
                break
            if time.monotonic() > ends:
                raise DeployError(f"The environment was not ready within {LONGEST_S / 60:.0f} "
                                  "minutes. Run it again: it goes on.")  # fmt: skip
            time.sleep(POLL_S)
        if status == ENDING:
            raise DeployError(f"The environment is gone. {' '.join(wrong)}".rstrip())
        label = (environment or {}).get("VersionLabel")
        if version is not None and (wrong or label != version):
            told = " ".join(wrong) or f"It has version {label}."
            raise DeployError(f"The environment did not take version {version}. {told}")

    def _wait_until_gone(self, _version: str | None, say: Say) -> None:
        ends = time.monotonic() + LONGEST_S
        while self._find() is not None:
            self._events(say)
            if time.monotonic() > ends:
                raise DeployError("The environment is not gone yet. Run it again: it goes on.")
            time.sleep(POLL_S)
        self._events(say)

    def _events(self, say: Say) -> list[str]:
        """Tell what has happened since the last time, and return what went wrong."""
        since = {"StartTime": self._since} if self._since else {}
        told = self._aws.ask("DescribeEvents", **self._environment, **since)
        wrong = []
        for event in sorted(told["Events"], key=lambda one: one["EventDate"]):
            when, text, grade = event["EventDate"], event["Message"], event["Severity"]
            if (when, text) not in self._told:
                self._told.add((when, text))
                say(f"  {when:%H:%M:%S} {grade:<5} {text}")
                if grade in ("ERROR", "FATAL"):
                    wrong.append(text)
        return wrong

    def _causes(self) -> list[str]:
        """Return what the platform's enhanced health says; nothing where it says nothing."""
        errors = self._aws.of(SERVICE).exceptions
        with suppress(errors.ClientError):
            what = {**self._environment, "AttributeNames": ["Causes"]}
            return list(self._aws.ask("DescribeEnvironmentHealth", **what).get("Causes", ()))
        return []


class _Progress:
    """Tells how far an upload is, in quarters; boto3 calls it from several threads."""

    def __init__(self, size: int, say: Say) -> None:
        self._size, self._say, self._sent, self._lock = max(size, 1), say, 0, Lock()

    def more(self, count: int) -> None:
        """Note that so many bytes more have been sent."""
        with self._lock:
            before, self._sent = self._sent, self._sent + count
            quarters = 4 * self._sent // self._size
            if quarters > 4 * before // self._size:
                self._say(f"  {25 * quarters}% of {self._size / 1e6:,.1f} MB")
