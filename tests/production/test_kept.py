"""What Gunicorn is told to keep is what it would have found out anew."""

from __future__ import annotations

import io
import time
from email.utils import parsedate_to_datetime

import pytest
from gunicorn import util
from gunicorn.config import Config
from gunicorn.http import wsgi

from podium.production.kept import keep


@pytest.fixture
def cfg(monkeypatch: pytest.MonkeyPatch) -> Config:
    """Settings that are kept, in a process that forgets them again."""
    for module, name in ((wsgi, "base_environ"), (util, "http_date")):
        monkeypatch.setattr(module, name, getattr(module, name))
    cfg = Config()
    cfg.set("threads", 7)
    cfg.set("certfile", "here.pem")
    return cfg


def test_settings_become_attributes(cfg: Config) -> None:
    """Settings keep their values, and what is computed of them stays computed."""
    before = {name: getattr(cfg, name) for name in cfg.settings}
    keep(cfg)
    assert vars(cfg)["threads"] == 7
    assert "worker_class" not in vars(cfg)
    assert {name: getattr(cfg, name) for name in cfg.settings} == before
    assert cfg.is_ssl


def test_each_request_has_an_environment_of_its_own(cfg: Config) -> None:
    """It begins as Gunicorn lets it begin, and what a request adds stays its own."""
    before = wsgi.base_environ(cfg)
    keep(cfg)
    first, second = wsgi.base_environ(cfg), wsgi.base_environ(cfg)
    errors = first.pop("wsgi.errors")
    assert isinstance(errors, io.RawIOBase)
    del before["wsgi.errors"], second["wsgi.errors"]
    assert first == before
    first["REQUEST_METHOD"] = "POST"
    assert second == before


def test_the_date_is_that_of_the_second(cfg: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is made anew as soon as the second is another, and reads as Gunicorn's own."""
    own = util.http_date
    keep(cfg)
    now = [784111776.9]
    monkeypatch.setattr(time, "time", lambda: now[0])
    told = [util.http_date()]
    now[0] += 0.2
    told += [util.http_date(), util.http_date(784111777.0)]
    assert told == [own(784111776), own(784111777), "Sun, 06 Nov 1994 08:49:37 GMT"]
    monkeypatch.setattr(time, "time", time.time)
    assert abs(parsedate_to_datetime(util.http_date()).timestamp() - time.time()) < 60
