"""A certificate that nobody vouches for."""

from __future__ import annotations

import ssl
import stat
from pathlib import Path

import pytest

from podium.errors import ServeError
from podium.operate import self_signed as module
from podium.operate.self_signed import self_signed
from tests.support.missing import program


@pytest.fixture(autouse=True)
def openssl() -> str:
    """Return the path of openssl."""
    return program("openssl", "openssl")


def names_in(chain: Path) -> list[tuple[str, str]]:
    """Return the names that a certificate is for."""
    context = ssl.create_default_context(cafile=str(chain))
    (told,) = context.get_ca_certs()
    return list(told["subjectAltName"])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("domain", "names"),
    [
        ("example.org", [("DNS", "example.org"), ("DNS", "localhost")]),
        ("localhost", [("DNS", "localhost")]),
        ("192.0.2.7", [("IP Address", "192.0.2.7"), ("DNS", "localhost")]),
    ],
)
def test_certificate_is_for_the_domain_and_this_host(
    domain: str, names: list[tuple[str, str]], tmp_path: Path
) -> None:
    """It names the domain and this host; its key fits, and is only its owner's."""
    made = self_signed(domain, tmp_path / "tls")
    here = [("IP Address", "127.0.0.1"), ("IP Address", "0:0:0:0:0:0:0:1")]
    assert names_in(made.chain) == names + here
    ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(made.chain, made.key)
    assert stat.S_IMODE(made.key.stat().st_mode) == 0o600


def test_certificate_is_kept_as_long_as_it_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same one is returned, until it is for another domain or soon to end."""
    first = self_signed("example.org", tmp_path).chain.read_bytes()
    assert self_signed("example.org", tmp_path).chain.read_bytes() == first
    other = self_signed("example.com", tmp_path).chain.read_bytes()
    assert other != first
    monkeypatch.setattr(module, "RENEWED_DAYS", module.DAYS + 1)
    assert self_signed("example.com", tmp_path).chain.read_bytes() != other


def test_missing_openssl_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without openssl the error says what to install, and the other way."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ServeError, match=r"apt-get install openssl.*--tls-cert and --tls-key"):
        self_signed("example.org", tmp_path)


def test_what_openssl_says_is_told(tmp_path: Path) -> None:
    """A domain that can be in no certificate is refused in openssl's words."""
    with pytest.raises(ServeError, match=r"^openssl cannot make a certificate: .+"):
        self_signed("a,b:c", tmp_path)
