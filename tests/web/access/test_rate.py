"""How often one may ask: counted by who it is, right across workers, and across hosts."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from podium.errors import MissingExtra, ServeError
from podium.spec.access import Rate
from podium.web.access.rate import Counter, HostCounter, RedisCounter, client_of
from tests.support.limits import files_of_at_most
from tests.support.missing import program
from tests.web.access import assert_answered, assert_shown, bearer, site, told

NOW = 1_800_000_000.0
THREE = Rate(3, 60.0)


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis server of this test's own, on a Unix socket."""
    server = program("redis-server", "redis-server")
    folder = tmp_path_factory.mktemp("redis")
    path = folder / "redis.sock"
    command = [server, "--port", "0", "--unixsocket", str(path), "--save", "", "--dir", str(folder)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: S603
    try:
        deadline = time.monotonic() + 20
        while not _answers(path):
            assert time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.02)
        yield f"unix://{path}"
    finally:
        process.terminate()
        process.wait(10)


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
        probe.sendall(b"PING\r\n")
        return probe.recv(16) == b"+PONG\r\n"


@pytest.fixture(params=["host", "redis"])
def counters(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Counter, Counter]:
    """Two counters of one store, as two workers have, or two hosts."""
    if request.param == "host":
        return HostCounter(tmp_path / "rate"), HostCounter(tmp_path / "rate")
    url = request.getfixturevalue("redis_url")
    return RedisCounter(url, f"{tmp_path}:"), RedisCounter(url, f"{tmp_path}:")


def test_all_workers_count_together(counters: tuple[Counter, Counter]) -> None:
    """Three in a minute are three, whoever is asked; then one waits a third of it."""
    one, other = counters
    assert [each.wait("ann", THREE) for each in (one, other, one)] == [0, 0, 0]
    for each in counters:
        assert 15 < each.wait("ann", THREE) <= 20
    assert one.wait("bob", THREE) == 0


def test_what_is_refused_is_not_counted(counters: tuple[Counter, Counter]) -> None:
    """Who goes on asking does not wait the longer for it."""
    one, _ = counters
    fast = Rate(2, 0.4)
    assert [one.wait("ann", fast) for _ in range(2)] == [0, 0]
    for _ in range(20):
        wait = one.wait("ann", fast)
        assert wait <= 0.2
    time.sleep(0.25)
    assert one.wait("ann", fast) == 0


def test_the_count_outlives_the_server(tmp_path: Path) -> None:
    """One that starts anew takes up what its file says."""
    for _ in range(3):
        assert HostCounter(tmp_path / "rate").wait("ann", THREE) == 0
    assert HostCounter(tmp_path / "rate").wait("ann", THREE) > 0


def test_requests_go_on_evenly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a burst one passes every 20 seconds: three a minute, for as long as one likes."""
    now = NOW
    monkeypatch.setattr("podium.web.access.rate.time.time", lambda: now)
    counter = HostCounter(tmp_path / "rate")
    passed = []
    for second in range(180):
        now = NOW + second
        passed += [second] * (counter.wait("ann", THREE) == 0)
    assert passed == [0, 1, 2, 20, 40, 60, 80, 100, 120, 140, 160]


def test_a_clock_that_is_put_back_locks_nobody_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At most one period is waited for."""
    now = NOW
    monkeypatch.setattr("podium.web.access.rate.time.time", lambda: now)
    counter = HostCounter(tmp_path / "rate")
    for _ in range(3):
        counter.wait("ann", THREE)
    now = NOW - 1e6
    assert counter.wait("ann", THREE) == pytest.approx(20)


@pytest.mark.parametrize("content", [b"", b"\xff" * 100])
def test_a_damaged_file_is_made_anew(tmp_path: Path, content: bytes) -> None:
    """One of another size is from elsewhere, or was cut off."""
    (tmp_path / "rate").write_bytes(content)
    assert [HostCounter(tmp_path / "rate").wait("ann", THREE) for _ in range(2)] == [0, 0]


def test_the_file_has_its_room_from_the_beginning(tmp_path: Path) -> None:
    """A disk that fills up later cannot refuse a number its place; nobody else reads the file."""
    HostCounter(tmp_path / "rate")
    stat = (tmp_path / "rate").stat()
    assert (stat.st_size, stat.st_mode & 0o777) == (16 + 8 * 2**20, 0o600)
    assert stat.st_blocks * 512 >= stat.st_size


def test_without_room_a_worker_counts_for_itself(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """On a full disk each worker still refuses what is too much, and the log says so."""
    with files_of_at_most(100_000):
        counter = HostCounter(tmp_path / "rate")
    assert [counter.wait("ann", THREE) > 0 for _ in range(4)] == [False, False, False, True]
    assert (tmp_path / "rate").stat().st_size == 0
    assert [one.getMessage() for one in caplog.records] == [
        f"The disk has no room for {tmp_path / 'rate'}: each worker counts the rate of requests "
        "for itself"
    ]


@pytest.mark.parametrize(
    ("environ", "client"),
    [
        ({"REMOTE_ADDR": "192.0.2.7"}, "192.0.2.7"),
        ({"REMOTE_ADDR": "2001:db8:1:2:3:4:5:6"}, "2001:db8:1:2::/64"),
        ({"REMOTE_ADDR": "2001:db8:1:2::1"}, "2001:db8:1:2::/64"),
        ({"REMOTE_ADDR": "fe80::1%eth0"}, "fe80::/64"),
        ({"REMOTE_ADDR": "::ffff:192.0.2.7"}, "192.0.2.7"),
        ({"REMOTE_ADDR": "not:an:address"}, "not:an:address"),
        ({"REMOTE_ADDR": ""}, ""),
        ({"REMOTE_ADDR": "192.0.2.7", "podium.client": "key ci"}, "key ci"),
    ],
)
def test_a_client_is_who_it_is_or_its_network(environ: dict[str, str], client: str) -> None:
    """One household has as many IPv6 addresses as it likes, of one network."""
    assert client_of(environ) == client


@pytest.mark.parametrize("store", ["", 'rate_store = "{url}"\n'])
def test_too_many_requests_are_refused(
    tmp_path: Path, store: str, request: pytest.FixtureRequest
) -> None:
    """/predict and the page are counted together, and told when to ask again."""
    store = store and store.format(url=request.getfixturevalue("redis_url"))
    found = site(tmp_path, f'rate = "3/min"\n{store}')
    assert_answered(found.predict())
    assert_shown(found.send_form())
    assert found.ask("POST", "/datasets?start=false", data=b"text\na\n",
                     Content_Type="text/csv").status_code == 202  # fmt: skip
    for answer in (found.predict(), found.ask("POST", "/datasets", data=b"x")):
        wait = answer.headers["Retry-After"]
        assert told(answer) == (429, f"That is more than 3/min. Ask again in {wait} s.")
        assert 0 < int(wait) <= 20
    page = found.send_form()
    assert (page.status_code, page.mimetype) == (429, "text/html")
    wait = page.headers["Retry-After"]
    assert f"That is more than 3/min. Ask again in {wait} s." in page.text
    assert_answered(found.predict(environ_base={"REMOTE_ADDR": "192.0.2.8"}))


def test_looking_is_not_counted(tmp_path: Path) -> None:
    """A page with its pictures, and the calls it shows while one types, ask no model anything."""
    found = site(tmp_path, 'rate = "1/min"')
    for _ in range(3):
        assert found.open().status_code == 200
        assert found.ask("POST", "/calls", data={"text": "a"}).status_code == 200
    assert_answered(found.predict())


def test_every_key_has_a_rate_of_its_own(tmp_path: Path) -> None:
    """Two programs behind one address do not share it; who is refused uses nobody's up."""
    found = site(tmp_path, 'require = ["key"]\nrate = "1/min"')
    first, second = (bearer(found.credentials.add(name)) for name in ("ci", "lab"))
    assert found.predict().status_code == 401
    assert_answered(found.predict(Authorization=first))
    assert found.predict(Authorization=first).status_code == 429
    assert_shown(found.send_form(Authorization=second))


def test_a_proxy_tells_whose_request_is_counted(tmp_path: Path) -> None:
    """By the last address that the proxy saw; what a client adds in front changes nothing."""
    found = site(tmp_path, 'rate = "1/min"', "[server]\nproxies = 1\n")
    assert_answered(found.predict(X_Forwarded_For="192.0.2.1"))
    assert found.predict(X_Forwarded_For="9.9.9.9, 192.0.2.1").status_code == 429
    assert_answered(found.predict(X_Forwarded_For="192.0.2.2"))


def test_without_redis_requests_pass(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The log says so, once in a while, and nothing of the address, which may hold a password."""
    url = f"unix://user:s3cret@{tmp_path}/none.sock"
    found = site(tmp_path, f'rate = "1/min"\nrate_store = "{url}"')
    for _ in range(3):
        assert_answered(found.predict())
    assert_shown(found.send_form())
    assert [record.getMessage() for record in caplog.records] == [
        "The rate of requests is not limited: Redis is away (ConnectionError)"
    ]


@pytest.mark.parametrize("url", ["s3cret@redis", "http://u:s3cret@host", "redis://u:s3cret@h:port"])
def test_an_address_that_is_none_is_told(url: str) -> None:
    """Before anything is served, and without what may be a password."""
    with pytest.raises(ServeError, match=r"expected redis://HOST:PORT/0") as caught:
        RedisCounter(url, "")
    assert "s3cret" not in str(caught.value)


def test_without_its_client_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who counts on one host need not install it."""
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(MissingExtra, match=r"Redis needs .* 'podium\[redis\]'"):
        RedisCounter("redis://localhost", "")


def test_redis_that_comes_back_counts_again(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked again when its rest is over."""
    counter = RedisCounter(redis_url, f"{tmp_path}:")
    monkeypatch.setattr(counter, "_away_until", time.monotonic() + 60)
    assert [counter.wait("ann", Rate(1, 60.0)) for _ in range(2)] == [0, 0]
    monkeypatch.setattr(counter, "_away_until", time.monotonic())
    assert [counter.wait("ann", Rate(1, 60.0)) > 0 for _ in range(2)] == [False, True]


def test_redis_forgets_who_asks_no_more(redis_url: str, tmp_path: Path) -> None:
    """What is kept of a client goes when it is even again."""
    counter = RedisCounter(redis_url, f"{tmp_path}:")
    counter.wait("ann", Rate(1, 60.0))
    assert 0 < counter._redis.pttl(f"{tmp_path}:ann") <= 60_000


def test_the_store_may_stand_in_the_environment(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There a password is better kept than in a file that goes around."""
    monkeypatch.setenv("PODIUM_RATE_STORE", redis_url)
    found = site(tmp_path, 'rate = "1/min"')
    own = {"environ_base": {"REMOTE_ADDR": "192.0.2.99"}}
    assert_answered(found.predict(**own))
    assert found.predict(**own).status_code == 429
    assert not (tmp_path / "state" / "rate").exists()
