"""Whom servers run as, where root brings them up for a state folder of somebody else's."""

from __future__ import annotations

import os
import pwd
import tempfile
from pathlib import Path

import pytest

from podium.errors import ServeError
from podium.operate.account import account_of, environment_of, give, identity_of
from podium.operate.supervised import Supervised
from podium.operate.units import Unit
from tests.support.missing import missing
from tests.support.waiting import until

NOBODY = "nobody"


def test_without_root_nobody_else_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """An ordinary user's servers are that user's: nothing is said of it."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert account_of(Path("/")) == ("", "")
    assert (identity_of(""), environment_of("")) == ({}, {})


def test_owner_without_a_name_is_told_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Programs that take names alone cannot run as a number."""

    def unknown(number: int) -> pwd.struct_passwd:
        raise KeyError(number)

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    with pytest.raises(ServeError) as caught:
        account_of(tmp_path)
    assert str(caught.value) == (
        f"The state folder {tmp_path} belongs to user {tmp_path.stat().st_uid}, who has no name or "
        f"group on this host. Give it to a user that has one: chown -R NAME {tmp_path}"
    )


def test_unit_of_another_user_has_no_right_of_root() -> None:
    """It runs with the user's own groups, and can use what was given to the user."""
    if os.geteuid() != 0:
        missing("only root may run programs as somebody else")
    account = pwd.getpwnam(NOBODY)
    with tempfile.TemporaryDirectory(prefix="podium-") as made:
        site = Path(made) / "site"
        site.mkdir()
        for folder in (Path(made), site):
            os.chown(folder, account.pw_uid, account.pw_gid)
        assert account_of(Path(made))[0] == NOBODY
        (site / "secret").touch(mode=0o600)
        give(site, Path(made))
        units = Supervised(site)
        code = 'cat secret; id -u; id -G; echo "$HOME"; exec sleep 600'
        units.start(Unit(
            name="a", command=("/bin/sh", "-c", f"cd {site}; {code}"), user=NOBODY,
            environment={**os.environ, **environment_of(NOBODY)},
        ))  # fmt: skip
        log = site / "logs" / "a.log"
        until(lambda: log.read_text().count("\n") == 3)
        units.close()
        groups = " ".join(map(str, os.getgrouplist(NOBODY, account.pw_gid)))
        assert log.read_text().split("\n") == [str(account.pw_uid), groups, account.pw_dir, ""]
