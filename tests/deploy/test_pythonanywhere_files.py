"""What goes to PythonAnywhere: every file, every step, and what does not fit; offline."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from msgspec import structs

from podium.bundle import size
from podium.bundle.lock import Lock
from podium.bundle.packages import packages_of
from podium.bundle.size import Predicted
from podium.bundle.target import Target
from podium.deploy import (
    pythonanywhere,
    pythonanywhere_files,
    pythonanywhere_install,
    requirements,
)
from podium.deploy.prepare import prepare
from podium.deploy.pythonanywhere import PythonAnywhere
from podium.deploy.pythonanywhere_files import environment_of
from podium.deploy.run import Task, show
from podium.deploy.target import Deployment
from podium.deploy.tell import InWords
from podium.errors import DeployError, MissingExtra
from podium.spec import Access
from podium.strict import Size
from tests.deploy.kept import compare, penguins_with, without_version

ENOUGH = "The disk quota is enough: installed, packages and application take"


SETTINGS = """
[deploy.pythonanywhere]
username = "ada"
python = "3.12"
secrets = ["TOKEN"]
variables = { GREETING = "Grüß Gott" }
"""


@pytest.fixture
def penguins(tmp_path: Path) -> Path:
    """Return the penguins demo with settings of the platform."""
    return penguins_with(tmp_path, SETTINGS)


@pytest.fixture
def prepared(penguins: Path, wheel: Path) -> Deployment:
    """Return it as it goes to PythonAnywhere."""
    return prepare(PythonAnywhere(), penguins, penguins.parent / "work", wheel)


def test_every_file(prepared: Deployment) -> None:
    """Each text is as it is kept; the rest is the application itself, and the wheel."""
    files = dict(PythonAnywhere().files(prepared))
    for name, kept in {"wsgi.py": "wsgi.txt", "requirements.txt": "requirements.txt"}.items():
        compare(f"pythonanywhere/{kept}", without_version(str(files.pop(name)), prepared))
    assert files.pop("install.py") == Path(pythonanywhere_install.__file__).read_text()
    wheel = {prepared.wheel.name: prepared.wheel}
    inside = wheel | {f"app/{file.name}": file.path for file in prepared.bundle.files}
    assert files == {f"bundle.zip/{name}": path for name, path in inside.items()}


def test_dry_run(penguins: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that would be sent is told, offline, without the client and without a token."""
    monkeypatch.setitem(sys.modules, "pythonanywhere_core.base", None)
    lines: list[str] = []
    environment = {"TOKEN": "canary-of-the-application"}
    task = Task(PythonAnywhere(), penguins, penguins.parent / "state", InWords(lines.append),
                environment, wheel)  # fmt: skip
    show(task)
    told = "\n".join(lines)
    plan = told[told.index("1. Note the domain") :]
    compare("pythonanywhere/plan.txt", without_version(f"{plan}\n", task.app))
    assert "canary" not in told
    assert "# wsgi.py\n" in told
    with pytest.raises(MissingExtra, match=r"pip install 'podium\[pythonanywhere\]'"):
        task.connect()


def test_what_is_removed_is_what_images_do_without() -> None:
    """The program that installs packages there knows by heart what Podium knows here."""
    names = ("TEST_FOLDERS", "SOURCE_ENDINGS", "C_LIBRARIES")
    assert [getattr(pythonanywhere_install, name) for name in names] == [
        getattr(size, name) for name in names
    ]


def test_another_podium_takes_no_other_environment(
    prepared: Deployment, wheel: Path, tmp_path: Path
) -> None:
    """Podium goes along with each version; an environment holds what it needs alone."""
    other = tmp_path / wheel.name
    other.write_bytes(wheel.read_bytes() + b" ")
    assert environment_of(structs.replace(prepared, wheel=other)) == environment_of(prepared)
    settings = structs.replace(prepared.settings, python="3.13")
    assert environment_of(structs.replace(prepared, settings=settings)).startswith("3.13-")


def locked(app: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give an application a lock for Python 3.12 on x86_64."""
    packages = packages_of(app.parsed, app.folder, Target("3.12", "x86_64"), (), app.wheel)
    pins = ("flask==3.1.2", "gunicorn-h1c==0.6.9", "gunicorn==27.0.0", "numpy==2.5.0")
    text = "".join(f"{pin} \\\n    --hash=sha256:{'0' * 64}\n" for pin in pins)
    lock = Lock(f"# Made by podium lock\n{text}", packages, {}, 77_000_000)
    monkeypatch.setattr(requirements, "read_lock", lambda *_, **__: lock)


def test_a_lock_pins_what_is_installed(
    prepared: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With requirements.lock every package has its hash; the server's own are left out."""
    locked(prepared, monkeypatch)
    told = str(PythonAnywhere().files(prepared)["requirements.txt"])
    hashed = f" \\\n    --hash=sha256:{'0' * 64}\n"
    assert told == f"# Made by podium lock\nflask==3.1.2{hashed}numpy==2.5.0{hashed}"
    parts = list(pythonanywhere_install.parts(f"--extra-index-url A\n{told * 3}"))
    assert [part.count("==") for part in parts] == [5, 1]
    assert parts[1] == f"--extra-index-url A\nnumpy==2.5.0{hashed}"
    assert pythonanywhere_files.size_of(prepared) == Predicted(77_000_000)


def test_a_lock_for_another_python(prepared: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused, with the command that makes it anew."""
    locked(prepared, monkeypatch)
    settings = structs.replace(prepared.settings, python="3.13")
    with pytest.raises(DeployError, match=r"for Python 3\.12 .*the account has Python 3\.13"):
        PythonAnywhere().files(structs.replace(prepared, settings=settings))


def told(app: Deployment) -> list[tuple[bool, str]]:
    """Return what does not fit, and whether it could not work."""
    found = [(one.fatal, one.told) for one in PythonAnywhere().findings(app, {})]
    return [one for one in found if not one[1].startswith(ENOUGH)]


@pytest.mark.parametrize(
    ("packages", "fatal", "words"),
    [
        (240_000_000, False, ENOUGH),
        (400_000_000, False, "The disk is nearly full then: installed, packages and application"),
        (700_000_000, True, "The disk is too small: installed, packages and application take 761"),
    ],
)
def test_disk_quota(
    prepared: Deployment, monkeypatch: pytest.MonkeyPatch, packages: int, fatal: bool, words: str,
) -> None:  # fmt: skip
    """It is told what of it is taken, what fits a small account, and that there are larger."""
    monkeypatch.setattr(pythonanywhere, "size_of", lambda _app: Predicted(packages))
    (found,) = PythonAnywhere().findings(prepared, {})
    assert found.fatal == fatal
    assert found.told.startswith(words)
    assert "PyTorch and TensorFlow do not: podium optimize makes ONNX files" in found.told


def test_pytorch_does_not_fit_a_small_account(prepared: Deployment) -> None:
    """Its size is that of what is installed here."""
    spec = structs.replace(prepared.parsed.spec, requirements=("torch>=2.8",))
    app = structs.replace(prepared, parsed=structs.replace(prepared.parsed, spec=spec))
    ((fatal, text),) = told(app)
    assert (fatal, text.partition(":")[0]) == (True, "The disk is too small")


def changed(app: Deployment, **settings: object) -> Deployment:
    """Return an application with room on the disk, and with other settings of the platform."""
    room = {"disk": Size(5_000_000_000), **settings}
    return structs.replace(app, settings=structs.replace(app.settings, **room))


def test_old_python(prepared: Deployment) -> None:
    """Podium needs 3.11; which system image has it is told."""
    ((fatal, text),) = told(changed(prepared, python="3.10"))
    assert fatal
    assert "Podium needs Python 3.11 or newer, and not 3.10" in text


def test_nobody_is_named(prepared: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """USERNAME stands for the account."""
    monkeypatch.delenv("PYTHONANYWHERE_USERNAME", raising=False)
    ((fatal, text),) = told(changed(prepared, username=None))
    assert (fatal, text[:21]) == (False, "No account is named: ")


@pytest.mark.parametrize("proxies", [0, 1])
def test_a_header_lets_in_only_behind_a_proxy(prepared: Deployment, proxies: int) -> None:
    """Without a proxy of one's own, anybody could say who he is."""
    server = structs.replace(prepared.parsed.spec.server, proxies=proxies, hosts=("a.example",))
    spec = structs.replace(
        prepared.parsed.spec, access=Access(require=("header", "key")), server=server
    )
    parsed = structs.replace(prepared.parsed, spec=spec)
    found = told(changed(structs.replace(prepared, parsed=parsed), domain="A.example"))
    assert [(fatal, text[:26]) for fatal, text in found] == [(True, '[access] require: "header"')][
        proxies:
    ]
    files = PythonAnywhere().files(structs.replace(prepared, parsed=parsed))
    assert f"proxies={proxies + 1})" in str(files["wsgi.py"])
