"""What goes to Cloud Run, as it is to be.

`python -m tests.deploy.cloud_run_cases` writes those files again; read what has changed.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import msgspec

from podium.cli import DEMOS
from podium.deploy.cloud_run import CloudRun
from podium.deploy.prepare import prepare
from podium.deploy.steps import Step, masked
from podium.deploy.target import Deployment, Live
from tests.deploy.conftest import write_rule
from tests.deploy.kept import keep

METADATA: Final = """\
Metadata-Version: 2.4
Name: podium
Version: 0.0
Requires-Dist: flask>=3.1
Provides-Extra: sklearn
Requires-Dist: scikit-learn>=1.7; extra == "sklearn"
"""
SETTINGS: Final = """\
project = "team"
region = "us-central1"
image = "registry.example.org/team/rule"
cpu = 2
memory = "4 GiB"
instances = [1, 3]
public = false
service_account = "rule@team.iam.gserviceaccount.com"
variables = { GREETING = "hello" }
secrets = ["API_KEY", "OTHER_KEY", "THIRD_KEY"]
[limits]
upload = "100 MB"
timeout = "2 h"
"""
SERVING: Final = Live(
    exists=True, version="aaaaaaaaaaaa", versions=("aaaaaaaaaaaa",),
    details={
        "serving": "rule-aaaaaaaaaaaa", "names": ("rule-aaaaaaaaaaaa",),
        "revisions": {"aaaaaaaaaaaa": {"name": "rule-aaaaaaaaaaaa", "ready": True}},
        "secrets": {"API_KEY": True, "THIRD_KEY": False},
        "own_secrets": ("projects/team/secrets/rule-API_KEY",),
    },
)  # fmt: skip


def made(folder: Path) -> dict[str, str]:
    """Return every text by its name in the golden folder, the versions masked."""
    target = CloudRun()
    penguins, rule = _penguins(folder), _rule(folder)
    return {
        "penguins/service.json": _service(penguins),
        "penguins/image.txt": "".join(f"{name}\n" for name in sorted(target.files(penguins))),
        "penguins/first.json": _steps(penguins, target.plan(penguins, Live())),
        "rule/service.json": _service(rule),
        "rule/first.json": _steps(rule, target.plan(rule, Live())),
        "rule/update.json": _steps(rule, target.plan(rule, SERVING)),
        "rule/back.json": _steps(rule, target.back(rule, SERVING, "aaaaaaaaaaaa")),
        "rule/removal.json": _steps(rule, target.removal(rule, SERVING)),
    }


def wheel(folder: Path) -> Path:
    """Write a small wheel in place of Podium's, which knows the extra of the demo."""
    path = folder / "podium-0.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(zipfile.ZipInfo("podium-0.0.dist-info/METADATA"), METADATA)
    return path


def _penguins(folder: Path) -> Deployment:
    return prepare(CloudRun(), DEMOS / "penguins", folder / "penguins", wheel(folder))


def _rule(folder: Path) -> Deployment:
    app = folder / "rule"
    app.mkdir()
    write_rule(app, 1, SETTINGS)
    toml = (app / "podium.toml").read_text()
    served = 'workers = 1\nbase_path = "/rule"\nhosts = ["rule.example.org"]'
    (app / "podium.toml").write_text(toml.replace("workers = 1", served))
    return prepare(CloudRun(), app, folder / "made", wheel(folder))


def _service(app: Deployment) -> str:
    text = CloudRun().files(app)["service.json"]
    assert isinstance(text, str)
    return text.replace(app.version, "VERSION")


def _steps(app: Deployment, steps: list[Step]) -> str:
    told: Any = [masked(msgspec.structs.asdict(step) | {"call": msgspec.structs.asdict(step.call)})
                 for step in steps]  # fmt: skip
    return (json.dumps(told, indent=1) + "\n").replace(app.version, "VERSION")


def main() -> None:
    """Write all golden files."""
    with TemporaryDirectory() as folder:
        keep({f"cloud-run/{name}": text for name, text in made(Path(folder)).items()})


if __name__ == "__main__":
    main()
