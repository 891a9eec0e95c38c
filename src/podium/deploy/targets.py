"""The targets by their names; each is imported when it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import Final, cast

from podium.deploy.target import Target
from podium.errors import DeployError, nearest

TARGETS: Final = {
    "pythonanywhere": "podium.deploy.pythonanywhere:PythonAnywhere",
    "elastic-beanstalk": "podium.deploy.elastic_beanstalk:ElasticBeanstalk",
    "cloud-run": "podium.deploy.cloud_run:CloudRun",
    "azure-app-service": "podium.deploy.azure_app_service:AzureAppService",
    "azure-container-apps": "podium.deploy.azure_container_apps:AzureContainerApps",
    "vm": "podium.deploy.vm:Vm",
}


def target_of(name: str) -> Target:
    """Return a target.

    Raises:
        DeployError: there is none of this name.
    """
    if name not in TARGETS:
        raise DeployError(
            f"There is no target {name!r}.{nearest(name, TARGETS)} Targets: {', '.join(TARGETS)}"
        )
    module, _, kind = TARGETS[name].partition(":")
    return cast(Target, getattr(import_module(module), kind)())
