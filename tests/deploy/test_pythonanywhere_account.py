"""What an account at PythonAnywhere tells, asks of its owner, and refuses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from podium.deploy import pythonanywhere_platform
from podium.deploy.run import destroy
from podium.errors import DeployError
from tests.deploy.anywhere import DEFAULT
from tests.deploy.anywhere_account import Account, account_of, answered


@pytest.fixture
def account(tmp_path: Path, wheel: Path) -> Iterator[Account]:
    """Return an account that has nothing yet."""
    with account_of(tmp_path, wheel) as there:
        yield there


def test_console_that_a_browser_has_to_open(account: Account) -> None:
    """What to do is told in numbered steps; then the line is typed, and the console ended."""
    anywhere = account.anywhere
    anywhere.opens = False
    account.hear = lambda line: setattr(anywhere, "opens", "3. Leave" in line or anywhere.opens)
    assert answered(account.deploy().address) == 2
    said = account.said()
    start = next(number for number, line in enumerate(said) if "your turn" in line)
    (line,) = anywhere.machine.typed
    assert line.startswith("python3.11 ~/podium/rule/install.py 3.11-")
    assert said[start : start + 5] == [
        "  Now it is your turn: PythonAnywhere starts a console only for a browser.",
        f"  1. Open https://{anywhere.address}/user/Ada/consoles/4711/",
        f"  2. This line is typed there by itself; if it is not, paste it:\n       {line}",
        "  3. Leave the page open until all is installed, some minutes. This goes on by itself; "
        "ended meanwhile, run it again.",
        "  The packages are installed.",
    ]
    assert anywhere.consoles == {}


def test_consoles_that_are_all_in_use(account: Account) -> None:
    """Then the line is pasted into one of the account's own, which is left alone."""
    anywhere = account.anywhere
    anywhere.most_consoles, anywhere.opens = 0, False

    def paste(line: str) -> None:
        if "2. Paste this line:" in line:
            anywhere.machine.type(line.splitlines()[-1].strip())

    account.hear = paste
    assert answered(account.deploy().address) == 2
    assert f"  1. Open https://{anywhere.address}/user/Ada/consoles/ and start a Bash console" in (
        account.said()
    )


def test_console_that_nobody_opens(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait ends; run again, it takes the same console, and goes on."""
    account.anywhere.opens = False
    monkeypatch.setattr(pythonanywhere_platform, "INSTALL_S", 0.2)
    with pytest.raises(DeployError, match=r"Nothing was installed within 0 minutes. Run it again"):
        account.deploy()
    assert list(account.anywhere.consoles) == [4711]
    account.anywhere.opens = True
    monkeypatch.setattr(pythonanywhere_platform, "INSTALL_S", 60.0)
    assert answered(account.deploy().address) == 2
    assert account.anywhere.consoles == {}


def test_web_app_of_somebody_else(account: Account) -> None:
    """A web app that Podium has not made is left alone."""
    anywhere = account.anywhere
    anywhere.web_apps[anywhere.address] = {"domain_name": anywhere.address}
    wsgi = anywhere.machine.root / "var/www" / f"{anywhere.address}_wsgi.py"
    wsgi.write_text(DEFAULT)
    with pytest.raises(DeployError, match=r"a web app '.*' that is not 'rule' of `podium deploy`"):
        account.deploy()
    with pytest.raises(DeployError, match=r"a web app '.*' that is not 'rule' of `podium deploy`"):
        destroy(account.task(), lambda: True)
    assert account.changes() == []


def test_account_that_has_its_web_apps(account: Account) -> None:
    """A free account has one: what the platform says of another is told, before all else."""
    account.anywhere.web_apps["other.example.org"] = {"domain_name": "other.example.org"}
    with pytest.raises(DeployError, match=r"POST webapps/: You have reached your maximum number"):
        account.deploy()
    assert account.changes() == ["POST domain", "POST webapps"]


def test_account_of_somebody_else(account: Account) -> None:
    """A token is that of one account."""
    account.write(1, 'username = "Bob"')
    with pytest.raises(DeployError, match=r"permission .*\(403\)\. The token may not do that"):
        account.deploy()


def test_without_a_token(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where one is made and set is told."""
    monkeypatch.delenv("API_TOKEN")
    with pytest.raises(DeployError, match=r"There is no API token. Make an API token on the page"):
        account.deploy()


def test_without_an_account(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is named is told, before anything is asked."""
    monkeypatch.delenv("PYTHONANYWHERE_USERNAME")
    with pytest.raises(DeployError, match=r"No account is named\. Name yours: PYTHONANYWHERE_USE"):
        account.deploy()
    assert account.anywhere.asked == []


def test_site_of_the_environment(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """The site that the vendor's own client would ask has the account's address, too."""
    monkeypatch.setenv("PYTHONANYWHERE_SITE", "eu.pythonanywhere.com")
    toml = account.app / "podium.toml"
    toml.write_text(toml.read_text().replace("domain =", "#"))
    task = account.task()
    assert task.target.host(task.app) == "ada.eu.pythonanywhere.com"


def test_account_in_the_eu(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """Host and address are those of the EU; what its host says when it is not there is told."""
    monkeypatch.delenv("PYTHONANYWHERE_SITE")
    monkeypatch.setenv("https_proxy", "http://localhost:9")
    toml = account.app / "podium.toml"
    text = toml.read_text().replace("domain =", 'host = "eu.pythonanywhere.com"\n#')
    toml.write_text(text)
    task = account.task()
    from podium.deploy.target import Live

    assert task.target.address(task.app, Live(exists=True)) == "https://ada.eu.pythonanywhere.com"
    with pytest.raises(DeployError, match=r"eu\.pythonanywhere\.com cannot be reached: .*network"):
        account.deploy()


def test_logs_and_what_it_died_of(account: Account) -> None:
    """The application's error log is told; a killed process is not an error of its own."""
    account.deploy()
    machine, domain = account.anywhere.machine, account.anywhere.address
    machine.log(domain, "error").write_text("one\ntwo\n")
    platform = account.task().connect()
    assert list(platform.logs(False)) == ["one", "two"]
    assert platform.reason() == "Its error log ends: two"
    server = machine.log(domain, "server")
    server.write_text("HARAKIRI ON WORKER 1 (pid: 7)\n")
    assert platform.reason() == "It took longer than five minutes: HARAKIRI ON WORKER 1 (pid: 7)"
    server.write_text("DAMN ! worker 1 (pid: 7) died, killed by signal 9 :( trying respawn ...\n")
    assert platform.reason() == (
        "Its process was killed, as for more than 3 GB of memory: DAMN ! worker 1 (pid: 7) died, "
        "killed by signal 9 :( trying respawn ..."
    )


def test_logs_that_go_on(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is new is told, and all of a log that began anew."""
    monkeypatch.setattr(pythonanywhere_platform, "FOLLOW_S", 0.0)
    log = account.anywhere.machine.log(account.anywhere.address, "error")
    log.write_text("one\n")
    lines = account.task().connect().logs(True)
    assert next(lines) == "one"
    log.write_text("one\ntwo\n")
    assert next(lines) == "two"
    log.write_text("three\n")
    assert next(lines) == "three"
