"""The whole cycle, against a platform in a folder that runs real servers."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from podium.deploy.commands import run_command
from podium.deploy.record import Record
from podium.deploy.run import NotPutBack, Outcome, PutBack, Task, deploy, destroy, rollback, show
from podium.deploy.steps import Command
from podium.errors import DeployError
from tests.deploy.conftest import write_rule
from tests.deploy.shelf import FOLDER, Shelf, ShelfPlatform
from tests.deploy.teller import Teller

CHANGES = ["upload", "environment", "start"]


class Maker:
    """Makes a task a command, as the command line does."""

    def __init__(self, app: Path, wheel: Path, state: Path) -> None:
        self.app, self.wheel, self.state = app, wheel, state
        self.teller = Teller()

    def task(self, environment: Mapping[str, str] = os.environ) -> Task:
        """Return the application on its way to the shelf."""
        return Task(Shelf(), self.app, self.state, self.teller, environment, self.wheel)

    def deploy(self) -> Outcome:
        """Deploy what stands in the folder."""
        return deploy(self.task(), lambda: True)

    def record(self) -> Record | None:
        """Return what is noted."""
        return self.task().records.read("cloud-run")


@pytest.fixture
def maker(app: Path, wheel: Path, tmp_path: Path, shelf: ShelfPlatform) -> Maker:
    """Return the small application and where its state is."""
    assert shelf.operations == []
    return Maker(app, wheel, tmp_path / "state")


def answered(address: str) -> float:
    """Return what the application at an address makes of 2."""
    asked = Request(f"{address}/predict", b'{"inputs": [{"a": 2}]}',  # noqa: S310
                    {"Content-Type": "application/json"})  # fmt: skip
    with urlopen(asked, timeout=20) as answer:  # noqa: S310  the shelf's own server
        return float(json.load(answer)["predictions"][0]["value"])


def test_first_deployment(maker: Maker, shelf: ShelfPlatform) -> None:
    """What was planned is sent, in that order; the version answers, and is noted."""
    outcome = maker.deploy()
    live = shelf.look()
    assert outcome == Outcome(f"http://127.0.0.1:{shelf.port}", live.version or "", changed=True)
    assert answered(outcome.address) == 2
    assert shelf.operations == ["look", *CHANGES, "look", "look"]
    planned = [one["operation"] for one in maker.teller.of("planned")]
    assert planned == CHANGES
    assert [one["what"] for one in maker.teller.of("step")] == [
        "Upload the bundle", "Set the environment", "Start it",
    ]  # fmt: skip
    noted = maker.record()
    assert noted is not None
    assert (noted.version, noted.before, noted.address) == (live.version, None, outcome.address)
    assert not (maker.state / "deploy" / "cloud-run" / "files").exists()


def test_same_again_changes_nothing(maker: Maker, shelf: ShelfPlatform) -> None:
    """The same version is only looked at, and asked whether it answers."""
    first = maker.deploy()
    before = shelf.operations
    assert maker.deploy() == Outcome(first.address, first.version, changed=False)
    assert shelf.operations == [*before, "look"]


def test_secrets_that_are_not_sent_again_are_told(maker: Maker, app: Path) -> None:
    """A new value alone is no new version: it is told that it was not sent, and how it is."""
    write_rule(app, 1, 'secrets = ["TOKEN", "OTHER"]')
    environment = {**os.environ, "TOKEN": "first-value", "OTHER": "other-value"}
    deploy(maker.task(environment), lambda: True)
    before = [one["line"] for one in maker.teller.of("said")]
    assert not any("Not sent again" in line for line in before)
    assert not deploy(maker.task({**environment, "TOKEN": "second-value"}), lambda: True).changed
    assert maker.teller.of("said")[-1]["line"] == (
        "Not sent again: the values of TOKEN, OTHER. A new value goes along with the next version: "
        "to send it alone, change a variable, such as [deploy.cloud-run] variables = "
        '{ SECRETS = "2" }'
    )


def test_settings_make_another_version(maker: Maker, app: Path) -> None:
    """A version is content and settings: a variable that changes is a new one."""
    first = maker.task().app.version
    assert maker.task().app.version == first
    write_rule(app, 1, 'variables = { GREETING = "hello" }')
    assert maker.task().app.version != first


def test_update_and_rollback(maker: Maker, app: Path, shelf: ShelfPlatform) -> None:
    """An update serves what is new; a rollback what had served, without another upload."""
    first = maker.deploy()
    write_rule(app, 10)
    second = maker.deploy()
    assert answered(second.address) == 20
    noted = maker.record()
    assert noted is not None
    assert (noted.version, noted.before) == (second.version, first.version)

    uploads = shelf.operations.count("upload")
    assert rollback(maker.task(), lambda: True) == Outcome(first.address, first.version, True)
    assert answered(first.address) == 2
    assert shelf.operations.count("upload") == uploads == 2
    assert rollback(maker.task(), lambda: True).version == second.version


def test_rollback_where_nothing_is_noted(maker: Maker, app: Path, tmp_path: Path) -> None:
    """Another machine does not know what had served before; it tells which there are to name."""
    first = maker.deploy()
    write_rule(app, 10)
    second = maker.deploy()
    maker.state = tmp_path / "elsewhere"
    listed = ", ".join(sorted((first.version, second.version)))
    with pytest.raises(DeployError, match=rf"before; there are {listed}\. Name one with --to"):
        rollback(maker.task(), lambda: True)
    assert rollback(maker.task(), lambda: True, first.version).version == first.version
    with pytest.raises(DeployError, match="Version 123 is not at The shelf; there are"):
        rollback(maker.task(), lambda: True, "123")


def test_failed_update_goes_back(maker: Maker, app: Path, shelf: ShelfPlatform) -> None:
    """A version that does not start gives way to the one before; the platform's reason is told."""
    first = maker.deploy()
    write_rule(app, 10)
    broken = maker.task().app.version
    (shelf.folder / "fails").write_text(broken)
    with pytest.raises(PutBack) as failed:
        maker.deploy()
    assert failed.value.exit_code == 3
    assert str(failed.value) == (
        f"The shelf could not start {broken}.\nThe shelf: Out of memory: killed.\n"
        f"Version {first.version} serves again."
    )
    assert answered(first.address) == 2
    noted = maker.record()
    assert noted is not None
    assert noted.version == first.version

    (shelf.folder / "fails").unlink()  # what was wrong is mended: it is there, and only started
    assert maker.deploy() == Outcome(first.address, broken, changed=True)
    assert shelf.operations.count("upload") == 2


def test_update_that_answers_wrong_goes_back(maker: Maker, app: Path) -> None:
    """A server that is ready and cannot predict is no version that serves."""
    first = maker.deploy()
    (app / "rule.py").write_text(
        "def predict(rows):\n    assert rows.shape[0] > 1 or rows[0, 0] != rows[0, 0]\n"
        "    return rows[:, 0]\n"
    )
    with pytest.raises(PutBack, match="serves again"):
        maker.deploy()
    assert answered(first.address) == 2


def test_return_that_fails(maker: Maker, app: Path, shelf: ShelfPlatform) -> None:
    """Where the version before cannot be put back either, that is told with another exit code."""
    first = maker.deploy()
    write_rule(app, 10)
    (shelf.folder / "fails").write_text(f"{maker.task().app.version} {first.version}")
    with pytest.raises(NotPutBack) as failed:
        maker.deploy()
    assert failed.value.exit_code == 4
    assert str(failed.value).endswith(
        f"Version {first.version} could not be put back: The shelf could not start {first.version}."
    )


def test_first_deployment_that_fails(maker: Maker, shelf: ShelfPlatform) -> None:
    """There is nothing to put back, so the reason is told; a second run repairs it."""
    (shelf.folder / "fails").write_text(maker.task().app.version)
    with pytest.raises(DeployError, match=r"not start .*\nThe shelf: Out of memory") as failed:
        maker.deploy()
    assert failed.value.exit_code == 1
    (shelf.folder / "fails").unlink()
    assert answered(maker.deploy().address) == 2


@pytest.mark.parametrize("gone", ["upload", "environment", "start"])
def test_interrupted_half_way(maker: Maker, shelf: ShelfPlatform, gone: str) -> None:
    """Whatever the network's end has left, the second run goes on from there."""
    (shelf.folder / "gone").write_text(gone)
    with pytest.raises(DeployError, match="the network is gone"):
        maker.deploy()
    (shelf.folder / "gone").unlink()
    assert answered(maker.deploy().address) == 2
    again = [one for one in shelf.operations[shelf.operations.index(gone) + 1 :] if one != "look"]
    assert again == (CHANGES if gone == "upload" else CHANGES[1:])


def test_network_that_goes_for_good(maker: Maker, app: Path, shelf: ShelfPlatform) -> None:
    """Where nothing can be asked any more, it is told that nothing was put back."""
    first = maker.deploy()
    write_rule(app, 10)
    task = maker.task()

    def agreed() -> bool:
        (shelf.folder / "gone").write_text("upload look")
        return True

    with pytest.raises(
        NotPutBack,
        match=rf"network is gone.*\n.*\n?Version {first.version} could "
        "not be put back: The shelf cannot be reached",
    ):
        deploy(task, agreed)


def test_destroy(maker: Maker, shelf: ShelfPlatform) -> None:
    """Everything goes; once more is told as nothing."""
    maker.deploy()
    assert destroy(maker.task(), lambda: True) is True
    assert shelf.look().exists is False
    assert maker.record() is None
    assert destroy(maker.task(), lambda: True) is False


def test_refusal_changes_nothing(maker: Maker, shelf: ShelfPlatform) -> None:
    """Who does not agree to the plan has nothing changed."""
    with pytest.raises(DeployError, match="Nothing was done"):
        deploy(maker.task(), lambda: False)
    assert shelf.operations == ["look"]


def test_missing_secrets_are_told_before_anything_is_sent(
    maker: Maker, app: Path, shelf: ShelfPlatform
) -> None:
    """All of them at once, with the way to set them."""
    write_rule(app, 1, 'secrets = ["TOKEN", "OTHER", "SET"]')
    environment = {**os.environ, "SET": "here", "OTHER": ""}
    with pytest.raises(
        DeployError, match=r"no value for TOKEN, OTHER, which .* TOKEN=\.\.\. podium"
    ):
        deploy(maker.task(environment), lambda: True)
    assert shelf.operations == ["look"]


def test_dry_run_is_offline(maker: Maker, shelf: ShelfPlatform) -> None:
    """Every file and step is told without credentials; the platform is not asked."""
    task = maker.task({})
    show(task)
    assert shelf.operations == []
    files = {one["name"]: one for one in maker.teller.of("file")}
    assert set(files) == {"settings.json", "bundle.zip/app/podium.toml", "bundle.zip/app/rule.py",
                          "bundle.zip/podium-0.0-py3-none-any.whl"}  # fmt: skip
    assert json.loads(files["settings.json"]["text"]) == {"name": "rule", "variables": {}}
    assert [one["operation"] for one in maker.teller.of("planned")] == CHANGES
    told = maker.teller.of("planned")[1]["payload"]["environment"]
    assert told == {"PODIUM_RELEASE": task.app.version}
    (sizes,) = maker.teller.of("sizes")
    assert set(sizes["archives"]) == {"bundle.zip"}
    assert next(iter(sizes["largest"])) == "bundle.zip/podium-0.0-py3-none-any.whl"


def test_without_credentials(maker: Maker) -> None:
    """What the platform misses is told."""
    with pytest.raises(DeployError, match=f"no credentials of the shelf. Set {FOLDER}"):
        deploy(maker.task({}), lambda: True)


def test_two_at_once(maker: Maker, shelf: ShelfPlatform) -> None:
    """A second command for the same target waits for nothing: it says that one is at work."""
    with maker.task().alone(), pytest.raises(DeployError, match="Another `podium deploy` is at"):
        maker.deploy()
    assert shelf.operations == []


def test_commands_are_run_with_what_they_say(tmp_path: Path) -> None:
    """A program's lines are told as they come; one that fails is told with its last."""
    said: list[str] = []
    shell = ("sh", "-c", 'read word; echo "got $word"; echo "in $PWD"; exit $CODE')
    command = Command(shell, "hello\n")
    run_command(command, tmp_path, {"CODE": "0"}, said.append)
    assert said == ["  got hello", f"  in {tmp_path}"]
    with pytest.raises(DeployError, match=rf"`sh -c` failed with exit code 7: in {tmp_path}"):
        run_command(command, tmp_path, {"CODE": "7"}, said.append)
    deaf = ("sh", "-c", r"exec <&-; printf 'not \377\n'; exit 3")
    with pytest.raises(
        DeployError, match="`sh -c` failed with exit code 3: not \N{REPLACEMENT CHARACTER}"
    ):
        run_command(Command(deaf, "x" * 1_000_000), tmp_path, {}, said.append)
    with pytest.raises(DeployError, match="nothing-such is not installed"):
        run_command(Command(("nothing-such",)), tmp_path, {}, said.append)
