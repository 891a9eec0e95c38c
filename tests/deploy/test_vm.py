"""What goes to a server and what is done there, told offline; and what a server may lack."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from podium.bundle.target import Target as Machine
from podium.deploy import vm
from podium.deploy.prepare import prepare, write_files
from podium.deploy.run import Task, deploy, show
from podium.deploy.target import Deployment, Live
from podium.deploy.tell import InWords
from podium.deploy.vm import Vm
from podium.errors import DeployError, SpecError
from tests.deploy.conftest import write_rule
from tests.deploy.kept import compare, penguins_with, without_version

SETTINGS = """
[deploy.vm]
host = "ubuntu@penguins.example.org"
secrets = ["TOKEN"]
variables = { GREETING = "Grüß Gott" }
"""
HERE = Machine.here()
THERE: Mapping[str, Any] = {
    "python": [int(part) for part in HERE.python.split(".")], "machine": HERE.machine,
    "system": "Linux", "user": "ubuntu", "root": False, "first_port": 80, "lingers": True,
    "venv": True, "compiles": True, "missing": [], "free": 10**10, "memory": 10**9, "killed": 0,
    "folder": "/home/ubuntu/podium/rule", "exists": False, "mark": None, "versions": {},
    "current": "current", "status": None, "up": False, "served": None, "environments": [],
    "certificate": False, "self_signed": None,
}  # fmt: skip
"""A server that has all that is needed, and nothing of the application."""


def prepared(app: Path, wheel: Path, settings: str = "") -> Deployment:
    """Return the small application on its way, with more settings."""
    write_rule(app, 1)
    with (app / "podium.toml").open("a") as toml:
        toml.write(f'\n[deploy.vm]\nhost = "server"\n{settings}\n')
    return prepare(Vm(), app, app.parent / "made", wheel)


def test_every_file_and_step(tmp_path: Path, wheel: Path) -> None:
    """Each text is as it is kept, and so is the plan: what is sent, with secrets by their names."""
    lines: list[str] = []
    app = penguins_with(tmp_path, SETTINGS)
    task = Task(Vm(), app, tmp_path / "state", InWords(lines.append), {"TOKEN": "canary"}, wheel)
    show(task)
    told = "\n".join(lines)
    assert "canary" not in told
    environment = vm.environment_of(task.app)

    def masked(text: str) -> str:
        return without_version(text, task.app).replace(environment, "ENVIRONMENT")

    files = {
        name.removeprefix("bundle.tar.gz/"): text for name, text in Vm().files(task.app).items()
    }
    for name in ("settings.json", "requirements.txt"):
        compare(f"vm/{name}", masked(str(files.pop(name))))
    own = {f"app/{file.name}": file.path for file in task.app.bundle.files}
    assert files == {wheel.name: task.app.wheel, **own}
    compare("vm/plan.txt", masked(told[told.index("1. Make the folder") :]) + "\n")


def test_same_application_makes_the_same_bundle(app: Path, wheel: Path, tmp_path: Path) -> None:
    """The archive has the same bytes each time."""
    files = Vm().files(prepared(app, wheel))
    first, second = (write_files(files, tmp_path / name)["bundle.tar.gz"] for name in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()


def test_dry_run_without_a_server(app: Path, wheel: Path) -> None:
    """HOST stands for a server that is not named; it is missing once something shall be done."""
    write_rule(app, 1)
    lines: list[str] = []
    task = Task(Vm(), app, app.parent / "state", InWords(lines.append), {}, wheel)
    show(task)
    assert "Note: No server is named: HOST stands for it. [deploy.vm] host names it." in lines
    assert any('"domain": "HOST"' in line for line in lines)
    with pytest.raises(DeployError, match=r'No server is named\. .*\n  \[deploy\.vm\]\n  host = "'):
        deploy(task, lambda: True)


@pytest.mark.parametrize("host", ["-oProxyCommand=touch", "two words", ""])
def test_host_is_no_option_of_ssh(app: Path, wheel: Path, host: str) -> None:
    """What ssh would take for an option, or for several words, is no host."""
    write_rule(app, 1)
    with (app / "podium.toml").open("a") as toml:
        toml.write(f'\n[deploy.vm]\nhost = "{host}"\n')
    with pytest.raises(SpecError, match="host"):
        prepare(Vm(), app, app.parent / "made", wheel)


def told(app: Deployment) -> dict[str, bool]:
    """Return the findings of the target, and whether each is fatal."""
    return {one.told: one.fatal for one in Vm().findings(app, {})}


def test_findings(app: Path, wheel: Path) -> None:
    """That nothing is encrypted is told, and what has to be done by hand for a certificate."""
    ((by_hand, fatal),) = told(prepared(app, wheel)).items()
    assert not fatal
    assert by_hand.splitlines()[1:] == [
        "  1. On the server: sudo apt-get install certbot",
        "  2. On the server: sudo certbot certonly --webroot "
        "-w ~/podium/rule/state/app-*/site/acme -d server --deploy-hook "
        '"$(ls ~/podium/rule/state/app-*/site/certbot/renewed.sh)"',
        f"  3. Here: podium deploy vm {app}",
    ]
    assert told(prepared(app, wheel, 'tls = "self-signed"')) == {}
    (off,) = told(prepared(app, wheel, 'tls = "off"')).items()
    assert off == (
        'tls = "off": everybody on the way reads and changes what is sent, unless a proxy before '
        "the server encrypts.", False,
    )  # fmt: skip


@pytest.mark.parametrize("tls", ["certbot", "self-signed", "off"])
def test_tls_is_what_podium_up_is_told(app: Path, wheel: Path, tls: str) -> None:
    """Both kinds are said, so that neither stays from a version before."""
    files = Vm().files(prepared(app, wheel, f'tls = "{tls}"'))
    up = json.loads(str(files["bundle.tar.gz/settings.json"]))["up"]
    assert (up["tls_self_signed"], up["tls_off"]) == (tls == "self-signed", tls == "off")


def planned(app: Deployment, **facts: Any) -> list[str]:
    """Return the steps for a server that is otherwise than the usual one."""
    live = Live(exists=bool(facts.get("mark")), versions=tuple(facts.get("versions", ())),
                details={**THERE, **facts})  # fmt: skip
    return [step.what for step in Vm().plan(app, live)]


def test_plan_goes_on_from_what_is_there(app: Path, wheel: Path) -> None:
    """What lies there is neither sent nor installed again."""
    made = prepared(app, wheel)
    turn = ["Set the variables", f"Let version {made.version} serve"]
    environment = vm.environment_of(made)
    there = {"mark": "rule", "exists": True}
    assert planned(made) == ["Make the folder", "Copy the bundle", "Install the packages", *turn]
    assert planned(made, **there) == ["Copy the bundle", "Install the packages", *turn]
    assert planned(made, **there, environments=[environment]) == ["Copy the bundle", *turn]
    versions = {made.version: {"environment": environment}}
    assert planned(made, **there, versions=versions, environments=[environment]) == turn


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"system": "Darwin"}, "it runs Darwin; `podium up` needs Linux."),
        ({"exists": True}, "/home/ubuntu/podium/rule is there, and not made by `podium deploy`"),
        ({"exists": True, "mark": "another"}, "is there, and not made by `podium deploy` for rule"),
        ({"python": [3, 9]}, "python3 is Python 3.9 there; 3.11 or newer is needed. Install one"),
        ({"venv": False}, "cannot make environments there: sudo apt-get install python3-venv"),
        ({"compiles": False}, "no C compiler, or not Python's header files: sudo apt-get install"),
        ({"missing": ["nginx", "flock"]},
         "nginx, flock is not installed there: sudo apt-get install nginx-light util-linux"),
        ({"first_port": 1024}, "ports below 1024 need root, and ubuntu is not. Log in as root"),
        ({"lingers": False}, "user logs out. Once there: sudo loginctl enable-linger ubuntu"),
        ({"folder": "/home/" + "x" * 80}, "is too long for a socket below it. Take a shorter one"),
        ({"free": 1}, "its disk has 1 B free; "),
        ({"machine": "riscv64"}, "--machine riscv64"),
    ],
    ids=lambda told: next(iter(told)) if isinstance(told, dict) else "",
)  # fmt: skip
def test_what_a_server_lacks(app: Path, wheel: Path, facts: dict[str, Any], said: str) -> None:
    """It is told with the way out, before anything is sent."""
    with pytest.raises(DeployError) as wrong:
        planned(prepared(app, wheel), **facts)
    first, *others = str(wrong.value).splitlines()
    assert first == "server cannot serve rule yet:"
    assert any(said in one for one in others)


def test_all_that_a_server_lacks_is_told_at_once(app: Path, wheel: Path) -> None:
    """A line each; openssl is needed for a certificate of its own alone."""
    facts = {"first_port": 1024, "lingers": False, "missing": ["nginx", "openssl"]}
    with pytest.raises(DeployError) as wrong:
        planned(prepared(app, wheel), **facts)
    assert str(wrong.value).count("\n") == 3
    assert "openssl" not in str(wrong.value)
    with pytest.raises(DeployError, match="nginx, openssl is not installed there"):
        planned(prepared(app, wheel, 'tls = "self-signed"'), **facts)


def test_other_ports_need_no_root(app: Path, wheel: Path) -> None:
    """Ports above 1024 are everybody's; without TLS there is only one."""
    made = prepared(app, wheel, 'http_port = 8080\ntls = "off"')
    assert planned(made, first_port=1024)[-1] == f"Let version {made.version} serve"


@pytest.mark.parametrize(
    ("folder", "place"),
    [
        ("podium", "podium/rule"), ("~/podium", "podium/rule"), ("~", "rule"), ("~/", "rule"),
        ("/srv/a;b $x", "/srv/a;b $x/rule"), ("~/it's", "it's/rule"),
    ],
)  # fmt: skip
def test_folder_is_one_word_of_the_shell(app: Path, wheel: Path, folder: str, place: str) -> None:
    """Whatever is in its name; it begins in the home folder, where ssh does."""
    made = prepared(app, wheel)
    made = structs.replace(made, settings=structs.replace(made.settings, folder=folder))
    line = f"printf '%s|' {vm.place_of(made)}"
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True)  # noqa: S603, S607
    assert done.stdout == f"{place}|"
    live = Live(exists=False, details=THERE)
    commands = [step.call.payload["command"] for step in Vm().plan(made, live)]  # type: ignore[union-attr]
    assert all(vm.place_of(made) in command for command in commands)


def test_folder_of_another_user(app: Path, wheel: Path) -> None:
    """Where it is only its user's shell knows: it is refused."""
    found = told(prepared(app, wheel, 'folder = "~ada/podium"\ntls = "self-signed"'))
    assert found == {
        '[deploy.vm] folder = "~ada/podium" is in the home folder of another user. Name it by its '
        'full path, as in "/srv/podium", or one of your own: "~/podium".': True
    }


def test_version_before_comes_back_with_its_own_packages(app: Path, wheel: Path) -> None:
    """Its packages are installed again only where they are gone, as after a new Python."""
    made = prepared(app, wheel)
    details = {**THERE, "versions": {"0123456789ab": {"environment": "aaa"}}}
    live = Live(exists=True, details={**details, "environments": ["aaa"]})
    (turn,) = Vm().back(made, live, "0123456789ab")
    assert turn.call.payload["command"] == (  # type: ignore[union-attr]
        "exec podium/rule/environments/aaa/bin/python -m podium.deploy.vm_there podium/rule "
        "0123456789ab"
    )
    steps = Vm().back(made, structs.replace(live, details=details), "0123456789ab")
    assert [step.what for step in steps] == ["Install the packages",
                                             "Let version 0123456789ab serve"]  # fmt: skip


def test_python_without_podium_can_look(tmp_path: Path) -> None:
    """What looks at a server needs nothing but its Python, and finds no trace of what is not."""
    script = Path(vm.__file__).with_name("vm_look.py").read_text()
    command = [sys.executable, "-I", "-S", "-", str(tmp_path / "p" / "rule"), "example.org"]
    done = subprocess.run(command, input=script, capture_output=True, text=True, check=True)  # noqa: S603
    found = json.loads(done.stdout)
    assert found.keys() == THERE.keys()
    nothing = ("exists", "mark", "versions", "status", "up", "served", "environments",
               "certificate", "self_signed")  # fmt: skip
    assert {name: found[name] for name in nothing} == {name: THERE[name] for name in nothing}
    assert (found["system"], found["machine"]) == ("Linux", HERE.machine)
    assert list(tmp_path.iterdir()) == []
