"""Files that must not leave this machine: told by their names, and by a key in them."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Final

_HEAD: Final = 1_000_000
"""How many bytes of a file are looked at: a key stands alone, or in settings."""
_PRIVATE_KEY: Final = re.compile(
    rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----(?:\s|\\[nr])+"
    # Headers, as of encrypted keys (RFC 1421) and of PGP (RFC 4880).
    rb"(?:[A-Za-z][A-Za-z-]*:(?:[^\r\n\\]|\\(?![nr]))*(?:[\r\n]|\\[nr])(?:\s|\\[nr])*)*"
    rb"[A-Za-z0-9+/=]{8}"
)
_AWS_SETTING: Final = re.compile(rb"aws_secret_access_key\s*=", re.IGNORECASE)
_AWS_SECRET: Final = re.compile(  # a value of its length, since programs pass variables so, too
    _AWS_SETTING.pattern + rb"\s*[\"']?[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+])", re.IGNORECASE
)
_HARMLESS: Final = (".env.example", ".env.sample", ".env.template", ".env.dist")
_NAMES: Final = {
    "holds settings of an environment, with their secrets": (".env", ".env.*", "*.env", ".envrc"),
    "holds passwords": (".netrc", "_netrc", ".pgpass", "pgpass.conf", ".my.cnf", ".htpasswd",
                        "*.kdbx"),
    "holds credentials": (".git-credentials", ".pypirc", ".npmrc", ".dockercfg", ".boto",
                          "credentials.json", "application_default_credentials.json",
                          "gha-creds-*.json", "accesskeys.csv", "*_accesskeys.csv", "kubeconfig",
                          "*.kubeconfig"),
    "is a private key": ("id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "*.ppk", "*.p12", "*.pfx",
                         "*.jks", "*.keystore", "*.key"),
}  # fmt: skip
_WAY_OUT: Final = (
    "Move it out of the folder, or name it in .podiumignore; the application gets secrets from "
    "its environment."
)


def risk_of(name: str, path: Path) -> str:
    """Return why a file must not go along, and the way out; "" where it may.

    A link is judged by its own name and by that of the file to which it leads.
    """
    called = {PurePosixPath(name).name.lower(), path.resolve().name.lower()}.difference(_HARMLESS)
    if not called:
        return ""
    for risk, patterns in _NAMES.items():
        if any(fnmatchcase(one, pattern) for one in called for pattern in patterns):
            return f"{risk}. {_WAY_OUT}"
    try:
        with path.open("rb") as stream:
            held = _held(stream.read(_HEAD), "credentials" in called)
    except OSError as err:
        return f"cannot be read: {err.strerror}. Change that, or name it in .podiumignore."
    return held and f"{held}. {_WAY_OUT}"


def _held(content: bytes, credentials: bool) -> str:
    """Return which secret a file holds; of one that is called `credentials` a name is enough."""
    if _PRIVATE_KEY.search(content):
        return "holds a private key"
    aws = _AWS_SETTING if credentials else _AWS_SECRET
    return "holds a secret access key of AWS" if aws.search(content) else ""
