"""What both platforms of Azure share: where an application is, its group, and what is found."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from podium.container.facts import APPLICATION
from podium.deploy.image import image_of
from podium.deploy.steps import Call, Secret, Step
from podium.deploy.target import Deployment, Finding
from podium.spec.deploy import AzureHosted

SUBSCRIPTION: Final = "SUBSCRIPTION"
"""Stands for the subscription where none is told, as offline."""
REGISTRY: Final = "REGISTRY.azurecr.io"
"""Stands for the registry where no image is named."""
OWNER: Final = {"managed-by": "podium"}
"""The tag of what Podium has made: what others have made is left alone."""
GROUPS: Final = "2025-04-01"
"""The version of the API of resource groups.

Source: https://learn.microsoft.com/rest/api/resources/resource-groups, read 2026-11-23.
"""
KEPT: Final = "(stays as it is)"
"""Stands for the value of a secret that is there already."""
PASSWORD: Final = "registry-password"  # noqa: S105  # nosec B105  a name, not a password


class Place(Struct, frozen=True):
    """Where an application is, in the words of Azure Resource Manager."""

    subscription: str
    group: str
    name: str

    @property
    def group_id(self) -> str:
        """The resource group's id."""
        return f"/subscriptions/{self.subscription}/resourceGroups/{self.group}"

    def id_of(self, kind: str, name: str) -> str:
        """Return the id of a resource, of a kind such as Microsoft.Web/sites."""
        return f"{self.group_id}/providers/{kind}/{name}"


def place_of(app: Deployment, environment: Mapping[str, str] = os.environ) -> Place:
    """Return where an application is."""
    settings: AzureHosted = app.settings
    subscription = settings.subscription or environment.get("AZURE_SUBSCRIPTION_ID")
    return Place(subscription or SUBSCRIPTION, settings.resource_group or app.name, app.name)


def full_image(app: Deployment) -> str:
    """Return the image, with the version as its tag."""
    return image_of(app, f"{REGISTRY}/{app.name}")


def server_of(image: str) -> str:
    """Return the registry of an image; Docker Hub where it names none."""
    first, slash, _ = image.partition("/")
    named = slash and ("." in first or ":" in first or first == "localhost")
    return first if named else "docker.io"


def arguments_of(app: Deployment) -> list[str]:
    """Return the command of a container: one proxy tells the visitor's address and HTTPS."""
    proxies = max(1, app.parsed.spec.server.proxies)
    return ["podium", "serve", str(APPLICATION), "--host", "0.0.0.0",  # noqa: S104  # nosec B104
            "--proxies", str(proxies)]  # fmt: skip


def password_of(app: Deployment) -> Secret | None:
    """Return the registry's password; None where none is named."""
    named = app.settings.registry_password
    return Secret(named) if named else None


def as_json(body: Mapping[str, Any]) -> str:
    """Return a body as a file, of each secret the name alone."""
    return msgspec.json.format(msgspec.json.encode(body), indent=2).decode() + "\n"


def group_steps(app: Deployment, there: bool) -> Iterator[Step]:
    """Yield how the resource group is made, where there is none."""
    if not there:
        place = place_of(app)
        yield Step(
            "Make the resource group", "it holds what Podium makes",
            Call("resource_groups.create_or_update", {
                "resource_group_name": place.group,
                "parameters": {"location": app.settings.location, "tags": OWNER},
            }),
        )  # fmt: skip


def group_removal(app: Deployment) -> Step:
    """Return how the resource group goes, with all that is in it."""
    return Step(
        "Remove the resource group", "Podium has made it, and nothing else is in it",
        Call("resource_groups.begin_delete", {"resource_group_name": place_of(app).group}),
    )  # fmt: skip


def findings_of(app: Deployment, name: str) -> Iterator[Finding]:
    """Yield what is found of both platforms."""
    settings: AzureHosted = app.settings
    if (settings.registry_user is None) != (settings.registry_password is None):
        yield Finding(
            f"[deploy.{name}] registry_user and registry_password belong together: name both, or "
            "none where everybody may pull the image.",
            fatal=True,
        )
    for what, stands, named in _unnamed(app):
        yield Finding(
            f"No {what} is named: {stands} stands for it in what follows. [deploy.{name}] {named} "
            "names it."
        )


def _unnamed(app: Deployment) -> Iterable[tuple[str, str, str]]:
    if place_of(app).subscription == SUBSCRIPTION:
        yield "subscription", SUBSCRIPTION, "subscription or AZURE_SUBSCRIPTION_ID"
    if app.settings.image is None:
        yield "image", full_image(app), "image, without its tag,"
