"""`podium deploy`, as people and programs call it, and what it keeps to itself."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from podium.cli import main
from podium.cli_deploy import TITLES
from podium.deploy.targets import TARGETS, target_of
from podium.errors import DeployError
from tests.deploy.conftest import write_rule
from tests.deploy.shelf import FOLDER, ShelfPlatform

CANARY = "canary-7f3a9c51"


class Shell:
    """Runs commands for one application."""

    def __init__(self, app: Path, state: Path, wheel: Path) -> None:
        self.app, self.state, self.wheel = app, state, wheel
        self.told = ""

    def deploy(self, *arguments: str, **options: Any) -> Result:
        """Run `podium deploy` for the application at the target."""
        return self("cloud-run", str(self.app), "--podium-wheel", str(self.wheel), *arguments,
                    **options)  # fmt: skip

    def __call__(self, *arguments: str, **options: Any) -> Result:
        """Run `podium deploy ARGUMENTS`."""
        line = ["deploy", *arguments, "--state", str(self.state)]
        result = CliRunner().invoke(main, line, **options)
        self.told += result.output
        return result


@pytest.fixture
def shell(app: Path, tmp_path: Path, wheel: Path, shelf: ShelfPlatform) -> Shell:
    """Return a shell in which the shelf has Cloud Run's name."""
    assert shelf.operations == []
    return Shell(app, tmp_path / "state", wheel)


def events(result: Result) -> list[dict[str, Any]]:
    """Return the lines of JSON that a command printed."""
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_every_target_has_a_title() -> None:
    """The command line lists exactly the targets that there are."""
    assert list(TITLES) == list(TARGETS)
    with pytest.raises(DeployError, match=r"no target 'cloudrun'\. Did you mean 'cloud-run'\?"):
        target_of("cloudrun")


def test_cycle_in_words(shell: Shell, app: Path, shelf: ShelfPlatform) -> None:
    """Deployed, again, updated, rolled back, destroyed: each ends in a sentence and with 0."""
    done = shell.deploy("--yes")
    version = shelf.look().version
    address = f"http://127.0.0.1:{shelf.port}"
    assert done.exit_code == 0, done.output
    assert "The largest files:" in done.output
    assert f"1. Upload the bundle: version {version} is not there" in done.output
    assert "[3/3] Start it ..." in done.output
    assert done.output.endswith(f"Version {version} serves at {address}\n")

    told = shell("status", "cloud-run", str(app), "--podium-wheel", str(shell.wheel))
    assert told.exit_code == 0
    assert told.output == (
        f"target     cloud-run\nversion    {version}\ncurrent    {version}\n"
        f"versions   {version}\naddress    {address}\nunfinished False\n"
    )

    again = shell.deploy("--yes")
    assert again.output.endswith(f"Nothing to do: version {version} serves at {address}\n")
    assert f"Rule: http://localhost:{shelf.port}/" in shell("logs", "cloud-run", str(app)).output

    write_rule(app, 10)
    assert shell.deploy("--yes").exit_code == 0
    back = shell("rollback", "cloud-run", str(app), "--yes")
    assert back.output.endswith(f"Version {version} serves at {address}\n")
    gone = shell("destroy", "cloud-run", str(app), "--yes")
    assert gone.output.endswith("Nothing of rule is left at The shelf.\n")
    assert shell("status", "cloud-run", str(app)).exit_code == 1
    gone = shell("destroy", "cloud-run", str(app), "--yes")
    assert gone.output == "There is nothing of rule at The shelf.\n"


def test_what_must_not_be_sent_stops_nothing_else(
    shell: Shell, app: Path, shelf: ShelfPlatform
) -> None:
    """Status, logs, rollback and destroy send no file: a .env refuses a deployment alone."""
    assert shell.deploy("--yes").exit_code == 0
    first = shelf.look().version
    write_rule(app, 10)
    assert shell.deploy("--yes").exit_code == 0
    second = shelf.look().version
    (app / ".env").write_text("TOKEN=1")
    refused = shell.deploy("--yes")
    assert refused.exit_code == 1
    assert "cannot go along as it is:\n  .env " in refused.stderr

    told = shell("status", "cloud-run", str(app), "--podium-wheel", str(shell.wheel))
    assert told.exit_code == 0
    assert f"version    {second}\ncurrent    \n" in told.output
    assert "\nwhy        " in told.output
    assert "cannot go along as it is:\n  .env " in told.output
    as_json = json.loads(shell("status", "cloud-run", str(app), "--json").stdout)
    assert (as_json["version"], as_json["current"]) == (second, None)
    assert ".env" in as_json["why"]
    assert shell("logs", "cloud-run", str(app)).exit_code == 0
    assert shell("rollback", "cloud-run", str(app), "--yes").exit_code == 0
    assert shelf.look().version == first
    assert shell("destroy", "cloud-run", str(app), "--yes").exit_code == 0
    assert not shelf.look().exists


def test_events(shell: Shell, app: Path, shelf: ShelfPlatform) -> None:
    """With --json every line is an event; an error is one, too, with its exit code."""
    done = shell.deploy("--yes", "--json")
    told = events(done)
    version, address = shelf.look().version, f"http://127.0.0.1:{shelf.port}"
    kinds = [one["event"] for one in told if one["event"] != "said"]
    assert kinds == ["sizes", *["planned"] * 3, *["step"] * 3, "done"]
    assert told[-1] == {"event": "done", "address": address, "version": version, "changed": True}
    assert json.loads(shell("status", "cloud-run", str(app), "--json").stdout)["version"] == version

    write_rule(app, 10)
    dry = events(shell.deploy("--dry-run", "--json"))
    new = next(one["payload"]["version"] for one in dry if one["event"] == "planned")
    (shelf.folder / "fails").write_text(new)
    failed = shell.deploy("--yes", "--json")
    assert failed.exit_code == 3
    assert events(failed)[-1] == {"event": "failed", "exit_code": 3, "told": (
        f"The shelf could not start {new}.\nThe shelf: Out of memory: killed.\n"
        f"Version {version} serves again."
    )}  # fmt: skip


def test_nothing_is_done_unasked(shell: Shell, shelf: ShelfPlatform) -> None:
    """Where nobody can be asked, --yes has to be given; the plan is told all the same."""
    refused = shell.deploy(input="y\n")
    assert refused.exit_code == 1
    assert "1. Upload the bundle" in refused.stdout
    assert refused.stderr == (
        "podium: Nobody is there to agree. Give --yes to carry out the plan.\n"
    )
    assert shelf.operations == ["look"]


def test_rendered_files(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """--render writes the files alone, offline, and never over others."""
    monkeypatch.delenv(FOLDER)
    out = tmp_path / "out"
    assert shell.deploy("--render", str(out)).exit_code == 0
    assert sorted(one.name for one in out.iterdir()) == ["bundle.zip", "settings.json"]
    before = (out / "bundle.zip").read_bytes()
    refused = shell.deploy("--render", str(out))
    assert (refused.exit_code, refused.stderr) == (
        1, f"podium: {out} is not empty. Name a folder that is not there yet.\n",
    )  # fmt: skip
    assert shell.deploy("--render", str(tmp_path / "more")).exit_code == 0
    assert (tmp_path / "more" / "bundle.zip").read_bytes() == before


def test_dry_run_reads_well(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dry run prints every text in full, sizes, and the plan with its payloads."""
    monkeypatch.delenv(FOLDER)
    write_rule(shell.app, 1, 'secrets = ["TOKEN"]')
    told = shell.deploy("--dry-run")
    assert told.exit_code == 0
    text = re.sub(r"[0-9a-f]{12}", "VERSION", told.output)
    assert '# settings.json\n{"name": "rule", "variables": {}}\n' in text
    assert re.search(r"\n +\d+ bytes  bundle\.zip/app/rule\.py\n", text)
    assert text.endswith(
        "2. Set the environment: it tells the version\n"
        "     environment\n"
        "     {\n"
        '       "version": "VERSION",\n'
        '       "environment": {\n'
        '         "TOKEN": "*** (the value of TOKEN)",\n'
        '         "PODIUM_RELEASE": "VERSION"\n'
        "       }\n"
        "     }\n"
        "3. Start it: visitors get it then\n"
        "     start\n"
        "     {\n"
        '       "version": "VERSION"\n'
        "     }\n"
        "Then its address is asked for this version and one prediction. To do all this:\n"
        f"podium deploy cloud-run {shell.app}\n"
    )
    assert text.startswith("A dry run: The shelf is neither asked nor sent anything. ")


@pytest.mark.parametrize(
    ("name", "hint"), [("heroku", ""), ("cloudrun", " Did you mean 'cloud-run'?"),
                       ("rolback", " Did you mean 'rollback'?")],
)  # fmt: skip
def test_unknown_target(app: Path, name: str, hint: str) -> None:
    """It is told with all targets that there are, and the nearest name."""
    refused = CliRunner().invoke(main, ["deploy", name, str(app)])
    assert refused.exit_code == 2
    assert refused.stderr.endswith(
        f"Error: There is no target {name!r}.{hint} Targets: {', '.join(TARGETS)}. Other commands: "
        "destroy, logs, rollback, status\n"
    )
    assert "No such option" in CliRunner().invoke(main, ["deploy", "--heroku"]).stderr


def test_unknown_table(shell: Shell, app: Path) -> None:
    """A [deploy] table of a target that there is not is told with the nearest."""
    write_rule(app, 1, "[deploy.cloudrun]")
    refused = shell.deploy("--dry-run")
    assert refused.exit_code == 1
    assert "deploy.cloudrun: is not a known key. Did you mean 'cloud-run'?" in refused.stderr


def test_canary(
    shell: Shell, app: Path, shelf: ShelfPlatform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A secret's value is in the request that sets it, and nowhere else, whoever repeats it."""
    monkeypatch.setenv("TOKEN", CANARY)
    write_rule(app, 1, 'secrets = ["TOKEN"]')
    shell.deploy("--dry-run")
    shell.deploy("--render", str(tmp_path / "out"))
    assert shell.deploy("--yes").exit_code == 0
    write_rule(app, 2, 'secrets = ["TOKEN"]')
    (app / "rule.py").write_text("import os\nraise ValueError(os.environ['TOKEN'])\n")
    assert shell.deploy("--yes", "--json").exit_code == 3  # its log, and so the reason, has it
    assert "*** (the value of TOKEN)" in shell.told
    for command in ("status", "logs", "rollback", "destroy"):
        shell(command, "cloud-run", str(app), *(["--yes"] if command in ("rollback", "destroy")
                                                else []))  # fmt: skip
    assert CANARY not in shell.told
    files = [one for one in tmp_path.rglob("*") if one.is_file()]
    assert len(files) > 10
    holding = {one.relative_to(tmp_path).as_posix() for one in files
               if CANARY.encode() in one.read_bytes()}  # fmt: skip
    assert holding == {"shelf/sent"}
    sent = [json.loads(line) for line in (shelf.folder / "sent").read_text().splitlines()]
    assert {one[0] for one in sent if CANARY in json.dumps(one)} == {"environment"}
