"""Gunicorn's settings are text made from [server] and [limits]."""

from __future__ import annotations

from pathlib import Path

import pytest

import podium.web
from podium.production import gunicorn
from podium.production.gunicorn import (
    Address,
    SocketFile,
    settings,
    watched_files,
    worker_count,
)
from podium.spec import Feature, Limits, ModelSpec, Server, Spec, Task
from podium.strict import Period, Size


def spec(server: Server | None = None, limits: Limits | None = None) -> Spec:
    """Return an application's description."""
    return Spec(
        title="A",
        task=Task(kind="regression"),
        models=(ModelSpec(name="m", file="m.onnx"),),
        features=(Feature(name="a"),),
        server=server or Server(),
        limits=limits or Limits(),
    )


@pytest.mark.parametrize(
    ("host", "bind", "url"),
    [
        ("127.0.0.1", "127.0.0.1:5000", "http://localhost:5000"),
        ("0.0.0.0", "0.0.0.0:5000", "http://localhost:5000"),  # noqa: S104
        ("::1", "[::1]:5000", "http://localhost:5000"),
        ("::", "[::]:5000", "http://localhost:5000"),
        ("example.org", "example.org:5000", "http://example.org:5000"),
        ("2001:db8::1", "[2001:db8::1]:5000", "http://[2001:db8::1]:5000"),
    ],
)
def test_addresses(host: str, bind: str, url: str) -> None:
    """An address is written as Gunicorn takes it and as a visitor types it."""
    address = Address(host, 5000)
    assert (address.bind, address.url) == (bind, url)


def test_socket_is_a_file() -> None:
    """A proxy on this host reaches the server through a file."""
    assert settings(spec(), SocketFile(Path("/run/a.sock")), 1)["bind"] == ["unix:/run/a.sock"]


def test_number_of_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """As asked, else as [server] says, else one a processor."""
    monkeypatch.setattr(gunicorn, "available_cpus", lambda: 6)
    assert worker_count(spec()) == 6
    assert worker_count(spec(Server(workers=3))) == 3
    assert worker_count(spec(Server(workers=3)), 2) == 2


def test_settings_in_whole() -> None:
    """Models are loaded after the fork; a worker may take the request's time and 30 s more."""
    limits = Limits(timeout=Period(90))
    assert settings(spec(limits=limits), Address("127.0.0.1", 5000), workers=3) == {
        "bind": ["127.0.0.1:5000"],
        "workers": 3,
        "threads": 8,
        "worker_class": "podium.production.worker.Worker",
        "preload_app": False,
        "reload": False,
        "timeout": 120,
        "graceful_timeout": 90,
        "keepalive": 75,
        "http_parser": "auto",
        "control_socket_disable": True,
        "limit_request_line": 8190,
        "limit_request_field_size": 8190,
        "secure_scheme_headers": {},
        "forwarder_headers": "",
        "forwarded_allow_ips": "*",
        "loglevel": "warning",
        "logger_class": "podium.production.logger.Logger",
        "proc_name": "podium",
        "worker_connections": 4000,
        "raw_env": ["PODIUM_MEMORY=0", "PODIUM_ANSWERING=80"],
    }


def test_threads_and_reload() -> None:
    """Threads are as asked, else as [server] says; reload is passed on."""
    address = Address("127.0.0.1", 1)
    assert settings(spec(Server(threads=9)), address, 1)["threads"] == 9
    assert settings(spec(Server(threads=9)), address, 1, threads=2)["threads"] == 2
    assert settings(spec(), address, 1, reload=True)["reload"] is True


def test_gunicorn_knows_every_setting() -> None:
    """Each setting is one of Gunicorn's own, with a value that it takes."""
    from gunicorn.config import Config

    config, lists = Config(), ("forwarder_headers", "forwarded_allow_ips")
    for name, value in settings(spec(), Address("127.0.0.1", 5000), 2).items():
        config.set(name, value)
        assert config.settings[name].get() == (value.split() if name in lists else value)


def test_less_than_a_second_is_still_a_time() -> None:
    """A request's time below a second does not become no time at all."""
    found = settings(spec(limits=Limits(timeout=Period(0.5))), Address("127.0.0.1", 1), 1)
    assert found["graceful_timeout"] >= 1


def test_files_that_restart_the_workers(tmp_path: Path) -> None:
    """podium.toml, the maker's code and texts are watched, at every depth."""
    (tmp_path / "deep").mkdir()
    for name in ("podium.toml", "steps.py", "deep/more.py", "about.md", "deep/card.md", "data.csv"):
        (tmp_path / name).write_text("")
    expected = {"podium.toml", "steps.py", "deep/more.py", "about.md", "deep/card.md"}
    watched = set(watched_files(tmp_path))
    inside = {name for name in watched if name.startswith(str(tmp_path))}
    assert inside == {str(tmp_path / name) for name in expected}
    web = Path(podium.web.__file__).parent
    assert {str(web / "static" / "page.css"), str(web / "templates" / "base.html")} <= watched


def test_models_in_the_pool() -> None:
    """With engine = "gunicorn" the dirty pool has the models, and leaves as late as web workers."""
    limits = Limits(timeout=Period(90), memory=Size(10**9))
    made = settings(spec(Server(engine="gunicorn", model_workers=2), limits), Address("h", 1), 4)
    assert {name: made[name] for name in made if name.startswith(("dirty", "raw"))} == {
        "dirty_apps": ["podium.production.models:Models"],
        "dirty_workers": 2,
        "dirty_timeout": 120,
        "dirty_graceful_timeout": 90,
        "raw_env": ["PODIUM_MEMORY=1000000000", "PODIUM_ANSWERING=80"],
    }
    assert [name for name in settings(spec(), Address("h", 1), 4) if "dirty" in name] == []
