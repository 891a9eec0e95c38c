"""nginx's files come from the facts of a site, and nginx and gixy find nothing wrong in them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from podium.operate.self_signed import self_signed
from podium.production.gunicorn import Address, settings
from podium.production.nginx import nginx_command, nginx_files
from podium.production.refusals import REFUSALS, refusal_files
from podium.production.site import Certificate, Site
from podium.spec import Access, Limits
from podium.strict import Period, Size
from tests.production.test_gunicorn import spec
from tests.support.front import free_ports, refused

USER = "root" if os.geteuid() == 0 else ""


def site(folder: Path = Path("/srv/penguins/site"), **facts: Any) -> Site:
    """Return the facts of a site."""
    told = {"name": "penguins-1", "folder": folder, "state": folder.parent, "spec": spec(), **facts}
    return Site(**told)


def text_of(made: Site) -> str:
    """Return the site's own file."""
    return nginx_files(made)["nginx/site.conf"]


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"base_path": "/penguins"},
        {"proxies": 1},
        {"proxies": 3, "base_path": "/a/b"},
        {"ipv6": True, "name": "Odd name!"},
        {"spec": structs.replace(spec(), access=Access(rate="600/min"))},
    ],
    ids=["plain", "base path", "proxy", "proxies", "ipv6", "rate"],
)
def test_nginx_and_gixy_find_nothing_wrong(
    facts: dict[str, Any], tls: bool, tmp_path: Path
) -> None:
    """Every combination is right for nginx, in a folder with a space too, and clean for gixy."""
    folder = tmp_path / "a site"
    certificate = self_signed("example.org", tmp_path / "tls") if tls else None
    http_port, https_port = free_ports()
    made = site(folder, user=USER, certificate=certificate, domain="example.org",
                http_port=http_port, https_port=https_port, **facts)  # fmt: skip
    assert refused(made) == ""
    gixy = [
        sys.executable,
        "-m",
        "gixy",
        str(folder / "nginx" / "nginx.conf"),
        "-f",
        "json",
        "--skips",
        "origins",
    ]  # which looks for a list of domains on the internet
    done = subprocess.run(gixy, capture_output=True, text=True, check=False)  # noqa: S603
    assert (json.loads(done.stdout), done.returncode) == ([], 0), done.stdout


@pytest.mark.parametrize(
    ("version", "lines"),
    [
        ((1, 22, 1), ["listen 443 ssl http2;", "listen [::]:443 ssl http2;"]),
        ((1, 25, 1), ["listen 443 ssl;", "listen [::]:443 ssl;", "http2 on;"]),
    ],
)
def test_http2_as_the_version_wants_it(version: tuple[int, ...], lines: list[str]) -> None:
    """HTTP/2 is a word of `listen` before nginx 1.25.1, and a directive from it."""
    certificate = Certificate(Path("/c.pem"), Path("/k.pem"))
    made = site(nginx=version, certificate=certificate, ipv6=True)
    found = re.findall(r"^    (listen .*443.*|http2 .*)$", text_of(made), re.M)
    assert found == lines


def test_limits_are_those_of_the_server() -> None:
    """Sizes and time-outs come from [limits]; each is above the server's, which speaks first."""
    limits = Limits(upload=Size(1000), dataset=Size(2000), timeout=Period(90))
    made = site(spec=spec(limits=limits))
    text = text_of(made)
    assert re.findall(r"client_max_body_size (\d+);", text) == ["66536", "0", "67536"]
    (read,) = re.findall(r"proxy_read_timeout (\d+)s;", text)
    gunicorn = settings(made.spec, Address("127.0.0.1", 1), 1)
    assert limits.timeout < gunicorn["timeout"] < int(read) == made.timeout_s
    assert gunicorn["graceful_timeout"] < made.stop_s
    assert f"large_client_header_buffers 4 {gunicorn['limit_request_line'] + 2};" in text


def test_only_predict_is_asked_again_when_a_post_is_lost() -> None:
    """Of what may change something, /predict alone is sent to a server twice."""
    text = text_of(site(base_path="/p"))
    (location,) = re.findall(r"location ([^{]*) {(?:(?!location).)*non_idempotent", text, re.S)
    assert location == "= /p/predict"


def test_three_entries_lead_to_the_server_that_serves() -> None:
    """A request that a killed worker had is asked again, at last over a new connection."""
    made = site()
    upstream = nginx_files(made)["nginx/upstream.conf"]
    entry = "    server unix:/srv/penguins/site/run/live.sock max_fails=0;\n"
    fresh = "    server unix:/srv/penguins/site/run/./live.sock max_fails=0 backup;\n"
    assert upstream == (
        f"upstream podium_penguins_1 {{\n{entry}{entry}{fresh}}}\n"
        f"upstream podium_penguins_1_kept {{\n{entry}{entry}{fresh}"
        "    keepalive 32;\n    keepalive_timeout 60s;\n}\n"
    )


@pytest.mark.parametrize(
    ("access", "rate"),
    [
        (Access(), []),
        (Access(rate="10/s"), ["10r/s", "10"]),
        (Access(rate="600/min"), ["600r/m", "600"]),
        (Access(rate="10/s", require=("key",)), []),
    ],
)
def test_rate(access: Access, rate: list[str]) -> None:
    """[access] rate is nginx's, unless the server tells clients apart by more than addresses."""
    text = text_of(site(spec=structs.replace(spec(), access=access)))
    assert (
        re.findall(r"zone .*rate=([^;]*);", text)
        + re.findall(r"location = /predict {\n        limit_req .* burst=(\d+) nodelay;", text)
        == rate
    )


@pytest.mark.parametrize(("proxies", "found"), [(0, True), (1, False)])
def test_header_that_names_the_user_comes_from_a_proxy_alone(proxies: int, found: bool) -> None:
    """Where no proxy stands before nginx, the identity header is what a client made up."""
    text = text_of(site(proxies=proxies))
    assert ('proxy_set_header X-Remote-User "";' in text) is found


def test_localhost_is_not_pinned_to_https() -> None:
    """HSTS holds for every port of a name: for localhost it would end `podium serve`."""
    certificate = Certificate(Path("/c.pem"), Path("/k.pem"))
    assert "Strict-Transport" not in text_of(site(certificate=certificate))
    assert "Strict-Transport" in text_of(site(certificate=certificate, domain="example.org"))


@pytest.mark.parametrize(("user", "lines"), [("", []), ("nobody", ["user nobody nogroup;"])])
def test_instance_needs_no_root(user: str, lines: list[str]) -> None:
    """All that the instance writes lies in the site's folder; only root's changes its user."""
    text = nginx_files(site(user=user, group="nogroup"))["nginx/nginx.conf"]
    assert re.findall(r"^user .*$", text, re.M) == lines
    written = re.findall(r"(?:_temp_path|pid) ([^ ;]+);", text)
    assert len(written) == 6
    assert all(path.startswith("/srv/penguins/site/") for path in written)


def test_command_runs_in_the_foreground() -> None:
    """What keeps it alive starts it, and reads its errors."""
    assert nginx_command(site(), "/usr/sbin/nginx") == [
        "/usr/sbin/nginx", "-e", "stderr", "-p", "/srv/penguins/site",
        "-c", "/srv/penguins/site/nginx/nginx.conf", "-g", "daemon off;",
    ]  # fmt: skip


def test_each_refusal_is_there_in_both_shapes() -> None:
    """Each status that nginx is told to answer has its problem document and its page."""
    files = refusal_files()
    asked = re.findall(r"error_page \d+ (?:=\d+ )?/\.podium/(\d+)\.", text_of(site()))
    assert {f"{status}.{shape}" for status in asked for shape in ("json", "html")} == set(files)
    for status, detail in REFUSALS.items():
        assert json.loads(files[f"{status}.json"])["detail"] == detail
        assert f"<p>{detail.replace(chr(39), '&#x27;')}</p>" in files[f"{status}.html"]
