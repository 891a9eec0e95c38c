"""Whom a site's servers run as where root brings it up: the owner of its state folder."""

from __future__ import annotations

import grp
import os
import pwd
from pathlib import Path
from typing import TypedDict

from podium.errors import ServeError


class Identity(TypedDict, total=False):
    """What makes a process a user's own, as subprocess takes it."""

    user: int
    group: int
    extra_groups: list[int]


def account_of(state: Path) -> tuple[str, str]:
    """Return the names of the user and the group; "" where others cannot be chosen, without root.

    Raises:
        ServeError: the folder belongs to a number without a name.
    """
    if os.geteuid() != 0:
        return "", ""
    owner = state.stat().st_uid if state.exists() else 0
    try:
        account = pwd.getpwuid(owner)
        return account.pw_name, grp.getgrgid(account.pw_gid).gr_name
    except KeyError as err:
        raise ServeError(
            f"The state folder {state} belongs to user {owner}, who has no name or group on this "
            f"host. Give it to a user that has one: chown -R NAME {state}"
        ) from err


def identity_of(user: str) -> Identity:
    """Return what makes a process this user's; nothing where none is named."""
    if not user:
        return {}
    account = pwd.getpwnam(user)
    groups = os.getgrouplist(user, account.pw_gid)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": groups}


def environment_of(user: str) -> dict[str, str]:
    """Return what programs ask their environment about this user; nothing where none is named."""
    if not user:
        return {}
    return {"HOME": pwd.getpwnam(user).pw_dir, "USER": user, "LOGNAME": user}


def give(folder: Path, state: Path) -> None:
    """Give all in a folder to the owner of the state folder, where root may have written to it."""
    owner = state.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
