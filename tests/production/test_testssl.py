"""TLS of a rendered site, as testssl.sh finds it on a real nginx."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from podium.production.nginx import CIPHERS
from tests.support.apps import write_notes
from tests.support.front import fronted, site_of
from tests.support.missing import program

Findings = dict[str, tuple[str, str]]

SELF_SIGNED = {
    # Nobody vouches for the certificate, which is made for trying, and nobody could revoke it.
    "cert_chain_of_trust": "failed (self signed).",
    "cert_revocation": "Neither CRL nor OCSP URI provided",
}
"""What is wrong with a self-signed certificate, and with no other part of the site."""
OF_THIS_HOST = {"engine_problem", "sessionresumption_ticket", "DNS_CAArecord"}
"""What testssl.sh could not look up without a network, or without a cipher of its own."""


@pytest.fixture(scope="module")
def findings() -> Iterator[Findings]:
    """The severity and the words of each finding, by its id."""
    with tempfile.TemporaryDirectory(prefix="podium-") as made:
        folder = Path(made)
        site = site_of(write_notes(folder / "app"), folder / "site", tls=True)
        report = folder / "testssl.json"
        command = [program("testssl", "testssl.sh"), "--quiet", "--color", "0", "--warnings",
                   "off", "--nodns", "none", "--jsonfile", str(report), "--ip", "127.0.0.1",
                   "--protocols", "--std", "--fs", "--server-defaults",
                   f"{site.domain}:{site.https_port}"]  # fmt: skip
        with fronted(site, None):
            done = subprocess.run(  # noqa: S603  a list, not a shell's text
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
            )
        assert report.is_file(), done.stdout + done.stderr
        told = json.loads(report.read_text())
        yield {one["id"]: (one["severity"], one["finding"]) for one in told}


def test_nothing_is_found_but_that_nobody_vouches(findings: Findings) -> None:
    """No finding is worse than information, but those of a self-signed certificate."""
    wrong = {name: finding for name, (severity, finding) in findings.items()
             if severity not in ("OK", "INFO") and name not in OF_THIS_HOST}  # fmt: skip
    assert wrong == SELF_SIGNED


def test_protocols_are_those_of_mozilla_s_profile(findings: Findings) -> None:
    """TLS 1.2 and 1.3 are offered, and nothing older (Mozilla's intermediate profile)."""
    offered = {name for name in ("SSLv2", "SSLv3", "TLS1", "TLS1_1", "TLS1_2", "TLS1_3")
               if not findings[name][1].startswith("not offered")}  # fmt: skip
    assert offered == {"TLS1_2", "TLS1_3"}


def test_ciphers_are_those_of_mozilla_s_profile(findings: Findings) -> None:
    """Only ciphers of the profile are offered, all with forward secrecy and authentication."""
    _, told = next(one for name, one in findings.items() if name.endswith("FS_ciphers"))
    tls13 = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}
    ecdsa = {one for one in CIPHERS.split(":") if "ECDSA" in one}
    assert set(told.split()) == tls13 | ecdsa
    weak = {name for name, (_, finding) in findings.items()
            if name.startswith("cipherlist_") and finding == "offered"}  # fmt: skip
    assert weak <= {"cipherlist_STRONG"}
