"""Gunicorn's own log, in the shape of all else that a server logs."""

from __future__ import annotations

from gunicorn.config import Config
from gunicorn.glogging import Logger as GunicornLogger

from podium.logs import formatter


class Logger(GunicornLogger):  # type: ignore[misc]
    """Writes JSON where no terminal shows it."""

    def setup(self, cfg: Config) -> None:
        """Take what the settings say."""
        super().setup(cfg)
        for handler in self.error_log.handlers:
            handler.setFormatter(formatter())
