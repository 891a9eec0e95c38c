"""What goes to both platforms of Azure, as it is to be.

`python -m tests.deploy.azure_cases` writes those files again; read what has changed.
"""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from podium.cli import DEMOS
from podium.deploy.azure import KEPT
from podium.deploy.azure_app_service import ENTRY, SERVED, AzureAppService
from podium.deploy.azure_container_apps import AzureContainerApps
from podium.deploy.prepare import prepare
from podium.deploy.target import Deployment, Live, Target
from tests.deploy.cloud_run_cases import _steps
from tests.deploy.conftest import write_rule, write_wheel
from tests.deploy.kept import keep

OLD: Final = "aaaaaaaaaaaa"
SHARED: Final = """\
subscription = "11111111-2222-3333-4444-555555555555"
resource_group = "team"
image = "registry.example.org/team/rule"
registry_user = "podium"
registry_password = "REGISTRY_KEY"
variables = { GREETING = "hello" }
secrets = ["API_KEY"]
"""
LIMITS: Final = '[limits]\nupload = "100 MB"\ntimeout = "2 h"\n'
TARGETS: Final[dict[str, tuple[Target, str]]] = {
    "azure-container-apps": (
        AzureContainerApps(), 'cpu = 2\nmemory = "4 GiB"\ninstances = [1, 3]\n'
        'variables = { PODIUM_DATABASE = "x" }\n'),
    "azure-app-service": (AzureAppService(), 'plan = "P1v3"\nmemory = "8 GB"\n'),
}  # fmt: skip
CONFIG: Final = {
    "linuxFxVersion": f"DOCKER|registry.example.org/team/rule:{OLD}",
    "appSettings": [{"name": "PODIUM_RELEASE", "value": OLD}, {"name": "API_KEY", "value": KEPT}],
}
SERVING: Final = Live(
    exists=True, version=OLD, versions=(OLD,),
    details={
        "group": True, "environment": True, "own_environment": True, "app": True, "plan": True,
        "own_plan": True, "site": True, "serving": f"rule--v{OLD}", "served": (OLD,),
        "names": (f"rule--v{OLD}",), "active": (f"rule--v{OLD}",),
        "revisions": {OLD: {"name": f"rule--v{OLD}", "ready": True, "active": True}},
        "metadata": {SERVED: OLD, f"{ENTRY}{OLD}": json.dumps(CONFIG), "stack": "of others"},
    },
)  # fmt: skip


def made(folder: Path) -> dict[str, str]:
    """Return every text by its name in the golden folder, the versions masked."""
    found: dict[str, str] = {}
    wheel = write_wheel(folder)
    for name, (target, more) in TARGETS.items():
        penguins = prepare(target, DEMOS / "penguins", folder / "penguins", wheel)
        rule = _rule(folder, target, more, wheel)
        found |= {
            f"{name}/penguins/first.json": _steps(penguins, target.plan(penguins, Live())),
            f"{name}/penguins/image.txt": _names(penguins, target),
            f"{name}/rule/first.json": _steps(rule, target.plan(rule, Live())),
            f"{name}/rule/update.json": _steps(rule, target.plan(rule, SERVING)),
            f"{name}/rule/back.json": _steps(rule, target.back(rule, SERVING, OLD)),
            f"{name}/rule/removal.json": _steps(rule, target.removal(rule, SERVING)),
            **{f"{name}/penguins/{file}": text for file, text in _texts(penguins, target).items()},
            **{f"{name}/rule/{file}": text for file, text in _texts(rule, target).items()},
        }
    return found


def _rule(folder: Path, target: Target, more: str, wheel: Path) -> Deployment:
    app = folder / target.name / "rule"
    app.mkdir(parents=True)
    shared = SHARED if "variables" not in more else SHARED.replace(
        'variables = { GREETING = "hello" }\n', "")  # fmt: skip
    write_rule(app, 1, f"[deploy.{target.name}]\n{shared}{more}{LIMITS}")
    toml = (app / "podium.toml").read_text()
    ending = {"azure-app-service": "azurewebsites.net"}.get(target.name, "azurecontainerapps.io")
    served = f'workers = 1\nbase_path = "/rule"\nhosts = ["rule.{ending}"]'
    (app / "podium.toml").write_text(toml.replace("workers = 1", served))
    return prepare(target, app, folder / "made", wheel)


def _names(app: Deployment, target: Target) -> str:
    names = sorted(name for name in target.files(app) if name.startswith("image/"))
    return "".join(f"{name}\n" for name in names)


def _texts(app: Deployment, target: Target) -> dict[str, str]:
    """Return the files that describe what is made there."""
    texts = {name: text for name, text in target.files(app).items() if "/" not in name}
    return {name: str(text).replace(app.version, "VERSION") for name, text in texts.items()}


def main() -> None:
    """Write all golden files."""
    with TemporaryDirectory() as folder:
        keep(made(Path(folder)))


if __name__ == "__main__":
    main()
