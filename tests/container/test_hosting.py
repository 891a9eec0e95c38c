"""Platforms that pull an image: it is pushed to a real registry, and run as each would run it.

The platform has an engine of its own, which knows nothing but what it pulls.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from podium.check import judged
from podium.cli import DEMOS
from podium.deploy.azure_app_service import AzureAppService
from podium.deploy.azure_container_apps import AzureContainerApps
from podium.deploy.cloud_run import CloudRun
from podium.deploy.commands import run_command
from podium.deploy.image import digest_of, image_of, image_steps
from podium.deploy.prepare import prepare
from podium.deploy.proof import prove
from podium.deploy.target import Live, Target
from podium.errors import DeployError
from podium.operate.asking import public_door, question_of
from tests.container.conftest import KEPT
from tests.container.engine import Engine, running_engine
from tests.container.hosting import Hosted, commands, hosted_by, push
from tests.container.images import Image
from tests.container.registry import Registry, running_registry
from tests.support.client import BROWSER
from tests.support.front import free_port

TARGETS: tuple[Target, ...] = (CloudRun(), AzureAppService(), AzureContainerApps())
LIMITS = '[limits]\nupload = "100 MB"\ntimeout = "2 h"\n'
"""More than any of the platforms lets pass."""


@pytest.fixture(scope="module")
def registry() -> Iterator[Registry]:
    """The registry that all platforms pull from."""
    with running_registry() as registry:
        yield registry


@pytest.fixture(scope="module")
def there(engine: Engine) -> Iterator[Engine]:  # noqa: ARG001  the bridge of both is that one's
    """The platforms' engine, which has no image in the beginning."""
    data = KEPT / "there"
    shutil.rmtree(data, ignore_errors=True)
    with running_engine(data) as engine_there:
        yield engine_there
    shutil.rmtree(data)


@pytest.fixture(scope="module")
def folder(registry: Registry, lock: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The digits demo, whose image goes to the registry."""
    folder = shutil.copytree(DEMOS / "digits", tmp_path_factory.mktemp("hosting") / "digits")
    shutil.copy(lock, folder)
    image = registry.repository("team/digits")
    tables = (f'[deploy.{target.name}]\nimage = "{image}"\n' for target in TARGETS)
    with (folder / "podium.toml").open("a") as toml:
        toml.write("".join([LIMITS, *tables]))
    return folder


@pytest.fixture(scope="module", params=TARGETS, ids=lambda target: target.name)
def hosted(
    request: pytest.FixtureRequest, engine: Engine, there: Engine, folder: Path, digits: Image,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Hosted]:  # fmt: skip
    """The demo, put there by the steps of a first deployment, and proved as one is in the end."""
    target: Target = request.param
    place = tmp_path_factory.mktemp(target.name)
    (wheel,) = (digits.folder / "wheels").iterdir()
    app = prepare(target, folder, place, wheel)
    push(target, app, engine, place / "files")
    try:
        with hosted_by(target, app, there, place / "home") as hosted:
            prove(app, target, hosted.live, app.version, print)
            yield hosted
    finally:
        engine.run("docker", "image", "rm", image_of(app))


def test_it_answers_the_examples(hosted: Hosted) -> None:
    """Each as podium.toml says, asked as `podium deploy` asks the one of its proof."""
    spec = hosted.app.parsed.spec
    door = public_door(str(hosted.live.address), spec, hosted.live.headers)
    told = [
        judged(one, spec.models[0].name, door.prediction(question_of(hosted.app.folder, one)), True)
        for one in spec.examples
    ]
    assert [one.found for one in told if not one.passed] == []
    assert len(told) == 5


def test_platform_finds_it_well(hosted: Hosted) -> None:
    """Each address that the platform was told to ask is there, and its user is not root."""
    statuses = {path: hosted.client.get(path).status for path in hosted.wanted.probes}
    assert statuses == dict.fromkeys(hosted.wanted.probes, 200)
    assert "/readyz" in statuses
    assert hosted.engine.run("docker", "exec", hosted.container, "id", "-u") == "10001\n"


def test_limits_are_the_platforms(hosted: Hosted) -> None:
    """What is published are the limits as they were lowered for the platform."""
    expected = {
        "cloud-run": (33_500_000, 3600),
        "azure-app-service": (100_000_000, 230),
        "azure-container-apps": (100_000_000, 240),
    }
    told = hosted.client.get("/openapi.json").json()["x-podium-limits"]
    assert (told["upload"], told["timeout"]) == expected[hosted.target.name]


def test_page_says_whether_data_sets_are_taken(hosted: Hosted) -> None:
    """Where nothing stays they are off, and the page says so; else they lie where it stays."""
    answer = hosted.client.get("/datasets", Accept=BROWSER)
    off = "Whole data sets are not taken here" in answer.text
    if hosted.target.name == "azure-app-service":
        assert (answer.status, off) == (200, False)
        assert list((hosted.home / "podium").iterdir())
    else:
        assert (answer.status, off) == (404, True)


def test_image_that_is_there_is_not_uploaded_again(
    hosted: Hosted, engine: Engine, registry: Registry, tmp_path: Path
) -> None:
    """Its digest is read from the registry; nor is a layer sent where that cannot be asked."""
    image = image_of(hosted.app)
    manifest, sent = registry.manifest(image), registry.uploads()
    assert digest_of(image) == manifest.told == manifest.digest
    plan = hosted.target.plan(hosted.app, Live(details={"digest": digest_of(image)}))
    assert commands(plan) == []
    assert sent > 0
    push(hosted.target, hosted.app, engine, tmp_path / "files")
    assert registry.uploads() == sent
    assert registry.manifest(image) == manifest


def test_it_ends_in_time(hosted: Hosted) -> None:
    """On SIGTERM, before the platform kills it."""
    began = time.monotonic()
    hosted.engine.run("docker", "stop", "--time", str(hosted.wanted.ends_s), hosted.container)
    assert time.monotonic() - began < hosted.wanted.ends_s
    state = hosted.engine.told("{{.State.ExitCode}} {{.State.OOMKilled}}", hosted.container)
    assert state == "0 false"


def test_registry_that_is_away_is_told(engine: Engine, digits: Image, tmp_path: Path) -> None:
    """With what `docker` says of it; nothing is known of the image there."""
    image = f"127.0.0.1:{free_port()}/team/digits:1"
    engine.run("docker", "tag", digits.tag, image)
    assert digest_of(image) is None
    (_, command) = commands(image_steps(image, None))
    with pytest.raises(DeployError, match=r"`docker push` failed .*connection refused"):
        run_command(command, tmp_path, engine.environment, lambda _line: None)
    engine.run("docker", "image", "rm", image)
