"""The calls of Elastic Beanstalk that moto lacks, or answers as no account would.

moto parses and writes the protocol, by AWS's own description of it. An environment is a real
instance: what CreateEnvironment and UpdateEnvironment begin is seen to end by whoever asks.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, EmptyResult
from moto.elasticbeanstalk.models import Application, Environment
from moto.elasticbeanstalk.responses import SOLUTION_STACK_DETAILS, EBResponse
from moto.s3.models import s3_backends

from tests.deploy.beanstalk_instance import Instance

OUT_OF_MEMORY = "[ERROR] Worker (pid:71) was sent SIGKILL! Perhaps out of memory?"


class Refused(ServiceException):  # type: ignore[misc]  # moto is not typed
    """What AWS says to a call that is wrong."""

    code = "InvalidParameterValue"


class Place:
    """What the calls share: events, versions, and the instances with how they shall fail."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self.folder, self.programs = folder, programs
        self.events: list[dict[str, Any]] = []
        self.versions: dict[tuple[str, str], dict[str, Any]] = {}
        self.instances: dict[str, Instance] = {}
        self.options: dict[str, dict[tuple[str, str], str]] = {}
        self.before: dict[str, str | None] = {}
        self.fails: dict[str, str] = {}
        self.keeps_label = False
        self.address = ""

    def stop(self) -> None:
        """End all instances."""
        for instance in self.instances.values():
            instance.stop()


class Calls(EBResponse):  # type: ignore[misc]  # moto is not typed
    """Elastic Beanstalk, with the calls that a deployment needs."""

    place: ClassVar[Place]

    def create_application(self) -> ActionResult:
        """Keep the description, which moto drops."""
        made = super().create_application()
        made.result["Application"].description = self._get_param("Description")
        return made

    def describe_applications(self) -> ActionResult:
        """Tell those that are named."""
        names = self._get_param("ApplicationNames") or [*self._applications]
        return ActionResult({"Applications": [
            one for name, one in self._applications.items() if name in names]})  # fmt: skip

    def delete_application(self) -> ActionResult:
        """Refuse while an environment runs."""
        application = self._application()
        if any(one.status != "Terminated" for one in application.environments.values()):
            raise Refused("OperationInProgressFailure",
                          "Unable to delete application: it has running environments.")  # fmt: skip
        return super().delete_application()

    def create_application_version(self) -> ActionResult:
        """Refuse a label that is taken, and an archive that is not there."""
        application, label = self._application(), self._get_param("VersionLabel")
        key, source = (application.application_name, label), self._get_param("SourceBundle")
        if key in self.place.versions:
            raise Refused(f"Application Version {label} already exists.")
        self._archive(source)
        self.place.versions[key] = {
            "ApplicationName": key[0], "VersionLabel": label, "SourceBundle": dict(source),
            "DateCreated": now(), "DateUpdated": now(), "Status": "UNPROCESSED",
        }  # fmt: skip
        return ActionResult({"ApplicationVersion": self.place.versions[key]})

    def describe_application_versions(self) -> ActionResult:
        """Tell those of an application, the newest first."""
        name = self._get_param("ApplicationName")
        found = [one for (of, _), one in self.place.versions.items() if of == name]
        return ActionResult({"ApplicationVersions": found[::-1]})

    def delete_application_version(self) -> ActionResult:
        """Remove a version that nothing serves, with its archive if that is asked for."""
        application, label = self._application(), self._get_param("VersionLabel")
        live = [one for one in application.environments.values() if one.status != "Terminated"]
        if any(one.version_label == label for one in live):
            raise Refused("SourceBundleDeletionFailure", f"Version {label} is in use.")
        source = self.place.versions.pop((application.application_name, label))["SourceBundle"]
        if self._get_param("DeleteSourceBundle"):
            self._storage.delete_object(source["S3Bucket"], source["S3Key"])
        return EmptyResult()

    def create_storage_location(self) -> ActionResult:
        """Make the bucket of the account in this region, unless it is there."""
        name = f"elasticbeanstalk-{self.region}-{self.current_account}"
        if name not in self._storage.buckets:
            self._storage.create_bucket(name, self.region)
        return ActionResult({"S3Bucket": name})

    def create_environment(self) -> ActionResult:
        """Launch an instance."""
        name, stack = self._get_param("EnvironmentName"), self._get_param("SolutionStackName")
        application = self._application()
        if stack not in [one["SolutionStackName"] for one in SOLUTION_STACK_DETAILS]:
            raise Refused(f"No Solution Stack named '{stack}' found.")
        if any(one.environment_name == name and one.status != "Terminated" for one in self._all()):
            raise Refused(f"Environment {name} already exists.")
        self._version(application)
        application.environments.pop(name, None)
        made = self.elasticbeanstalk_backend.create_environment(application, name, stack, {})
        made.version_label, made.solution_stack_name = None, stack
        made.environment_id = f"e-{len(self.place.instances):010d}"
        instance = Instance(self.place.folder / made.environment_id, self.place.programs)
        self.place.instances[name], self.place.options[name] = instance, {}
        self._tell(made, "createEnvironment is starting.")
        self._begin(made, "Launching")
        return ActionResult(made)

    def update_environment(self) -> ActionResult:
        """Deploy a version to the instance that is there."""
        environment = self._environment()
        if environment.status != "Ready":
            raise Refused(
                f"Environment named {environment.environment_name} is in an invalid state for this "
                "operation. Must be Ready."
            )
        self._version(environment.application)
        self._tell(environment, "Environment update is starting.")
        self._begin(environment, "Updating")
        return ActionResult(environment)

    def terminate_environment(self) -> ActionResult:
        """End the instance; whoever asks next sees that it has gone."""
        environment = self._environment()
        self._tell(environment, "terminateEnvironment is starting.")
        self.place.instances[environment.environment_name].stop()
        environment.status = "Terminating"
        return ActionResult(environment)

    def describe_environments(self) -> ActionResult:
        """Tell those that are named, after what they have begun is seen to."""
        names = self._get_param("EnvironmentNames")
        found = [one for one in self._all() if not names or one.environment_name in names]
        for environment in found:
            self._look(environment)
        if self._get_param("IncludeDeleted") is False:
            found = [one for one in found if one.status != "Terminated"]
        return ActionResult({"Environments": found})

    def describe_events(self) -> ActionResult:
        """Tell the events since a time, the newest first."""
        since, name = self._get_param("StartTime"), self._get_param("EnvironmentName")
        if isinstance(since, str):
            since = datetime.fromisoformat(since)
        if since is not None and since.tzinfo is None:
            since = since.replace(tzinfo=UTC)
        found = [one for one in self.place.events if one["EnvironmentName"] == name
                 and (since is None or one["EventDate"] >= since)]  # fmt: skip
        return ActionResult({"Events": found[::-1]})

    def describe_configuration_settings(self) -> ActionResult:
        """Tell the options, those of the bundle included."""
        name = self._environment().environment_name
        options = {**self.place.instances[name].settings(), **self.place.options[name]}
        told = [{"Namespace": space, "OptionName": key, "Value": value}
                for (space, key), value in options.items()]  # fmt: skip
        return ActionResult({"ConfigurationSettings": [{"OptionSettings": told}]})

    def describe_environment_health(self) -> ActionResult:
        """Tell why it is not well."""
        environment = self._environment()
        told = ["Following services are not running: web."] if environment.health == "Red" else []
        return ActionResult({"EnvironmentName": environment.environment_name, "Causes": told,
                             "Color": environment.health})  # fmt: skip

    def request_environment_info(self) -> ActionResult:
        """Gather the end of the logs at once."""
        self._environment()
        return EmptyResult()

    def retrieve_environment_info(self) -> ActionResult:
        """Tell where the logs that were gathered lie."""
        name = self._environment().environment_name
        return ActionResult({"EnvironmentInfo": [{
            "InfoType": "tail", "Ec2InstanceId": "i-0", "SampleTimestamp": now(),
            "Message": f"{self.place.address}/tail/{name}"}]})  # fmt: skip

    @property
    def _applications(self) -> Any:
        return self.elasticbeanstalk_backend.applications

    @property
    def _storage(self) -> Any:
        return s3_backends[self.current_account]["aws"]

    def _all(self) -> Any:
        return self.elasticbeanstalk_backend.describe_environments()

    def _application(self) -> Application:
        name = self._get_param("ApplicationName")
        if name not in self._applications:
            raise Refused(f"No Application named '{name}' found.")
        return self._applications[name]

    def _environment(self) -> Environment:
        name = self._get_param("EnvironmentName")
        for one in self._all():
            if one.environment_name == name and one.status != "Terminated":
                return one
        raise Refused(f"No Environment found for EnvironmentName = '{name}'.")

    def _version(self, application: Application) -> Mapping[str, Any]:
        label = self._get_param("VersionLabel")
        found = self.place.versions.get((application.application_name, label))
        if found is None:
            raise Refused(f"No Application Version named '{label}' found.")
        return found

    def _archive(self, source: Mapping[str, str]) -> bytes:
        try:
            held = self._storage.get_object(source["S3Bucket"], source["S3Key"])
        except ServiceException:
            held = None
        if held is None:
            raise Refused(f"Unable to download from S3 location {dict(source)}. Reason: Not Found")
        value: bytes = held.value
        return value

    def _begin(self, environment: Environment, status: str) -> None:
        name, label = environment.environment_name, self._get_param("VersionLabel")
        options = self.place.options[name]
        for one in self._get_param("OptionSettings") or []:
            options[one["Namespace"], one["OptionName"]] = one["Value"]
        for one in self._get_param("OptionsToRemove") or []:
            options.pop((one["Namespace"], one["OptionName"]), None)
        self.place.before[name] = environment.version_label
        environment.version_label, environment.status, environment.health = label, status, "Grey"
        instance = self.place.instances[name]
        environment.cname = instance.address
        if label not in self.place.fails:
            instance.deploy(self._archive(self._version(environment.application)["SourceBundle"]),
                            options)  # fmt: skip

    def _look(self, environment: Environment) -> None:
        name = environment.environment_name
        if environment.status == "Terminating":
            environment.status = "Terminated"
            self._tell(environment, "terminateEnvironment completed successfully.")
        elif environment.status in ("Launching", "Updating"):
            instance = self.place.instances[name]
            wrong = self.place.fails.get(environment.version_label or "")
            ready = None if wrong else instance.ready()
            if ready:
                environment.status, environment.health = "Ready", "Green"
                self._tell(environment, "Environment update completed successfully.")
            elif ready is None:
                self._fail(environment, wrong or "web has ended.")

    def _fail(self, environment: Environment, wrong: str) -> None:
        name = environment.environment_name
        environment.status, environment.health = "Ready", "Red"
        with (self.place.instances[name].folder / "web.stdout.log").open("a") as log:
            log.write(f"{wrong}\n")
        self._tell(environment, "Failed to deploy application.", "ERROR")
        if not self.place.keeps_label:
            environment.version_label = self.place.before[name]

    def _tell(self, environment: Environment, message: str, severity: str = "INFO") -> None:
        self.place.events.append({
            "EventDate": now(), "Message": message, "Severity": severity,
            "ApplicationName": environment.application_name,
            "EnvironmentName": environment.environment_name,
        })  # fmt: skip


def now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)
