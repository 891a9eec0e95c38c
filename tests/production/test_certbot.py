"""Certbot's hook, run as certbot runs it."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from podium.operate.home import make_folders
from podium.production.certbot import certbot_files
from podium.production.render import PROGRAMS, render
from podium.production.site import Site
from tests.production.test_gunicorn import spec

WAIT = (
    "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP]); print(flush=True); "
    "signal.sigwait([signal.SIGHUP]); print('told')"
)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Return a site whose folders are there, one with a space in its name."""
    folder = tmp_path / "my site"
    make_folders(folder)
    return Site(name="a", folder=folder, state=tmp_path, spec=spec(), domain="example.org")


def run_hook(site: Site) -> None:
    """Run the hook with a new certificate."""
    lineage = site.state / "live"
    lineage.mkdir()
    (lineage / "fullchain.pem").write_text("chain")
    (lineage / "privkey.pem").write_text("key")
    hook = site.folder / "hook.sh"
    hook.write_text(certbot_files(site)["certbot/renewed.sh"])
    environment = {**os.environ, "RENEWED_LINEAGE": str(lineage)}
    subprocess.run(["/bin/sh", str(hook)], env=environment, check=True)  # noqa: S603


def test_hook_puts_the_certificate_where_nginx_reads_it(site: Site) -> None:
    """Chain and key arrive whole, and are their owner's alone; without nginx that is all."""
    run_hook(site)
    files = {file.name: file for file in (site.folder / "tls").iterdir()}
    assert {name: file.read_text() for name, file in files.items()} == {
        "fullchain.pem": "chain", "privkey.pem": "key",
    }  # fmt: skip
    assert {stat.S_IMODE(file.stat().st_mode) for file in files.values()} == {0o600}


@pytest.mark.parametrize(("name", "told"), [("nginx", True), ("other", False)])
def test_hook_tells_nginx_and_nobody_else(name: str, told: bool, site: Site) -> None:
    """Only nginx reads its files again; another process with its former number is left alone."""
    program = site.state / name
    program.symlink_to(sys.executable)
    with subprocess.Popen([program, "-c", WAIT], stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        assert process.stdout is not None
        process.stdout.readline()
        site.nginx_pid.write_text(f"{process.pid}\n")
        run_hook(site)
        if not told:
            process.send_signal(signal.SIGTERM)
        assert process.stdout.read() == ("told\n" if told else "")


def test_files_of_a_site_are_all_rendered(site: Site) -> None:
    """Everything is made from the facts alone; what is run is among it."""
    files = render(site)
    assert {name.partition("/")[0] for name in files} == {
        "nginx", "systemd", "logrotate", "certbot",
    }  # fmt: skip
    assert set(files) >= PROGRAMS
    how = files["certbot/README.txt"]
    assert f"--webroot -w '{site.folder}/acme' -d example.org" in how
