"""systemd's units, as systemd reads them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from podium.production.site import Site
from podium.production.systemd import systemd_files
from tests.production.test_gunicorn import spec
from tests.support.missing import program

SERVER = "systemd/podium-penguins@.service"
NGINX = "systemd/podium-penguins-nginx.service"


def site(folder: Path = Path("/srv/penguins/site"), **facts: Any) -> Site:
    """Return the facts of a site."""
    told = {"name": "penguins", "folder": folder, "state": folder.parent, "spec": spec(), **facts}
    return Site(**told)


def lines_of(made: Site, name: str) -> list[str]:
    """Return the lines of a file."""
    return systemd_files(made)[name].splitlines()


@pytest.mark.parametrize("folder", ["site", "a site, 100 %"])
@pytest.mark.parametrize("user", ["", "daemon"])
def test_systemd_reads_the_units(folder: str, user: str, tmp_path: Path) -> None:
    """systemd-analyze finds nothing to say of the units, whatever the folder is called."""
    analyze = program("systemd-analyze", "systemd")
    program("nginx", "nginx-light")
    for name, text in systemd_files(site(tmp_path / folder, user=user)).items():
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    for name in (SERVER, NGINX):
        done = subprocess.run(  # noqa: S603  the program of this machine
            [analyze, "verify", "--man=no", str(tmp_path / name)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (done.stderr, done.returncode) == ("", 0)


def test_slot_is_served_by_its_own_instance() -> None:
    """The template's instance, a or b, chooses socket and release; it tells when it has begun."""
    lines = lines_of(site(base_path="/penguins"), SERVER)
    command = (
        f"ExecStart={sys.executable} -m podium serve /srv/penguins/site/slots/%i "
        "--socket /srv/penguins/site/run/%i.sock --proxies 1 --base-path /penguins --workers 1 "
        "--threads 8 --state /srv --key penguins"
    )
    wanted = {command, "Type=notify", "KillMode=mixed", "Restart=always", "TimeoutStopSec=70",
              "StandardOutput=append:/srv/penguins/site/logs/%i.log",
              "StandardError=append:/srv/penguins/site/logs/%i.log"}  # fmt: skip
    assert wanted <= set(lines)


def test_root_s_units_run_as_the_user_and_write_to_one_folder() -> None:
    """With root's rights all that is not needed is taken away; nginx may have low ports."""
    server, nginx = (set(lines_of(site(user="me"), name)) for name in (SERVER, NGINX))
    both = {"User=me", "NoNewPrivileges=yes", "ProtectSystem=strict", "PrivateTmp=yes",
            "WantedBy=multi-user.target"}  # fmt: skip
    assert both | {"ReadWritePaths=/srv/penguins", "CapabilityBoundingSet="} <= server
    assert (
        both
        | {
            "ReadWritePaths=/srv/penguins/site",
            "CapabilityBoundingSet=CAP_NET_BIND_SERVICE",
            "AmbientCapabilities=CAP_NET_BIND_SERVICE",
        }
        <= nginx
    )


def test_root_s_own_nginx_may_set_groups() -> None:
    """Without that right it writes an error for each of its workers, which it starts as root."""
    lines = lines_of(site(user="root", group="root"), NGINX)
    assert "CapabilityBoundingSet=CAP_NET_BIND_SERVICE CAP_SETGID" in lines


def test_a_user_s_own_units_ask_for_no_root() -> None:
    """A user's systemd can neither change users nor hide folders."""
    for name in (SERVER, NGINX):
        text = "\n".join(lines_of(site(), name))
        assert "WantedBy=default.target" in text
        assert "NoNewPrivileges=yes" in text
        for needs_root in ("User=", "Protect", "Private", "Capabilit", "ReadWritePaths"):
            assert needs_root not in text


def test_state_in_the_folder_for_temporary_files_stays_in_sight() -> None:
    """A private /tmp would hide a state folder that lies there."""
    made = site(Path("/tmp/podium-0/penguins/site"), user="me")  # noqa: S108
    assert not any("PrivateTmp" in line for line in lines_of(made, SERVER))


def test_address_of_the_database_is_in_no_unit() -> None:
    """What may hold a password stands in a file of its own, which the unit names."""
    files = systemd_files(site(database='postgresql://me:a"b c@host/jobs'))
    told = files.pop("systemd/environment")
    assert told == 'PODIUM_DATABASE="postgresql://me:a\\"b c@host/jobs"\n'
    assert "EnvironmentFile=-/srv/penguins/site/systemd/environment" in files[SERVER]
    assert not any("postgresql" in text for text in files.values())


def test_variables_of_the_servers_are_in_no_unit() -> None:
    """They stand in the same file, quoted as systemd reads it: a line may go on in the next one."""
    told = {"ONE": "plain", "TWO": "it's", "THREE": 'two\nlines, "quoted" \\'}
    files = systemd_files(site(variables=told))
    assert files.pop("systemd/environment") == (
        'ONE=plain\nTWO="it\'s"\nTHREE="two\nlines, \\"quoted\\" \\\\"\n'
    )
    assert not any("plain" in text or "quoted" in text for text in files.values())


def test_logs_are_kept_for_two_weeks() -> None:
    """Logs are shortened the logs, without a word to those who write them."""
    text = systemd_files(site(user="me", group="us"))["logrotate/podium-penguins"]
    assert text.startswith('"/srv/penguins/site/logs"/*.log {\n    su me us\n')
    assert {"    rotate 14", "    copytruncate"} <= set(text.splitlines())
