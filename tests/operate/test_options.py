"""What `up` is told, what it keeps, and what it says beforehand."""

from __future__ import annotations

import errno
import socket
from pathlib import Path

import pytest
from msgspec import structs

from podium.errors import ServeError
from podium.folder import parse
from podium.jobs.state import StateFolder
from podium.operate.home import Home, Options, Record
from podium.operate.tls import certificate_of
from podium.operate.up import _check_port, _notes, options_with
from podium.production.site import Certificate, Site
from tests.support.visitors import write_offset


def test_options_that_are_left_out_stay() -> None:
    """What is given replaces what was said before; of the kinds of certificate one counts."""
    before = Options(domain="example.org", tls_self_signed=True, http_port=8080)
    assert options_with(before, {"domain": None, "workers": 3}) == Options(
        domain="example.org", tls_self_signed=True, http_port=8080, workers=3
    )
    given = {"tls_cert": Path("c.pem"), "tls_key": Path("k.pem"), "tls_self_signed": None}
    assert options_with(before, given) == Options(
        domain="example.org", http_port=8080, tls_cert=Path("c.pem"), tls_key=Path("k.pem")
    )
    off = options_with(before, {"tls_off": True})
    assert off == Options(domain="example.org", http_port=8080, tls_off=True)
    assert options_with(off, {"tls_self_signed": True}) == before


def test_what_is_up_is_noted_whole(tmp_path: Path) -> None:
    """The file says again what was written, paths too; nobody else reads it."""
    home = Home(StateFolder(tmp_path))
    home.folder.mkdir()
    options = Options(tls_cert=Path("/c"), database="postgresql://u:secret@h/d")
    record = Record(
        source=tmp_path, options=options, slot="a", release="r", since=1.5, podium="1", stop_s=30
    )  # fmt: skip
    assert home.record is None
    home.write(record)
    assert home.record == record
    assert (home.folder / "site.json").stat().st_mode & 0o777 == 0o600


def test_plain_http_on_a_public_name_is_said_loudly(tmp_path: Path) -> None:
    """Without a certificate it is told how to get one while the site has port 80, if it may."""
    spec = parse(write_offset(tmp_path / "app", 1)).spec
    site = Site(name="app", folder=tmp_path / "site", state=tmp_path, spec=spec)
    state = StateFolder(tmp_path)
    warning, access = _notes(structs.replace(site, domain="example.org"), state, tmp_path)
    assert warning.startswith("WARNING: example.org is served WITHOUT encryption")
    folder = tmp_path / "site"
    assert warning.endswith(
        "what is sent. Once it is up, get a certificate, which is free, then run this again:\n"
        f"  sudo apt-get install certbot\n  sudo certbot certonly --webroot -w {folder}/acme -d "
        f"example.org \\\n      --deploy-hook {folder}/certbot/renewed.sh"
    )
    assert access == "Everybody may ask who reaches this host: there is no [access] require."
    assert _notes(site, state, tmp_path) == []
    off, _ = _notes(structs.replace(site, domain="example.org"), state, tmp_path, tls_off=True)
    assert off.endswith("changes what is sent.")


def test_models_that_run_as_root_are_told(tmp_path: Path) -> None:
    """On a public name root's own state folder is told of, and how to have another user's."""
    spec = parse(write_offset(tmp_path / "app", 1)).spec
    facts = {"folder": tmp_path / "site", "state": tmp_path, "domain": "example.org"}
    site = Site(name="app", spec=spec, user="root", group="root", **facts)  # type: ignore[arg-type]
    told = _notes(site, StateFolder(tmp_path), Path("/app"))[-1]
    assert told == (
        f"The models run as root, who owns {tmp_path}. To have them run as another user: "
        f"podium down /app; chown -R USER {tmp_path}; podium up /app"
    )


def test_port_that_needs_root_names_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system refuses a port below 1024, others are named."""

    def refused(_: socket.socket, _address: object) -> None:
        raise OSError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", refused)
    with pytest.raises(ServeError) as caught:
        _check_port(80)
    assert str(caught.value) == (
        "Ports below 1024, as 80, need root. Run it with sudo, or take others: --http-port 8080 "
        "--https-port 8443"
    )


def test_certificate_and_key_belong_together(tmp_path: Path) -> None:
    """One without the other, and files that are none, are refused in words."""
    file = tmp_path / "c.pem"
    with pytest.raises(ServeError, match="--tls-key is missing"):
        certificate_of(Options(tls_cert=file), tmp_path)
    with pytest.raises(ServeError, match=r"c\.pem cannot be read"):
        certificate_of(Options(tls_cert=file, tls_key=file), tmp_path)
    file.write_text("no certificate")
    with pytest.raises(ServeError, match="are no certificate with its key"):
        certificate_of(Options(tls_cert=file, tls_key=file), tmp_path)
    assert certificate_of(Options(), tmp_path) is None


def test_off_is_off_whatever_certbot_has(tmp_path: Path) -> None:
    """A certificate that certbot's hook has put there is taken, unless TLS is off."""
    for name in ("fullchain.pem", "privkey.pem"):
        (tmp_path / name).touch()
    found = certificate_of(Options(), tmp_path)
    assert found == Certificate(tmp_path / "fullchain.pem", tmp_path / "privkey.pem")
    assert certificate_of(Options(tls_off=True), tmp_path) is None
