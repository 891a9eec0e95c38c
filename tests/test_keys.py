"""Keys and the password: made, kept as hashes, revoked, read again when they change."""

from __future__ import annotations

import json
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from podium import keys
from podium.cli import main
from podium.errors import KeysError
from podium.keys import MIN_PASSWORD, CredentialsFile, Key, exposures, missing_ways
from podium.spec import Access
from tests.support.apps import write_notes

PASSWORD = "a few words, easy to say"  # noqa: S105  made up
NOW = 1_800_000_000.0


def test_a_key_is_256_random_bits_with_a_mark(tmp_path: Path) -> None:
    """32 bytes in base64 are 43 characters; two keys differ."""
    first, second = (CredentialsFile(tmp_path).add(name) for name in ("ci", "lab"))
    assert first != second
    assert all(key.startswith("pod_") and len(key) == 4 + 43 for key in (first, second))


def test_what_is_kept_gives_no_key_away(tmp_path: Path) -> None:
    """The file has digests and the hash of the password, and only its owner reads it."""
    file = CredentialsFile(tmp_path)
    key = file.add("ci")
    file.set_password(PASSWORD)
    kept = tmp_path / "access.json"
    text = kept.read_text()
    assert (key[4:] in text, PASSWORD in text) == (False, False)
    assert json.loads(text)["keys"][0]["sha256"] == keys.digest(key)
    assert json.loads(text)["password"].startswith("scrypt:")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["access.json"]


def test_a_running_server_sees_every_change(tmp_path: Path) -> None:
    """What was read before is not held on to: a key made, or revoked, elsewhere counts at once."""
    server, operator = CredentialsFile(tmp_path), CredentialsFile(tmp_path)
    assert server.read().keys == ()
    key = operator.add("ci")
    found = server.read().key_of(key, NOW)
    assert found is not None
    assert found.name == "ci"
    operator.revoke("ci")
    assert server.read().key_of(key, NOW) is None


def test_an_unchanged_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request costs a look at the file's time, not its content."""
    file = CredentialsFile(tmp_path)
    file.add("ci")
    before = file.read()
    monkeypatch.setattr(Path, "read_bytes", lambda _: pytest.fail("the file was read again"))
    assert file.read() is before


@pytest.mark.parametrize("wrong", ["", "pod_", "pod_x", " "])
def test_what_is_no_key_is_none(tmp_path: Path, wrong: str) -> None:
    """Neither nothing, nor a beginning, nor something else is a key."""
    file = CredentialsFile(tmp_path)
    key = file.add("ci")
    held = file.read()
    assert held.key_of(wrong, NOW) is None
    assert held.key_of(key[:-1], NOW) is None
    assert held.key_of(key + "x", NOW) is None
    assert held.key_of(keys.digest(key), NOW) is None


def test_a_key_whose_time_is_over_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It holds until the very second."""
    monkeypatch.setattr("podium.keys.time.time", lambda: NOW)
    file = CredentialsFile(tmp_path)
    key = file.add("ci", keep_s=60)
    held = file.read()
    assert held.keys == (Key("ci", keys.digest(key), NOW, NOW + 60),)
    assert held.key_of(key, NOW + 59.9) is not None
    assert held.key_of(key, NOW + 60) is None


def test_keys_made_at_the_same_time_are_all_kept(tmp_path: Path) -> None:
    """Who changes the file holds it meanwhile."""
    names = [f"k{index}" for index in range(20)]
    threads = [threading.Thread(target=CredentialsFile(tmp_path).add, args=(name,))
               for name in names]  # fmt: skip
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {key.name for key in CredentialsFile(tmp_path).read().keys} == set(names)


def test_the_password_is_known_and_others_are_not(tmp_path: Path) -> None:
    """Before one is set, nothing is the password, the empty text neither."""
    file = CredentialsFile(tmp_path)
    assert not file.read().is_password("")
    file.set_password(PASSWORD)
    assert file.read().is_password(PASSWORD)
    assert not file.read().is_password(PASSWORD + " ")


def test_a_new_password_ends_all_sessions(tmp_path: Path) -> None:
    """The secret that signs them is made anew; keys stay."""
    file = CredentialsFile(tmp_path)
    file.add("ci")
    file.set_password(PASSWORD)
    before = file.read()
    file.set_password(PASSWORD)
    after = file.read()
    assert len(before.secret) == 64
    assert before.secret != after.secret
    assert before.keys == after.keys


@pytest.mark.parametrize(
    ("act", "told"),
    [
        (lambda file: file.add("ci"),
         "There is a key 'ci' already. Revoke it, or take another name."),
        (lambda file: file.add("a b"),
         "'a b' is no name of a key: expected up to 64 letters, digits and . _ @ -"),
        (lambda file: file.add("x\n"),
         "'x\\n' is no name of a key: expected up to 64 letters, digits and . _ @ -"),
        (lambda file: file.revoke("cii"), "There is no key 'cii'. Did you mean 'ci'? Known: ci."),
        (lambda file: file.set_password("x" * 14), "The password has 14 characters; expected at "
         "least 15, since nothing else is asked for. A few words are easy to remember."),
    ],
)  # fmt: skip
def test_a_mistake_changes_nothing_and_is_told(
    tmp_path: Path, act: Callable[[CredentialsFile], object], told: str
) -> None:
    """The message says what is wrong, which value, and the way out."""
    assert MIN_PASSWORD == 15
    file = CredentialsFile(tmp_path)
    file.add("ci")
    before = (tmp_path / "access.json").read_bytes()
    with pytest.raises(KeysError) as caught:
        act(file)
    assert str(caught.value) == told
    assert (tmp_path / "access.json").read_bytes() == before


def test_a_damaged_file_lets_nobody_in(tmp_path: Path) -> None:
    """It is an error that names the file, not an empty list."""
    (tmp_path / "access.json").write_text("{")
    with pytest.raises(KeysError, match=r"access\.json is damaged: .* make keys and password anew"):
        CredentialsFile(tmp_path).read()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_root_makes_belongs_to_the_folders_owner(tmp_path: Path) -> None:
    """The server that runs as somebody else can read it."""
    os.chown(tmp_path, 65534, 65534)
    CredentialsFile(tmp_path).add("ci")
    assert (tmp_path / "access.json").stat().st_uid == 65534


def run(*arguments: str, given: str | None = None) -> tuple[int, str, str]:
    """Return how `podium keys ARGUMENTS` ended, and what it wrote to stdout and stderr."""
    done = CliRunner().invoke(main, ["keys", *arguments], input=given)
    return done.exit_code, done.stdout, done.stderr


def test_commands_make_list_and_revoke(tmp_path: Path) -> None:
    """The key alone is on stdout, so that a program can take it."""
    app = str(write_notes(tmp_path / "app"))
    state = ("--state", str(tmp_path / "state"))
    code, key, told = run("add", "ci", app, *state)
    assert (code, key[:4], key.count("\n")) == (0, "pod_", 1)
    assert "it is not shown again" in told
    assert key.strip() not in told
    assert run("add", "lab", app, *state, "--expires", "90 days")[0] == 0
    assert run("password", app, *state, given=PASSWORD + "\n") == (0, "The password is set.\n", "")
    code, listed, _ = run("list", app, *state)
    first, second, last = listed.splitlines()
    assert code == 0
    assert first.startswith("ci: made 20")
    assert ", until 20" in second
    assert last == "Keys: 2. Password: set."
    assert run("revoke", "ci", app, *state) == (0, "Revoked ci.\n", "")
    assert run("list", app, *state)[1].splitlines()[-1] == "Keys: 1. Password: set."


@pytest.mark.parametrize("expires", ["0 s", "soon", "-1 days"])
def test_a_key_holds_for_some_time(tmp_path: Path, expires: str) -> None:
    """A length of time that is none is refused, and no key is made."""
    app = str(write_notes(tmp_path / "app"))
    state = tmp_path / "state"
    code, key, told = run("add", "ci", app, "--state", str(state), f"--expires={expires}")
    assert (code, key) == (2, "")
    assert repr(expires) in told
    assert not state.exists()


def test_ways_that_nobody_can_take_are_told(tmp_path: Path) -> None:
    """Each with the command that sets it up; none once it is."""
    file = CredentialsFile(tmp_path)
    access = Access(require=("key", "password", "header"))
    assert list(missing_ways(access, file.read(), 0, "app")) == [
        'access.require: there is no "key" yet. Make one: podium keys add NAME app',
        'access.require: there is no "password" yet. Set it: podium keys password app',
        "access.require: X-Remote-User is believed from a proxy alone, and there is none. Say how "
        "many there are: [server] proxies, or --proxies.",
    ]
    file.add("ci")
    file.set_password(PASSWORD)
    assert list(missing_ways(access, file.read(), 1, "app")) == []
    assert list(missing_ways(Access(), CredentialsFile(tmp_path / "no").read(), 0, "app")) == []


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback_exposes_nothing(host: str) -> None:
    """There only programs of this machine ask."""
    assert list(exposures(host, Access(), 0)) == []


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "example.org"])  # noqa: S104
def test_a_public_address_is_told(host: str) -> None:
    """That everybody may ask, that nothing is encrypted, and that a header can be made up."""
    reached = f"{host} can be reached from other machines"
    everybody = (f'{reached}, and everybody may ask. Ask for a key: [access] require = ["key"] and '
                 "podium keys add NAME DIR; or listen on 127.0.0.1.")  # fmt: skip
    plain = (f"{reached}, and nothing that is sent is encrypted, keys and passwords neither. "
             "podium up DIR --domain NAME serves with TLS; say with --proxies that a proxy does."
             )  # fmt: skip
    forged = (f"{reached}, and who does so without the proxy can name any user in X-Remote-User. "
              "Let the proxy alone reach it: --socket, 127.0.0.1, or a firewall.")  # fmt: skip
    assert list(exposures(host, Access(), 0)) == [everybody, plain]
    assert list(exposures(host, Access(require=("key",)), 0)) == [plain]
    assert list(exposures(host, Access(require=("key",)), 1)) == []
    assert list(exposures(host, Access(require=("header",)), 1)) == [forged]
