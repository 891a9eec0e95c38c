"""AWS Elastic Beanstalk: one instance behind the platform's nginx, from a source bundle.

An application's name is that of its Elastic Beanstalk application, and the version the label of an
application version, which lies as an archive in the account's bucket. An environment serves one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec import Struct

from podium.deploy.elastic_beanstalk_bundle import (
    ARCHIVE,
    STATE,
    VARIABLES,
    bundle_of,
    machine_of,
    patience_of,
    proxies_of,
)
from podium.deploy.elastic_beanstalk_roles import role_steps, usual_roles
from podium.deploy.facts import facts_of
from podium.deploy.steps import Call, Secret, Step
from podium.deploy.target import Deployment, Files, Finding, Live, Platform
from podium.errors import DeployError

MADE: Final = "Made by podium deploy."
"""By this description an application is known again; another's is left alone."""
STACK: Final = "64bit Amazon Linux 2023 running Python {python}, in its newest version"
"""As long as nobody has told the name of the platform."""
UNDER_WAY: Final = ("Launching", "Updating", "Aborting", "LinkingFrom", "LinkingTo")
ENDING: Final = "Terminating"
"""States of an environment that take a while; in all but "Ready" it takes no change."""
WAIT_READY: Final = "podium:WaitUntilReady"
WAIT_GONE: Final = "podium:WaitUntilGone"
"""Calls that only read, again and again, and tell the environment's events."""
_BUCKET: Final = "elasticbeanstalk-REGION-ACCOUNT"
"""As long as region and account are not known; the platform names its bucket so."""
_REGIONS: Final = ("AWS_REGION", "AWS_DEFAULT_REGION")
_ENVIRONMENT: Final = "aws:elasticbeanstalk:environment"
_LAUNCH: Final = "aws:autoscaling:launchconfiguration"
"""What instances are launched with. That three of its options lead to launch templates:

https://docs.aws.amazon.com/elasticbeanstalk/latest/dg/using-features.managing.ec2.namespace.html
"""


class There(Struct, frozen=True, kw_only=True):
    """What the account has of an application, or for it; as it stands here, what nobody has told.

    `status` is the environment's, "" where there is none, `python` its Python and `variables` the
    names of its environment variables. `missing` are the roles that are not there: "profile" and
    "service". `stacks` are the platforms by their Python.
    """

    status: str = ""
    python: str | None = None
    variables: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    stacks: Mapping[str, str] | None = None
    bucket: str = _BUCKET
    account: str = "ACCOUNT"


class ElasticBeanstalk:
    """AWS Elastic Beanstalk."""

    name = "elastic-beanstalk"
    title = "AWS Elastic Beanstalk"
    facts = facts_of("elastic-beanstalk")

    def files(self, app: Deployment) -> Files:
        """Return the source bundle."""
        return bundle_of(app)

    def findings(self, app: Deployment, files: Files) -> Iterator[Finding]:  # noqa: ARG002
        """Yield where it is, what stays, that connections are not encrypted, and who is let in."""
        spec = app.parsed.spec
        if not (app.settings.region or any(map(os.environ.get, _REGIONS))):
            yield Finding(
                "No region is named: that of your AWS settings is taken (`aws configure`), for "
                "which REGION stands in a dry run, as ACCOUNT does for the account. "
                "[deploy.elastic-beanstalk] region or AWS_DEFAULT_REGION names one."
            )
        yield Finding(f"Data sets, kept answers and keys lie in {STATE}, on the instance's own "
                      f"disk. {self.facts.disk.told}")  # fmt: skip
        if not proxies_of(app):
            yield Finding(
                f"{self.title} serves one instance by HTTP. For HTTPS, name a certificate: "
                '[deploy.elastic-beanstalk] certificate = "arn:aws:acm:..."'
            )
            if "header" in spec.access.require:
                yield Finding(
                    '[access] require: "header" lets nobody in, since no proxy stands before the '
                    "instance that could know its users. Put one there, and say so: "
                    "[server] proxies = 1.",
                    fatal=spec.access.require == ("header",),
                )

    def plan(self, app: Deployment, live: Live) -> list[Step]:
        """Return the upload where it is needed, then the environment made or brought up to date."""
        there = there_of(live)
        if there.status in UNDER_WAY and live.version == app.version:
            return [_ready(app, app.version)]
        steps = [*role_steps(app, there.missing if live.details else usual_roles(app))]
        if not live.exists:
            steps += _application(app)
        if app.version not in live.versions:
            steps += _upload(app, there)
        make = _update if there.status not in ("", ENDING) else _create
        return [*steps, *_settled(app, there), make(app, there), _ready(app, app.version)]

    def back(self, app: Deployment, live: Live, version: str) -> list[Step]:
        """Return how the environment gets a version that lies in the bucket."""
        payload = {"EnvironmentName": environment_of(app), "VersionLabel": version}
        update = Step(f"Let version {version} serve", "it lies in the account's bucket",
                      Call("elasticbeanstalk:UpdateEnvironment", payload))  # fmt: skip
        return [*_settled(app, there_of(live)), update, _ready(app, version)]

    def removal(self, app: Deployment, live: Live) -> list[Step]:
        """Return how environment, versions with their archives, and application are removed."""
        there, steps = there_of(live), []
        if there.status not in ("", ENDING):
            call = Call("elasticbeanstalk:TerminateEnvironment",
                        {"EnvironmentName": environment_of(app)})  # fmt: skip
            why = "its instance costs; what is on its disk goes"
            steps = [*_settled(app, there), Step("Terminate the environment", why, call)]
        if there.status:
            steps.append(_gone(app))
        for version in live.versions:
            payload = {"ApplicationName": app.name, "VersionLabel": version,
                       "DeleteSourceBundle": True}  # fmt: skip
            call = Call("elasticbeanstalk:DeleteApplicationVersion", payload)
            steps.append(Step(f"Remove version {version}", "with its archive in the bucket", call))
        call = Call("elasticbeanstalk:DeleteApplication", {"ApplicationName": app.name})
        return [*steps, Step("Remove the application", "nothing of it is left then", call)]

    def address(self, app: Deployment, live: Live) -> str | None:  # noqa: ARG002
        """Return the address that the platform gave."""
        return live.address

    def host(self, app: Deployment) -> str:  # noqa: ARG002
        """Return how the addresses end that the platform gives."""
        return ".elasticbeanstalk.com"

    def connect(self, app: Deployment, environment: Mapping[str, str]) -> Platform:  # noqa: ARG002
        """Return the platform; boto3 looks for region and credentials where `aws` does.

        Raises:
            MissingExtra: boto3 is not installed.
            DeployError: there are no credentials, or no region.
        """
        from podium.deploy.elastic_beanstalk_platform import BeanstalkPlatform

        return BeanstalkPlatform(app)


def environment_of(app: Deployment) -> str:
    """Return the name of the environment, which has four characters at least."""
    name: str = app.settings.environment or app.name
    return name if len(name) >= 4 else f"{name}-env"


def there_of(live: Live) -> There:
    """Return what the account has; of nothing that is known, what nobody has told."""
    there: There = live.details.get("there", There())
    return there


def _application(app: Deployment) -> Iterator[Step]:
    yield Step("Make the bucket", "source bundles lie in the platform's own; one there is kept",
               Call("elasticbeanstalk:CreateStorageLocation"))  # fmt: skip
    payload = {"ApplicationName": app.name, "Description": MADE}
    yield Step("Make the application", "there is none of this name",
               Call("elasticbeanstalk:CreateApplication", payload))  # fmt: skip


def _upload(app: Deployment, there: There) -> Iterator[Step]:
    bucket = there.bucket.replace("REGION", app.settings.region or "REGION")
    key = f"{app.name}/{app.version}.zip"
    place = {"Bucket": bucket, "Key": key, "ExpectedBucketOwner": there.account}
    yield Step("Upload the source bundle", "this version is not there yet",
               Call("s3:PutObject", place, ARCHIVE))  # fmt: skip
    payload = {"ApplicationName": app.name, "VersionLabel": app.version, "Description": MADE,
               "SourceBundle": {"S3Bucket": bucket, "S3Key": key}}  # fmt: skip
    yield Step(f"Make version {app.version}", "its label is a hash of content and settings",
               Call("elasticbeanstalk:CreateApplicationVersion", payload))  # fmt: skip


def _create(app: Deployment, there: There) -> Step:
    python = machine_of(app).python
    stacks = there.stacks
    if stacks is None:
        stacks = {python: STACK.format(python=python)}
    if python not in stacks:
        raise DeployError(
            f"Elastic Beanstalk has no platform with Python {python} there; it has those with "
            f'{", ".join(stacks)}. Name one: [deploy.elastic-beanstalk] python = "..."'
        )
    payload = {
        "ApplicationName": app.name, "EnvironmentName": environment_of(app), "Description": MADE,
        "SolutionStackName": stacks[python], "VersionLabel": app.version,
        "Tier": {"Name": "WebServer", "Type": "Standard"}, "OptionSettings": _options(app),
    }  # fmt: skip
    why = f"a {app.settings.instance_type} with nginx; it costs until `podium deploy destroy`"
    return Step("Make the environment", why,
                Call("elasticbeanstalk:CreateEnvironment", payload))  # fmt: skip


def _update(app: Deployment, there: There) -> Step:
    python = machine_of(app).python
    if there.python not in (python, None):
        raise DeployError(
            f"The environment {environment_of(app)} runs Python {there.python}, and the bundle is "
            f"made for Python {python}. An environment keeps its Python: set "
            f'[deploy.elastic-beanstalk] python = "{there.python}", or name another environment.'
        )
    # What was set by the API wins over the bundle, also of a secret that now is a plain variable.
    gone = [name for name in there.variables if name not in app.hosted.secrets]
    payload = {
        "EnvironmentName": environment_of(app), "VersionLabel": app.version,
        "OptionSettings": _options(app),
        "OptionsToRemove": [{"Namespace": VARIABLES, "OptionName": name} for name in gone],
    }  # fmt: skip
    return Step("Bring the environment up to date", "it does not serve this version",
                Call("elasticbeanstalk:UpdateEnvironment", payload))  # fmt: skip


def _options(app: Deployment) -> list[dict[str, Any]]:
    """Return what belongs to the environment whatever version it serves, and the secrets."""
    settings = app.settings
    arm = machine_of(app).machine == "aarch64"
    told: dict[tuple[str, str], str | Secret] = {
        (_ENVIRONMENT, "EnvironmentType"): "SingleInstance",
        (_ENVIRONMENT, "ServiceRole"): settings.service_role,
        (_LAUNCH, "IamInstanceProfile"): settings.instance_profile,
        # Each of these makes a launch template; new accounts can have no launch configuration.
        (_LAUNCH, "DisableIMDSv1"): "true",
        (_LAUNCH, "RootVolumeType"): "gp3",
        ("aws:ec2:instances", "InstanceTypes"): settings.instance_type,
        ("aws:ec2:instances", "SupportedArchitectures"): "arm64" if arm else "x86_64",
        **(_balanced(app) if settings.certificate else {}),
        **{(VARIABLES, name): Secret(name) for name in settings.secrets},
    }
    return [{"Namespace": namespace, "OptionName": name, "Value": value}
            for (namespace, name), value in told.items()]  # fmt: skip


def _balanced(app: Deployment) -> dict[tuple[str, str], str]:
    """Return what makes a load balancer that takes HTTPS, and lets one instance answer."""
    secure = "aws:elbv2:listener:443"
    return {
        (_ENVIRONMENT, "EnvironmentType"): "LoadBalanced",
        (_ENVIRONMENT, "LoadBalancerType"): "application",
        ("aws:autoscaling:asg", "MinSize"): "1",
        ("aws:autoscaling:asg", "MaxSize"): "1",
        (secure, "ListenerEnabled"): "true",
        (secure, "Protocol"): "HTTPS",
        (secure, "SSLCertificateArns"): app.settings.certificate,
        ("aws:elbv2:loadbalancer", "IdleTimeout"): str(patience_of(app)),
        ("aws:elasticbeanstalk:environment:process:default", "HealthCheckPath"):
            f"{app.parsed.spec.server.base_path}/healthz",
    }  # fmt: skip


def _settled(app: Deployment, there: There) -> list[Step]:
    """Return how a change that is under way is waited for: the platform takes one at a time."""
    if there.status == ENDING:
        return [_gone(app)]
    if there.status not in UNDER_WAY:
        return []
    payload = {"EnvironmentName": environment_of(app)}
    return [Step("Wait until the environment is ready", f"it is {there.status.lower()}",
                 Call(WAIT_READY, payload))]  # fmt: skip


def _ready(app: Deployment, version: str) -> Step:
    payload = {"EnvironmentName": environment_of(app), "VersionLabel": version}
    what = f"Wait until the environment has version {version}"
    why = "it starts, installs packages and loads models, which takes minutes; this only reads"
    return Step(what, why, Call(WAIT_READY, payload))


def _gone(app: Deployment) -> Step:
    return Step("Wait until the environment is gone", "it takes some minutes",
                Call(WAIT_GONE, {"EnvironmentName": environment_of(app)}))  # fmt: skip
