"""The roles of AWS Elastic Beanstalk: that of instances, and that of the platform itself."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

from podium.deploy.steps import Call, Step
from podium.deploy.target import Deployment
from podium.errors import DeployError

ROLES: Final = {"profile": "instance_profile", "service": "service_role"}
"""The settings with their names."""
_POLICIES: Final = {
    "profile": ("AWSElasticBeanstalkWebTier",),
    "service": ("service-role/AWSElasticBeanstalkEnhancedHealth",
                "AWSElasticBeanstalkManagedUpdatesCustomerRolePolicy"),
}  # fmt: skip
"""What the platform's own console gives to instances, and to Elastic Beanstalk."""
_TRUSTED: Final = {"profile": "ec2.amazonaws.com", "service": "elasticbeanstalk.amazonaws.com"}


def role_of(app: Deployment, kind: str) -> tuple[str, bool]:
    """Return the name of a role, and whether it is the one that is taken when none is set."""
    name: str = getattr(app.settings, ROLES[kind])
    return name, name == getattr(type(app.settings)(), ROLES[kind])


def usual_roles(app: Deployment) -> list[str]:
    """Return which roles are those that are taken when none is set."""
    return [kind for kind in ROLES if role_of(app, kind)[1]]


def role_steps(app: Deployment, missing: Iterable[str]) -> Iterator[Step]:
    """Yield how the roles are made that an account gets with its first environment.

    Raises:
        DeployError: one is missing that has a name of its own.
    """
    for kind in missing:
        name, usual = role_of(app, kind)
        if not usual:
            raise DeployError(
                f"[deploy.elastic-beanstalk] {ROLES[kind]}: the account has no {name!r}. Make it, "
                "or leave it out: then the usual one is made."
            )
        yield from _role(kind, name)


def _role(kind: str, name: str) -> Iterator[Step]:
    trust: dict[str, Any] = {"Effect": "Allow", "Action": "sts:AssumeRole",
                             "Principal": {"Service": _TRUSTED[kind]}}  # fmt: skip
    if kind == "service":
        trust["Condition"] = {"StringEquals": {"sts:ExternalId": "elasticbeanstalk"}}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = {"RoleName": name}
    why = "an account gets it with its first environment; one that is there stays"
    yield Step(f"Make the role {name}", why,
               Call("iam:CreateRole", {**role, "AssumeRolePolicyDocument": document}))  # fmt: skip
    for policy in _POLICIES[kind]:
        arn = f"arn:aws:iam::aws:policy/{policy}"
        yield Step(f"Attach {policy.rpartition('/')[2]}", "as the platform's console does",
                   Call("iam:AttachRolePolicy", {**role, "PolicyArn": arn}))  # fmt: skip
    if kind == "profile":
        profile = {"InstanceProfileName": name}
        yield Step(f"Make the instance profile {name}", "instances get their role by it",
                   Call("iam:CreateInstanceProfile", profile))  # fmt: skip
        yield Step("Put the role into it", "an instance profile holds one",
                   Call("iam:AddRoleToInstanceProfile", {**profile, **role}))  # fmt: skip
