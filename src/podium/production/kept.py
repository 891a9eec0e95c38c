"""What Gunicorn finds out anew for each request, and what does not change from one to the next."""

from __future__ import annotations

import time
from email.utils import formatdate
from functools import lru_cache

from gunicorn import util
from gunicorn.config import Config
from gunicorn.http import wsgi


def keep(cfg: Config) -> None:
    """Let this process keep its settings, what each request's environment begins with, the date.

    Together they are a tenth of the time of a small model's answer.
    """
    _keep_settings(cfg)
    begins = wsgi.base_environ(cfg)
    wsgi.base_environ = lambda _cfg: begins.copy()
    util.http_date = _http_date


def _keep_settings(cfg: Config) -> None:
    """Make Gunicorn's settings plain attributes, which change no more.

    It looks each up in a method, many times a request.
    """
    for name, setting in cfg.settings.items():
        if not hasattr(type(cfg), name):  # what is computed stays so
            vars(cfg)[name] = setting.get()


def _http_date(seconds: float | None = None) -> str:
    return _date(int(time.time() if seconds is None else seconds))


@lru_cache(maxsize=1)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)
