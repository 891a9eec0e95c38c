"""What goes to PythonAnywhere, run there as a whole; and the vendor's own client as a witness."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from podium.cli import DEMOS
from podium.deploy import pythonanywhere_install
from podium.deploy.pythonanywhere_install import Failed
from podium.folder import parse
from podium.operate.asking import public_door, question_of
from podium.prediction import ClassPrediction
from tests.deploy.anywhere_account import Account, account_of

# The client reads its environment when it is imported, so it is asked in a process of its own.
VENDOR = """
import json, sys
from pathlib import Path
from pythonanywhere_core.files import Files
from pythonanywhere_core.webapp import Webapp

domain, home = sys.argv[1:]
files, webapp = Files(), Webapp(domain)
webapp.sanity_checks(nuke=False)
told = [files.path_post(f"{home}/env/a.txt", b"first"), files.path_post(f"{home}/env/a.txt", b"a")]
webapp.create("3.11", Path(home) / "env", Path(home), nuke=False)
webapp.patch({"force_https": True})
config = webapp.get()
told += [files.path_get(f"{home}/env/a.txt").decode(), list(files.path_get(f"{home}/env")),
         files.tree_get(home), [one["domain_name"] for one in Webapp.list_webapps()],
         config["python_version"], config["virtualenv_path"], config["force_https"]]
told.append(files.path_delete(f"{home}/env"))
webapp.delete()
told.append(Webapp.list_webapps())
print(json.dumps(told))
"""


@pytest.fixture
def account(tmp_path: Path, wheel: Path) -> Iterator[Account]:
    """Return an account that has nothing yet."""
    with account_of(tmp_path, wheel) as there:
        yield there


@pytest.mark.parametrize(("demo", "installed"), [("penguins", False), ("digits", True)])
def test_demos_answer_their_examples(tmp_path: Path, demo: str, installed: bool) -> None:
    """The WSGI file serves Podium's wheel without threads, installed by the line for the console.

    That line takes a while, so that one demo tells of it.
    """
    with account_of(tmp_path, None) as account:
        account.anywhere.machine.real = installed
        account.app = tmp_path / demo
        shutil.copytree(DEMOS / demo, account.app, ignore=shutil.ignore_patterns("__pycache__"))
        with (account.app / "podium.toml").open("a") as toml:
            toml.write(account.settings())
        outcome = account.deploy()
        parsed = parse(account.app)
        door = public_door(outcome.address, parsed.spec, {})
        answers = [door.prediction(question_of(account.app, one)) for one in parsed.spec.examples]
        found = [one.label for one in answers if isinstance(one, ClassPrediction)]
        assert found == [one.expected for one in parsed.spec.examples]
        assert door.get("/readyz?worker").json["release"] == outcome.version
        (folder,) = (path for path in (account.there / "versions").iterdir() if path.is_dir())
        assert (folder / "lib/podium/web/hosted.py").is_file()
        if installed:
            (line,) = account.anywhere.machine.typed
            again = account.anywhere.machine.type(line)
            assert again == "The packages are installed. `podium deploy` goes on.\n"


def test_vendors_client(account: Account) -> None:
    """The vendor's own client finds every path, field and status as it expects it."""
    domain, home = account.anywhere.address, f"/home/{account.anywhere.machine.home.name}"
    asked = [sys.executable, "-c", VENDOR, domain, home]
    done = subprocess.run(asked, capture_output=True, text=True, check=True)  # noqa: S603  a list
    assert json.loads(done.stdout) == [
        201, 200, "a", ["a.txt"], [f"{home}/env/", f"{home}/env/a.txt"], [domain], "3.11",
        f"{home}/env", True, 204, [],
    ]  # fmt: skip


def test_vendors_client_sees_what_was_deployed(account: Account) -> None:
    """It reloads the web app that Podium has made, and reads its configuration."""
    account.deploy()
    code = (
        "import sys, json; from pythonanywhere_core.webapp import Webapp; "
        "webapp = Webapp(sys.argv[1]); webapp.reload(); print(json.dumps(webapp.get()))"
    )
    asked = [sys.executable, "-c", code, account.anywhere.address]
    done = subprocess.run(asked, capture_output=True, text=True, check=True)  # noqa: S603  a list
    told = json.loads(done.stdout)
    (environment,) = (path.stem for path in (account.there / "environments").glob("*.whole"))
    place = "/home/Ada/podium/rule"
    assert {key: told[key] for key in ("virtualenv_path", "source_directory", "force_https")} == {
        "virtualenv_path": f"{place}/environments/{environment}", "source_directory": place,
        "force_https": True,
    }  # fmt: skip


def test_packages_that_cannot_be_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Why is kept for `podium deploy`, and nothing is taken for whole; once more is safe."""
    folder, runs = tmp_path / "environments", []
    folder.mkdir()
    (folder / "3.11-0.txt").write_text("no-such-package\n")

    def run(*command: str) -> None:
        runs.append(command[1:3])
        if "venv" in command:
            Path(command[-1]).mkdir()
        if "pip" in command and len(runs) == 2:
            raise Failed("No matching distribution found for no-such-package")

    monkeypatch.setattr(pythonanywhere_install, "run", run)
    with pytest.raises(Failed, match="No matching distribution"):
        pythonanywhere_install.main(tmp_path, "3.11-0")
    failed, whole = folder / "3.11-0.failed", folder / "3.11-0.whole"
    assert failed.read_text() == "No matching distribution found for no-such-package\n"
    assert not whole.exists()
    pythonanywhere_install.main(tmp_path, "3.11-0")
    assert (failed.exists(), whole.exists()) == (False, True)
    assert runs == [("-m", "venv"), ("-m", "pip")] * 2


def test_a_full_disk_is_told_before_what_follows_from_it() -> None:
    """The line that tells of the quota counts, wherever it stands."""
    code = "print('OSError: Disk quota exceeded'); print('Traceback'); raise SystemExit(1)"
    with pytest.raises(Failed, match=r"^OSError: Disk quota exceeded$"):
        pythonanywhere_install.run(sys.executable, "-c", code)
