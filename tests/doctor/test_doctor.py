"""Real nginx before a real server: as `podium up` sets it up, and wrong in one way each."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from podium.cli import main
from podium.doctor import visitor
from tests.doctor.conftest import (
    BASE,
    HOST,
    LIMITS,
    Examine,
    Served,
    certificate,
    mends,
    served,
    told,
)  # fmt: skip
from tests.support.faults import SLOW
from tests.support.server import running

OWN = {"certificate chain", "access"}
"""What is a warning of every site here: nobody vouches for it, and everybody may ask."""


def test_all_is_well_with_what_podium_up_writes(server: Served, examined: Examine) -> None:
    """Nothing is wrong behind the nginx of `podium up`; what was looked at is told with figures."""
    report = examined(server, folder=server.app)
    assert told(report) == {}
    assert set(told(report, "warning")) == OWN
    assert set(told(report, "unknown")) == {
        "long answer", "client's address", "/metrics",
    }  # fmt: skip
    well = told(report, "ok")
    assert well["/predict, 100,001 bytes"] == (
        "413, by the application, which names [limits] upload"
    )
    assert well["TLS versions"] == "TLS 1.2 and TLS 1.3"
    assert well["[limits]"] == "as in podium.toml"
    assert well["HSTS"] == "max-age=63072000"
    assert well["generated addresses"] == (
        f"{report.address}predict, whatever X-Forwarded-Host claims"
    )


WRONG: dict[str, tuple[dict[str, str], dict[str, str], str]] = {
    "a size of nginx's own": (
        {"client_max_body_size 165536;": "client_max_body_size 64k;"},
        {"/predict, 100,000 bytes": "the nginx of `podium up` takes less than the application"},
        "client_max_body_size 165536",
    ),
    "a size for data sets of nginx's own": (
        {"client_max_body_size 365536;": "client_max_body_size 64k;"},
        {"/datasets, 300,000 bytes announced": "the nginx of `podium up` takes less"},
        "client_max_body_size 365536",
    ),
    "pages of nginx's own": (
        {"client_max_body_size 165536;": "client_max_body_size 64k;",
         "error_page 413 ": "error_page 599 "},
        {"/predict, 100,000 bytes": "nginx takes less than the application",
         "/predict, 100,001 bytes": "nginx: 413"},
        "client_max_body_size 165536",
    ),
    "a scheme that is not told": (
        {"proxy_set_header X-Forwarded-Proto $scheme;": ""},
        {"generated addresses": f"http://{HOST}:"},
        "X-Forwarded-Proto $scheme",
    ),
    "a port that is lost": (
        {"proxy_set_header Host $podium_test_site_host;": "proxy_set_header Host $host;"},
        {"generated addresses": f"https://{HOST}{BASE}/predict"},
        "proxy_set_header Host $http_host",
    ),
    "plain HTTP that is answered": (
        {"return 308 ": "return 200 "},
        {"redirect to HTTPS": "HTTP is answered on port"},
        "return 308 https://",
    ),
    "a redirect without the port": (
        {"return 308 https://$host:": "return 308 https://$host; #"},
        {"redirect to HTTPS": f"HTTP is sent to https://{HOST}"},
        "return 308 https://",
    ),
    "gzip twice": (
        {"location / {": "location / { gzip on; gzip_proxied any; gzip_min_length 1;\n"
         "proxy_hide_header Content-Encoding;"},
        {"compression": "the page is compressed more than once: gzip"},
        "gzip off",
    ),
    "a header twice": (
        {"location / {": 'location / { add_header X-Content-Type-Options nosniff always;\n'},
        {"security headers of the page": "X-Content-Type-Options: there 2 times"},
        "no add_header X-Content-Type-Options",
    ),
    "a header that is taken away": (
        {"location / {": "location / { proxy_hide_header Referrer-Policy;\n"},
        {"security headers of the page": "Referrer-Policy: not there"},
        "proxy_hide_header Referrer-Policy",
    ),
    "old TLS": (
        {"ssl_protocols TLSv1.2 TLSv1.3;": "ssl_protocols TLSv1.1 TLSv1.2 TLSv1.3;",
         "ssl_ciphers ": "ssl_ciphers ALL:@SECLEVEL=0:"},
        {"TLS versions": "TLS 1.1 is spoken", "TLS ciphers": "AECDH"},
        "ssl_protocols TLSv1.2 TLSv1.3",
    ),
    "errors in pages of nginx's own": (
        {"location / {": "location / { proxy_intercept_errors on;\n",
         "404.$podium_test_site_shape": "404.html"},
        {"error: an address that is not there": "nginx: 404 text/html"},
        "proxy_intercept_errors off",
    ),
    "sites of others let in": (
        {"location / {": "location / { add_header Access-Control-Allow-Origin * always;\n"},
        {"CORS": "scripts of any site read answers: *"},
        "no add_header Access-Control-Allow-Origin",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_found_and_mended(
    name: str, server: Served, examined: Examine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One thing that is wrong is found, nothing else is, and the setting that mends it is named."""
    if "data sets" in name:  # the one refusal that is waited for
        monkeypatch.setattr(visitor, "TAKEN_S", 10)
    changes, expected, mend = WRONG[name]
    report = examined(server, changes)
    found = told(report)
    assert found.keys() == expected.keys(), found
    assert [check for check, seen in expected.items() if not found[check].startswith(seen)] == []
    assert mend in mends(report)


def test_time_that_is_short_for_a_slow_model(examined: Examine) -> None:
    """A proxy that ends after 0.1 s what takes 0.3 s is found, and how long it should wait."""
    for one in served(LIMITS, "--base-path", BASE, x=SLOW):
        report = examined(one, {"proxy_read_timeout 105s;": "proxy_read_timeout 100ms;"})
    found = told(report)  # on a busy machine, of what is quicker too
    for check in ("prediction", "/predict, 100,000 bytes", "slow body"):
        assert "the nginx of `podium up`" in found[check]
        assert "504" in found[check]
    assert "nginx: proxy_read_timeout 105s; and proxy_send_timeout the same" in mends(report)


WARNED: dict[str, tuple[dict[str, str], str, str]] = {
    "no HTTP/2": ({" ssl http2;": " ssl;"}, "HTTP/2", "http2 on;"),
    "no HSTS": ({"add_header Strict-Transport-Security": "add_header X-Nothing"}, "HSTS",
                'add_header Strict-Transport-Security "max-age=63072000" always;'),
    "a redirect that loses a POST": ({"return 308 ": "return 301 "}, "redirect to HTTPS",
                                     "return 308"),
    "connections that are closed": ({"keepalive_timeout 75s;": "keepalive_timeout 0;"},
                                    "keep-alive", "keepalive_timeout 75s;"),
    "no compression": ({"location / {": 'location / { proxy_set_header Accept-Encoding "";\n'
                        "proxy_set_header X-Forwarded-Proto https;\n"
                        "proxy_set_header Host $http_host;"}, "compression",
                       "proxy_set_header Accept-Encoding"),
    "caching that is changed": ({"/static/ {": "/static/ { expires 1h;\n"}, "caching",
                                "no expires"),
    "an id that is told twice": ({"location / {": "location / { add_header X-Request-Id a;\n"
                                  'add_header Strict-Transport-Security "max-age=63072000";\n' ""},
                                 "request id", "no add_header of it"),
}  # fmt: skip


@pytest.mark.parametrize("name", WARNED)
def test_what_could_be_better_is_a_warning(name: str, server: Served, examined: Examine) -> None:
    """What works but could be better is a warning, with what mends it, and nothing is wrong."""
    changes, check, mend = WARNED[name]
    report = examined(server, changes)
    assert told(report) == {}
    assert set(told(report, "warning")) == {*OWN, check}
    assert mend in mends(report)


@pytest.mark.parametrize(
    ("name", "days", "check", "seen"),
    [
        (HOST, -1, "certificate dates", "it has expired 1 days ago"),
        ("127.0.0.3", 365, "certificate name", "IP address mismatch"),
    ],
)
def test_certificate_that_does_not_hold(
    name: str, days: int, check: str, seen: str, server: Served, examined: Examine, tmp_path: Path
) -> None:
    """One that has expired, or is for another name, is wrong even where any is taken."""
    own = certificate(tmp_path, name, days)
    if days == 365:  # self_signed adds this machine's usual names
        assert "127.0.0.2" not in own.chain.read_text()
    report = examined(server, shown=own)
    assert {key: text[: len(seen)] for key, text in told(report).items()} == {check: seen}
    assert "certbot" in mends(report)


def test_certificate_that_ends_soon_is_a_warning(
    server: Served, examined: Examine, tmp_path: Path
) -> None:
    """With few days left, the renewal does not work."""
    report = examined(server, shown=certificate(tmp_path, HOST, 5))
    assert told(report, "warning")["certificate dates"].startswith("5 days left, until ")
    assert "certbot renew --dry-run" in mends(report)


def test_certificate_nobody_vouches_for_is_wrong(server: Served, examined: Examine) -> None:
    """Without --insecure it is wrong; all else is looked at, but no key is sent."""
    report = examined(server, insecure=False, key="pod_secret")
    assert set(told(report)) == {"certificate chain", "key"}
    assert "self-signed certificate" in told(report)["certificate chain"]


def test_plain_http_of_a_public_address_is_wrong(server: Served, examined: Examine) -> None:
    """Without TLS everybody on the way reads what is sent."""
    report = examined(server, tls=False)
    assert set(told(report)) == {"TLS"}
    assert "podium up DIR --domain 127.0.0.2" in mends(report)


def test_proxy_that_takes_the_prefix_away(server: Served, examined: Examine) -> None:
    """The application tells its prefix, which the proxy removed."""
    changes = {"location / {\n        proxy_pass http://podium_test_site;":
               f"location {BASE}/ {{\n        proxy_pass http://podium_test_site/;"}  # fmt: skip
    report = examined(server, changes)
    assert told(report) == {"reachable": f"Podium: 404 The application is at {BASE}/"}
    assert "proxy_pass without a path" in mends(report)


def test_prefix_that_is_doubled(server: Served, examined: Examine) -> None:
    """Links with the prefix twice lead nowhere."""
    changes = {"location / {": f'location / {{ sub_filter_once off; sub_filter \'="{BASE}/\' '
               f'\'="{BASE}{BASE}/\'; proxy_set_header Accept-Encoding "";\n'
               "proxy_set_header X-Forwarded-Proto https; proxy_set_header Host $http_host;"
               }  # fmt: skip
    report = examined(server, changes)
    assert told(report)["path prefix"].startswith(f"it is doubled: {BASE}{BASE}/")
    assert "proxy_pass without a path" in mends(report)


def test_address_without_the_prefix_is_shown_the_way(server: Served, examined: Examine) -> None:
    """Who leaves the prefix out is told where the application is."""
    report = examined(server, base="")
    assert told(report) == {"reachable": f"Podium: 404 The application is at {BASE}/"}
    assert f"podium doctor {report.address}{BASE[1:]}/" in mends(report)


def test_server_that_is_gone(server: Served, examined: Examine) -> None:
    """Nginx without a server behind it: who answers is told, and where to look."""
    report = examined(server, live=False)
    assert told(report)["reachable"].startswith("the nginx of `podium up`: 502")
    assert "podium status DIR" in mends(report)


def test_other_limits_than_the_folder_s(server: Served, examined: Examine) -> None:
    """Where podium.toml has changed since, what serves has to be reloaded."""
    toml = server.app / "podium.toml"
    before = toml.read_text()
    toml.write_text(before.replace("100 kB", "90 kB"))
    try:
        report = examined(server, {"client_max_body_size 155536;": "client_max_body_size 165536;"},
                          folder=server.app)  # fmt: skip
    finally:
        toml.write_text(before)
    assert told(report) == {
        "[limits]": "what serves has other limits: upload = 100 kB, in podium.toml 90 kB"
    }
    assert "podium reload DIR" in mends(report)


@pytest.mark.parametrize(("claimed", "verdict"), [(False, "ok"), (True, "wrong")])
def test_address_that_a_client_claims(
    claimed: bool, verdict: str, server: Served, examined: Examine, tmp_path: Path
) -> None:
    """Whether a claim is believed is read in the server's log."""
    header = "proxy_set_header X-Forwarded-For "
    changes = {f"{header}$remote_addr;": f"{header}$http_x_forwarded_for;"} if claimed else {}
    (tmp_path / "a.log").symlink_to(server.folder / "server.log")
    report = examined(server, changes, logs=tmp_path)
    assert told(report, verdict)["client's address"].startswith(
        "the claim 203.0.113.7 is not believed" if verdict == "ok" else "the client's claim is bel"
    )


def test_full_sends_all_that_is_allowed(
    server: Served, examined: Examine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With --full the data set is sent, and the longest answer is awaited."""
    monkeypatch.setattr("podium.doctor.bodies.LONG_PAUSE_S", 0.02)
    report = examined(server, full=True)
    assert told(report) == {}
    assert "300,000 bytes" in next(one for one in told(report, "ok") if one.startswith("/datasets"))
    assert told(report, "ok")["long answer"]


def test_site_without_data_sets(examined: Examine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the host lets it take none, that is no fault, whatever podium.toml says of them."""
    monkeypatch.setenv("PODIUM_DATASETS", "off")
    for one in served(LIMITS):
        report = examined(one, base="", folder=one.app)
        assert told(report) == {}
        assert told(report, "ok")["/datasets"] == "off, as the server says"
        assert told(report, "ok")["[limits]"] == "as in podium.toml"


def test_site_that_asks_for_keys(examined: Examine) -> None:
    """Strangers are let in nowhere; without a key the doctor says what it could not look at."""
    for one in served("", access='[access]\nrequire = ["key"]\n'):
        report = examined(one, base="")
        assert told(report) == {}
        assert {"/models", "prediction", "[limits] upload"} <= told(report, "unknown").keys()
        key = add_key(one)
        report = examined(one, base="", key=key)
        assert told(report) == {}
        assert told(report, "ok")["/predict without a key"] == "401"


def add_key(one: Served) -> str:
    """Return a new key of a served application."""
    words = ["keys", "add", "doctor", str(one.app), "--state", str(one.folder / "state")]
    done = CliRunner().invoke(main, words, catch_exceptions=False)
    return done.stdout.strip()


@pytest.mark.usefixtures("quick")
def test_a_demo_on_this_machine_is_no_disaster(tmp_path: Path) -> None:
    """Plain HTTP of this machine to itself is well; exit code 0, and the count at the end."""
    with running(tmp_path, "demo", "penguins") as server:
        url = f"http://localhost:{server.client.port}"
        done = CliRunner().invoke(main, ["doctor", url], catch_exceptions=False)
    assert done.exit_code == 0
    assert "ok       TLS: plain HTTP, of this machine to itself\n" in done.stdout
    assert done.stdout.rstrip().endswith("0 warnings, 0 wrong; 3 could not be looked at.")


def test_nobody_there_is_told() -> None:
    """Where nobody answers, one finding says so and where to look; exit code 1, as JSON too."""
    done = CliRunner().invoke(main, ["doctor", "http://127.0.0.1:9", "--json"])
    assert done.exit_code == 1
    (finding,) = json.loads(done.stdout)["findings"]
    assert (finding["check"], finding["verdict"]) == ("reachable", "wrong")
    assert "Connection refused" in finding["seen"]
    assert "podium status DIR" in finding["mend"]


@pytest.mark.parametrize("url", ["ftp://example.org", "https://", "http://x:port"])
def test_what_is_no_address_is_refused(url: str) -> None:
    """An address that is none is one line, not a traceback."""
    done = CliRunner().invoke(main, ["doctor", url])
    assert done.exit_code == 1
    assert done.stderr.startswith(f"podium: '{url}' is no address")
